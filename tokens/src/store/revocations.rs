//! What is revoked before its end, in an order that can be followed.

use super::counters::{REVOCATIONS, count_up};
use super::sql::{Conn, Row, values};
use super::{Store, StoreError, Unit};

/// What a revocation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RevocationKind {
    /// One token, by its `jti`.
    Jti,
    /// The tokens of a subject, by its `sub`.
    Subject,
    /// The tokens of a client, by its `client_id`.
    Client,
    /// What was issued from one sign-in, by its `FamilyId` as text.
    Family,
    /// All tokens of the issuer that were issued before a time. Its value is empty.
    IssuedBefore,
}

impl RevocationKind {
    const fn code(self) -> i64 {
        match self {
            Self::Jti => 1,
            Self::Subject => 2,
            Self::Client => 3,
            Self::Family => 4,
            Self::IssuedBefore => 5,
        }
    }

    fn read(code: i64) -> Result<Self, StoreError> {
        Ok(match code {
            1 => Self::Jti,
            2 => Self::Subject,
            3 => Self::Client,
            4 => Self::Family,
            5 => Self::IssuedBefore,
            _ => return Err(StoreError::Unreadable("kind of revocation")),
        })
    }
}

/// A revocation. There is one for each issuer, kind and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// What its value names.
    pub kind: RevocationKind,
    /// The issuer identifier.
    pub issuer: String,
    /// What is revoked.
    pub value: String,
    /// Only what was issued before this time is revoked. None: whatever the value names.
    pub issued_before: Option<i64>,
    /// Until when it is kept: until the last token that it may name is past.
    pub until: i64,
    /// When it was revoked.
    pub at: i64,
}

impl Revocation {
    /// Both in one: the longer time, the wider meaning, and the earlier moment.
    fn merged(&self, other: &Self) -> Self {
        Self {
            issued_before: self
                .issued_before
                .zip(other.issued_before)
                .map(|(one, two)| one.max(two)),
            until: self.until.max(other.until),
            at: self.at.min(other.at),
            ..self.clone()
        }
    }
}

impl Store {
    /// Revokes, and gives the place in the sequence of the issuer. What is revoked already is extended, and then comes again,
    /// at the end of the sequence; where nothing is new, it stays where it is.
    pub async fn revoke(&self, revocation: Revocation) -> Result<u64, StoreError> {
        self.write(Unit::Transaction, move |conn| {
            Box::pin(async move { append(conn, &revocation).await })
        })
        .await
    }

    /// What was revoked at an issuer after the place `sequence` and still names tokens that may live, in order, at most `limit`
    /// entries. Whoever asks again from the last place that it was given misses nothing: a place can be seen only when all before
    /// it can.
    pub async fn revocations_since(
        &self,
        issuer: String,
        sequence: u64,
        now: i64,
        limit: u32,
    ) -> Result<Vec<(u64, Revocation)>, StoreError> {
        self.read(move |conn| {
            Box::pin(async move {
                let select = "SELECT kind, value, issued_before, ends_at, revoked_at, sequence FROM revocations \
                              WHERE issuer = $1 AND sequence > $2 AND ends_at > $3 ORDER BY sequence LIMIT $4";
                let after = i64::try_from(sequence).unwrap_or(i64::MAX);
                let values = values![&issuer, after, now, i64::from(limit)];
                let rows = conn.rows(select, values).await?;
                rows.iter().map(|row| entry(&issuer, row)).collect()
            })
        })
        .await
    }
}

fn entry(issuer: &str, row: &Row) -> Result<(u64, Revocation), StoreError> {
    let revocation = Revocation {
        kind: RevocationKind::read(row.int(0)?)?,
        issuer: issuer.to_owned(),
        value: row.text(1)?,
        issued_before: row.maybe_int(2)?,
        until: row.int(3)?,
        at: row.int(4)?,
    };
    let sequence = u64::try_from(row.int(5)?).map_err(|_| StoreError::Unreadable("sequence below zero"))?;
    Ok((sequence, revocation))
}

async fn standing(conn: &mut Conn, revocation: &Revocation) -> Result<Option<(u64, Revocation)>, StoreError> {
    let select = "SELECT kind, value, issued_before, ends_at, revoked_at, sequence \
                  FROM revocations WHERE issuer = $1 AND kind = $2 AND value = $3";
    let values = values![&revocation.issuer, revocation.kind.code(), &revocation.value];
    let row = conn.row(select, values).await?;
    row.map(|row| entry(&revocation.issuer, &row)).transpose()
}

/// Revokes in the transaction of whoever found a reason to. The counter is locked first, and what stands is read again after.
pub(super) async fn append(conn: &mut Conn, revocation: &Revocation) -> Result<u64, StoreError> {
    if let Some((sequence, standing)) = standing(conn, revocation).await?
        && standing.merged(revocation) == standing
    {
        return Ok(sequence);
    }
    let sequence = count_up(conn, &revocation.issuer, REVOCATIONS).await?;
    let whole = match standing(conn, revocation).await? {
        Some((_, standing)) => standing.merged(revocation),
        None => revocation.clone(),
    };
    let place = i64::try_from(sequence).map_err(|_| StoreError::Unreadable("sequence past its end"))?;
    let upsert = "INSERT INTO revocations (issuer, kind, value, issued_before, revoked_at, ends_at, sequence) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) \
                  ON CONFLICT (issuer, kind, value) DO UPDATE SET issued_before = excluded.issued_before, \
                  revoked_at = excluded.revoked_at, ends_at = excluded.ends_at, sequence = excluded.sequence";
    let values = values![
        &whole.issuer,
        whole.kind.code(),
        &whole.value,
        whole.issued_before,
        whole.at,
        whole.until,
        place,
    ];
    conn.execute(upsert, values).await?;
    Ok(sequence)
}
