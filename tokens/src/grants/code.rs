//! `authorization_code` (RFC 6749 section 4.1.3) with PKCE (RFC 7636): what the user agreed to becomes tokens.

use std::collections::BTreeSet;

use countersign_identity::pkce;
use countersign_policy::tokens::Grant;
use serde::{Deserialize, Serialize};

use super::issue::{Answer, Subject, issue};
use super::refresh;
use crate::clients;
use crate::directory::Party;
use crate::mint::{Confirmation, IdClaims};
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::{ClientError, GrantError};
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::{FamilyId, Redeemed};

/// What an authorization code stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorized {
    /// The client that asked.
    pub client_id: String,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// What the client's verifier must fit (RFC 7636 section 4.2).
    pub code_challenge: String,
    /// The DPoP key that the client will use (RFC 9449 section 10).
    pub dpop_jkt: Option<String>,
    /// The API.
    pub audience: String,
    /// What may be done there.
    pub scopes: BTreeSet<String>,
    /// Whether an ID token was asked for (`openid`), and with which nonce.
    pub openid: bool,
    /// What the ID token repeats.
    pub nonce: Option<String>,
    /// The user.
    pub subject: String,
    /// When the user signed in, in seconds since 1970; none if the upstream did not say it.
    pub auth_time: Option<i64>,
}

/// How long an ID token lives, in seconds. It is for one look.
const ID_TOKEN: i64 = 300;

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let party = clients::authenticate(service, call).await?;
    draft.party(&party);
    party.may(Grant::AuthorizationCode)?;
    let confirmation = proof::confirm(service, call).await?;
    let code = call.form.needed("code")?;
    // Without one it is as with a wrong one (RFC 7636 section 4.6).
    let verifier = call.form.one("code_verifier")?.ok_or(GrantError::Verifier)?;
    let kept = digest(&["code", call.issuer_id(), code]);
    let authorized = match service.store.redeem_code(kept, call.now).await? {
        Redeemed::Fresh(text) => serde_json::from_str::<Authorized>(&text).map_err(|_| GrantError::UnknownCode)?,
        Redeemed::Replayed { family } => {
            draft.family = family.map(|family| family.to_string());
            return Err(GrantError::ReplayedCode.into());
        }
        Redeemed::Unknown => return Err(GrantError::UnknownCode.into()),
    };
    check(call, &party, &authorized, verifier, confirmation.as_ref())?;
    let mut answer = tokens(service, call, &party, &authorized, confirmation, kept, draft).await?;
    if authorized.openid {
        answer.id_token = Some(id_token(call, &authorized)?);
    }
    Ok(answer)
}

fn check(
    call: &Call,
    party: &Party,
    authorized: &Authorized,
    verifier: &str,
    confirmation: Option<&Confirmation>,
) -> Result<(), Refusal> {
    if authorized.client_id != party.id() {
        return Err(GrantError::OtherClient.into());
    }
    // OAuth 2.1 leaves it out, and RFC 6749 wants it: when it is there, it must be the same.
    if call
        .form
        .one("redirect_uri")?
        .is_some_and(|uri| uri != authorized.redirect_uri)
    {
        return Err(GrantError::RedirectUri.into());
    }
    pkce::verify(verifier, &authorized.code_challenge).map_err(|_| GrantError::Verifier)?;
    match (&authorized.dpop_jkt, confirmation) {
        (None, _) => Ok(()),
        (Some(expected), Some(Confirmation::Key(key))) if key == expected => Ok(()),
        _ => Err(GrantError::OtherKey.into()),
    }
}

async fn tokens(
    service: &Service,
    call: &Call,
    party: &Party,
    authorized: &Authorized,
    confirmation: Option<Confirmation>,
    code: [u8; 32],
    draft: &mut Draft,
) -> Result<Answer, Refusal> {
    let Party::Client(client) = party else {
        return Err(ClientError::OtherMethod.into());
    };
    let family = FamilyId(service.random::<16>()?);
    draft.family = Some(family.to_string());
    let permit = refresh::narrowed(call, party, &authorized.audience, &authorized.scopes, None)?;
    let subject = Subject {
        name: authorized.subject.clone(),
        auth_time: authorized.auth_time,
        family: Some(family),
        openid: authorized.openid,
        ..Subject::default()
    };
    let issued = issue(service, call, party, &permit, &subject, confirmation.clone(), draft).await?;
    let mut answer = issued.answer(call.now);
    let granted = refresh::Granted::of(authorized, client, confirmation.as_ref());
    let refreshes = client.grants.contains(&Grant::RefreshToken);
    answer.refresh_token = refresh::begin(service, call, client, &granted, family, refreshes).await?;
    // Whoever replayed the code meanwhile revoked all of it.
    if !service.store.bind_code(code, family, call.now).await? {
        return Err(GrantError::ReplayedCode.into());
    }
    Ok(answer)
}

fn id_token(call: &Call, authorized: &Authorized) -> Result<String, Refusal> {
    let claims = IdClaims {
        iss: call.issuer_id().to_owned(),
        sub: authorized.subject.clone(),
        aud: authorized.client_id.clone(),
        iat: call.now,
        exp: call.now + ID_TOKEN,
        auth_time: authorized.auth_time,
        nonce: authorized.nonce.clone(),
    };
    let key = call
        .ring
        .signing(call.now)
        .ok_or(Refusal::Unavailable("the issuer's signing key"))?;
    let text = serde_json::to_string(&claims).map_err(|_| Refusal::Unavailable("the issuer's signing key"))?;
    Ok(key.sign("JWT", &text)?)
}
