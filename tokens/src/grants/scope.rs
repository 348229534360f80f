//! What a `scope` asks for.

use countersign_policy::tokens::{CLAIM_SCOPES, ManagedIssuer, OPENID, OPENID_SCOPES};

/// Whether it asks who the user is.
pub fn has_openid(scope: &str) -> bool {
    scope.split(' ').any(|one| one == OPENID)
}

/// What of it is to be done at an API. Scopes of OpenID Connect ask for something of this service. Those that ask it for claims about
/// the user, of which it has none, are passed over as not understood (OpenID Connect Core 1.0 sections 3.1.2.1 and 5.4), unless an
/// API has one of that name.
pub fn of_apis<'a>(issuer: &ManagedIssuer, scope: &'a str) -> Vec<&'a str> {
    let openid = has_openid(scope);
    let is_apis = |one: &str| issuer.audiences.values().any(|audience| audience.scopes.contains(one));
    let passed_over = |one: &str| openid && CLAIM_SCOPES.contains(&one) && !is_apis(one);
    scope
        .split(' ')
        .filter(|one| !one.is_empty() && !OPENID_SCOPES.contains(one) && !passed_over(one))
        .collect()
}
