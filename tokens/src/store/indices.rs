//! Numbers that are given out once.

use std::ops::Range;

use super::sql::{Conn, values};
use super::{Store, StoreError, Unit};

/// The counter of revocations of an issuer.
pub(super) const REVOCATIONS: &str = "revocations";
/// The counter of places in the status list of an issuer.
const STATUS: &str = "status";

impl Store {
    /// Gives out a block of places in the status list of an issuer (draft-ietf-oauth-status-list section 4), each once.
    pub async fn reserve_indices(&self, issuer: String, count: u32) -> Result<Range<u64>, StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let end = count_up(conn, &issuer, STATUS, i64::from(count)).await?;
                Ok(end.saturating_sub(u64::from(count))..end)
            })
        })
        .await
    }
}

/// Counts up, and gives the new number. The row stays locked until the transaction ends, so that numbers become visible in
/// their order: a sequence of PostgreSQL would not do that.
pub(super) async fn count_up(conn: &mut Conn, issuer: &str, name: &str, by: i64) -> Result<u64, StoreError> {
    let upsert = "INSERT INTO counters (issuer, name, value) VALUES ($1, $2, $3) \
                  ON CONFLICT (issuer, name) DO UPDATE SET value = counters.value + excluded.value RETURNING value";
    let row = conn.row(upsert, values![issuer, name, by]).await?;
    let value = row.map(|row| row.int(0)).transpose()?;
    value
        .and_then(|value| u64::try_from(value).ok())
        .ok_or(StoreError::Unreadable("counter below zero"))
}
