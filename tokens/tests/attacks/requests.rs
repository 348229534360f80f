//! Requests that are no good requests (RFC 6749 sections 2.3, 3.1, 3.2 and appendix B; RFC 9700 sections 2.3, 2.4, 2.5 and 4.13).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use rstest::rstest;

use crate::flow::{ORDERS, WORKLOADS, World};
use crate::rig::{ASSERTION_TYPE, ISSUER, Rig, Setup, Told};

#[rstest]
#[case::password("password", "RFC 9700 section 2.4")]
#[case::implicit("implicit", "RFC 9700 section 2.1.2")]
#[case::hybrid("hybrid", "not offered")]
#[case::device("urn:ietf:params:oauth:grant-type:device_code", "not offered")]
#[case::saml("urn:ietf:params:oauth:grant-type:saml2-bearer", "not offered")]
#[case::case_("CLIENT_CREDENTIALS", "not offered")]
#[case::space("client_credentials ", "not offered")]
#[tokio::test]
async fn rfc9700_2_4_grants_that_are_not_offered_are_refused_by_name(#[case] grant: &str, #[case] says: &str) {
    let world = World::start().await;
    let form = [("grant_type", grant), ("username", "alice"), ("password", "any")];
    let told = world.post_as("shop/partner", "/token", &form).await;
    told.refused("unsupported_grant_type");
    assert!(told.body["error_description"].as_str().unwrap().contains(says));
}

async fn raw(rig: &Rig, path: &str, kind: &str, body: String) -> reqwest::Response {
    let request = rig.http.post(rig.url(path)).header("content-type", kind).body(body);
    request.send().await.unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

/// RFC 9700 section 4.3.2: what stands in a URL ends up in the history of a browser.
#[tokio::test]
async fn rfc6749_2_3_1_parameters_are_not_in_the_url() {
    let world = World::start().await;
    let proves = world.proves("shop/partner");
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(proves.iter().map(|(name, value)| (name, value.as_str())))
        .append_pair("grant_type", "client_credentials")
        .append_pair("resource", ORDERS)
        .finish();
    for path in ["/token", "/par", "/introspect", "/revoke"] {
        let told = raw(&world.rig, &format!("{path}?{query}"), FORM, query.clone()).await;
        assert_eq!(told.status(), 400, "{path}");
        let told = world
            .rig
            .http
            .get(world.rig.url(&format!("{path}?{query}")))
            .send()
            .await
            .unwrap();
        assert_eq!(told.status(), 405, "{path}");
        assert_eq!(told.headers()["allow"], "POST");
    }
    // Nothing of it was used.
    assert_eq!(raw(&world.rig, "/token", FORM, query).await.status(), 200);
}

#[rstest]
#[case("grant_type")]
#[case("scope")]
#[case("client_id")]
#[case("client_assertion")]
#[case("client_assertion_type")]
#[tokio::test]
async fn rfc6749_3_2_no_parameter_is_there_twice(#[case] name: &str) {
    let world = World::start().await;
    let proves = world.proves("shop/partner");
    let mut form: Vec<(&str, &str)> = proves.iter().map(|(name, value)| (*name, &**value)).collect();
    form.extend([
        ("grant_type", "client_credentials"),
        ("resource", ORDERS),
        ("scope", "orders.read"),
        ("client_id", "shop/partner"),
    ]);
    let again = *form.iter().find(|(one, _)| *one == name).unwrap();
    form.push(again);
    world.rig.post("/token", &form).await.refused("invalid_request");
}

#[tokio::test]
async fn rfc6749_3_1_no_parameter_is_there_twice_at_the_authorization_endpoint() {
    let world = World::start().await;
    let begun = world.request("shop/app", &[]);
    for (name, value) in &begun {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&begun)
            .append_pair(name, value)
            .finish();
        let told = world.visit(&format!("/authorize?{query}"), None).await;
        assert_eq!(told.cookie, None, "{name}: {told:?}");
        let to_upstream = told
            .location
            .is_some_and(|to| to.as_str().starts_with(&world.upstream.issuer));
        assert!(!to_upstream, "{name}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let world = World::start().await;
    let many = "a=b&".repeat(100);
    let large = format!("a={}", "b".repeat(70 << 10));
    for path in ["/token", "/par", "/introspect", "/revoke", "/userinfo", "/authorize"] {
        for body in [&many, &large] {
            assert_eq!(raw(&world.rig, path, FORM, body.clone()).await.status(), 400, "{path}");
        }
    }
    for kind in ["application/json", "multipart/form-data", "text/plain", ""] {
        let told = raw(&world.rig, "/token", kind, "grant_type=client_credentials".to_owned()).await;
        assert_eq!(told.status(), 400, "{kind}");
    }
    assert_eq!(
        raw(&world.rig, "/token", FORM, "grant_type=%ff".to_owned())
            .await
            .status(),
        400
    );
    // A header beyond all measure does not get there at all.
    let request = world
        .rig
        .http
        .post(world.rig.url("/token"))
        .header("dpop", "a".repeat(1 << 20));
    let told = request.send().await;
    assert!(told.is_err() || told.unwrap().status().is_client_error());
    world.token("shop/partner", ORDERS).await.token();
}

#[tokio::test]
async fn rfc6749_2_3_one_way_of_authentication_in_each_request() {
    let world = World::start().await;
    let basic = format!("Basic {}", STANDARD.encode("shop%2Fpartner:guessed"));
    let ask = async |more: &[(&str, &str)], headers: &[(&str, &str)]| {
        let proves = world.proves("shop/partner");
        let mut form: Vec<(&str, &str)> = proves.iter().map(|(name, value)| (*name, &**value)).collect();
        form.extend([("grant_type", "client_credentials"), ("resource", ORDERS)]);
        form.extend_from_slice(more);
        world.rig.send(&world.rig.http, "/token", &form, headers).await
    };
    ask(&[], &[]).await.token();
    ask(&[("client_secret", "guessed")], &[])
        .await
        .refused("invalid_client");
    ask(&[], &[("authorization", &basic)]).await.refused("invalid_client");
    ask(&[], &[("authorization", &basic), ("authorization", &basic)])
        .await
        .refused("invalid_client");
    ask(&[("client_id", "shop/partner")], &[]).await.token();
    for other in ["shop/other", "shop/PARTNER", "shop/partner ", "shop/nobody"] {
        ask(&[("client_id", other)], &[]).await.refused("invalid_client");
    }
    let form = [("grant_type", "client_credentials"), ("client_id", "shop/partner")];
    let told = world
        .rig
        .send(&world.rig.http, "/token", &form, &[("authorization", &basic)])
        .await;
    told.refused("invalid_client");
    // At introspection a token of a service account is a way too.
    let form = [("token", "a"), ("client_id", "shop/partner"), ("client_secret", "a")];
    world.rig.knows("web's", "shop", "web");
    let bearer = [("authorization", "Bearer web's")];
    world
        .rig
        .send(&world.rig.http, "/introspect", &form, &bearer)
        .await
        .refused("invalid_client");
}

#[rstest]
#[case::no_scheme("guessed")]
#[case::not_base64("Basic ***")]
#[case::no_colon("Basic YQ==")]
#[case::not_utf8("Basic //8=")]
#[case::bearer("Bearer token")]
#[case::negotiate("Negotiate YQ==")]
#[tokio::test]
async fn rfc6749_2_3_1_a_header_that_cannot_be_read_is_refused(#[case] header: &str) {
    let world = World::start().await;
    let form = [("grant_type", "client_credentials"), ("client_id", "shop/partner")];
    let told = world
        .rig
        .send(&world.rig.http, "/token", &form, &[("authorization", header)])
        .await;
    assert!(matches!(told.error(), "invalid_request" | "invalid_client"), "{told:?}");
}

async fn limited(address: u32, client: u32) -> Rig {
    Rig::start(Setup {
        manifests: ISSUER.to_owned(),
        rates: (address, client),
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn what_is_borne_of_an_address_ends() {
    let rig = limited(2, 1000).await;
    let mut told: Vec<Told> = Vec::new();
    for _ in 0..10 {
        told.push(rig.post("/token", &[("grant_type", "client_credentials")]).await);
    }
    let last = told.last().unwrap();
    last.refused("temporarily_unavailable");
    assert_eq!(last.status, 429);
    assert!(last.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn what_is_borne_for_a_client_ends_whether_there_is_one_or_not() {
    let rig = limited(1000, 2).await;
    for client in ["shop/nobody", "shop/another"] {
        let form = [("grant_type", "client_credentials"), ("client_id", client)];
        for _ in 0..4 {
            rig.post("/token", &form).await.refused("invalid_client");
        }
        let told = rig.post("/token", &form).await;
        assert_eq!(told.status, 429);
    }
}

/// A workload is counted once the API server told whose the token is.
#[tokio::test]
async fn what_is_borne_for_a_workload_ends_at_introspection_too() {
    let rig = Rig::start(Setup {
        manifests: format!("{ISSUER}{WORKLOADS}"),
        rates: (1000, 1),
        ..Setup::default()
    })
    .await;
    let ask = async |token: &str| {
        let bearer = format!("Bearer {token}");
        rig.send(
            &rig.http,
            "/introspect",
            &[("token", "a")],
            &[("authorization", &bearer)],
        )
        .await
    };
    for name in ["web", "cart"] {
        rig.knows(name, "shop", name);
    }
    let mut told = ask("web").await;
    assert_eq!(told.status, 200);
    for _ in 0..30 {
        if told.status == 200 {
            told = ask("web").await;
        }
    }
    told.refused("temporarily_unavailable");
    assert_eq!(told.status, 429);
    assert_eq!(ask("cart").await.status, 200, "each has its own measure");
}

/// Whoever has a client's token is not the client.
#[tokio::test]
async fn whoever_shows_a_token_uses_up_nothing_of_the_clients() {
    let setup = Setup {
        rates: (1000, 5),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let code = world.code("shop/app", &[("scope", "openid orders.read")]).await;
    let told = world.redeem("shop/app", &code, &[]).await;
    let shown = format!("Bearer {}", told.token());
    let headers = [("authorization", &*shown)];
    let mut last = StatusCode::OK;
    for _ in 0..50 {
        let who = world.rig.call(&world.rig.http, Method::GET, "/userinfo", &headers);
        last = who.await.status;
        if last != StatusCode::OK {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    // The client is elsewhere.
    let proves = world.proves("shop/app");
    let mut form: Vec<(&str, &str)> = proves.iter().map(|(name, value)| (*name, &**value)).collect();
    let refresh = told.body["refresh_token"].as_str().unwrap();
    form.extend([("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    let elsewhere = world.rig.at("127.0.0.2".parse().unwrap());
    world.rig.send(&elsewhere, "/token", &form, &[]).await.token();
}

#[tokio::test]
async fn rfc9700_2_5_public_clients_prove_nothing_and_get_nothing_by_that() {
    let world = World::start().await;
    let public = ("client_id", "shop/phone");
    for (form, error) in [
        (vec![("grant_type", "client_credentials"), public], "invalid_client"),
        (
            vec![("grant_type", "client_credentials"), public, ("client_secret", "any")],
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                public,
                ASSERTION_TYPE,
                ("client_assertion", "a.b.c"),
            ],
            "invalid_client",
        ),
    ] {
        world.rig.post("/token", &form).await.refused(error);
    }
    world
        .rig
        .post("/introspect", &[public, ("token", "a")])
        .await
        .refused("invalid_client");
}

#[tokio::test]
async fn rfc9700_4_13_headers_that_proxies_set_prove_nothing() {
    let rig = limited(2, 1000).await;
    let form = [("grant_type", "client_credentials"), ("resource", ORDERS)];
    let mut last = None;
    for at in 0..10 {
        let address = format!("192.0.2.{at}");
        let headers = [
            (
                "x-forwarded-client-cert",
                "By=spiffe://cluster.local;URI=spiffe://cluster.local/ns/shop/sa/web",
            ),
            ("x-ssl-client-verify", "SUCCESS"),
            ("client-cert", ":MIIB:"),
            ("x-forwarded-for", &*address),
            ("forwarded", "for=192.0.2.1"),
        ];
        let told = rig.send(&rig.http, "/token", &form, &headers).await;
        assert!(matches!(told.status.as_u16(), 401 | 429), "{told:?}");
        last = Some(told.status);
    }
    assert_eq!(last.unwrap(), 429, "whatever it says of where it comes from");
}

/// RFC 9700 sections 2.3 and 4.10.2.
#[tokio::test]
async fn rfc9700_2_3_a_token_is_for_one_api_and_says_what_may_be_done_there() {
    let world = World::start().await;
    let told = world.token("shop/partner", ORDERS).await;
    let claims = told.claims();
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&ORDERS.into(), &told.body["scope"])
    );
    let form = [("grant_type", "client_credentials")];
    world
        .post_as("shop/partner", "/token", &form)
        .await
        .refused("invalid_target");
}
