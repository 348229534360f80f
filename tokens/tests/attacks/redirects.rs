//! Where answers are sent (RFC 9700 sections 2.1, 2.6, 4.1, 4.6, 4.11, 4.12 and 4.17; RFC 8252).

use rstest::rstest;
use serde_json::json;

use crate::flow::World;

/// RFC 9700 sections 2.1, 4.1.3 and 4.11.2.
#[rstest]
#[case::case("https://app.example/Signed-In")]
#[case::host_case("https://APP.example/signed-in")]
#[case::scheme_case("HTTPS://app.example/signed-in")]
#[case::slash("https://app.example/signed-in/")]
#[case::below("https://app.example/signed-in/more")]
#[case::traversal("https://app.example/signed-in/../open?to=evil")]
#[case::traversal_back("https://app.example/x/../signed-in")]
#[case::encoded("https://app.example/signed%2Din")]
#[case::user("https://app.example@evil.example/signed-in")]
#[case::own_user("https://user@app.example/signed-in")]
#[case::fragment("https://app.example/signed-in#")]
#[case::query("https://app.example/signed-in?a=b")]
#[case::empty_query("https://app.example/signed-in?")]
#[case::subdomain("https://evil.app.example/signed-in")]
#[case::suffix("https://app.example.evil.example/signed-in")]
#[case::prefix("https://evilapp.example/signed-in")]
#[case::port("https://app.example:8443/signed-in")]
#[case::default_port("https://app.example:443/signed-in")]
#[case::scheme("http://app.example/signed-in")]
#[case::no_scheme("//app.example/signed-in")]
#[case::backslash("https://app.example\\@evil.example/signed-in")]
#[case::newline("https://app.example/signed-in\r\nx: y")]
#[case::nul("https://app.example/signed-in\0")]
#[case::dot("https://app.example./signed-in")]
#[case::of_another_client("https://other.example/signed-in")]
#[case::loopback("http://127.0.0.1:8080/signed-in")]
#[case::script("javascript:alert(1)")]
#[tokio::test]
async fn rfc9700_4_1_only_what_is_registered_to_the_letter(#[case] redirect: &str) {
    let world = World::start().await;
    // An error of the client's own does not make of it an open redirector either (section 4.11.2).
    for more in [&[][..], &[("response_type", "token")], &[("scope", "everything")]] {
        let mut more = more.to_vec();
        more.push(("redirect_uri", redirect));
        world.authorize("shop/app", &more).await.stays();
    }
}

#[rstest]
#[case::name("http://localhost:8080/signed-in")]
#[case::secure("https://127.0.0.1:8080/signed-in")]
#[case::path("http://127.0.0.1:8080/other")]
#[case::query("http://127.0.0.1:8080/signed-in?a=b")]
#[case::fragment("http://127.0.0.1:8080/signed-in#a")]
#[case::user("http://127.0.0.1:8080@evil.example/signed-in")]
#[case::empty_user("http://@127.0.0.1:8080/signed-in")]
#[case::address("http://127.0.0.2:8080/signed-in")]
#[case::short("http://127.1:8080/signed-in")]
#[case::number("http://2130706433:8080/signed-in")]
#[case::traversal("http://127.0.0.1:8080/x/../signed-in")]
#[case::backslash("http:\\\\127.0.0.1:8080\\signed-in")]
#[case::no_slashes("http:127.0.0.1:8080/signed-in")]
#[case::suffix("http://127.0.0.1.evil.example:8080/signed-in")]
#[case::tab("http://127.0.0.1:8080/signed\t-in")]
#[case::other_scheme("com.example.phone:/other")]
#[case::scheme_with_host("com.example.phone://signed-in")]
#[tokio::test]
async fn rfc8252_7_3_on_loopback_the_port_may_differ_and_nothing_else(#[case] redirect: &str) {
    let world = World::start().await;
    world
        .authorize("shop/phone", &[("redirect_uri", redirect)])
        .await
        .stays();
}

#[tokio::test]
async fn rfc9700_4_1_an_unknown_client_is_sent_nowhere() {
    let world = World::start().await;
    for client in ["shop/nobody", "", "shop/APP"] {
        world.authorize("shop/app", &[("client_id", client)]).await.stays();
    }
    // More than one registered, none named.
    world.authorize("shop/phone", &[("redirect_uri", "")]).await.stays();
}

#[tokio::test]
async fn rfc9700_4_11_the_callback_is_no_open_redirector() {
    let world = World::start().await;
    for query in [
        "",
        "state=https://evil.example",
        "redirect_uri=https://evil.example",
        "error=a&state=b",
    ] {
        world.visit(&format!("/callback?{query}"), None).await.stays();
    }
}

#[tokio::test]
async fn rfc9700_4_12_a_form_is_never_sent_on() {
    let world = World::start().await;
    let form = world.request("shop/app", &[]);
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    let told = world.rig.post("/authorize", &form).await;
    assert_eq!(told.status, 303, "{told:?}");
    let begun = world.authorize("shop/app", &[]).await;
    assert_eq!(
        (begun.status, world.sign_in(&begun, "alice").await.status),
        (303.try_into().unwrap(), 303.try_into().unwrap())
    );
}

/// RFC 9700 sections 2.1.2, 4.1.2 and 4.6: what is in no answer to a browser can neither leak there nor be injected; and section
/// 4.17: answers are redirects, and no messages between windows.
#[tokio::test]
async fn rfc9700_2_1_2_flows_that_put_tokens_into_urls_are_refused_by_name() {
    let world = World::start().await;
    for kind in [
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "code id_token token",
        "none",
    ] {
        world
            .authorize("shop/app", &[("response_type", kind)])
            .await
            .tells_the_client("unsupported_response_type");
    }
    for mode in ["fragment", "form_post", "jwt", "web_message"] {
        world
            .authorize("shop/app", &[("response_mode", mode)])
            .await
            .tells_the_client("invalid_request");
    }
}

/// RFC 9700 section 2.6: a client that wants its answers there is not registered at all.
#[tokio::test]
async fn rfc9700_2_6_no_answer_travels_in_the_clear() {
    let world = World::start().await;
    for (redirect, good) in [
        ("http://app.example/signed-in", false),
        ("http://localhost/signed-in", false),
        ("https://app.example/elsewhere", true),
    ] {
        world.rig.change(|sources| {
            let mut clients = sources.clients.iter_mut();
            let app = clients.find(|client| client.name.name == "app").unwrap();
            app.spec["redirectUris"] = json!([redirect]);
        });
        let begun = world.authorize("shop/app", &[("redirect_uri", redirect)]).await;
        if good {
            assert!(begun.to().as_str().starts_with(&world.upstream.issuer));
        } else {
            begun.stays();
        }
    }
}
