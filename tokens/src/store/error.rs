//! Why the store has no answer.

use std::sync::Arc;

use sqlx::migrate::MigrateError;

/// Why the store has no answer. Nothing that was asked for may be taken as done, except by asking again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no store. What it holds is not repeated: there may be a password in it.
    #[error(
        "the store's URL is not understood: write sqlite:/path/to/file.db, or postgres://user@host/database with the parameters that PostgreSQL's own programs take"
    )]
    Url,
    /// The database cannot be reached or opened.
    #[error("the store cannot be opened: {0}")]
    Open(#[source] Arc<sqlx::Error>),
    /// The tables cannot be made, or are those of a newer version.
    #[error("the store's tables cannot be brought to this version: {0}")]
    Migrate(#[source] Arc<MigrateError>),
    /// A statement failed.
    #[error("the store failed: {0}")]
    Database(#[source] Arc<sqlx::Error>),
    /// The task that writes is gone, with the runtime it ran on.
    #[error("the store is closed: its runtime has ended")]
    Closed,
    /// A row has something that this version never writes.
    #[error("the store holds a {0} that this version does not understand: was it written by a newer one?")]
    Unreadable(&'static str),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        Self::Migrate(Arc::new(error))
    }
}
