//! One way to ask two databases: a statement, its values, its rows. What differs between them ends in this file.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    Decode, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection, Transaction, Type, pool::PoolConnection,
};

use super::StoreError;

/// A statement, in the dialect of each database. Nearly all are the same text.
#[derive(Clone, Copy)]
pub(super) struct Sql {
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self {
            sqlite: text,
            postgres: text,
        }
    }
}

/// A statement that locks rows in PostgreSQL: head, the words that lock, tail. SQLite has one writer, and no such words.
macro_rules! locking {
    ($head:expr, $lock:literal $(, $tail:literal)?) => {
        $crate::store::sql::Sql {
            sqlite: concat!($head $(, $tail)?),
            postgres: concat!($head, $lock $(, $tail)?),
        }
    };
}
pub(super) use locking;

/// A value in the place of `$n`. What may be absent has a type of its own, because PostgreSQL asks for the type of a null.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(Some(value))
    }
}

impl<'a, const N: usize> From<Option<&'a [u8; N]>> for Value<'a> {
    fn from(value: Option<&'a [u8; N]>) -> Self {
        Self::Bytes(value.map(<[u8; N]>::as_slice))
    }
}

/// Values for `$1`, `$2` and so on.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::sql::Value::from($value)),*]
    };
}
pub(super) use values;

/// A connection that statements run on, in a transaction or each by itself.
pub(super) enum Conn {
    SqliteWriter(Transaction<'static, Sqlite>),
    SqliteReader(PoolConnection<Sqlite>),
    PostgresWriter(Transaction<'static, Postgres>),
    Postgres(PoolConnection<Postgres>),
}

enum Raw<'c> {
    Sqlite(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

macro_rules! bound {
    ($text:expr, $values:expr) => {{
        let mut query = sqlx::query($text);
        for value in $values {
            query = match *value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Conn {
    fn raw(&mut self) -> Raw<'_> {
        match self {
            Self::SqliteWriter(transaction) => Raw::Sqlite(transaction),
            Self::SqliteReader(connection) => Raw::Sqlite(connection),
            Self::PostgresWriter(transaction) => Raw::Postgres(transaction),
            Self::Postgres(connection) => Raw::Postgres(connection),
        }
    }

    /// Runs a statement, and says how many rows it touched.
    pub async fn execute(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Result<u64, StoreError> {
        let sql = sql.into();
        Ok(match self.raw() {
            Raw::Sqlite(connection) => bound!(sql.sqlite, values).execute(connection).await?.rows_affected(),
            Raw::Postgres(connection) => bound!(sql.postgres, values).execute(connection).await?.rows_affected(),
        })
    }

    /// The one row that a statement gives, if it gives one.
    pub async fn row(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self.raw() {
            Raw::Sqlite(connection) => {
                let row = bound!(sql.sqlite, values).fetch_optional(connection).await?;
                row.map(Row::Sqlite)
            }
            Raw::Postgres(connection) => {
                let row = bound!(sql.postgres, values).fetch_optional(connection).await?;
                row.map(Row::Postgres)
            }
        })
    }

    /// All rows that a statement gives.
    pub async fn rows(&mut self, sql: impl Into<Sql>, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into();
        Ok(match self.raw() {
            Raw::Sqlite(connection) => {
                let rows = bound!(sql.sqlite, values).fetch_all(connection).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Raw::Postgres(connection) => {
                let rows = bound!(sql.postgres, values).fetch_all(connection).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Makes what happened in this transaction last.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::SqliteWriter(transaction) => transaction.commit().await?,
            Self::PostgresWriter(transaction) => transaction.commit().await?,
            Self::SqliteReader(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }
}

/// A row of either database. Columns are read by their place.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn get<T>(&self, column: usize) -> Result<T, StoreError>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    pub fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub fn bytes<const N: usize>(&self, column: usize) -> Result<[u8; N], StoreError> {
        sized(self.get(column)?)
    }

    pub fn maybe_bytes<const N: usize>(&self, column: usize) -> Result<Option<[u8; N]>, StoreError> {
        self.get::<Option<Vec<u8>>>(column)?.map(sized).transpose()
    }
}

fn sized<const N: usize>(bytes: Vec<u8>) -> Result<[u8; N], StoreError> {
    bytes
        .try_into()
        .map_err(|_| StoreError::Unreadable("digest of another length"))
}
