//! The use of a refresh token: each is used once, and the next takes its place (RFC 9700 section 4.14.2).

use super::families::{add_token, family, family_columns, revoke_family};
use super::sql::{Conn, Sql, locking, values};
use super::{Digest, Family, FamilyId, Store, StoreError, Unit};

/// A refresh token that is presented.
#[derive(Clone, Debug)]
pub struct Use {
    /// The token.
    pub digest: Digest,
    /// The token that will take its place.
    pub next: Digest,
    /// The issuer at which it is presented.
    pub issuer: String,
    /// The client that presents it, authenticated as it must be.
    pub client: String,
    /// The thumbprint of the key that the client proved with this request: by DPoP, by its certificate, or by its assertion.
    pub proof_key: Option<String>,
    /// What time it is.
    pub now: i64,
    /// For how many seconds the next token may lie unused.
    pub idle: i64,
    /// For how many seconds after its use a token may be presented again with the same proof key, because the answer was lost.
    /// Without a proof key there is no grace: whoever has only the token may be a thief.
    pub grace: i64,
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It was good, is now used, and the next one is good. Of all who present a token, one gets this.
    Rotated(Family),
    /// It was used a moment ago by the same client with the same key, and what was issued then lies unused: that is withdrawn,
    /// and the next one is good.
    Repeated(Family),
    /// It was used before. Its family is revoked now: a security event.
    Reused(Family),
    /// Its family was revoked before.
    Revoked,
    /// It was not used in time, or its family came to its end.
    Ended,
    /// There is no such token, or it was withdrawn, or it ended so long ago that it was forgotten.
    Unknown,
    /// It belongs to another client, or to another issuer. Nothing was changed.
    NotYours,
}

/// Everything that is done with a family is done while its row is locked.
const LOCK: Sql = locking!(
    concat!(
        "SELECT ",
        family_columns!(),
        " FROM families f WHERE f.id = (SELECT family FROM refresh_tokens WHERE digest = $1)"
    ),
    " FOR NO KEY UPDATE"
);

/// A refresh token as it stands.
struct Token {
    end: i64,
    used: Option<i64>,
    used_key: Option<String>,
    successor: Option<Digest>,
}

impl Store {
    /// Uses a refresh token. Of any number of parallel uses of one, on any replicas, one is answered `Rotated`.
    pub async fn rotate(&self, with: Use) -> Result<Rotation, StoreError> {
        self.write(Unit::Transaction, move |conn| {
            Box::pin(async move { rotate(conn, &with).await })
        })
        .await
    }
}

async fn rotate(conn: &mut Conn, with: &Use) -> Result<Rotation, StoreError> {
    let Some(row) = conn.row(LOCK, values![&with.digest]).await? else {
        return Ok(Rotation::Unknown);
    };
    let (mut family, revoked) = family(&row)?;
    if family.client != with.client || family.issuer != with.issuer {
        return Ok(Rotation::NotYours);
    }
    if revoked.is_some() {
        return Ok(Rotation::Revoked);
    }
    // Read after the lock was taken: whoever held it may have used or withdrawn the token.
    let Some(token) = token(conn, &with.digest).await? else {
        return Ok(Rotation::Unknown);
    };
    if token.end <= with.now {
        return Ok(Rotation::Ended);
    }
    family.idle_end = with.now.saturating_add(with.idle).min(family.absolute_end);
    if token.used.is_none() {
        advance(conn, with).await?;
        add_token(conn, &with.next, family.id, family.idle_end).await?;
        return Ok(Rotation::Rotated(family));
    }
    if may_repeat(&token, with) && withdraw(conn, &token, with).await? {
        add_token(conn, &with.next, family.id, family.idle_end).await?;
        return Ok(Rotation::Repeated(family));
    }
    family.idle_end = token.end;
    reused(conn, family.id, with.now).await?;
    Ok(Rotation::Reused(family))
}

async fn token(conn: &mut Conn, digest: &Digest) -> Result<Option<Token>, StoreError> {
    let select = "SELECT ends_at, used_at, used_key, successor FROM refresh_tokens WHERE digest = $1";
    let Some(row) = conn.row(select, values![digest]).await? else {
        return Ok(None);
    };
    Ok(Some(Token {
        end: row.int(0)?,
        used: row.maybe_int(1)?,
        used_key: row.maybe_text(2)?,
        successor: row.maybe_bytes(3)?,
    }))
}

async fn advance(conn: &mut Conn, with: &Use) -> Result<(), StoreError> {
    let update = "UPDATE refresh_tokens SET used_at = $2, used_key = $3, successor = $4 WHERE digest = $1";
    let values = values![&with.digest, with.now, with.proof_key.as_deref(), &with.next];
    conn.execute(update, values).await?;
    Ok(())
}

/// Whether this may be the same use again, by who missed the answer.
fn may_repeat(token: &Token, with: &Use) -> bool {
    let soon = token
        .used
        .is_some_and(|used| with.grace > 0 && with.now.saturating_sub(used) <= with.grace);
    soon && with.proof_key.is_some() && with.proof_key == token.used_key
}

/// Takes back the token that was issued at the first use, unless that was used itself.
async fn withdraw(conn: &mut Conn, token: &Token, with: &Use) -> Result<bool, StoreError> {
    let Some(successor) = &token.successor else {
        return Ok(false);
    };
    let delete = "DELETE FROM refresh_tokens WHERE digest = $1 AND used_at IS NULL";
    if conn.execute(delete, values![successor]).await? == 0 {
        return Ok(false);
    }
    let update = "UPDATE refresh_tokens SET successor = $2 WHERE digest = $1";
    conn.execute(update, values![&with.digest, &with.next]).await?;
    Ok(true)
}

async fn reused(conn: &mut Conn, family: FamilyId, now: i64) -> Result<(), StoreError> {
    revoke_family(conn, family, now).await?;
    Ok(())
}
