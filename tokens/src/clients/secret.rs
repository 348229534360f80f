//! Shared secrets, of which only argon2id hashes are kept (RFC 9106).

use argon2::{Argon2, PasswordVerifier as _};
use countersign_policy::tokens::SecretHash;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::service::Service;

/// The hash of nothing that anybody knows, with the parameters that are recommended: for clients that are not there.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y291bnRlcnNpZ24tbm9ib2R5$YW55dGhpbmcgYnV0IGEgcmVhbCBoYXNoIG9mIGl0Li4";

/// Checks a secret against the hashes that count now. All of them are tried, whichever fits.
pub(super) async fn check(service: &Service, now: i64, hashes: &[SecretHash], secret: &str) -> Result<(), Refusal> {
    let valid: Vec<String> = hashes
        .iter()
        .filter(|hash| hash.not_after > now)
        .map(|hash| hash.hash.clone())
        .collect();
    if valid.is_empty() {
        pretend(service).await?;
        return Err(ClientError::Secret.into());
    }
    if verify(service, valid, secret).await? {
        Ok(())
    } else {
        Err(ClientError::Secret.into())
    }
}

/// Takes as long as a check.
pub(super) async fn pretend(service: &Service) -> Result<(), Refusal> {
    verify(service, vec![NOBODY.to_owned()], "nobody").await.map(drop)
}

/// Hashing is slow by design, so that it has its own threads, and only so many of them.
async fn verify(service: &Service, hashes: Vec<String>, secret: &str) -> Result<bool, Refusal> {
    let _turn = service.limits.hashing().await?;
    let secret = Zeroizing::new(secret.as_bytes().to_vec());
    let metrics = service.metrics.clone();
    let fits = spawn_blocking(move || {
        let tried = hashes.iter().map(|hash| {
            metrics.hashes_secret();
            Argon2::default().verify_password(&secret, hash.as_str()).is_ok()
        });
        tried.fold(false, |any, fits| any | fits)
    });
    fits.await.map_err(|_| Refusal::Unavailable("the check of secrets"))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;
    use argon2::{Params, PasswordHasher as _};

    use super::*;

    /// Else it would not cost what the hash of a client costs that is there.
    #[test]
    fn the_hash_for_nobody_is_one_like_those_of_clients() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let made = Argon2::default().hash_password(b"anything").unwrap();
        assert_eq!(nobody.algorithm, made.algorithm);
        assert_eq!(nobody.version, made.version);
        assert_eq!(Params::try_from(&nobody), Params::try_from(&made));
        assert_eq!(
            Argon2::default().verify_password(b"nobody", NOBODY),
            Err(argon2::password_hash::Error::PasswordInvalid),
            "it is hashed and compared"
        );
    }
}
