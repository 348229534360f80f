//! What signs JWT-SVIDs, as far as it matters here.

use countersign_identity::SpiffeId;
use jiff::Timestamp;

use crate::jwt::{DEFAULT_LIFETIME, JwtError, JwtIssuer};

/// A JWT-SVID. Whoever has it is the workload, for its audiences: it is never shown.
pub struct Token {
    /// In compact form.
    pub text: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not now.
    #[error("{0}")]
    NotReady(String),
    /// What is asked for cannot be.
    #[error("{0}")]
    Invalid(String),
}

/// Signs JWT-SVIDs, records and counts them.
pub trait Tokens: Send + Sync {
    /// Signs a token of a workload for these audiences.
    ///
    /// # Errors
    ///
    /// If there is no key, or the audiences cannot be in a token.
    fn issue(&self, spiffe_id: &SpiffeId, audiences: &[String], now: Timestamp) -> Result<Token, TokenError>;
}

impl Tokens for JwtIssuer {
    fn issue(&self, spiffe_id: &SpiffeId, audiences: &[String], now: Timestamp) -> Result<Token, TokenError> {
        match JwtIssuer::issue(self, spiffe_id, audiences, DEFAULT_LIFETIME, now) {
            Ok(svid) => Ok(Token {
                text: svid.token,
                expires: svid.expires,
            }),
            Err(error) => Err(refused(&error)),
        }
    }
}

fn refused(error: &JwtError) -> TokenError {
    match error {
        JwtError::NoKey | JwtError::Ending(_) | JwtError::NoRandomness => TokenError::NotReady(error.to_string()),
        JwtError::ForeignTrustDomain(_) | JwtError::Audiences | JwtError::Lifetime | JwtError::Sign(_) => {
            TokenError::Invalid(error.to_string())
        }
    }
}
