//! Introspection (RFC 7662): an API asks what a token is worth now.

use axum::response::Response;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::answer;
use crate::callers::CallerError;
use crate::clients;
use crate::directory::Party;
use crate::grants::kept_refresh;
use crate::mint::{AccessClaims, Confirmation};
use crate::own;
use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::record::Draft;
use crate::service::{Call, Service};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    let told = introspect(service, call, draft).await;
    service.recorder.decided(call.endpoint, draft, told.as_ref().err());
    match told {
        Ok(told) => answer::json(StatusCode::OK, &told),
        Err(refusal) => answer::refused(&refusal, Some(call)),
    }
}

async fn introspect(service: &Service, call: &Call, draft: &mut Draft) -> Result<Value, Refusal> {
    let party = who(service, call).await?;
    draft.party(&party);
    let token = call.form.needed("token")?;
    // Whoever asks about what is not its own learns as much as of a token that is none (RFC 7662 section 2.2).
    let unknown = json!({"active": false});
    if let Some(claims) = own::live(service, call, token).await? {
        draft.token = Some(claims.jti.clone());
        return Ok(if may_know(call, &party, &claims) {
            told(&claims)
        } else {
            unknown
        });
    }
    if let Some((family, true)) = service.store.family_of(kept_refresh(call, token), call.now).await?
        && family.client == party.id()
        && family.issuer == call.issuer_id()
    {
        draft.family = Some(family.id.to_string());
        return Ok(json!({
            "active": true, "client_id": family.client, "sub": family.subject, "iss": family.issuer, "exp": family.absolute_end,
        }));
    }
    Ok(unknown)
}

/// A client, or a workload by its certificate or by its service account token.
async fn who(service: &Service, call: &Call) -> Result<Party, Refusal> {
    let bearer = call.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let bearer = bearer
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = bearer else {
        let party = clients::authenticate(service, call).await?;
        return if party.is_proven() {
            Ok(party)
        } else {
            Err(ClientError::OtherMethod.into())
        };
    };
    let more = ["client_secret", "client_assertion", "client_assertion_type"];
    if call.headers.get_all(AUTHORIZATION).iter().count() > 1 || more.iter().any(|name| call.form.has(name)) {
        return Err(ClientError::Several.into());
    }
    let account = service
        .workloads
        .of(token.trim(), call.issuer_id())
        .await
        .map_err(|error| match error {
            CallerError::Refused => Refusal::from(ClientError::Unknown),
            CallerError::Unreachable => Refusal::Unavailable("the API server, which knows service account tokens,"),
        })?;
    let workload = call
        .directory
        .workload(&account.namespace, &account.name)
        .ok_or(ClientError::Unknown)?;
    let party = Party::Workload(workload.clone());
    service.limits.client(&party.id())?;
    Ok(party)
}

/// The API that a token is for, and the client that it was given to.
fn may_know(call: &Call, party: &Party, claims: &AccessClaims) -> bool {
    let id = party.id();
    let audience = call.issuer.managed.audiences.get(&claims.aud);
    claims.client_id == id || audience.is_some_and(|audience| audience.introspected_by.contains(&id))
}

fn told(claims: &AccessClaims) -> Value {
    let mut told = json!({
        "active": true,
        "token_type": Confirmation::token_type(claims.cnf.as_ref()),
    });
    if let (Some(told), Ok(Value::Object(claims))) = (told.as_object_mut(), serde_json::to_value(claims)) {
        told.extend(claims);
    }
    told
}
