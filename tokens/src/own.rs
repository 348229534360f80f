//! Tokens that the issuer gave itself: whether they are good now. One answer for introspection, exchange, revocation and userinfo.

use countersign_identity::Algorithm;
use countersign_identity::access_token::{self, Expected};

use crate::mint::AccessClaims;
use crate::protocol::Refusal;
use crate::service::{Call, Service, digest};

/// What an access token of this issuer says, if it is one, and is neither past its end nor revoked.
///
/// # Errors
///
/// If the store does not answer: nothing is said of a token then.
pub async fn live(service: &Service, call: &Call, text: &str) -> Result<Option<AccessClaims>, Refusal> {
    let Some(claims) = known(service, call, text).await? else {
        return Ok(None);
    };
    let revoked = service
        .store
        .is_revoked(call.issuer_id().to_owned(), claims.facts(), call.now)
        .await?;
    Ok((claims.exp > call.now && !revoked).then_some(claims))
}

/// What an access token of this issuer says, whether or not it was revoked by name.
///
/// # Errors
///
/// If the store does not answer.
pub async fn known(service: &Service, call: &Call, text: &str) -> Result<Option<AccessClaims>, Refusal> {
    if text.contains('.') {
        let expected = Expected {
            issuer: call.issuer_id(),
            audiences: &[],
            algorithms: &Algorithm::ALL,
        };
        let verified = access_token::verify(text, call.ring.verify(), &expected, call.now);
        return Ok(verified.ok().and_then(|claims| AccessClaims::read(&claims)));
    }
    let kept = digest(&["access", call.issuer_id(), text]);
    let handle = service.store.token(kept, call.now).await?;
    Ok(handle
        .filter(|handle| !handle.revoked)
        .and_then(|handle| serde_json::from_str(&handle.claims).ok()))
}
