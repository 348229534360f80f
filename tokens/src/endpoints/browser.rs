//! The cookie that ties a sign-in to the browser that began it, so that nobody has another end theirs (RFC 9700 section 4.7).

use axum::response::Response;
use http::HeaderValue;
use http::header::{COOKIE as COOKIES, SET_COOKIE};

use super::authorize::SIGN_IN;
use crate::protocol::Refusal;
use crate::service::{Call, Service};
use crate::upstream::random_text;

/// The cookie. Its prefix makes browsers keep it to this host (RFC 6265bis).
const COOKIE: &str = "__Host-countersign-sign-in";
/// How long its value is: 256 random bits in base64url.
const LENGTH: usize = 43;

/// The secret of the browser that asks: the one that it has, so that users may sign in to two applications at once, or a new one.
pub(super) fn secret(service: &Service, call: &Call) -> Result<String, Refusal> {
    let whole = |value: &&str| {
        value.len() == LENGTH
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match cookies(call).find(whole) {
        Some(value) => Ok(value.to_owned()),
        None => Ok(random_text(&service.random::<32>()?)),
    }
}

/// Has the browser keep its secret for as long as a sign-in may take.
pub(super) fn remember(response: &mut Response, secret: &str) {
    let cookie = format!("{COOKIE}={secret}; Max-Age={SIGN_IN}; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
}

/// What the browser sends as its secret.
pub(super) fn cookies(call: &Call) -> impl Iterator<Item = &str> {
    let headers = call
        .headers
        .get_all(COOKIES)
        .iter()
        .filter_map(|header| header.to_str().ok());
    headers
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}
