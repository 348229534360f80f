//! `refresh_token` (RFC 6749 section 6): each is used once, and the next comes with the answer (RFC 9700 section 4.14).

use std::collections::BTreeSet;

use countersign_policy::tokens::{Authentication, Client, Grant};
use serde::{Deserialize, Serialize};

use super::code::Authorized;
use super::issue::{Answer, Subject, issue};
use super::scope::{has_openid, of_apis};
use crate::clients;
use crate::directory::{Party, Permit};
use crate::mint::{Confirmation, Handle};
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::{ClientError, GrantError};
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::{Facts, Family, FamilyId, Rotation, Use};

/// What a refresh family was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The API.
    audience: String,
    /// What may be done there: tokens of the family get no more, ever.
    scopes: BTreeSet<String>,
    /// When the user signed in, in seconds since 1970; none if the upstream did not say it.
    auth_time: Option<i64>,
    /// Who signed in.
    subject: String,
    /// Whether the client may be told who that is.
    #[serde(default)]
    openid: bool,
    /// The key without which the family is of no use: that of a client that proves itself by nothing else (RFC 9449 section 5,
    /// RFC 8705 section 4).
    key: Option<String>,
}

impl Granted {
    /// What a code grants.
    pub(super) fn of(authorized: &Authorized, client: &Client, confirmation: Option<&Confirmation>) -> Self {
        let public = client.authentication == Authentication::Public;
        Self {
            audience: authorized.audience.clone(),
            scopes: authorized.scopes.clone(),
            auth_time: authorized.auth_time,
            subject: authorized.subject.clone(),
            openid: authorized.openid,
            key: confirmation.filter(|_| public).map(Confirmation::text),
        }
    }
}

/// Begins a family: with a refresh token, or only so that what was issued can be revoked together.
pub(super) async fn begin(
    service: &Service,
    call: &Call,
    client: &Client,
    granted: &Granted,
    id: FamilyId,
    refreshes: bool,
) -> Result<Option<String>, Refusal> {
    let refresh = call.issuer.managed.refresh;
    let token = refreshes
        .then(|| service.random::<32>())
        .transpose()?
        .map(|random| Handle::Refresh.text(&random));
    let family = Family {
        id,
        issuer: call.issuer_id().to_owned(),
        client: client.id(),
        subject: granted.subject.clone(),
        data: serde_json::to_string(granted).map_err(|_| Refusal::Unavailable("the store"))?,
        created: call.now,
        absolute_end: call.now + refresh.absolute,
        idle_end: call.now + refresh.idle.min(refresh.absolute),
    };
    let first = token.as_deref().map(|token| kept(call, token));
    service.store.begin_family(family, first).await?;
    Ok(token)
}

/// The digest by which a refresh token is known to the store.
pub fn kept(call: &Call, token: &str) -> [u8; 32] {
    digest(&["refresh", call.issuer_id(), token])
}

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let party = clients::authenticate(service, call).await?;
    draft.party(&party);
    party.may(Grant::RefreshToken)?;
    let Party::Client(client) = &party else {
        return Err(ClientError::OtherMethod.into());
    };
    let confirmation = proof::confirm(service, call).await?;
    let token = call.form.needed("refresh_token")?;
    let digest = kept(call, token);
    // What is wrong with the request must not cost the client its refresh token: it is looked at before the use.
    let Some((family, _)) = service.store.family_of(digest, call.now).await? else {
        return Err(GrantError::UnknownRefresh.into());
    };
    if family.client != client.id() || family.issuer != call.issuer_id() {
        return Err(GrantError::OtherClient.into());
    }
    draft.family = Some(family.id.to_string());
    let granted: Granted = serde_json::from_str(&family.data).map_err(|_| GrantError::UnknownRefresh)?;
    let key = confirmation.as_ref().map(Confirmation::text);
    if granted.key.is_some() && granted.key != key {
        return Err(GrantError::OtherKey.into());
    }
    // A revocation of all that was issued before a time takes the family that began before it along.
    let began = Facts {
        jti: String::new(),
        subject: family.subject.clone(),
        client: family.client.clone(),
        family: Some(family.id.to_string()),
        issued: family.created,
    };
    if service.store.is_revoked(family.issuer.clone(), began, call.now).await? {
        return Err(GrantError::Revoked.into());
    }
    let scope = call.form.one("scope")?;
    let permit = narrowed(call, &party, &granted.audience, &granted.scopes, scope)?;
    let openid = granted.openid && scope.is_none_or(has_openid);
    permit.check_binding(confirmation.as_ref())?;
    let next = Handle::Refresh.text(&service.random::<32>()?);
    let family = rotate(service, call, client, digest, &next, key).await?;
    let subject = Subject {
        name: granted.subject,
        auth_time: granted.auth_time,
        family: Some(family.id),
        until: Some(family.absolute_end),
        openid,
        ..Subject::default()
    };
    let issued = issue(service, call, &party, &permit, &subject, confirmation, draft).await?;
    let mut answer = issued.answer(call.now);
    answer.refresh_token = Some(next);
    Ok(answer)
}

async fn rotate(
    service: &Service,
    call: &Call,
    client: &Client,
    digest: [u8; 32],
    next: &str,
    key: Option<String>,
) -> Result<Family, Refusal> {
    let refresh = call.issuer.managed.refresh;
    // A confidential client has proved itself with this request, whichever key its proofs are of (RFC 9449 section 5); for a
    // public one, only its key does.
    let proof_key = if client.authentication == Authentication::Public {
        key
    } else {
        Some(client.id())
    };
    let with = Use {
        digest,
        next: kept(call, next),
        issuer: call.issuer_id().to_owned(),
        client: client.id(),
        proof_key,
        now: call.now,
        idle: refresh.idle,
        grace: refresh.grace,
    };
    match service.store.rotate(with).await? {
        Rotation::Rotated(family) | Rotation::Repeated(family) => Ok(family),
        Rotation::Reused(_) => Err(GrantError::ReusedRefresh.into()),
        Rotation::Revoked => Err(GrantError::Revoked.into()),
        Rotation::Ended | Rotation::Unknown => Err(GrantError::UnknownRefresh.into()),
        Rotation::NotYours => Err(GrantError::OtherClient.into()),
    }
}

/// What a token of a family may be: what was granted, as far as the client may have it today, and no more than is asked for now
/// (RFC 6749 section 6).
pub(super) fn narrowed(
    call: &Call,
    party: &Party,
    audience: &str,
    granted: &BTreeSet<String>,
    scope: Option<&str>,
) -> Result<Permit, Refusal> {
    let mut wanted = call.form.all("resource").chain(call.form.all("audience"));
    if wanted.any(|wanted| wanted != audience) {
        return Err(Refusal::Target(
            "the user agreed to another API: ask for a new authorization",
        ));
    }
    let mut permit = party.permit_for(&call.issuer.managed, audience, None)?;
    permit.scopes = permit.scopes.intersection(granted).cloned().collect();
    if let Some(scope) = scope {
        let asked = of_apis(&call.issuer.managed, scope);
        if let Some(more) = asked.iter().find(|scope| !granted.contains(**scope)) {
            return Err(Refusal::Scope((*more).chars().take(128).collect()));
        }
        permit.scopes.retain(|scope| asked.contains(&scope.as_str()));
    }
    Ok(permit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_before_clients_could_ask_who_signed_in_goes_on_without() {
        let old = r#"{"audience": "https://orders.example", "scopes": ["orders.read"], "authTime": null, "subject": "user:alice", "key": null}"#;
        let granted: Granted = serde_json::from_str(old).unwrap();
        assert_eq!((granted.openid, granted.subject.as_str()), (false, "user:alice"));
    }
}
