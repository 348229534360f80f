//! Issues JWT-SVIDs: tokens for callers that cannot present a certificate (JWT-SVID standard). Each is signed, recorded and
//! counted here.

mod keep;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use countersign_identity::jwt_svid::{JwtSigner, JwtSignerError};
use countersign_identity::{SpiffeId, TrustDomain};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tracing::info;

pub use keep::Keeper;

use crate::authority::hex;
use crate::issue::{IssueMetrics, Outcome, Path};

/// How long a token lives, if nobody asks for less or more (the standard, section 3.3: short).
pub const DEFAULT_LIFETIME: SignedDuration = SignedDuration::from_mins(5);
/// How long a token lives at most.
pub const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// How many audiences a token has at most: each of them can use it with all others.
pub const MAX_AUDIENCES: usize = 16;
/// How long an audience may be, in bytes.
pub const MAX_AUDIENCE_LENGTH: usize = 2048;

/// Why no token is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// There is no key yet.
    #[error("there is no key for JWT-SVIDs yet: see the status of the CertificateAuthority")]
    NoKey,
    /// The key ends before the token would.
    #[error(
        "the key for JWT-SVIDs ends at {0}: it should have been replaced, see the status of the CertificateAuthority"
    )]
    Ending(Timestamp),
    /// It is to be for another's workload.
    #[error("{0} is not of the trust domain that the signer signs for")]
    ForeignTrustDomain(TrustDomain),
    /// Too many audiences, or one that is too long.
    #[error(
        "a JWT-SVID is for at most {MAX_AUDIENCES} audiences of at most {MAX_AUDIENCE_LENGTH} bytes: ask for one each"
    )]
    Audiences,
    /// It is to live too long.
    #[error("a JWT-SVID lives for at most an hour: ask for a new one instead")]
    Lifetime,
    /// No random numbers.
    #[error("no random numbers for the identifier of a token")]
    NoRandomness,
    /// It would not be valid.
    #[error(transparent)]
    Sign(#[from] JwtSignerError),
}

/// A token that was issued.
#[derive(Clone)]
pub struct JwtSvid {
    /// The token, in compact form. Whoever has it is the workload, for its audiences.
    pub token: String,
    /// The key that it is signed with (`kid`).
    pub key_id: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// Without the token.
impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtSvid")
            .field("key_id", &self.key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What signs at the moment.
#[derive(Debug)]
struct Current {
    trust_domain: TrustDomain,
    signer: JwtSigner,
    ends: Timestamp,
}

/// Issues JWT-SVIDs. Clones are of one.
#[derive(Clone)]
pub struct JwtIssuer {
    current: Arc<ArcSwapOption<Current>>,
    metrics: Arc<IssueMetrics>,
}

impl JwtIssuer {
    /// An issuer without a key, until a [`Keeper`] gives it one.
    pub fn new(metrics: Arc<IssueMetrics>) -> Self {
        Self {
            current: Arc::default(),
            metrics,
        }
    }

    /// Issues a token for a workload, to be shown to these audiences.
    ///
    /// # Errors
    ///
    /// If there is no key, or the token would not be valid.
    pub fn issue(
        &self,
        spiffe_id: &SpiffeId,
        audiences: &[String],
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<JwtSvid, JwtError> {
        let issued = self.sign(spiffe_id, audiences, lifetime, now);
        self.metrics.count_jwt(match &issued {
            Ok(_) => Outcome::Issued,
            Err(JwtError::NoKey | JwtError::Ending(_) | JwtError::NoRandomness) => Outcome::Failed,
            Err(_) => Outcome::Refused,
        });
        issued
    }

    fn sign(
        &self,
        spiffe_id: &SpiffeId,
        audiences: &[String],
        lifetime: SignedDuration,
        now: Timestamp,
    ) -> Result<JwtSvid, JwtError> {
        let current = self.current.load_full().ok_or(JwtError::NoKey)?;
        if *spiffe_id.trust_domain() != current.trust_domain {
            return Err(JwtError::ForeignTrustDomain(spiffe_id.trust_domain().clone()));
        }
        if audiences.len() > MAX_AUDIENCES || audiences.iter().any(|audience| audience.len() > MAX_AUDIENCE_LENGTH) {
            return Err(JwtError::Audiences);
        }
        if lifetime > MAX_LIFETIME {
            return Err(JwtError::Lifetime);
        }
        let expires = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        if expires > current.ends {
            return Err(JwtError::Ending(current.ends));
        }
        let random = SystemRandom::new();
        let mut bytes = [0; 16];
        random.fill(&mut bytes).map_err(|_| JwtError::NoRandomness)?;
        let token_id = hex(&bytes);
        let names: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let token = current
            .signer
            .sign(spiffe_id, &names, lifetime, now, &token_id, &random)?;
        info!(
            name: "countersign.jwt_svid.issued",
            target: "countersign_signer::issued",
            path = Path::WorkloadApi.name(),
            spiffe_id = %spiffe_id,
            audiences = ?names,
            kid = current.signer.id(),
            // Its hash finds the token in others' records, and is of no use without them.
            jti_sha256 = hex(&Sha256::digest(&token_id)),
            not_after = %expires,
            "issued a JWT-SVID"
        );
        Ok(JwtSvid {
            token,
            key_id: current.signer.id().to_owned(),
            expires,
        })
    }
}

#[cfg(test)]
mod tests;
