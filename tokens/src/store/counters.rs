//! Numbers that are given out once.

use super::StoreError;
use super::sql::{Conn, values};

/// The counter of revocations of an issuer.
pub(super) const REVOCATIONS: &str = "revocations";

/// Counts up by one, and gives the new number. The row stays locked until the transaction ends, so that numbers become visible in
/// their order: a sequence of PostgreSQL would not do that.
pub(super) async fn count_up(conn: &mut Conn, issuer: &str, name: &str) -> Result<u64, StoreError> {
    let upsert = "INSERT INTO counters (issuer, name, value) VALUES ($1, $2, 1) \
                  ON CONFLICT (issuer, name) DO UPDATE SET value = counters.value + 1 RETURNING value";
    let row = conn.row(upsert, values![issuer, name]).await?;
    let value = row.map(|row| row.int(0)).transpose()?;
    value
        .and_then(|value| u64::try_from(value).ok())
        .ok_or(StoreError::Unreadable("counter below zero"))
}
