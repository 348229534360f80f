//! Answers.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, PRAGMA, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use crate::proof::{DPOP_NONCE, nonce};
use crate::protocol::Refusal;
use crate::service::Call;

/// No answer is to be guessed at by a browser, or shown inside another page.
const SAFE: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
];

/// Browsers are to come back by TLS alone (FAPI 2.0 Security Profile section 5.2.3). Machines look at no such header.
const TLS_ONLY: &str = "max-age=31536000";

fn build(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    for (name, value) in SAFE {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

/// JSON that nobody keeps.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => build(status, "application/json", body),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written"),
    }
}

/// A document that may be kept for so many seconds, and read by scripts of any page.
pub(super) fn public(kind: &'static str, body: String, seconds: i64) -> Response {
    let mut response = build(StatusCode::OK, kind, body);
    let headers = response.headers_mut();
    headers.remove(PRAGMA);
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={seconds}")) {
        headers.insert(CACHE_CONTROL, value);
    }
    headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
    response
}

/// A sentence for people.
pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let mut response = build(status, "text/plain; charset=utf-8", format!("{}\n", text.into()));
    let tls_only = HeaderValue::from_static(TLS_ONLY);
    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, tls_only);
    response
}

/// The method is another.
pub(super) fn not_allowed(allowed: &[Method]) -> Response {
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "the method is not one of this endpoint's",
    );
    let names: Vec<&str> = allowed.iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}

/// An error (RFC 6749 section 5.2).
pub(super) fn refused(refusal: &Refusal, call: Option<&Call>) -> Response {
    let body = json!({"error": refusal.code(), "error_description": refusal.description()});
    let mut response = json(refusal.status(), &body);
    let headers = response.headers_mut();
    if refusal.status() == StatusCode::UNAUTHORIZED
        && let Some(challenge) = call.and_then(challenge)
    {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Refusal::TooMany(seconds) = refusal {
        headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
    }
    if let Some(call) = call {
        with_nonce(&mut response, call);
    }
    response
}

/// The challenge that goes with what the client tried (RFC 6749 section 5.2). Whoever tried none of HTTP's schemes gets none:
/// libraries take the challenge for the answer, and would not tell the error in the body to their users.
fn challenge(call: &Call) -> Option<&'static str> {
    let tried = call.headers.get(AUTHORIZATION)?;
    let scheme = tried.to_str().ok()?.split(' ').next()?;
    Some(if scheme.eq_ignore_ascii_case("bearer") {
        "Bearer realm=\"countersign\""
    } else {
        "Basic realm=\"countersign\""
    })
}

/// Adds the nonce for the next proof (RFC 9449 section 8.2), for clients that use proofs.
pub(super) fn with_nonce(response: &mut Response, call: &Call) {
    if !call.headers.contains_key(crate::proof::DPOP) {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&nonce(&call.ring, call.issuer_id(), call.now)) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(DPOP_NONCE), value);
    }
}

/// Sends a browser elsewhere, with GET (RFC 9700 section 4.12: never 307, which would repeat a form).
pub(super) fn redirect(to: &str) -> Response {
    let mut response = build(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    match HeaderValue::from_str(to) {
        Ok(value) => {
            let headers = response.headers_mut();
            headers.insert(LOCATION, value);
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
            response
        }
        Err(_) => plain(StatusCode::BAD_REQUEST, "the address to go on at cannot be written"),
    }
}
