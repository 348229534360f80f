//! Opaque access tokens: handles whose meaning is here.

use super::sql::values;
use super::{Digest, FamilyId, Store, StoreError, Unit};

/// What an opaque access token means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Its claims, as JSON.
    pub claims: String,
    /// The family that it was issued with, if with one.
    pub family: Option<FamilyId>,
    /// Whether it, or its family, was revoked.
    pub revoked: bool,
}

impl Store {
    /// Keeps an opaque access token until `until`, at most a day after its family ends.
    pub async fn put_token(
        &self,
        digest: Digest,
        claims: String,
        family: Option<FamilyId>,
        until: i64,
    ) -> Result<(), StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let insert = "INSERT INTO access_tokens (digest, claims, family, ends_at) VALUES ($1, $2, $3, $4)";
                let family = family.as_ref().map(|family| &family.0);
                conn.execute(insert, values![&digest, &claims, family, until]).await?;
                Ok(())
            })
        })
        .await
    }

    /// What an opaque access token means, unless it is past its end or was never issued.
    pub async fn token(&self, digest: Digest, now: i64) -> Result<Option<Handle>, StoreError> {
        self.read(move |conn| {
            Box::pin(async move {
                let select = "SELECT t.claims, t.family, t.revoked_at, f.revoked_at FROM access_tokens t \
                              LEFT JOIN families f ON f.id = t.family WHERE t.digest = $1 AND t.ends_at > $2";
                let Some(row) = conn.row(select, values![&digest, now]).await? else {
                    return Ok(None);
                };
                Ok(Some(Handle {
                    claims: row.text(0)?,
                    family: row.maybe_bytes(1)?.map(FamilyId),
                    revoked: row.maybe_int(2)?.is_some() || row.maybe_int(3)?.is_some(),
                }))
            })
        })
        .await
    }

    /// Revokes an opaque access token. True if it was there and not revoked before.
    pub async fn revoke_token(&self, digest: Digest, now: i64) -> Result<bool, StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let update = "UPDATE access_tokens SET revoked_at = $2 WHERE digest = $1 AND revoked_at IS NULL";
                Ok(conn.execute(update, values![&digest, now]).await? == 1)
            })
        })
        .await
    }
}
