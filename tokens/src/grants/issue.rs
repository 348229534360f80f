//! A permit becomes a token.

use serde::Serialize;
use serde_json::Value;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_policy::tokens::Format;

use crate::directory::{Party, Permit};
use crate::mint::{AccessClaims, Confirmation, Handle, scope};
use crate::protocol::Refusal;
use crate::protocol::refusal::GrantError;
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::{Facts, FamilyId};

/// A successful answer (RFC 6749 section 5.1). Whoever sees it has the tokens.
#[derive(Serialize)]
pub struct Answer {
    /// The token.
    pub access_token: String,
    /// How it is shown.
    pub token_type: &'static str,
    /// How long it lives, in seconds.
    pub expires_in: i64,
    /// What it allows: always told, since it may be less than was asked for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// What it is, in answers to an exchange (RFC 8693 section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
    /// What gets the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// On whose behalf a token is.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The name.
    pub name: String,
    /// Who acts on its behalf.
    pub act: Option<Value>,
    /// When the user signed in.
    pub auth_time: Option<i64>,
    /// When what it comes from ends: the token ends no later.
    pub until: Option<i64>,
    /// The refresh family that the token ends with.
    pub family: Option<FamilyId>,
    /// Whether the token says at this service who the user is, beside what it is for (`openid`).
    pub openid: bool,
}

/// A token that was made.
pub struct Issued {
    /// The token.
    pub token: String,
    /// What it says.
    pub claims: AccessClaims,
}

/// Checks that a token is bound if it must be, and makes it.
///
/// # Errors
///
/// If it is not bound and must be, or cannot be made.
pub async fn issue(
    service: &Service,
    call: &Call,
    party: &Party,
    permit: &Permit,
    subject: &Subject,
    confirmation: Option<Confirmation>,
    draft: &mut Draft,
) -> Result<Issued, Refusal> {
    draft.asked(&permit.audience, &permit.scopes, subject.openid);
    draft.subject = Some(subject.name.clone());
    draft.key = confirmation.as_ref().map(Confirmation::text);
    permit.check_binding(confirmation.as_ref())?;
    let ends = call.now + permit.lifetime;
    let claims = AccessClaims {
        iss: call.issuer_id().to_owned(),
        sub: subject.name.clone(),
        aud: permit.audience.clone(),
        client_id: party.id(),
        scope: scope(subject.openid, &permit.scopes),
        jti: BASE64URL.encode(service.random::<16>()?),
        iat: call.now,
        exp: subject.until.map_or(ends, |until| until.min(ends)),
        auth_time: subject.auth_time,
        sid: subject.family.map(|family| family.to_string()),
        cnf: confirmation,
        act: subject.act.clone(),
    };
    // What it comes from counts for a minute longer, for clocks that are apart; a token that is past is of no use.
    if claims.exp <= call.now {
        return Err(GrantError::Past.into());
    }
    draft.token = Some(claims.jti.clone());
    // Whoever is revoked gets nothing that would be refused anyway. The family was looked at when it was used: of many uses at
    // once one wins, and what it gets is dead with the family.
    let facts = Facts {
        family: None,
        ..claims.facts()
    };
    if service.store.is_revoked(claims.iss.clone(), facts, call.now).await? {
        return Err(GrantError::Revoked.into());
    }
    let text = serde_json::to_string(&claims).map_err(|_| Refusal::Unavailable("the issuer's signing key"))?;
    let token = match permit.format {
        Format::Jwt => {
            let key = call
                .ring
                .signing(call.now)
                .ok_or(Refusal::Unavailable("the issuer's signing key"))?;
            key.sign("at+jwt", &text)?
        }
        Format::Opaque => {
            let handle = Handle::Access.text(&service.random::<32>()?);
            let kept = digest(&["access", call.issuer_id(), &handle]);
            service.store.put_token(kept, text, subject.family, claims.exp).await?;
            handle
        }
    };
    Ok(Issued { token, claims })
}

impl Issued {
    /// The answer to a token request.
    pub fn answer(self, now: i64) -> Answer {
        Answer {
            token_type: Confirmation::token_type(self.claims.cnf.as_ref()),
            expires_in: self.claims.exp - now,
            scope: self.claims.scope,
            access_token: self.token,
            issued_token_type: None,
            refresh_token: None,
            id_token: None,
        }
    }
}
