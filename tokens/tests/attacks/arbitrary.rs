//! Whatever is sent, the service answers, and gives nothing to who proved nothing.

use std::sync::LazyLock;

use proptest::prelude::*;
use reqwest::Method;
use tokio::runtime::Runtime;

use crate::flow::World;

/// One service for all that is tried.
static SERVICE: LazyLock<(Runtime, World)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let world = runtime.block_on(World::start());
    (runtime, world)
});

const NAMES: [&str; 26] = [
    "grant_type",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "assertion",
    "scope",
    "resource",
    "audience",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "token",
    "token_type_hint",
    "request_uri",
    "request",
    "response_type",
    "code_challenge",
    "code_challenge_method",
    "state",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        "[A-Za-z0-9_-]{0,40}(\\.[A-Za-z0-9_-]{0,40}){0,5}",
        prop::sample::select(vec![
            "client_credentials",
            "authorization_code",
            "refresh_token",
            crate::flow::EXCHANGE,
            crate::flow::BEARER,
            "shop/app",
            "shop/phone",
            "shop/partner",
            "shop/back",
            "spiffe://cluster.local/ns/shop/sa/web",
            crate::flow::ORDERS,
            "orders.read",
            crate::flow::JWT,
            crate::rig::ASSERTION_TYPE.1,
            crate::flow::APP,
            crate::flow::VERIFIER,
            "code",
            "S256",
        ])
        .prop_map(str::to_owned),
    ]
}

fn form() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop_oneof![9 => prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::vec((name, value()), 0..12)
}

/// RFC 6749 section 5.2: the characters that a description may have.
fn is_description(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn check(path: &str, status: u16, body: &str) {
    assert!(status < 500, "{path}: {status} {body}");
    for secret in ["csa_", "csr_", "csc_", "access_token\"", "\"active\":true"] {
        assert!(!body.contains(secret), "{path}: {body}");
    }
    if let Ok(serde_json::Value::Object(told)) = serde_json::from_str(body)
        && let Some(description) = told.get("error_description")
    {
        assert!(is_description(description.as_str().unwrap()), "{path}: {body}");
        assert!(status >= 400);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn forms_are_answered_and_give_nothing(form in form(), header in prop::option::of("[ -~]{0,60}")) {
        let (runtime, world) = &*SERVICE;
        let pairs: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
        runtime.block_on(async {
            for path in ["/token", "/par", "/introspect", "/revoke", "/userinfo"] {
                let header = header.as_deref().unwrap_or("a.b.c");
                let headers = [("dpop", header), ("authorization", header)];
                for headers in [&headers[..0], &headers[..1], &headers[1..]] {
                    let told = world.rig.send(&world.rig.http, path, &pairs, headers).await;
                    check(path, told.status.as_u16(), &told.body.to_string());
                }
            }
            for scheme in ["Bearer", "DPoP"] {
                let header = header.as_deref().unwrap_or("a.b.c");
                let shown = format!("{scheme} {header}");
                let headers = [("authorization", &*shown), ("dpop", header)];
                let told = world.rig.call(&world.rig.http, Method::GET, "/userinfo", &headers).await;
                check("/userinfo", told.status.as_u16(), &told.body.to_string());
            }
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            for path in ["/authorize", "/callback"] {
                let told = world.visit(&format!("{path}?{query}"), Some(header.as_deref().unwrap_or_default())).await;
                check(path, told.status.as_u16(), &told.body);
                // A browser is sent to the upstream or to where the client is registered.
                if let Some(to) = &told.location {
                    let known = [world.upstream.issuer.as_str(), crate::flow::APP, "http://127.0.0.1/signed-in", "com.example.phone:"];
                    assert!(known.iter().any(|known| to.as_str().starts_with(known)), "{to}");
                }
            }
        });
    }

    #[test]
    fn bodies_are_answered(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let (runtime, world) = &*SERVICE;
        runtime.block_on(async {
            for path in ["/token", "/par", "/introspect", "/revoke", "/userinfo", "/authorize"] {
                let request = world.rig.http.post(world.rig.url(path)).body(body.clone());
                let told = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
                let status = told.status().as_u16();
                check(path, status, &told.text().await.unwrap());
            }
        });
    }
}
