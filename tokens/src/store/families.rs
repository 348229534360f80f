//! What was issued from one sign-in: a refresh token that is rotated, and the access tokens beside it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::revocations::append;
use super::sql::{Conn, Row, values};
use super::{Digest, REMEMBERED, Revocation, RevocationKind, Store, StoreError, Unit};

/// Names a family: 128 random bits, which are no secret. Written in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FamilyId(
    /// The bits.
    pub [u8; 16],
);

impl fmt::Display for FamilyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// What was issued from one sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub id: FamilyId,
    /// The issuer identifier.
    pub issuer: String,
    /// The client that it was issued to.
    pub client: String,
    /// Who signed in.
    pub subject: String,
    /// What was granted, as JSON: scopes, audiences, the key that tokens are bound to.
    pub data: String,
    /// When it began.
    pub created: i64,
    /// When it ends, whatever is done with it.
    pub absolute_end: i64,
    /// When it ends if it is not used: the end of its refresh token.
    pub idle_end: i64,
}

/// The columns of a family, in the order that `family` reads them.
macro_rules! family_columns {
    () => {
        "f.id, f.issuer, f.client, f.subject, f.data, f.created_at, f.absolute_end, f.revoked_at"
    };
}
pub(super) use family_columns;

/// A family from its columns, and when it was revoked. Its idle end stands with its tokens.
pub(super) fn family(row: &Row) -> Result<(Family, Option<i64>), StoreError> {
    let family = Family {
        id: FamilyId(row.bytes(0)?),
        issuer: row.text(1)?,
        client: row.text(2)?,
        subject: row.text(3)?,
        data: row.text(4)?,
        created: row.int(5)?,
        absolute_end: row.int(6)?,
        idle_end: row.int(6)?,
    };
    Ok((family, row.maybe_int(7)?))
}

impl Store {
    /// Begins a family with its first refresh token, or with none where only access tokens are issued.
    pub async fn begin_family(&self, family: Family, first: Option<Digest>) -> Result<(), StoreError> {
        self.write(Unit::Transaction, move |conn| {
            Box::pin(async move { begin(conn, &family, first).await })
        })
        .await
    }

    /// Revokes a family: its refresh token, its opaque access tokens, and by an entry among the revocations those that APIs
    /// verify by themselves. True if it was not revoked before.
    pub async fn revoke_family(&self, id: FamilyId, now: i64) -> Result<bool, StoreError> {
        self.write(Unit::Transaction, move |conn| Box::pin(revoke_family(conn, id, now)))
            .await
    }

    /// Revokes all families of a subject at an issuer that began before `before`, and says how many there were.
    pub async fn revoke_families_of_subject(
        &self,
        issuer: String,
        subject: String,
        before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        let update = "UPDATE families SET revoked_at = $4 WHERE issuer = $1 AND subject = $2 AND created_at < $3 AND revoked_at IS NULL";
        self.revoke_many(update, issuer, subject, before, now).await
    }

    /// Revokes all families of a client at an issuer that began before `before`, and says how many there were.
    pub async fn revoke_families_of_client(
        &self,
        issuer: String,
        client: String,
        before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        let update = "UPDATE families SET revoked_at = $4 WHERE issuer = $1 AND client = $2 AND created_at < $3 AND revoked_at IS NULL";
        self.revoke_many(update, issuer, client, before, now).await
    }

    async fn revoke_many(
        &self,
        update: &'static str,
        issuer: String,
        whose: String,
        before: i64,
        now: i64,
    ) -> Result<u64, StoreError> {
        self.write(Unit::Statement, move |conn| {
            Box::pin(async move { conn.execute(update, values![&issuer, &whose, before, now]).await })
        })
        .await
    }

    /// The family of a refresh token, and whether that token could be used now. For introspection (RFC 7662) and revocation
    /// (RFC 7009).
    pub async fn family_of(&self, digest: Digest, now: i64) -> Result<Option<(Family, bool)>, StoreError> {
        self.read(move |conn| Box::pin(of(conn, digest, now))).await
    }
}

async fn begin(conn: &mut Conn, family: &Family, first: Option<Digest>) -> Result<(), StoreError> {
    let insert = "INSERT INTO families (id, issuer, client, subject, data, created_at, absolute_end, forget_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = values![
        &family.id.0,
        &family.issuer,
        &family.client,
        &family.subject,
        &family.data,
        family.created,
        family.absolute_end,
        family.absolute_end.saturating_add(REMEMBERED),
    ];
    conn.execute(insert, values).await?;
    if let Some(first) = first {
        let end = family.idle_end.min(family.absolute_end);
        add_token(conn, &first, family.id, end).await?;
    }
    Ok(())
}

/// Adds a refresh token to a family.
pub(super) async fn add_token(conn: &mut Conn, digest: &Digest, family: FamilyId, end: i64) -> Result<(), StoreError> {
    let insert = "INSERT INTO refresh_tokens (digest, family, ends_at) VALUES ($1, $2, $3)";
    conn.execute(insert, values![digest, &family.0, end]).await?;
    Ok(())
}

/// Revokes a family in the transaction of whoever found a reason to.
pub(super) async fn revoke_family(conn: &mut Conn, id: FamilyId, now: i64) -> Result<bool, StoreError> {
    let update = "UPDATE families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING issuer";
    let Some(row) = conn.row(update, values![&id.0, now]).await? else {
        return Ok(false);
    };
    let revocation = Revocation {
        kind: RevocationKind::Family,
        issuer: row.text(0)?,
        value: id.to_string(),
        issued_before: None,
        until: now.saturating_add(REMEMBERED),
        at: now,
    };
    append(conn, &revocation).await?;
    Ok(true)
}

async fn of(conn: &mut Conn, digest: Digest, now: i64) -> Result<Option<(Family, bool)>, StoreError> {
    let select = concat!(
        "SELECT ",
        family_columns!(),
        ", t.ends_at, t.used_at FROM refresh_tokens t JOIN families f ON f.id = t.family WHERE t.digest = $1"
    );
    let Some(row) = conn.row(select, values![&digest]).await? else {
        return Ok(None);
    };
    let (mut family, revoked) = family(&row)?;
    family.idle_end = row.int(8)?;
    let live = revoked.is_none() && row.maybe_int(9)?.is_none() && family.idle_end > now;
    Ok(Some((family, live)))
}
