//! Where users come back to from the upstream: they are known now, and go back to the client with a code.

use axum::response::Response;
use http::StatusCode;

use super::authorize::{Target, UnderWay, back, to_the_client};
use super::{answer, browser, pushed};
use crate::directory::Endpoint;
use crate::mint::Handle;
use crate::protocol::Refusal;
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::Pending;
use crate::upstream::{SignIn, random_text};

/// How long a code lives, in seconds (FAPI 2.0 section 5.3.2.1: at most a minute).
const CODE: i64 = 60;

/// What an upstream says that the client is to know too. All else is that it was denied.
const SAID: [&str; 6] = [
    "login_required",
    "interaction_required",
    "account_selection_required",
    "consent_required",
    "server_error",
    "temporarily_unavailable",
];

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    draft.grant = Some("authorization_code");
    let under_way = match under_way(service, call).await {
        Ok(under_way) => under_way,
        Err(refusal) => {
            service.recorder.decided(call.endpoint, draft, Some(&refusal));
            let text = format!(
                "This sign-in cannot go on: {}. Begin again at the application.",
                refusal.description()
            );
            return answer::plain(StatusCode::BAD_REQUEST, text);
        }
    };
    let authorized = &under_way.authorized;
    draft.client = Some(authorized.client_id.clone());
    draft.asked(&authorized.audience, &authorized.scopes, authorized.openid);
    let target = Target {
        redirect_uri: under_way.authorized.redirect_uri.clone(),
        state: under_way.state.clone(),
    };
    let mut response = match code(service, call, under_way, draft).await {
        Ok(code) => {
            service.recorder.decided(call.endpoint, draft, None);
            answer::redirect(&back(call, &target, &[("code", &code)]))
        }
        Err(refusal) => {
            service.recorder.decided(call.endpoint, draft, Some(&refusal));
            to_the_client(call, &target, &refusal)
        }
    };
    browser::forget(&mut response, call.form.one("state").ok().flatten().unwrap_or_default());
    response
}

/// The sign-in that the browser began: known by `state`, and tied to the browser by its cookie, so that nobody can have another
/// end theirs (RFC 9700 section 4.7).
async fn under_way(service: &Service, call: &Call) -> Result<UnderWay, Refusal> {
    const UNKNOWN: Refusal = Refusal::NotOffered("it is not known here, was ended before, or took too long");
    let state = call.form.needed("state")?;
    let kept = digest(&["sign-in", call.issuer_id(), state]);
    let text = service
        .store
        .peek_pending(Pending::SignIn, kept, call.now)
        .await?
        .ok_or(UNKNOWN)?;
    let under_way: UnderWay = serde_json::from_str(&text).map_err(|_| UNKNOWN)?;
    let cookie = browser::secrets(call, state).any(|value| digest(&["browser", value]) == under_way.browser);
    if !cookie {
        return Err(Refusal::NotOffered("it was begun in another browser"));
    }
    service
        .store
        .take_pending(Pending::SignIn, kept, call.now)
        .await?
        .ok_or(UNKNOWN)?;
    Ok(under_way)
}

async fn code(service: &Service, call: &Call, under_way: UnderWay, draft: &mut Draft) -> Result<String, Refusal> {
    // The client gets one answer, a code or an error.
    if let Some(request) = under_way.pushed {
        pushed::use_up(service, request, call.now).await?;
    }
    let upstream = call.issuer.managed.upstream.as_ref().ok_or(Refusal::Denied)?;
    let failed = |error: crate::upstream::UpstreamError| {
        tracing::warn!(%error, issuer = call.issuer_id(), "a user could not be signed in");
        Refusal::Denied
    };
    // Mix-up: whoever answered must be who was asked (RFC 9700 section 4.4).
    service
        .upstreams
        .check_issuer(upstream, call.form.one("iss")?, call.now)
        .await
        .map_err(failed)?;
    if let Some(error) = call.form.one("error")? {
        let known = SAID.into_iter().find(|known| *known == error);
        return Err(known.map_or(Refusal::Denied, Refusal::NotSignedIn));
    }
    let callback = call.issuer.place.url(Endpoint::Callback);
    let sign_in = SignIn {
        callback: &callback,
        state: "",
        nonce: &under_way.nonce,
        verifier: &under_way.verifier,
        hints: &[],
        max_age: under_way.max_age,
    };
    let jti = random_text(&service.random::<32>()?);
    let given = call.form.needed("code")?;
    let user = service
        .upstreams
        .user(upstream, &sign_in, given, &call.ring, &jti, call.now)
        .await
        .map_err(failed)?;
    let mut authorized = under_way.authorized;
    // No client and no workload has a colon there: none can pass for a user (RFC 9700 section 4.15).
    authorized.subject = format!("user:{}", user.subject);
    authorized.auth_time = user.auth_time;
    draft.subject = Some(authorized.subject.clone());
    let code = Handle::Code.text(&service.random::<32>()?);
    let text = serde_json::to_string(&authorized).map_err(|_| Refusal::Unavailable("the store"))?;
    service
        .store
        .put_code(digest(&["code", call.issuer_id(), &code]), text, call.now + CODE)
        .await?;
    Ok(code)
}
