//! The cookie that ties a sign-in to the browser that began it, so that nobody has another end theirs (RFC 9700 section 4.7).
//!
//! Each sign-in has one of its own, with a secret of its own: users sign in to several applications at once.

use axum::response::Response;
use data_encoding::HEXLOWER;
use http::HeaderValue;
use http::header::{COOKIE, SET_COOKIE};

use super::authorize::SIGN_IN;
use crate::service::{Call, digest};

/// The name of the cookie of a sign-in, which `state` names. Its prefix makes browsers keep it to this host (RFC 6265bis).
fn name(state: &str) -> String {
    let digest = digest(&["cookie", state]);
    format!("__Host-countersign-sign-in-{}", HEXLOWER.encode(&digest[..8]))
}

/// Has the browser keep the secret of a sign-in for as long as that may take.
pub(super) fn remember(response: &mut Response, state: &str, secret: &str) {
    set(response, state, secret, SIGN_IN);
}

/// Has the browser forget the secret of a sign-in that has ended.
pub(super) fn forget(response: &mut Response, state: &str) {
    set(response, state, "", 0);
}

fn set(response: &mut Response, state: &str, secret: &str, seconds: i64) {
    let cookie = format!(
        "{}={secret}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Lax",
        name(state)
    );
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
}

/// What the browser sends as the secret of a sign-in.
pub(super) fn secrets<'c>(call: &'c Call, state: &str) -> impl Iterator<Item = &'c str> {
    let name = name(state);
    let headers = call
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok());
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(one, _)| *one == name)
        .map(|(_, value)| value)
}
