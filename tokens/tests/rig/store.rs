//! Where a rig remembers things, unless its test says where.

use std::env::{self, VarError};
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_tokens::store::{Options, Store};

#[path = "../common/postgres.rs"]
#[allow(clippy::expect_used, reason = "a test says what it expects by panicking")]
pub mod postgres;

use postgres::Server;

/// Says where: `postgres`, or `sqlite`, which it is by default.
const WHERE: &str = "COUNTERSIGN_TEST_STORE";

/// A new store: in memory, or as a database of its own on the PostgreSQL server that the tests of this process share.
pub async fn open() -> Store {
    let url = match env::var(WHERE).as_deref() {
        Err(VarError::NotPresent) | Ok("sqlite") => "sqlite::memory:".to_owned(),
        Ok("postgres") => database(),
        other => panic!("{WHERE} can be sqlite or postgres, and is {other:?}"),
    };
    Store::open(&url, &Options::default()).await.unwrap()
}

fn database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    Server::shared().database(&format!("rig_{number}"))
}
