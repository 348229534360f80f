//! What is written down holds nothing that anybody could use (RFC 9700 section 4.2; RFC 6819 section 4.4.1.1). It is a process of
//! its own, so that all its threads write to one place.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what it expects by panicking"
)]

#[path = "../flow/mod.rs"]
mod flow;
#[path = "../rig/mod.rs"]
mod rig;

use std::io::Write;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use tracing_subscriber::fmt::MakeWriter;

use crate::flow::upstream::SECRET;
use crate::flow::{BEARER, EXCHANGE, JWT, ORDERS, Outside, STOCK, VERIFIER, World, exchange, key};
use crate::rig::{Setup, Told};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What must not be found: with its name, to be told.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, name: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{name}: {secret}");
        self.0.push((name, secret.to_owned()));
    }

    /// Of a JWT the signature: the rest is no secret.
    fn add_signature(&mut self, name: &'static str, jwt: &str) {
        self.add(name, jwt.rsplit_once('.').unwrap().1);
    }

    fn add_answer(&mut self, told: &Told) {
        for name in ["access_token", "refresh_token", "id_token"] {
            if let Some(token) = told.body[name].as_str() {
                if token.contains('.') {
                    self.add_signature(name, token);
                } else {
                    self.add(name, token);
                }
            }
        }
    }
}

async fn all_grants(world: &World, ci: &Outside, secrets: &mut Secrets) {
    secrets.add("the secret at the upstream", SECRET);
    secrets.add("the verifier", VERIFIER);
    // Machines, by an assertion that is good, one that is used again and one of a wrong key.
    let assertion = world.rig.assertion(&world.key, "shop/partner");
    secrets.add_signature("an assertion", &assertion);
    let form = [
        ("grant_type", "client_credentials"),
        crate::rig::ASSERTION_TYPE,
        ("client_assertion", &*assertion),
        ("resource", ORDERS),
    ];
    secrets.add_answer(&world.rig.post("/token", &form).await);
    world.rig.post("/token", &form).await.refused("invalid_client");
    let statement = world.rig.assertion(&world.key, "shop/partner");
    secrets.add_signature("a statement", &statement);
    let form = [("grant_type", BEARER), ("assertion", &*statement), ("resource", STOCK)];
    secrets.add_answer(&world.rig.post("/token", &form).await);
    world.rig.post("/token", &form).await.refused("invalid_grant");
    let guessed = "a-secret-that-somebody-guessed";
    secrets.add("a wrong secret", guessed);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "shop/partner"),
        ("client_secret", guessed),
    ];
    world.rig.post("/token", &form).await.refused("invalid_client");
    // Workloads and outside issuers.
    let pods = "the-token-of-a-Pod-which-is-secret";
    secrets.add("a service account's token", pods);
    world.rig.knows(pods, "shop", "web");
    let mut form = exchange(pods);
    form.push(("audience", ORDERS));
    secrets.add_answer(&world.rig.post("/token", &form).await);
    let foreign = ci.token(&ci.claims(&world.rig));
    secrets.add_signature("a token of a CI system", &foreign);
    secrets.add_answer(&world.rig.post("/token", &exchange(&foreign)).await);
    users(world, secrets).await;
}

async fn users(world: &World, secrets: &mut Secrets) {
    let begun = world.authorize("shop/app", &[("scope", "openid orders.read")]).await;
    secrets.add(
        "the browser's cookie",
        begun.cookie.as_ref().unwrap().split_once('=').unwrap().1,
    );
    let (upstream, state) = world.upstream.code(begun.to(), "alice");
    secrets.add("the upstream's code", &upstream);
    secrets.add("the state at the upstream", &state);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &upstream)
        .append_pair("state", &state)
        .append_pair("iss", &world.upstream.issuer)
        .finish();
    let ended = world
        .visit(&format!("/callback?{query}"), begun.cookie.as_deref())
        .await;
    let code = ended.parameter("code").unwrap();
    secrets.add("a code", &code);
    let told = world.redeem("shop/app", &code, &[]).await;
    secrets.add_answer(&told);
    let refresh = told.body["refresh_token"].as_str().unwrap();
    let next = world.refresh("shop/app", refresh, &[]).await;
    secrets.add_answer(&next);
    secrets.add_answer(
        &world
            .exchange_as("shop/back", next.token(), &[("audience", STOCK)])
            .await,
    );
    world.post_as("shop/app", "/introspect", &[("token", refresh)]).await;
    let shown = format!("Bearer {}", next.token());
    let headers = [("authorization", &*shown)];
    let who = world
        .rig
        .call(&world.rig.http, Method::GET, "/userinfo", &headers)
        .await;
    assert_eq!(who.body["sub"], "user:alice");
    let form = [("access_token", next.token())];
    world.rig.post("/userinfo", &form).await.refused("invalid_request");
    world.redeem("shop/app", &code, &[]).await.refused("invalid_grant");
    world.refresh("shop/app", refresh, &[]).await.refused("invalid_grant");
    world.post_as("shop/app", "/revoke", &[("token", next.token())]).await;
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", next.token()),
        ("subject_token_type", JWT),
    ];
    world.rig.post("/token", &form).await.refused("invalid_request");
    // A proof is of use once, and its signature is nobody's to know.
    let proof = key();
    let bound = world.rig.proof(&proof, "/token", Some(&world.rig.nonce(&proof).await));
    secrets.add_signature("a proof", &bound);
    let form = [("grant_type", "client_credentials")];
    world
        .rig
        .send(&world.rig.http, "/token", &form, &[("dpop", &bound)])
        .await;
    let pushed = world.post_as("shop/app", "/par", &[("response_type", "code")]).await;
    pushed.refused("invalid_request");
    two_for_one_request(world, secrets).await;
}

/// Two browsers open a link, and both come back.
async fn two_for_one_request(world: &World, secrets: &mut Secrets) {
    let request = world.request("shop/pushing", &[("client_id", "")]);
    let request: Vec<(&str, &str)> = request.iter().map(|(name, value)| (&**name, &**value)).collect();
    let pushed = world.post_as("shop/pushing", "/par", &request).await;
    let uri = pushed.body["request_uri"].as_str().unwrap();
    secrets.add("the request_uri", uri.rsplit_once(':').unwrap().1);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", "shop/pushing")
        .append_pair("request_uri", uri)
        .finish();
    let path = format!("/authorize?{query}");
    let (one, two) = (world.visit(&path, None).await, world.visit(&path, None).await);
    secrets.add("a code", &world.sign_in(&one, "alice").await.parameter("code").unwrap());
    world.sign_in(&two, "mallory").await.tells_the_client("invalid_request");
}

#[tokio::test]
async fn rfc9700_4_2_no_log_holds_a_secret_at_any_level() {
    let kept = Kept::default();
    // What this project writes and what the libraries that it stands on write: all of it, but for what the test's own client
    // does, which shares the process.
    let filter = tracing_subscriber::EnvFilter::new("trace,reqwest=off,hyper_util::client=off");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(kept.clone())
        .with_ansi(false)
        .init();
    let ci = Outside::new();
    let setup = Setup {
        manifests: ci.manifests(),
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    let mut secrets = Secrets::default();
    all_grants(&world, &ci, &mut secrets).await;
    let text = String::from_utf8_lossy(&kept.0.lock().unwrap()).into_owned();
    let events = ["AssertionReplay", "CodeReplay", "RequestReplay"].map(|event| format!("event=\"{event}\""));
    for event in &events {
        assert!(text.contains(event), "{event} is written");
    }
    for written in ["countersign_decision", "countersign_security", "TRACE"] {
        assert!(text.contains(written), "{written} is written");
    }
    assert!(secrets.0.len() > 20, "{}", secrets.0.len());
    for (name, secret) in &secrets.0 {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let line = text
            .lines()
            .find(|line| line.contains(secret) || line.contains(&encoded));
        assert_eq!(line, None, "{name} is in the log");
    }
}
