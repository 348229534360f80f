//! What waits to be taken, once.

use super::sql::values;
use super::{Digest, Store, StoreError, Unit};

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// An authorization request that was pushed, by its `request_uri` (RFC 9126).
    PushedRequest,
    /// A user who is signing in at the upstream, by the `state` that was sent there.
    SignIn,
}

impl Pending {
    const fn code(self) -> i64 {
        match self {
            Self::PushedRequest => 1,
            Self::SignIn => 2,
        }
    }
}

impl Store {
    /// Puts a value away until it is taken, or until `until`. A digest names one thing: a second is an error.
    pub async fn put_pending(
        &self,
        kind: Pending,
        digest: Digest,
        value: String,
        until: i64,
    ) -> Result<(), StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let insert = "INSERT INTO pending (kind, digest, value, ends_at) VALUES ($1, $2, $3, $4)";
                conn.execute(insert, values![kind.code(), &digest, &value, until])
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// Looks at a value and leaves it there.
    pub async fn peek_pending(&self, kind: Pending, digest: Digest, now: i64) -> Result<Option<String>, StoreError> {
        self.read(move |conn| {
            Box::pin(async move {
                let select = "SELECT value FROM pending WHERE kind = $1 AND digest = $2 AND ends_at > $3";
                let row = conn.row(select, values![kind.code(), &digest, now]).await?;
                row.map(|row| row.text(0)).transpose()
            })
        })
        .await
    }

    /// Takes a value: of all who ask, one gets it.
    pub async fn take_pending(&self, kind: Pending, digest: Digest, now: i64) -> Result<Option<String>, StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let delete = "DELETE FROM pending WHERE kind = $1 AND digest = $2 AND ends_at > $3 RETURNING value";
                let row = conn.row(delete, values![kind.code(), &digest, now]).await?;
                row.map(|row| row.text(0)).transpose()
            })
        })
        .await
    }
}
