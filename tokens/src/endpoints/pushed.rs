//! Pushed authorization requests (RFC 9126).

use axum::response::Response;
use countersign_policy::tokens::Grant;
use http::StatusCode;
use serde_json::json;

use super::{answer, authorize};
use crate::clients;
use crate::directory::Party;
use crate::mint::Confirmation;
use crate::proof;
use crate::protocol::refusal::{ClientError, ProofError};
use crate::protocol::{Form, Refusal};
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::Pending;
use crate::upstream::random_text;

/// How long a pushed request waits for its user, in seconds.
const WAITS: i64 = 90;
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
    if call.form.has("request_uri") || call.form.has("request") {
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
    let uri = format!(
        "urn:ietf:params:oauth:request_uri:{}",
        random_text(&service.random::<32>()?)
    );
    let text = serde_json::to_string(&form.kept(&[])).map_err(|_| Refusal::Unavailable("the store"))?;
    let kept = digest(&["pushed", call.issuer_id(), &uri]);
    service
        .store
        .put_pending(Pending::PushedRequest, kept, text, call.now + WAITS)
        .await?;
    Ok(uri)
}
