//! The authorization endpoint (RFC 6749 section 3.1, RFC 9126 section 4): the request is checked, and the user is sent to the
//! upstream to sign in.

use std::sync::Arc;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::pkce;
use countersign_policy::tokens::{Authentication, Client, Grant};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{answer, browser, pushed};
use crate::directory::{Endpoint, Party};
use crate::grants::{Authorized, scope};
use crate::protocol::{Form, Refusal};
use crate::record::Draft;
use crate::service::{Call, Service, digest};
use crate::store::Pending;
use crate::upstream::{SignIn, random_text};

/// How long a user may take to sign in, in seconds.
pub(super) const SIGN_IN: i64 = 900;
/// What is handed on to the upstream.
const HINTS: [&str; 4] = ["prompt", "max_age", "login_hint", "ui_locales"];
/// How long texts that are given back may be.
const LONGEST_TEXT: usize = 2048;

/// A user who is signing in.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UnderWay {
    /// What the code will stand for, but for the user.
    pub authorized: Authorized,
    /// What the client gets back.
    pub state: Option<String>,
    /// What the upstream's ID token must carry.
    pub nonce: String,
    /// What the upstream's code is redeemed with.
    pub verifier: String,
    /// How long ago the user may have signed in, in seconds.
    #[serde(default)]
    pub max_age: Option<u32>,
    /// The digest of the browser's secret.
    pub browser: [u8; 32],
    /// The digest of the `request_uri` by which it began.
    #[serde(default)]
    pub pushed: Option<[u8; 32]>,
}

/// Where an answer goes.
pub(super) struct Target {
    /// The redirect URI, which is the client's.
    pub redirect_uri: String,
    /// What the client gets back.
    pub state: Option<String>,
}

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    draft.grant = Some("authorization_code");
    let Request { client, form, pushed } = match request(service, call).await {
        Ok(request) => request,
        Err(refusal) => return to_the_user(service, call, draft, &refusal),
    };
    draft.client = Some(client.id());
    let target = match target(&client, &form) {
        Ok(target) => target,
        // It is not sent to where nobody registered (RFC 9700 section 4.1).
        Err(refusal) => return to_the_user(service, call, draft, &refusal),
    };
    match begin(service, call, &client, &form, &target, pushed).await {
        Ok(response) => response,
        Err(refusal) => {
            service.recorder.decided(call.endpoint, draft, Some(&refusal));
            to_the_client(call, &target, &refusal)
        }
    }
}

fn to_the_user(service: &Service, call: &Call, draft: &Draft, refusal: &Refusal) -> Response {
    service.recorder.decided(call.endpoint, draft, Some(refusal));
    answer::plain(
        StatusCode::BAD_REQUEST,
        format!("This sign-in cannot go on: {}", refusal.description()),
    )
}

/// Tells the client, by way of the browser (RFC 6749 section 4.1.2.1, RFC 9207).
pub(super) fn to_the_client(call: &Call, target: &Target, refusal: &Refusal) -> Response {
    let description = refusal.description();
    answer::redirect(&back(
        call,
        target,
        &[("error", refusal.code()), ("error_description", &description)],
    ))
}

/// The redirect URI with an answer.
pub(super) fn back(call: &Call, target: &Target, pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(&target.redirect_uri) else {
        return target.redirect_uri.clone();
    };
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(pairs).append_pair("iss", call.issuer_id());
        if let Some(state) = &target.state {
            query.append_pair("state", state);
        }
    }
    url.into()
}

/// What a client asks for.
struct Request {
    client: Arc<Client>,
    form: Form,
    /// The digest of the `request_uri` by which it was pushed.
    pushed: Option<[u8; 32]>,
}

/// The client, and its parameters: pushed before, or those of the request itself. Nothing is mixed of both.
async fn request(service: &Service, call: &Call) -> Result<Request, Refusal> {
    let id = call.form.needed("client_id")?;
    let client = call.issuer.clients.get(id).map(Arc::clone);
    let client = client.ok_or(Refusal::NotOffered("no client of that client_id is registered here"))?;
    // Where a request object can be fetched is told to the client, as it is of one that is sent.
    let Some(uri) = call.form.one("request_uri")?.filter(|uri| pushed::is_reference(uri)) else {
        if client.require_par {
            return Err(Refusal::NotPushed);
        }
        return Ok(Request {
            client,
            form: call.form.kept(&[]).into_iter().collect(),
            pushed: None,
        });
    };
    let digest = pushed::digest_of(call, uri);
    let form = pushed::form(service, &client, digest, call.now).await?;
    Ok(Request {
        client,
        form,
        pushed: Some(digest),
    })
}

/// Where the answer will go: to one of the client's redirect URIs, to the letter (RFC 9700 section 2.1).
pub(super) fn target(client: &Client, form: &Form) -> Result<Target, Refusal> {
    let state = form.one("state")?.map(str::to_owned);
    let uri = match form.one("redirect_uri")? {
        Some(uri) => uri.to_owned(),
        None if client.redirect_uris.len() == 1 => client.redirect_uris.iter().next().cloned().unwrap_or_default(),
        None => return Err(Refusal::Missing("redirect_uri")),
    };
    let known = client.redirect_uris.contains(&uri) || is_on_loopback(client, &uri);
    if !known {
        return Err(Refusal::NotOffered("the redirect_uri is none of the client's"));
    }
    Ok(Target {
        redirect_uri: uri,
        state,
    })
}

/// On a user's own device the port is known only when the application listens (RFC 8252 section 7.3).
fn is_on_loopback(client: &Client, uri: &str) -> bool {
    let portless = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]")) && url.scheme() == "http";
        if !loopback || !url.username().is_empty() || url.password().is_some() || url.set_port(None).is_err() {
            return None;
        }
        Some(url)
    };
    // Written as browsers write it: what they would read in another way than it looks is refused.
    let normal = Url::parse(uri).is_ok_and(|url| url.as_str() == uri);
    let Some(asked) = portless(uri).filter(|_| normal) else {
        return false;
    };
    client.authentication == Authentication::Public
        && client
            .redirect_uris
            .iter()
            .filter_map(|known| portless(known))
            .any(|known| known == asked)
}

/// The key that the code will be bound to (RFC 9449 section 10): a SHA-256 in base64url, or nobody could ever prove it.
fn key(form: &Form) -> Result<Option<String>, Refusal> {
    let named = form.one("dpop_jkt")?;
    let is_thumbprint = |text: &str| BASE64URL.decode(text).is_ok_and(|bytes| bytes.len() == 32);
    match named {
        Some(text) if !is_thumbprint(text) => Err(Refusal::Malformed("dpop_jkt is no SHA-256 in base64url")),
        other => Ok(other.map(str::to_owned)),
    }
}

/// What the code will stand for, if the user signs in.
pub(super) fn authorized(
    call: &Call,
    client: &Arc<Client>,
    form: &Form,
    target: &Target,
) -> Result<Authorized, Refusal> {
    let party = Party::Client(Arc::clone(client));
    party.may(Grant::AuthorizationCode)?;
    if form.has("request") {
        return Err(Refusal::RequestObject);
    }
    if form.has("request_uri") {
        return Err(Refusal::RequestUri);
    }
    if form.needed("response_type")? != "code" {
        return Err(Refusal::UnsupportedResponse);
    }
    if form.one("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(Refusal::NotOffered("only the response mode `query` is offered"));
    }
    if form.one("code_challenge_method")? != Some("S256") {
        return Err(Refusal::NotOffered(
            "code_challenge_method must be S256 (RFC 7636; `plain` is not offered)",
        ));
    }
    let challenge = form.needed("code_challenge")?;
    pkce::check_challenge(challenge).map_err(|_| Refusal::NotOffered("code_challenge is no SHA-256 in base64url"))?;
    let short = |name: &'static str| match form.one(name)? {
        Some(text) if text.len() > LONGEST_TEXT => Err(Refusal::Malformed("state or nonce is too long")),
        other => Ok(other.map(str::to_owned)),
    };
    short("state")?;
    let scope = form.one("scope")?.unwrap_or_default();
    let (own, openid) = (scope::of_apis(&call.issuer.managed, scope), scope::has_openid(scope));
    let mut asked: Form = form.all("resource").map(|value| ("resource", value)).collect();
    if !own.is_empty() {
        asked.set("scope", &own.join(" "));
    }
    let mut permit = party.permit(&call.issuer.managed, &asked)?;
    if own.is_empty() && openid {
        // Who asks for nothing but who the user is, gets nothing else.
        permit.scopes.clear();
    }
    Ok(Authorized {
        client_id: client.id(),
        redirect_uri: target.redirect_uri.clone(),
        code_challenge: challenge.to_owned(),
        dpop_jkt: key(form)?,
        audience: permit.audience,
        scopes: permit.scopes,
        openid,
        nonce: short("nonce")?,
        subject: String::new(),
        auth_time: None,
    })
}

async fn begin(
    service: &Service,
    call: &Call,
    client: &Arc<Client>,
    form: &Form,
    target: &Target,
    pushed: Option<[u8; 32]>,
) -> Result<Response, Refusal> {
    let authorized = authorized(call, client, form, target)?;
    let upstream = call.issuer.managed.upstream.as_ref();
    let upstream = upstream.ok_or(Refusal::NotOffered(
        "users do not sign in at this issuer: it has no upstream",
    ))?;
    let mut texts = [const { String::new() }; 4];
    for text in &mut texts {
        *text = random_text(&service.random::<32>()?);
    }
    let [state, nonce, verifier, secret] = texts;
    let mut hints: Vec<(String, String)> = Vec::new();
    for name in HINTS {
        if let Some(value) = form.one(name)? {
            hints.push((name.to_owned(), value.to_owned()));
        }
    }
    let max_age = form.one("max_age")?.map(str::parse).transpose();
    let max_age = max_age.map_err(|_| Refusal::Malformed("max_age is a number of seconds"))?;
    let callback = call.issuer.place.url(Endpoint::Callback);
    let sign_in = SignIn {
        callback: &callback,
        state: &state,
        nonce: &nonce,
        verifier: &verifier,
        hints: &hints,
        max_age,
    };
    let url = service
        .upstreams
        .authorization_url(upstream, &sign_in, call.now)
        .await
        .map_err(|error| {
            tracing::warn!(%error, issuer = call.issuer_id(), "users cannot be sent to sign in");
            Refusal::Unavailable("the identity provider at which users sign in")
        })?;
    let under_way = UnderWay {
        authorized,
        state: target.state.clone(),
        nonce: nonce.clone(),
        verifier: verifier.clone(),
        max_age,
        browser: digest(&["browser", &secret]),
        pushed,
    };
    let text = serde_json::to_string(&under_way).map_err(|_| Refusal::Unavailable("the store"))?;
    let kept = digest(&["sign-in", call.issuer_id(), &state]);
    service
        .store
        .put_pending(Pending::SignIn, kept, text, call.now + SIGN_IN)
        .await?;
    let mut response = answer::redirect(url.as_str());
    browser::remember(&mut response, &state, &secret);
    Ok(response)
}
