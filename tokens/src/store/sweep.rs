//! What is past goes away.

use super::sql::{Sql, locking, values};
use super::{Store, StoreError, Unit};

/// Deletes the rows of a table that are past, oldest first. Replicas that sweep at once skip each other's rows.
macro_rules! sweep {
    ($table:literal, $key:literal, $end:literal) => {
        locking!(
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE (",
                $key,
                ") IN (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE ",
                $end,
                " <= $1 ORDER BY ",
                $end,
                " LIMIT $2"
            ),
            " FOR UPDATE SKIP LOCKED",
            ")"
        )
    };
}

const TABLES: [Sql; 7] = [
    sweep!("used_values", "kind, digest", "ends_at"),
    sweep!("pending", "kind, digest", "ends_at"),
    sweep!("codes", "digest", "forget_at"),
    sweep!("refresh_tokens", "digest", "ends_at"),
    sweep!("access_tokens", "digest", "ends_at"),
    sweep!("families", "id", "forget_at"),
    sweep!("revocations", "issuer, kind, value", "ends_at"),
];

impl Store {
    /// Removes what is past, at most `batch` rows of each kind, each kind by itself, and says how many went. Whoever calls
    /// goes on at once while a call removes anything, and otherwise waits a while.
    pub async fn sweep(&self, now: i64, batch: u32) -> Result<u64, StoreError> {
        let mut gone = 0;
        for delete in TABLES {
            gone += self
                .write(Unit::Statement, move |conn| {
                    Box::pin(async move { conn.execute(delete, values![now, i64::from(batch)]).await })
                })
                .await?;
        }
        Ok(gone)
    }
}
