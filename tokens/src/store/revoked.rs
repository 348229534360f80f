//! Whether a token was revoked, by whatever names it.

use super::sql::values;
use super::{Store, StoreError};

/// What a token can be revoked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its `jti`.
    pub jti: String,
    /// Its `sub`.
    pub subject: String,
    /// Its `client_id`.
    pub client: String,
    /// Its refresh family (`sid`), if it has one.
    pub family: Option<String>,
    /// When it was issued, in seconds since 1970.
    pub issued: i64,
}

impl Store {
    /// Whether a token of an issuer was revoked.
    pub async fn is_revoked(&self, issuer: String, facts: Facts, now: i64) -> Result<bool, StoreError> {
        self.read(move |conn| {
            Box::pin(async move {
                // Each alternative is one look into the primary key: SQLite sees that only if each has the issuer. The kinds
                // are those of `RevocationKind`.
                let select = "SELECT 1 FROM revocations WHERE ends_at > $2 \
                              AND (issued_before IS NULL OR issued_before > $3) \
                              AND ((issuer = $1 AND kind = 1 AND value = $4) OR (issuer = $1 AND kind = 2 AND value = $5) \
                              OR (issuer = $1 AND kind = 3 AND value = $6) OR (issuer = $1 AND kind = 4 AND value = $7) \
                              OR (issuer = $1 AND kind = 5 AND value = '')) LIMIT 1";
                // No family has the empty name.
                let family = facts.family.as_deref().unwrap_or_default();
                let with = values![
                    &issuer,
                    now,
                    facts.issued,
                    &facts.jti,
                    &facts.subject,
                    &facts.client,
                    family
                ];
                Ok(conn.row(select, with).await?.is_some())
            })
        })
        .await
    }
}
