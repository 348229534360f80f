//! Opening a store, and bringing its tables to this version.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqlSafeStr as _, SqlitePool};
use url::Url;

use super::writer::Writer;
use super::{Back, Options, StoreError};

/// The migrations, in order. One that was released never changes.
const MIGRATIONS: [(i64, &str, &str); 1] = [(1, "store", include_str!("../../migrations/0001_store.sql"))];

/// What SQLite calls a file that another process has locked (`SQLITE_BUSY`), and how long to wait then.
const BUSY: &str = "5";
const PAUSE: Duration = Duration::from_millis(20);

/// Marks lines of a migration that are for SQLite alone.
const SQLITE_ONLY: &str = "-- sqlite: ";

pub(super) async fn open(url: &str, options: &Options) -> Result<Back, StoreError> {
    if url.starts_with("sqlite:") {
        sqlite(url, options).await
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        postgres(url, options).await
    } else {
        Err(StoreError::Url)
    }
}

fn cannot_open(error: sqlx::Error) -> StoreError {
    StoreError::Open(Arc::new(error))
}

async fn sqlite(url: &str, options: &Options) -> Result<Back, StoreError> {
    let memory = url == "sqlite::memory:";
    let connect = SqliteConnectOptions::from_str(url)
        .map_err(|_| StoreError::Url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Every commit reaches the disk, not only the log's cache: a power failure must not make a used value unused.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.patience)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(options.patience)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None);
    let one = pool.clone().max_connections(1).min_connections(1);
    let one = first(&one, &connect, options.patience).await.map_err(cannot_open)?;
    migrate_sqlite(&one).await?;
    let readers = if memory {
        None
    } else {
        let connect = connect.read_only(true).create_if_missing(false);
        let many = pool.max_connections(options.connections).min_connections(1);
        Some(many.connect_with(connect).await.map_err(cannot_open)?)
    };
    Ok(Back::Sqlite {
        writer: Writer::start(one),
        readers,
    })
}

/// Opens the file. Of several processes that do it for the first time, one changes it to have a write-ahead log, and the
/// others are told at once that it is locked, however patient they said they are.
async fn first(
    pool: &SqlitePoolOptions,
    connect: &SqliteConnectOptions,
    patience: Duration,
) -> Result<SqlitePool, sqlx::Error> {
    let mut left = patience;
    loop {
        let opened = pool.clone().connect_with(connect.clone()).await;
        match opened {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(BUSY) && left >= PAUSE => {
                left -= PAUSE;
                tokio::time::sleep(PAUSE).await;
            }
            opened => return opened,
        }
    }
}

async fn postgres(url: &str, options: &Options) -> Result<Back, StoreError> {
    let parsed = Url::parse(url).map_err(|_| StoreError::Url)?;
    let mut connect = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Url)?
        .application_name("countersign-tokens")
        .disable_statement_logging();
    let says = parsed
        .query_pairs()
        .any(|(key, _)| matches!(&*key, "sslmode" | "ssl-mode"));
    if !says && connect.get_socket().is_none() {
        connect = connect.ssl_mode(PgSslMode::VerifyFull);
    }
    if let Some(ca) = &options.ca {
        connect = connect.ssl_root_cert(ca);
    }
    // Without the time limits below: the tables of a large store take a while to change, and other replicas wait meanwhile.
    let mut connection = connect.connect().await.map_err(cannot_open)?;
    migrator(str::to_owned).run_direct(None, &mut connection, false).await?;
    connection.close().await.map_err(cannot_open)?;
    let session = session(options.patience);
    let pool = PgPoolOptions::new()
        .acquire_timeout(options.patience)
        .max_connections(options.connections)
        .min_connections(1)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| Box::pin(alive(connection, meta.idle_for)))
        .after_connect(move |connection, _| {
            let session = Arc::clone(&session);
            Box::pin(async move {
                sqlx::raw_sql(AssertSqlSafe(session)).execute(connection).await?;
                Ok(())
            })
        });
    Ok(Back::Postgres(pool.connect_with(connect).await.map_err(cannot_open)?))
}

/// What every connection is told. A statement that hangs must not hold a connection, nor a connection that hangs its locks.
fn session(patience: Duration) -> Arc<str> {
    let patience = patience.as_millis();
    let session = format!(
        "SET statement_timeout = {patience}; SET lock_timeout = {patience}; \
         SET idle_in_transaction_session_timeout = {patience}; \
         SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"
    );
    session.into()
}

/// Asks a connection whether it still is one, unless it was used a moment ago: to ask each time would double the way.
async fn alive(connection: &mut PgConnection, idle: Duration) -> Result<bool, sqlx::Error> {
    if idle > Duration::from_secs(1) {
        connection.ping().await?;
    }
    Ok(true)
}

/// What brings a database to this version. On PostgreSQL it holds an advisory lock meanwhile, so that of two replicas that
/// start together one waits for the other.
fn migrator(text: impl Fn(&'static str) -> String) -> Migrator {
    let migrations = MIGRATIONS.into_iter().map(|(version, name, sql)| {
        let sql = AssertSqlSafe(text(sql)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// In one transaction that takes the write lock at once, so that of two who start together one waits for the other.
async fn migrate_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(cannot_open)?;
    let migrator = migrator(|sql| sql.replace(SQLITE_ONLY, ""));
    migrator.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await.map_err(cannot_open)
}
