//! Token exchange (RFC 8693): what a workload has anyway becomes a short token for one API, and a token of a user becomes one
//! that names who acts on the user's behalf.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use countersign_policy::tokens::{Format, Grant};

use super::issue::{Answer, Subject, issue};
use crate::clients::{self, Presented};
use crate::directory::{Party, Permit};
use crate::evidence::{Evidence, examine};
use crate::mint::{AccessClaims, Confirmation};
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::{ClientError, GrantError};
use crate::record::Draft;
use crate::service::{Call, Service};
use crate::store::FamilyId;

/// A JWT of any issuer (RFC 8693 section 3).
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// An access token (RFC 8693 section 3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// How often acting may be passed on.
const LONGEST_CHAIN: usize = 4;

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let wanted = call.form.one("requested_token_type")?;
    if wanted.is_some_and(|kind| kind != ACCESS_TOKEN && kind != JWT) {
        return Err(Refusal::NotOffered(
            "only access tokens are given in exchange: leave requested_token_type out",
        ));
    }
    let (party, subject, limit) = parties(service, call).await?;
    draft.party(&party);
    party.may(Grant::TokenExchange)?;
    let confirmation = proof::confirm(service, call).await?;
    // Before anything is looked at that would tell what the token says to who is not to have it.
    if let Some(limit) = &limit {
        may_pass_on(call, &party, limit, confirmation.as_ref())?;
    }
    let permit = party.permit(&call.issuer.managed, &call.form)?;
    if wanted == Some(JWT) && permit.format == Format::Opaque {
        return Err(Refusal::NotOffered(
            "tokens for this API are no JWTs: leave requested_token_type out",
        ));
    }
    if let Some(limit) = &limit {
        within(&permit, limit)?;
    }
    let issued = issue(service, call, &party, &permit, &subject, confirmation, draft).await?;
    let mut answer = issued.answer(call.now);
    answer.issued_token_type = Some(if wanted == Some(JWT) { JWT } else { ACCESS_TOKEN });
    Ok(answer)
}

/// Who gets the token, and on whose behalf it is; and the token of this issuer that it must not go beyond, if it comes from one.
async fn parties(service: &Service, call: &Call) -> Result<(Party, Subject, Option<AccessClaims>), Refusal> {
    let subject = token(service, call, "subject_token", "subject_token_type").await?;
    let subject = subject.ok_or(Refusal::Missing("subject_token"))?;
    let actor = token(service, call, "actor_token", "actor_token_type").await?;
    match (subject, actor) {
        (Evidence::Own(claims), Some(Evidence::Party { party, until })) => {
            claimed(service, call, &party).await?;
            let until = claims.exp.min(until.unwrap_or(i64::MAX));
            Ok((party.clone(), behalf(&claims, &party, until)?, Some(*claims)))
        }
        (Evidence::Own(claims), None) => {
            let party = clients::authenticate(service, call).await?;
            if !party.is_proven() {
                return Err(ClientError::OtherMethod.into());
            }
            Ok((party.clone(), behalf(&claims, &party, claims.exp)?, Some(*claims)))
        }
        (Evidence::Party { party, until }, None) => {
            claimed(service, call, &party).await?;
            let subject = Subject {
                name: party.id(),
                until,
                ..Subject::default()
            };
            Ok((party, subject, None))
        }
        // Only tokens of this issuer are used on behalf of, and name who acts: one workload cannot become another by what
        // proves that one.
        (Evidence::Party { .. }, Some(_)) => Err(GrantError::Token("subject_token").into()),
        (Evidence::Own(_), Some(Evidence::Own(_))) => Err(GrantError::Token("actor_token").into()),
    }
}

async fn token(
    service: &Service,
    call: &Call,
    name: &'static str,
    kind: &'static str,
) -> Result<Option<Evidence>, Refusal> {
    let Some(text) = call.form.one(name)? else {
        if call.form.has(kind) {
            return Err(Refusal::Missing(name));
        }
        return Ok(None);
    };
    if !matches!(call.form.needed(kind)?, JWT | ACCESS_TOKEN) {
        return Err(Refusal::NotOffered(
            "tokens to be exchanged are of the types urn:ietf:params:oauth:token-type:jwt and urn:ietf:params:oauth:token-type:access_token",
        ));
    }
    examine(service, call, name, text).await.map(Some)
}

/// Whoever the request names besides must be the one that the token shows.
async fn claimed(service: &Service, call: &Call, party: &Party) -> Result<(), Refusal> {
    match Presented::of(call)? {
        Presented::Nothing => service.limits.client(&party.id()),
        Presented::Named(id) if id == party.id() => service.limits.client(&id),
        // What proves a client is never passed over, even where no proof is needed (RFC 6749 section 5.2).
        _ if clients::authenticate(service, call).await?.id() == party.id() => Ok(()),
        _ => Err(GrantError::OtherClient.into()),
    }
}

/// The subject of the token that is passed on, with who acts now in front of who acted before (RFC 8693 section 4.1).
fn behalf(claims: &AccessClaims, party: &Party, until: i64) -> Result<Subject, Refusal> {
    let mut act = json!({"sub": party.id()});
    if let Some(before) = &claims.act {
        if length(before) >= LONGEST_CHAIN {
            return Err(GrantError::Token("subject_token").into());
        }
        act["act"] = before.clone();
    }
    Ok(Subject {
        name: claims.sub.clone(),
        act: Some(act),
        auth_time: claims.auth_time,
        until: Some(until),
        family: claims.sid.as_deref().and_then(family),
        // Who the user is, the user let that one client know.
        openid: false,
    })
}

/// The family that a token names.
pub fn family(sid: &str) -> Option<FamilyId> {
    let bytes = BASE64URL.decode(sid).ok()?;
    bytes.try_into().ok().map(FamilyId)
}

fn length(act: &Value) -> usize {
    std::iter::successors(Some(act), |act| act.get("act")).count()
}

/// A token is for one API (RFC 9700 section 2.3), so that API passes it on, and whoever it was issued to. For anybody else who
/// has it, it was stolen, and would become another token that is good: exchange must not widen what delegation exposes to abuse
/// (RFC 8693 section 5). One that is bound to a key is passed on by who holds that key instead (RFC 9449 section 1).
fn may_pass_on(
    call: &Call,
    party: &Party,
    token: &AccessClaims,
    confirmation: Option<&Confirmation>,
) -> Result<(), GrantError> {
    let id = party.id();
    let audience = call.issuer.managed.audiences.get(&token.aud);
    if audience.is_some_and(|audience| audience.introspected_by.contains(&id)) {
        return Ok(());
    }
    match &token.cnf {
        Some(key) if confirmation != Some(key) => Err(GrantError::Bound),
        None if token.client_id != id => Err(GrantError::NotRecipient),
        Some(_) | None => Ok(()),
    }
}

/// Within one API an exchange only ever takes scopes away.
fn within(permit: &Permit, limit: &AccessClaims) -> Result<(), Refusal> {
    if permit.audience != limit.aud {
        return Ok(());
    }
    let had: Vec<&str> = limit.scope.split(' ').collect();
    match permit.scopes.iter().find(|scope| !had.contains(&scope.as_str())) {
        Some(more) => Err(Refusal::Scope(more.clone())),
        None => Ok(()),
    }
}
