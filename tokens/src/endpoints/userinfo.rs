//! Who signed in, for whoever holds an access token of that sign-in (OpenID Connect Core 1.0 section 5.3). Of all endpoints this
//! is the one that is a protected resource: tokens are shown as at any API (RFC 6750, RFC 9449 section 7, RFC 8705 section 3).

use axum::response::Response;
use countersign_identity::Algorithm;
use countersign_policy::tokens::OPENID;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::answer;
use crate::clients::{ALGORITHMS, thumbprint};
use crate::mint::Confirmation;
use crate::own;
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::{ProofError, TokenError};
use crate::record::Draft;
use crate::service::{Call, Service};

/// How a token is shown (RFC 9110 section 11.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    let told = tell(service, call, draft).await;
    service.recorder.decided(call.endpoint, draft, told.as_ref().err());
    match told {
        Ok(claims) => {
            let mut response = answer::json(StatusCode::OK, &claims);
            answer::with_nonce(&mut response, call);
            response
        }
        Err(refusal) => challenged(&refusal, call),
    }
}

async fn tell(service: &Service, call: &Call, draft: &mut Draft) -> Result<Value, Refusal> {
    let (scheme, token) = shown(call)?;
    // Before it is looked whether the token is good, which nobody is told who has not its key.
    let proved = prove(service, call, scheme, token).await?;
    let claims = own::live(service, call, token).await?.ok_or(TokenError::Unknown)?;
    draft.shown(&claims);
    if !fits(scheme, claims.cnf.as_ref(), proved.as_ref()) {
        return Err(TokenError::Unproven.into());
    }
    draft.client = Some(claims.client_id.clone());
    draft.method = Some("access_token");
    // Whoever has a token of a client is not the client, and must not use up what it has.
    service.limits.claimed(&claims.client_id, call.peer)?;
    if !claims.has(OPENID) {
        return Err(TokenError::Scope.into());
    }
    // Nothing else is known of a user.
    Ok(json!({"sub": claims.sub}))
}

/// The token, and how it is shown: in the one place where nobody writes it into a log.
fn shown(call: &Call) -> Result<(Scheme, &str), Refusal> {
    if call.form.has("access_token") {
        return Err(Refusal::Malformed(
            "an access token belongs into the Authorization header (RFC 9700 section 4.3.2)",
        ));
    }
    let mut headers = call.headers.get_all(AUTHORIZATION).iter();
    let header = match (headers.next(), headers.next()) {
        (None, _) => return Err(TokenError::None.into()),
        (Some(header), None) => header,
        _ => return Err(Refusal::Malformed("there is more than one Authorization header")),
    };
    let (scheme, token) = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or(Refusal::Malformed("the Authorization header has no scheme and token"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok((Scheme::Bearer, token.trim()))
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Ok((Scheme::Dpop, token.trim()))
    } else {
        Err(TokenError::None.into())
    }
}

/// The key that the request proves to hold.
async fn prove(service: &Service, call: &Call, scheme: Scheme, token: &str) -> Result<Option<Confirmation>, Refusal> {
    match scheme {
        Scheme::Bearer => Ok(thumbprint(call).map(Confirmation::Certificate)),
        Scheme::Dpop => match proof::confirm_with(service, call, Some(token)).await? {
            Some(Confirmation::Key(key)) => Ok(Some(Confirmation::Key(key))),
            Some(Confirmation::Certificate(_)) | None => Err(ProofError::None.into()),
        },
    }
}

/// Whether a token is shown as it must be: with its key if it has one. One that is bound to a DPoP key is no bearer token, and one
/// that is bound to nothing is nothing else (RFC 9449 section 7).
fn fits(scheme: Scheme, bound: Option<&Confirmation>, proved: Option<&Confirmation>) -> bool {
    match bound {
        None => scheme == Scheme::Bearer,
        Some(_) => bound == proved,
    }
}

/// An error, with the schemes by which a token can be shown, and the error again in that which was tried (RFC 6750 section 3, RFC
/// 9449 section 7.1).
fn challenged(refusal: &Refusal, call: &Call) -> Response {
    let mut response = match refusal {
        // Whoever shows no token is told of no error.
        Refusal::Token(TokenError::None) => answer::json(StatusCode::UNAUTHORIZED, &json!({})),
        _ => answer::refused(refusal, Some(call)),
    };
    if matches!(refusal, Refusal::Proof(_) | Refusal::Nonce) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    let headers = response.headers_mut();
    headers.remove(WWW_AUTHENTICATE);
    let tried = match refusal {
        Refusal::Token(TokenError::None) => None,
        Refusal::Token(_) => shown(call).ok().map(|(scheme, _)| scheme),
        Refusal::Proof(_) | Refusal::Nonce => Some(Scheme::Dpop),
        Refusal::Malformed(_) => Some(Scheme::Bearer),
        _ => return response,
    };
    for scheme in [Scheme::Dpop, Scheme::Bearer] {
        let error = (tried == Some(scheme)).then_some(refusal);
        if let Ok(value) = HeaderValue::from_str(&challenge(scheme, error)) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    response
}

fn challenge(scheme: Scheme, error: Option<&Refusal>) -> String {
    let mut challenge = match scheme {
        Scheme::Bearer => vec!["Bearer realm=\"countersign\"".to_owned()],
        Scheme::Dpop => vec![
            "DPoP realm=\"countersign\"".to_owned(),
            format!("algs=\"{}\"", ALGORITHMS.map(Algorithm::name).join(" ")),
        ],
    };
    challenge.extend(error.map(|refusal| format!("error=\"{}\"", refusal.code())));
    if let Some(Refusal::Token(TokenError::Scope)) = error {
        challenge.push(format!("scope=\"{OPENID}\""));
    }
    challenge.join(", ")
}
