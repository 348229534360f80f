//! Assertions that clients sign: `private_key_jwt` (RFC 7523 section 3), and what partners state for a grant (section 2.1).

use std::sync::Arc;

use countersign_identity::KeySet;
use countersign_identity::assertion::{self, Assertion, AssertionError, Expected, Purpose};
use countersign_identity::jws::JwsError;
use countersign_policy::tokens::{Authentication, Client};

use crate::directory::Endpoint;
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::service::{Call, Service, digest};
use crate::store::Once;

/// How far in the future an assertion may end, in seconds: as long it has to be remembered. Authlib's end after an hour, unless
/// it is told otherwise.
const LONGEST: i64 = 3600;

/// Why an assertion counts for nothing.
pub enum Rejected {
    /// The client's keys cannot be had.
    NoKeys,
    /// It is not good.
    Assertion(AssertionError),
    /// It was used before.
    Replayed,
    /// The request cannot be judged, or not yet.
    Unavailable(Refusal),
}

/// Checks that an assertion authenticates the client, to this issuer, and is new.
pub(super) async fn check(service: &Service, call: &Call, client: &Client, text: &str) -> Result<(), Refusal> {
    verify(service, call, client, text, Purpose::ClientAuthentication)
        .await
        .map(drop)
        .map_err(|why| match why {
            Rejected::NoKeys => ClientError::NoKeys.into(),
            Rejected::Assertion(error) => ClientError::from(error).into(),
            Rejected::Replayed => ClientError::Replayed.into(),
            Rejected::Unavailable(refusal) => refusal,
        })
}

/// Verifies an assertion of the client's, and remembers it.
///
/// # Errors
///
/// If it counts for nothing.
pub async fn verify(
    service: &Service,
    call: &Call,
    client: &Client,
    text: &str,
    purpose: Purpose,
) -> Result<Assertion, Rejected> {
    let id = client.id();
    let token_url = call.issuer.place.url(Endpoint::Token);
    let own_url = call.url();
    let all: &[&str] = &[call.issuer_id(), &token_url, &own_url];
    // The issuer identifier is what clients should name. The URL of an endpoint is what RFC 7523 and most libraries had first;
    // no name of another server's may stand beside it, so that no other server can pass an assertion on.
    let strict = client.names_issuer_alone() || call.endpoint == Endpoint::PushedAuthorization;
    let expected = Expected {
        purpose,
        issuer: &id,
        audiences: if strict { &all[..1] } else { all },
        audience_array: !strict,
        algorithms: &super::ALGORITHMS,
        longest: LONGEST,
    };
    let verified = by_keys(service, call, client, text, &expected).await?;
    // A nonce that is missing must not cost the client its assertion: it comes again with the same one (RFC 9449 section 8).
    proof::ask_for_nonce(call).map_err(Rejected::Unavailable)?;
    // One use, whatever for: an assertion that authenticated its client must not serve as a statement afterwards.
    let seen = digest(&["assertion", call.issuer_id(), &id, &verified.jti]);
    match service
        .store
        .use_once(Once::Assertion, seen, verified.forget_after() + 1)
        .await
    {
        Ok(true) => Ok(verified),
        Ok(false) => Err(Rejected::Replayed),
        Err(error) => Err(Rejected::Unavailable(error.into())),
    }
}

async fn by_keys(
    service: &Service,
    call: &Call,
    client: &Client,
    text: &str,
    expected: &Expected<'_>,
) -> Result<Assertion, Rejected> {
    let Authentication::PrivateKeyJwt {
        keys,
        jwks_uri,
        ca_bundle,
        ..
    } = &client.authentication
    else {
        return Err(Rejected::NoKeys);
    };
    if let Some(keys) = keys {
        return assertion::verify(text, keys, expected, call.now).map_err(Rejected::Assertion);
    }
    let uri = jwks_uri.as_deref().ok_or(Rejected::NoKeys)?;
    let ca = ca_bundle.as_deref();
    let keys: Arc<KeySet> = service
        .remote
        .get(uri, ca, call.now)
        .await
        .map_err(|_| Rejected::NoKeys)?;
    match assertion::verify(text, &keys, expected, call.now) {
        // The client may have turned its key since.
        Err(AssertionError::Jws(JwsError::NoKey)) => {
            let keys = service
                .remote
                .again(uri, ca, call.now)
                .await
                .map_err(|_| Rejected::NoKeys)?;
            assertion::verify(text, &keys, expected, call.now).map_err(Rejected::Assertion)
        }
        other => other.map_err(Rejected::Assertion),
    }
}
