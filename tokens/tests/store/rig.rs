//! A database to test on, and replicas that share it.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_tokens::store::{Digest, Family, FamilyId, Options, Rotation, Store, Use};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::common::postgres::Server;

pub const NOW: i64 = 1_800_000_000;
pub const ISSUER: &str = "https://tokens.example";
pub const CLIENT: &str = "shop/web";
pub const KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

/// Which database.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Memory,
    Sqlite,
    Postgres,
}

/// A new, empty database.
pub struct Database {
    pub url: String,
    pub kind: Kind,
    place: Option<TempDir>,
}

impl Database {
    pub fn new(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = matches!(kind, Kind::Sqlite).then(|| tempfile::tempdir().unwrap());
        let url = match kind {
            Kind::Memory => "sqlite::memory:".to_owned(),
            Kind::Sqlite => format!("sqlite:{}/store.db", place.as_ref().unwrap().path().display()),
            Kind::Postgres => {
                let number = COUNT.fetch_add(1, Ordering::Relaxed);
                Server::shared().database(&format!("store_{number}"))
            }
        };
        Self { url, kind, place }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, &Options::default()).await.unwrap()
    }

    /// Stores of several replicas. SQLite is for one.
    pub async fn replicas(&self) -> Vec<Store> {
        let count = if matches!(self.kind, Kind::Postgres) { 4 } else { 1 };
        let mut stores = Vec::new();
        for _ in 0..count {
            stores.push(self.open().await);
        }
        stores
    }
}

pub async fn open(kind: Kind) -> (Database, Store) {
    let database = Database::new(kind);
    let store = database.open().await;
    (database, store)
}

pub fn digest(of: &str) -> Digest {
    Sha256::digest(of).into()
}

pub fn family(number: u8) -> Family {
    Family {
        id: FamilyId([number; 16]),
        issuer: ISSUER.to_owned(),
        client: CLIENT.to_owned(),
        subject: "alice".to_owned(),
        data: r#"{"scope":"orders:read"}"#.to_owned(),
        created: NOW,
        absolute_end: NOW + 1000,
        idle_end: NOW + 100,
    }
}

/// A use of a token by its client with its key, with ten seconds of grace.
pub fn usage(token: &str, next: &str) -> Use {
    Use {
        digest: digest(token),
        next: digest(next),
        issuer: ISSUER.to_owned(),
        client: CLIENT.to_owned(),
        proof_key: Some(KEY.to_owned()),
        now: NOW + 10,
        idle: 100,
        grace: 10,
    }
}

/// What of a rotation is compared.
pub fn name(rotation: &Rotation) -> &'static str {
    match rotation {
        Rotation::Rotated(_) => "rotated",
        Rotation::Repeated(_) => "repeated",
        Rotation::Reused(_) => "reused",
        Rotation::Revoked => "revoked",
        Rotation::Ended => "ended",
        Rotation::Unknown => "unknown",
        Rotation::NotYours => "not yours",
    }
}

pub async fn rotate(store: &Store, with: Use) -> &'static str {
    name(&store.rotate(with).await.unwrap())
}
