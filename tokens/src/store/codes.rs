//! Authorization codes: redeemed once, and remembered (RFC 6749 section 4.1.2).

use super::families::revoke_family;
use super::sql::{Conn, values};
use super::{Digest, FamilyId, REMEMBERED, Store, StoreError, Unit};

/// What became of an authorization code that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It was good, and is now used: what was put with it.
    Fresh(String),
    /// It was used before. What was issued from it, if anything was, is revoked now.
    Replayed {
        /// What was issued from it.
        family: Option<FamilyId>,
    },
    /// There is no such code, or it ended unused.
    Unknown,
}

impl Store {
    /// Keeps an authorization code, to be redeemed until `until`.
    pub async fn put_code(&self, digest: Digest, value: String, until: i64) -> Result<(), StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move {
                let insert = "INSERT INTO codes (digest, value, ends_at, forget_at) VALUES ($1, $2, $3, $4)";
                let forget = until.saturating_add(REMEMBERED);
                conn.execute(insert, values![&digest, &value, until, forget]).await?;
                Ok(())
            })
        })
        .await
    }

    /// Redeems a code: of all who present it, one gets it. The others are told that it was replayed, and the family that it is
    /// bound to is revoked together with that.
    pub async fn redeem_code(&self, digest: Digest, now: i64) -> Result<Redeemed, StoreError> {
        self.write(Unit::Transaction, move |conn| Box::pin(redeem(conn, digest, now)))
            .await
    }

    /// Says which family was begun with a redeemed code. False when the code was replayed meanwhile, or is not known as
    /// redeemed: the family is revoked then, and nothing of it may be given out.
    pub async fn bind_code(&self, digest: Digest, family: FamilyId, now: i64) -> Result<bool, StoreError> {
        self.write(Unit::Transaction, move |conn| Box::pin(bind(conn, digest, family, now)))
            .await
    }
}

async fn redeem(conn: &mut Conn, digest: Digest, now: i64) -> Result<Redeemed, StoreError> {
    let first =
        "UPDATE codes SET redeemed_at = $2 WHERE digest = $1 AND redeemed_at IS NULL AND ends_at > $2 RETURNING value";
    if let Some(row) = conn.row(first, values![&digest, now]).await? {
        return Ok(Redeemed::Fresh(row.text(0)?));
    }
    let again = "UPDATE codes SET replayed_at = $2 WHERE digest = $1 AND redeemed_at IS NOT NULL RETURNING family";
    let Some(row) = conn.row(again, values![&digest, now]).await? else {
        return Ok(Redeemed::Unknown);
    };
    let family = row.maybe_bytes(0)?.map(FamilyId);
    if let Some(family) = family {
        revoke_family(conn, family, now).await?;
    }
    Ok(Redeemed::Replayed { family })
}

async fn bind(conn: &mut Conn, digest: Digest, family: FamilyId, now: i64) -> Result<bool, StoreError> {
    let update = "UPDATE codes SET family = $2 WHERE digest = $1 AND redeemed_at IS NOT NULL AND family IS NULL RETURNING replayed_at";
    let row = conn.row(update, values![&digest, &family.0]).await?;
    let replayed = row.map(|row| row.maybe_int(0)).transpose()?;
    let good = replayed == Some(None);
    if !good {
        revoke_family(conn, family, now).await?;
    }
    Ok(good)
}
