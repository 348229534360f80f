//! What the issuer offers (RFC 8414, OpenID Connect Discovery 1.0), and its keys (RFC 7517).

use axum::response::Response;
use countersign_identity::Algorithm;
use countersign_policy::tokens::OPENID_SCOPES;
use serde_json::{Map, Value, json};

use super::answer;
use crate::clients;
use crate::directory::Endpoint;
use crate::grants::{JWT_BEARER, TOKEN_EXCHANGE};
use crate::keys::schedule::AHEAD;
use crate::keys::signing;
use crate::service::Call;

/// How long metadata may be kept, in seconds.
const KEPT: i64 = 300;

pub(super) fn jwks(call: &Call) -> Response {
    // Verifiers have a new key well before it signs.
    answer::public("application/jwk-set+json", call.ring.jwks().to_owned(), AHEAD / 3)
}

pub(super) fn answer(call: &Call) -> Response {
    answer::public("application/json", document(call).to_string(), KEPT)
}

fn document(call: &Call) -> Value {
    let managed = &call.issuer.managed;
    let url = |endpoint| call.issuer.place.url(endpoint);
    let algorithms: Vec<&str> = clients::ALGORITHMS.iter().copied().map(Algorithm::name).collect();
    let mut scopes: Vec<&str> = managed
        .audiences
        .values()
        .flat_map(|at| at.scopes.iter().map(String::as_str))
        .collect();
    let mut grants = vec!["client_credentials", TOKEN_EXCHANGE, JWT_BEARER];
    let mut methods = vec!["private_key_jwt", "client_secret_basic", "client_secret_post"];
    methods.extend(["tls_client_auth", "self_signed_tls_client_auth", "none"]);
    let mut document = json!({
        "issuer": managed.issuer,
        "token_endpoint": url(Endpoint::Token),
        "jwks_uri": url(Endpoint::Jwks),
        "introspection_endpoint": url(Endpoint::Introspect),
        "revocation_endpoint": url(Endpoint::Revoke),
        "revocation_list_endpoint": url(Endpoint::Revocations),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods[..5],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "dpop_signing_alg_values_supported": algorithms,
        "tls_client_certificate_bound_access_tokens": true,
        "response_types_supported": [],
        "resource_indicators_supported": true,
    });
    let aliases = aliases(call);
    if !aliases.is_empty() {
        document["mtls_endpoint_aliases"] = aliases.into();
    }
    if managed.upstream.is_some() {
        grants.extend(["authorization_code", "refresh_token"]);
        scopes.extend(OPENID_SCOPES);
        sign_in(call, &mut document);
    }
    scopes.sort_unstable();
    scopes.dedup();
    document["grant_types_supported"] = json!(grants);
    document["scopes_supported"] = json!(scopes);
    document
}

/// Where clients show their certificates, if that is elsewhere (RFC 8705 section 5).
fn aliases(call: &Call) -> Map<String, Value> {
    let mut all = vec![
        ("token_endpoint", Endpoint::Token),
        ("introspection_endpoint", Endpoint::Introspect),
        ("revocation_endpoint", Endpoint::Revoke),
    ];
    if call.issuer.managed.upstream.is_some() {
        all.push(("pushed_authorization_request_endpoint", Endpoint::PushedAuthorization));
        all.push(("userinfo_endpoint", Endpoint::UserInfo));
    }
    let url = |(name, endpoint): (&str, Endpoint)| {
        let url = call.issuer.place.mutual_tls_url(endpoint)?;
        Some((name.to_owned(), url.into()))
    };
    all.into_iter().filter_map(url).collect()
}

/// What is offered where users sign in.
fn sign_in(call: &Call, document: &mut Value) {
    let url = |endpoint| call.issuer.place.url(endpoint);
    document["authorization_endpoint"] = url(Endpoint::Authorize).into();
    document["pushed_authorization_request_endpoint"] = url(Endpoint::PushedAuthorization).into();
    document["userinfo_endpoint"] = url(Endpoint::UserInfo).into();
    document["response_types_supported"] = json!(["code"]);
    document["response_modes_supported"] = json!(["query"]);
    document["code_challenge_methods_supported"] = json!(["S256"]);
    document["authorization_response_iss_parameter_supported"] = true.into();
    document["require_pushed_authorization_requests"] = false.into();
    document["request_parameter_supported"] = false.into();
    document["request_uri_parameter_supported"] = false.into();
    document["claims_supported"] = json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"]);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!([signing::name(call.issuer.managed.algorithm)]);
}
