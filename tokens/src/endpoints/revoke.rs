//! Revocation (RFC 7009): a client gives back what it has.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::answer;
use crate::clients;
use crate::directory::Party;
use crate::grants::kept_refresh;
use crate::own;
use crate::protocol::Refusal;
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::{Revocation, RevocationKind};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    let revoked = revoke(service, call, draft).await;
    service.recorder.decided(call.endpoint, draft, revoked.as_ref().err());
    match revoked {
        // A token that is unknown is as good as one that was revoked (section 2.2).
        Ok(()) => answer::json(StatusCode::OK, &json!({})),
        Err(refusal) => answer::refused(&refusal, Some(call)),
    }
}

async fn revoke(service: &Service, call: &Call, draft: &mut Draft) -> Result<(), Refusal> {
    let party = clients::authenticate(service, call).await?;
    draft.party(&party);
    let token = call.form.needed("token")?;
    if let Some((family, _)) = service.store.family_of(kept_refresh(call, token), call.now).await? {
        if family.client == party.id() && family.issuer == call.issuer_id() {
            draft.family = Some(family.id.to_string());
            service.store.revoke_family(family.id, call.now).await?;
        }
        return Ok(());
    }
    access(service, call, &party, token, draft).await
}

async fn access(service: &Service, call: &Call, party: &Party, token: &str, draft: &mut Draft) -> Result<(), Refusal> {
    let Some(claims) = own::known(service, call, token)
        .await?
        .filter(|claims| claims.client_id == party.id())
    else {
        return Ok(());
    };
    draft.token = Some(claims.jti.clone());
    if !token.contains('.') {
        service
            .store
            .revoke_token(digest(&["access", call.issuer_id(), token]), call.now)
            .await?;
        return Ok(());
    }
    let revocation = Revocation {
        kind: RevocationKind::Jti,
        issuer: call.issuer_id().to_owned(),
        value: claims.jti,
        issued_before: None,
        until: claims.exp + countersign_identity::token::CLOCK_SKEW,
        at: call.now,
    };
    service.store.revoke(revocation).await?;
    Ok(())
}
