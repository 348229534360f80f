//! How fast the store is: values used once, refresh tokens rotated and found, handles, revocations; on SQLite, or on a PostgreSQL
//! server of its own. With `--tokens` or `--revocations` each operation is measured twice there: in a database that so many were put
//! into, and in one with 10,000 and 1,000. It fails where one takes longer in the full one by more than a fifth.
//! `make bench-store`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    dead_code,
    missing_docs,
    reason = "a measurement tells what it measured, and ends if it cannot"
)]

mod compare;
mod full;
mod load;
mod operation;
#[path = "../../tests/common/postgres.rs"]
mod postgres;

use anyhow::Result;
use clap::Parser;
use countersign_tokens::store::{Options, Store};

use crate::full::Content;
use crate::load::Load;
use crate::operation::Operation;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://tokens.example";
/// What PostgreSQL keeps in its memory: a quarter of 24 GiB, which is how its documentation has it sized. 10 million refresh tokens
/// and their indexes fit. So much is to be in huge pages, as it says too (`scripts/huge-pages`): else the time goes into mapping
/// small ones for each connection.
const BUFFERS: &str = "6GB";

#[derive(Parser)]
struct Arguments {
    /// On PostgreSQL instead of SQLite.
    #[arg(long)]
    postgres: bool,
    /// How many operations of each kind are measured. A fifth as many go before them.
    #[arg(long, default_value_t = 20_000)]
    number: u32,
    /// How many callers there are at once.
    #[arg(long, default_value_t = 32)]
    callers: u32,
    /// Measure beside so many live refresh tokens too.
    #[arg(long, default_value_t = 0, requires = "postgres")]
    tokens: u32,
    /// Measure beside so many revocations too.
    #[arg(long, default_value_t = 0, requires = "postgres")]
    revocations: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let place = tempfile::tempdir()?;
    let server = arguments.postgres.then(|| postgres::Server::start_with_memory(BUFFERS));
    let load = |store| Load::new(store, arguments.number, arguments.callers);
    let content = Content {
        tokens: arguments.tokens,
        revocations: arguments.revocations,
    };
    let Some(server) = server else {
        let url = format!("sqlite:{}/store.db", place.path().display());
        return alone(&load(open(&url).await?)).await;
    };
    if content.tokens + content.revocations == 0 {
        return alone(&load(open(&server.database("empty")).await?)).await;
    }
    let filled = async |name: &str, content: Content| {
        let url = server.database(name);
        // The tables must be there before they are filled, and nobody may have made plans for empty ones.
        drop(open(&url).await?);
        content.put(&server, name);
        anyhow::Ok(load(open(&url).await?))
    };
    let small = filled("small", Content::SMALL).await?;
    compare::measure(&small, &filled("full", content).await?).await
}

async fn open(url: &str) -> Result<Store> {
    Ok(Store::open(url, &Options::default()).await?)
}

async fn alone(load: &Load) -> Result<()> {
    println!("{:?}", load.store);
    load.begin().await?;
    for operation in Operation::ALL {
        load.warm_up(operation).await?;
        let mut measured = load::Measured::default();
        for part in load::PARTS {
            measured.add(load.measure(operation, part).await?);
        }
        println!("{:<18} {measured}", operation.name());
    }
    Ok(())
}
