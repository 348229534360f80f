//! What is done with the store.

use anyhow::{Result, ensure};
use countersign_tokens::store::{Digest, Facts, Once, Revocation, RevocationKind, Rotation, Store, Use};
use sha2::{Digest as _, Sha256};

use crate::{ISSUER, NOW};

/// What is done with it. Later ones find what earlier ones put there.
#[derive(Clone, Copy)]
pub enum Operation {
    UseOnce,
    Rotate,
    FamilyOf,
    PutToken,
    Token,
    IsRevoked,
    Revoke,
    RevocationsSince,
    Sweep,
}

impl Operation {
    pub const ALL: [Self; 9] = [
        Self::UseOnce,
        Self::Rotate,
        Self::FamilyOf,
        Self::PutToken,
        Self::Token,
        Self::IsRevoked,
        Self::Revoke,
        Self::RevocationsSince,
        Self::Sweep,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::UseOnce => "use_once",
            Self::Rotate => "rotate",
            Self::FamilyOf => "family_of",
            Self::PutToken => "put_token",
            Self::Token => "token",
            Self::IsRevoked => "is_revoked",
            Self::Revoke => "revoke",
            Self::RevocationsSince => "revocations_since",
            Self::Sweep => "sweep of 100",
        }
    }

    pub async fn act(self, store: &Store, caller: u32, number: u32) -> Result<()> {
        match self {
            Self::UseOnce => {
                let until = NOW + i64::from(number % 300);
                let jti = digest("jti", caller, number);
                ensure!(store.use_once(Once::Assertion, jti, until).await?);
            }
            Self::Rotate => rotate(store, caller, number).await?,
            Self::FamilyOf => {
                let found = store.family_of(digest("refresh", caller, number), NOW).await?;
                ensure!(found.is_some_and(|(_, live)| !live));
            }
            Self::PutToken => {
                let claims = r#"{"sub":"alice","scope":"orders:read","aud":"https://orders.example"}"#.to_owned();
                let handle = digest("handle", caller, number);
                store.put_token(handle, claims, None, NOW + 300).await?;
            }
            Self::Token => {
                let found = store.token(digest("handle", caller, number), NOW).await?;
                ensure!(found.is_some());
            }
            Self::IsRevoked => {
                let facts = Facts {
                    jti: format!("{caller}-{number}"),
                    subject: "alice".to_owned(),
                    client: "shop/web".to_owned(),
                    family: Some("a family".to_owned()),
                    issued: NOW,
                };
                ensure!(!store.is_revoked(ISSUER.to_owned(), facts, NOW).await?);
            }
            Self::Revoke => drop(store.revoke(revocation(format!("{caller}-{number}"))).await?),
            Self::RevocationsSince => {
                let after = u64::from(number);
                let news = store.revocations_since(ISSUER.to_owned(), after, NOW, 10).await?;
                ensure!(!news.is_empty());
            }
            Self::Sweep => drop(store.sweep(NOW + 300, 100).await?),
        }
        Ok(())
    }
}

async fn rotate(store: &Store, caller: u32, number: u32) -> Result<()> {
    let with = Use {
        digest: digest("refresh", caller, number),
        next: digest("refresh", caller, number + 1),
        issuer: ISSUER.to_owned(),
        client: "shop/web".to_owned(),
        proof_key: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".to_owned()),
        now: NOW,
        idle: 100_000,
        grace: 10,
    };
    let rotation = store.rotate(with).await?;
    ensure!(matches!(rotation, Rotation::Rotated(_)), "{rotation:?}");
    Ok(())
}

fn revocation(value: String) -> Revocation {
    Revocation {
        kind: RevocationKind::Jti,
        issuer: ISSUER.to_owned(),
        value,
        issued_before: None,
        until: NOW + 1000,
        at: NOW,
    }
}

pub fn digest(what: &str, caller: u32, number: u32) -> Digest {
    Sha256::digest(format!("{what} {caller} {number}")).into()
}
