//! Proof Key for Code Exchange (RFC 7636), with `S256` and nothing else: `plain` shows the verifier to whoever sees the
//! authorization request (RFC 9700 section 2.1.1).

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::thumbprint::{is_thumbprint, sha256};

/// Why a code verifier does not prove that the code is for who shows it.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum PkceError {
    /// The challenge cannot be one (RFC 7636 section 4.2).
    #[error("`code_challenge` is not the SHA-256 of a verifier in base64url without padding, which has 43 characters")]
    Challenge,
    /// The verifier cannot be one (RFC 7636 section 4.1).
    #[error("`code_verifier` is not 43 to 128 letters, digits, `-`, `.`, `_` and `~`")]
    Verifier,
    /// It is not the verifier of the challenge (RFC 7636 section 4.6).
    #[error("`code_verifier` does not belong to the `code_challenge` of the authorization request")]
    Mismatch,
}

/// That a text can be an `S256` challenge.
///
/// # Errors
///
/// If it cannot.
pub fn check_challenge(challenge: &str) -> Result<(), PkceError> {
    if is_thumbprint(challenge) {
        Ok(())
    } else {
        Err(PkceError::Challenge)
    }
}

/// The `S256` challenge of a verifier (RFC 7636 section 4.2).
///
/// # Errors
///
/// If the verifier cannot be one.
pub fn challenge(verifier: &str) -> Result<String, PkceError> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved) {
        Ok(sha256(verifier.as_bytes()))
    } else {
        Err(PkceError::Verifier)
    }
}

/// Verifies that a verifier belongs to an `S256` challenge, in a time that tells nothing about how far they agree.
///
/// # Errors
///
/// If it does not, or one of them cannot be one.
pub fn verify(verifier: &str, expected: &str) -> Result<(), PkceError> {
    check_challenge(expected)?;
    verify_slices_are_equal(challenge(verifier)?.as_bytes(), expected.as_bytes()).map_err(|_| PkceError::Mismatch)
}
