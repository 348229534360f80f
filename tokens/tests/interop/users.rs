//! Applications whose users sign in: the code with PKCE, the ID token, refresh, and the end of it when a refresh token is used
//! again. The users have Chromium, and sign in at oidc-provider.

use std::collections::BTreeSet;

use countersign_policy::tokens::SigningAlgorithm;
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::held::{KEY_ID, Key, self_signed};
use crate::peers::{Library, Program};
use crate::rig::{ISSUER, Rig, Setup, claims_of, token_client};

const ORDERS: &str = "https://orders.example";
const PAYMENTS: &str = "https://payments.example";
/// What this service is called at the upstream.
const CALLED: &str = "countersign";

/// How this service proves itself at the upstream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    ItsKey,
    Secret,
}

/// The service, where users sign in, and a user.
struct World {
    rig: Rig,
    browser: Program,
    redirect: String,
    upstream: String,
    _upstream: Program,
}

impl World {
    async fn begin(authentication: &Value, algorithm: SigningAlgorithm, by: By) -> Self {
        let mut browser = Program::browser();
        let redirect = browser.hear().await["redirect"].as_str().unwrap().to_owned();
        let client = json!({
            "authentication": authentication,
            "grants": ["AuthorizationCode", "RefreshToken"],
            "redirectUris": [redirect],
            "audiences": [
                {"audience": ORDERS, "scopes": ["orders.read", "orders.write"]},
                {"audience": PAYMENTS, "scopes": ["pay"]},
            ],
        });
        let secret = crate::rig::unique();
        let rig = Rig::start(Setup {
            manifests: format!(
                "{ISSUER}    signing: {{algorithm: {}}}\n    refresh: {{grace: 0s}}\n    upstream: {}\n{}",
                algorithm.name(),
                json!({"issuer": "https://localhost:1", "clientId": CALLED}),
                token_client("application", &client)
            ),
            algorithm,
            live: true,
            secrets: vec![("idp".to_owned(), secret.clone())],
            ..Setup::default()
        })
        .await;
        let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut upstream = Program::upstream(&rig.ca);
        upstream
            .say(&json!({"certificate": certified.cert.pem(), "key": certified.signing_key.serialize_pem()}))
            .await;
        let issuer = upstream.hear().await["issuer"].as_str().unwrap().to_owned();
        let mut here = json!({"client_id": CALLED, "redirect_uris": [rig.url("/callback")]});
        let mut there = json!({"issuer": issuer, "clientId": CALLED, "caBundle": certified.cert.pem()});
        match by {
            By::ItsKey => {
                here["token_endpoint_auth_method"] = "private_key_jwt".into();
                here["jwks_uri"] = rig.url("/jwks").into();
            }
            By::Secret => {
                here["client_secret"] = secret.into();
                there["clientSecretName"] = "idp".into();
            }
        }
        upstream.say(&json!({"client": here})).await;
        assert_eq!(upstream.hear().await["ready"], true);
        rig.change(|sources| sources.issuers[0].spec["managed"]["upstream"] = there);
        Self {
            rig,
            browser,
            redirect,
            upstream: issuer,
            _upstream: upstream,
        }
    }

    /// An application begins, Alice signs in, and it goes on to its end.
    async fn signs_in(&mut self, library: Library, audience: &str, scope: &str, with: &Value) -> Value {
        let mut task = json!({
            "what": "user", "client": "shop/application", "discovery": "oidc", "redirect": self.redirect,
            "parameters": {"resource": audience, "scope": scope},
        });
        task.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let mut application = library.begin(&self.rig, &task).await;
        let mut visit = application.hear().await;
        visit["user"] = "alice".into();
        self.browser.say(&visit).await;
        let landed = self.browser.hear().await;
        let pages = landed["seen"].as_array().unwrap();
        let form = self.upstream.replace("https://", "") + "/interaction/";
        assert!(
            !pages.is_empty() && pages.iter().all(|page| page.as_str().unwrap().starts_with(&form)),
            "the pages of the upstream and no others: {landed}"
        );
        application.say(&landed).await;
        let done = application.hear().await["done"].take();
        self.check(&done, audience);
        done
    }

    /// What holds for every application.
    fn check(&self, done: &Value, audience: &str) {
        let id = &done["claims"];
        assert_eq!(
            (&id["iss"], &id["sub"], &id["aud"]),
            (
                &json!(self.rig.issuer),
                &json!("user:alice"),
                &json!("shop/application")
            )
        );
        for answer in ["tokens", "next"] {
            let claims = claims_of(done[answer]["access_token"].as_str().unwrap());
            assert_eq!(
                (&claims["sub"], &claims["aud"]),
                (&json!("user:alice"), &json!(audience))
            );
        }
        assert_ne!(done["tokens"]["refresh_token"], done["next"]["refresh_token"]);
        assert_eq!(done["reused"], "invalid_grant", "a refresh token counts once");
        assert_eq!(done["dead"], "invalid_grant", "and its reuse ends the family");
        assert_eq!(done["userinfo"], json!({"sub": "user:alice"}));
    }
}

fn only_the_reference(done: &Value) {
    let url = url::Url::parse(done["url"].as_str().unwrap()).unwrap();
    let names: BTreeSet<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["client_id", "request_uri"].map(String::from)),
        "the rest was pushed"
    );
}

#[tokio::test]
async fn openid_client_pushes_its_request_and_binds_to_a_key() {
    let key = Key::new("ES256");
    let authentication = json!({"privateKeyJwt": {"jwks": key.jwks}});
    let mut world = World::begin(&authentication, SigningAlgorithm::Es256, By::ItsKey).await;
    let with = json!({
        "method": "private_key_jwt", "key": key.pem, "algorithm": "ES256", "kid": KEY_ID, "dpop": "ES256", "pushed": true,
    });
    let done = world
        .signs_in(Library::OpenidClient, PAYMENTS, "openid offline_access pay", &with)
        .await;
    only_the_reference(&done);
    let claims = claims_of(done["next"]["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"]["jkt"].as_str().unwrap().len(), 43);
    assert_eq!(
        done["after"],
        json!({"active": false}),
        "access tokens end with the family"
    );
}

#[tokio::test]
async fn oauth4webapi_on_a_users_device_has_nothing_but_its_key() {
    let mut world = World::begin(&json!({"public": {}}), SigningAlgorithm::EdDsa, By::ItsKey).await;
    let with = json!({"method": "none", "dpop": "Ed25519", "pushed": true});
    let done = world
        .signs_in(Library::Oauth4webapi, ORDERS, "openid orders.read", &with)
        .await;
    only_the_reference(&done);
    assert_eq!(done["next"]["token_type"], "dpop");
}

#[tokio::test]
async fn authlib_knows_the_metadata_by_the_letter() {
    let key = Key::new("ES256");
    let authentication = json!({"privateKeyJwt": {"jwks": key.jwks}});
    // OpenID Connect Discovery 1.0 section 3 wants RS256 to be among the algorithms.
    let mut world = World::begin(&authentication, SigningAlgorithm::Rs256, By::Secret).await;
    let with = json!({"method": "private_key_jwt", "key": key.pem, "algorithm": "ES256", "validate": true});
    let done = world
        .signs_in(Library::Authlib, ORDERS, "openid orders.read", &with)
        .await;
    assert_eq!(done["tokens"]["token_type"], "Bearer");
}

#[tokio::test]
async fn x_oauth2_shows_its_certificate() {
    let (pem, thumbprint) = self_signed();
    let authentication = json!({"mutualTls": {"thumbprints": [thumbprint]}});
    let mut world = World::begin(&authentication, SigningAlgorithm::Ps256, By::ItsKey).await;
    let path = world.rig.ca.with_file_name("client.pem");
    std::fs::write(&path, pem).unwrap();
    let with = json!({"method": "self_signed_tls_client_auth", "certificate": path});
    let done = world.signs_in(Library::XOauth2, PAYMENTS, "openid pay", &with).await;
    let claims = claims_of(done["next"]["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"], json!({"x5t#S256": thumbprint}));
}
