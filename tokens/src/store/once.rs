//! What may be used once.

use super::sql::values;
use super::{Digest, Store, StoreError, Unit};

/// What kind of value may be used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// The `jti` of a client's assertion, with its issuer (RFC 7523 section 3).
    Assertion,
    /// The `jti` of a DPoP proof, with its key (RFC 9449 section 11.1).
    DpopProof,
    /// A `request_uri`, when a user has come back for it (RFC 9126 section 4).
    PushedRequest,
}

impl Once {
    const fn code(self) -> i64 {
        match self {
            Self::Assertion => 1,
            Self::DpopProof => 2,
            Self::PushedRequest => 3,
        }
    }
}

impl Store {
    /// Marks a value as used: true the first time, false ever after, whichever replica asks. It is remembered until `until`,
    /// which must not be before the value itself would be refused as too old.
    pub async fn use_once(&self, kind: Once, digest: Digest, until: i64) -> Result<bool, StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let insert =
                    "INSERT INTO used_values (kind, digest, ends_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
                let rows = conn.execute(insert, values![kind.code(), &digest, until]).await?;
                Ok(rows == 1)
            })
        })
        .await
    }
}
