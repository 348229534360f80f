//! Pushed authorization requests (RFC 9126).

use axum::response::Response;
use countersign_policy::tokens::{Client, Grant};
use http::StatusCode;
use serde_json::json;

use super::authorize::SIGN_IN;
use super::{answer, authorize};
use crate::clients;
use crate::directory::Party;
use crate::mint::Confirmation;
use crate::proof;
use crate::protocol::refusal::{ClientError, ProofError};
use crate::protocol::{Form, Refusal};
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::{Once, Pending};
use crate::upstream::random_text;

/// How long a pushed request waits for its user, in seconds.
const WAITS: i64 = 180;
/// What proves the client is not kept.
const NOT_KEPT: [&str; 4] = [
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "client_id",
];

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    draft.grant = Some("authorization_code");
    let pushed = push(service, call, draft).await;
    service.recorder.decided(call.endpoint, draft, pushed.as_ref().err());
    let mut response = match pushed {
        Ok(uri) => answer::json(StatusCode::CREATED, &json!({"request_uri": uri, "expires_in": WAITS})),
        Err(refusal) => return answer::refused(&refusal, Some(call)),
    };
    answer::with_nonce(&mut response, call);
    response
}

async fn push(service: &Service, call: &Call, draft: &mut Draft) -> Result<String, Refusal> {
    let party = clients::authenticate(service, call).await?;
    draft.party(&party);
    party.may(Grant::AuthorizationCode)?;
    let Party::Client(client) = &party else {
        return Err(ClientError::OtherMethod.into());
    };
    if call.form.has("request_uri") {
        return Err(Refusal::NotOffered(
            "a pushed request has its parameters in itself (RFC 9126 section 2.1)",
        ));
    }
    // FAPI 2.0 Security Profile section 5.3.2.2.
    call.form.needed("redirect_uri")?;
    let mut form: Form = call.form.kept(&NOT_KEPT).into_iter().collect();
    form.set("client_id", &client.id());
    // The key of a proof at this endpoint is the one of the code (RFC 9449 section 10.1).
    if let Some(Confirmation::Key(key)) = proof::confirm(service, call).await? {
        if form.one("dpop_jkt")?.is_some_and(|named| named != key) {
            return Err(ProofError::OtherKey.into());
        }
        form.set("dpop_jkt", &key);
    }
    let target = authorize::target(client, &form)?;
    authorize::authorized(call, client, &form, &target)?;
    let uri = format!("{REFERENCE}{}", random_text(&service.random::<32>()?));
    let text = serde_json::to_string(&form.kept(&[])).map_err(|_| Refusal::Unavailable("the store"))?;
    service
        .store
        .put_pending(Pending::PushedRequest, digest_of(call, &uri), text, call.now + WAITS)
        .await?;
    Ok(uri)
}

/// What a `request_uri` begins with that was given here (RFC 9126 section 2.2).
const REFERENCE: &str = "urn:ietf:params:oauth:request_uri:";

/// Whether a `request_uri` is one of pushed requests, and not where a request object can be fetched (RFC 9101 section 5.2).
pub(super) fn is_reference(uri: &str) -> bool {
    uri.starts_with(REFERENCE)
}

/// A `request_uri` that cannot be used.
const GONE: Refusal = Refusal::NotOffered("the request_uri is unknown, was used before, or was not used in time");

/// The digest by which the store knows a `request_uri`.
pub(super) fn digest_of(call: &Call, uri: &str) -> [u8; 32] {
    digest(&["pushed", call.issuer_id(), uri])
}

/// What a client pushed. It stays there until a user has come back: users reload pages, and some browsers open them before users
/// do (RFC 9126 section 4).
pub(super) async fn form(service: &Service, client: &Client, digest: [u8; 32], now: i64) -> Result<Form, Refusal> {
    let pushed = service
        .store
        .peek_pending(Pending::PushedRequest, digest, now)
        .await?
        .ok_or(GONE)?;
    let pairs: Vec<(String, String)> = serde_json::from_str(&pushed).map_err(|_| GONE)?;
    let form: Form = pairs
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if form.one("client_id")? != Some(&*client.id()) {
        return Err(GONE);
    }
    Ok(form)
}

/// Uses a pushed request up, when a user comes back: of all sign-ins that began with it, one gets an answer.
pub(super) async fn use_up(service: &Service, digest: [u8; 32], now: i64) -> Result<(), Refusal> {
    let store = &service.store;
    // Remembered until the last of them has ended, which began when the request did.
    let first = store
        .use_once(Once::PushedRequest, digest, now + WAITS + SIGN_IN)
        .await?;
    if !first {
        return Err(Refusal::ReplayedRequest);
    }
    // What counts is written down. This only spares users a sign-in for nothing.
    if let Err(error) = store.take_pending(Pending::PushedRequest, digest, now).await {
        tracing::warn!(%error, "a pushed request that was used up can be opened until it ends");
    }
    Ok(())
}
