//! What must be remembered: what was used once, codes, refresh tokens, handles and revocations.
//!
//! One schema and one set of statements for SQLite (embedded, one replica) and PostgreSQL (several). The store never sees
//! a secret: whoever calls gives the SHA-256 digest of a code, a token or a handle, so that a copy of the database opens
//! nothing. Times are whole seconds since 1970, and always an argument.
//!
//! What is answered is on the disk: the process may end at any moment after an answer, and the answer stays true. An operation
//! goes on when its caller goes away, so that nobody hides a replay by hanging up.

mod clients;
mod codes;
mod counters;
mod error;
mod families;
mod handles;
mod once;
mod open;
mod pending;
mod revocations;
mod revoked;
mod rotate;
mod sql;
mod sweep;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::{PgPool, SqlitePool};

pub use codes::Redeemed;
pub use error::StoreError;
pub use families::{Family, FamilyId};
pub use handles::Handle;
pub use once::Once;
pub use pending::Pending;
pub use revocations::{Revocation, RevocationKind};
pub use revoked::Facts;
pub use rotate::{Rotation, Use};
use sql::Conn;
use writer::Writer;

/// The SHA-256 digest of a secret.
pub type Digest = [u8; 32];

/// For how many seconds what is over is still remembered, so that it can be told from what never was: a day, the longest that
/// any access token lives. Redeemed codes, families, and what revokes the access tokens of a family are kept for it.
pub const REMEMBERED: i64 = 24 * 3600;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many connections there are at most: to PostgreSQL, or to read from SQLite.
    pub connections: u32,
    /// How long to wait for a connection, for a lock, or for a statement to end.
    pub patience: Duration,
    /// A file in PEM with the authorities that PostgreSQL's certificate may be of, instead of the public ones.
    pub ca: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections: 8,
            patience: Duration::from_secs(5),
            ca: None,
        }
    }
}

/// The store. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    back: Back,
}

#[derive(Clone)]
enum Back {
    Sqlite {
        writer: Writer,
        /// None when the database is in memory: only its one connection sees it.
        readers: Option<SqlitePool>,
    },
    Postgres(PgPool),
}

/// How much an operation is.
#[derive(Clone, Copy)]
enum Unit {
    /// One statement, which happens or does not.
    Statement,
    /// Several, which happen together or not at all.
    Transaction,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.back {
            Back::Sqlite { .. } => "Store(SQLite)",
            Back::Postgres(_) => "Store(PostgreSQL)",
        })
    }
}

impl Store {
    /// Opens the store at `url`, and brings its tables to this version: `sqlite:/path/to/file.db`, `sqlite::memory:`, or
    /// `postgres://user@host/database`. PostgreSQL on another host is reached by TLS with its name verified, unless the URL
    /// has another `sslmode`.
    ///
    /// Must be called on the runtime that will use it.
    pub async fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        open::open(url, options).await.map(|back| Self { back })
    }

    /// Whether the store takes writes, for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.write(Unit::Transaction, |conn| {
            Box::pin(async move { conn.row("SELECT 1", &[]).await.map(drop) })
        })
        .await
    }

    async fn write<T, F>(&self, unit: Unit, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        match &self.back {
            Back::Sqlite { writer, .. } => writer.write(unit, operation).await,
            Back::Postgres(pool) => {
                let pool = pool.clone();
                let done = tokio::spawn(async move { on_postgres(&pool, unit, operation).await });
                done.await.map_err(|_| StoreError::Closed)?
            }
        }
    }

    async fn read<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let mut conn = match &self.back {
            Back::Sqlite { writer, readers: None } => return writer.write(Unit::Statement, operation).await,
            Back::Sqlite {
                readers: Some(pool), ..
            } => Conn::SqliteReader(pool.acquire().await?),
            Back::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        };
        operation(&mut conn).await
    }
}

/// Runs an operation on a connection of its own. A transaction that is not committed is rolled back when it is dropped. It is
/// asked to be one that may write, so that a standby refuses it at once.
async fn on_postgres<T, F>(pool: &PgPool, unit: Unit, operation: F) -> Result<T, StoreError>
where
    F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>>,
{
    let mut conn = match unit {
        Unit::Statement => Conn::Postgres(pool.acquire().await?),
        Unit::Transaction => {
            let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
            Conn::PostgresWriter(pool.begin_with(begin).await?)
        }
    };
    let value = operation(&mut conn).await?;
    conn.commit().await?;
    Ok(value)
}
