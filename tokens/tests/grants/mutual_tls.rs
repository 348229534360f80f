//! Clients and workloads by their certificates (RFC 8705), and tokens that are bound to them.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::flow::certificates::{Authority, self_signed};
use crate::flow::{ORDERS, PAYMENTS, WORKLOADS, World, exchange, key};
use crate::rig::{ISSUER, Rig, Setup, Told, token_client, unique};

const PARTNER: &str = "spiffe://cluster.local/ns/partners/sa/acme";
const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";

fn client(tls: &Value) -> Value {
    json!({
        "authentication": {"mutualTls": tls}, "grants": ["ClientCredentials"],
        "audiences": [{"audience": PAYMENTS, "scopes": ["pay"]}],
    })
}

async fn rig(roots: &Authority, thumbprint: &str) -> Rig {
    let clients = [
        token_client("spiffe", &client(&json!({"spiffeId": PARTNER}))),
        token_client("dns", &client(&json!({"dnsName": "acme.example"}))),
        token_client("self-signed", &client(&json!({"thumbprints": [thumbprint]}))),
    ];
    Rig::start(Setup {
        manifests: format!("{ISSUER}{}{WORKLOADS}", clients.concat()),
        roots: Some(roots.bundle()),
        ..Setup::default()
    })
    .await
}

async fn ask(rig: &Rig, pem: Option<&str>, form: &[(&str, &str)]) -> Told {
    let http = pem.map_or_else(|| rig.http.clone(), |pem| rig.with_certificate(pem));
    let mut all = vec![("grant_type", "client_credentials")];
    all.extend_from_slice(form);
    rig.send(&http, "/token", &all, &[]).await
}

#[tokio::test]
async fn each_certificate_is_one_clients() {
    let roots = Authority::new();
    let (own, thumbprint) = self_signed(2090);
    let rig = rig(&roots, &thumbprint).await;
    let spiffe = roots.leaf(PARTNER, None);
    let dns = roots.leaf("spiffe://cluster.local/ns/partners/sa/other", Some("acme.example"));
    let foreign = Authority::new().leaf(PARTNER, Some("acme.example"));
    for (client, pem, good) in [
        ("shop/spiffe", &spiffe, true),
        ("shop/dns", &dns, true),
        ("shop/self-signed", &own, true),
        ("shop/spiffe", &dns, false),
        ("shop/spiffe", &own, false),
        ("shop/spiffe", &foreign, false),
        ("shop/dns", &spiffe, false),
        ("shop/dns", &foreign, false),
        ("shop/self-signed", &spiffe, false),
        ("shop/self-signed", &self_signed(2090).0, false),
    ] {
        let told = ask(&rig, Some(pem), &[("client_id", client)]).await;
        if good {
            assert!(
                told.claims()["cnf"]["x5t#S256"].as_str().unwrap().len() == 43,
                "it is bound to it"
            );
            assert_eq!(told.body["token_type"], "Bearer", "RFC 8705 section 3");
        } else {
            told.refused("invalid_client");
        }
        ask(&rig, None, &[("client_id", client)])
            .await
            .refused("invalid_client");
    }
}

/// RFC 8705 section 5: at the issuer's host no browser is asked for a certificate.
#[tokio::test]
async fn certificates_are_asked_for_at_the_host_that_is_for_them() {
    let (pem, thumbprint) = self_signed(2090);
    let setup = Setup {
        manifests: token_client("certified", &client(&json!({"thumbprints": [thumbprint]}))),
        ..Setup::default()
    };
    let world = World::start_with("    mutualTlsHost: ${OTHER_HOST}\n", setup).await;
    let metadata = world.visit("/.well-known/oauth-authorization-server", None).await.body;
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let aliases = metadata["mtls_endpoint_aliases"].as_object().unwrap();
    let mut there = world.rig.url("").replace("localhost", "127.0.0.1");
    for (name, url) in aliases {
        let own = metadata[name].as_str().unwrap();
        assert_eq!(url.as_str().unwrap(), own.replace("localhost", "127.0.0.1"), "{name}");
    }
    assert_eq!(aliases.len(), 5);

    let http = world.rig.with_certificate(&pem);
    let form = [("grant_type", "client_credentials"), ("client_id", "shop/certified")];
    let here = world.rig.send(&http, "/token", &form, &[]).await;
    here.refused("invalid_client");
    there.push_str("/token");
    let told = world.rig.send_to(&http, &there, &form, &[]).await;
    assert_eq!(told.claims()["cnf"]["x5t#S256"], thumbprint);
    assert_eq!(told.claims()["iss"], world.rig.issuer);
    // A proof says where it was sent to.
    let key = key();
    for (htu, good) in [(there.as_str(), true), (world.rig.url("/token").as_str(), false)] {
        let mut claims = json!({"htm": "POST", "htu": htu, "iat": world.rig.now(), "jti": unique()});
        claims["nonce"] = world.rig.nonce(&key).await.into();
        let proof = key.dpop_proof(&claims);
        let told = world.rig.send_to(&http, &there, &form, &[("dpop", &proof)]).await;
        assert_eq!(told.error(), if good { "" } else { "invalid_dpop_proof" }, "{htu}");
    }
}

/// RFC 9449 section 5.2: whose tokens are for proofs, gets none for its certificate.
#[tokio::test]
async fn a_certificate_proves_a_client_and_a_key_of_its_own_binds_its_tokens() {
    let (pem, thumbprint) = self_signed(2090);
    let mut both = client(&json!({"thumbprints": [thumbprint]}));
    both["binding"] = "DPoP".into();
    let rig = Rig::start(Setup {
        manifests: format!("{ISSUER}{}", token_client("both", &both)),
        ..Setup::default()
    })
    .await;
    let without = ask(&rig, Some(&pem), &[("client_id", "shop/both")]).await;
    without.refused("invalid_dpop_proof");
    let key = key();
    let proof = rig.proof(&key, "/token", Some(&rig.nonce(&key).await));
    let form = [("grant_type", "client_credentials"), ("client_id", "shop/both")];
    let http = rig.with_certificate(&pem);
    let told = rig.send(&http, "/token", &form, &[("dpop", &proof)]).await;
    assert_eq!(told.body["token_type"], "DPoP");
    assert_eq!(
        told.claims()["cnf"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["jkt"]
    );
}

#[tokio::test]
async fn a_registered_certificate_ends() {
    let (old, thumbprint) = self_signed(2021);
    let rig = rig(&Authority::new(), &thumbprint).await;
    let told = ask(&rig, Some(&old), &[("client_id", "shop/self-signed")]).await;
    told.refused("invalid_client");
}

#[tokio::test]
async fn a_workload_is_known_by_its_certificate_alone() {
    let roots = Authority::new();
    let rig = rig(&roots, &self_signed(2090).1).await;
    let web = roots.leaf(WEB, None);
    let told = ask(&rig, Some(&web), &[("resource", ORDERS)]).await;
    assert_eq!(told.claims()["sub"], WEB);
    ask(&rig, Some(&web), &[("resource", PAYMENTS), ("client_id", WEB)])
        .await
        .token();
    let other = "spiffe://cluster.local/ns/shop/sa/cart";
    ask(&rig, Some(&web), &[("resource", ORDERS), ("client_id", other)])
        .await
        .refused("invalid_client");
    let stranger = roots.leaf("spiffe://cluster.local/ns/shop/sa/stranger", None);
    ask(&rig, Some(&stranger), &[("resource", ORDERS)])
        .await
        .refused("invalid_client");
    let foreign = Authority::new().leaf(WEB, None);
    ask(&rig, Some(&foreign), &[("resource", ORDERS)])
        .await
        .refused("invalid_client");
}

#[tokio::test]
async fn no_certificate_below_an_intermediate_that_is_revoked_counts() {
    let roots = Authority::new();
    let rig = rig(&roots, &self_signed(2090).1).await;
    let (revoked, other) = (roots.intermediate(), roots.intermediate());
    let ask = async |authority: &Authority| {
        let pem = authority.leaf(PARTNER, None);
        ask(&rig, Some(&pem), &[("client_id", "shop/spiffe")]).await
    };
    ask(&revoked).await.token();
    rig.change(|sources| sources.withdrawn = Arc::new([revoked.fingerprint()].into_iter().collect()));
    ask(&revoked).await.refused("invalid_client");
    ask(&other).await.token();
}

#[tokio::test]
async fn one_workload_does_not_exchange_what_is_anothers() {
    let roots = Authority::new();
    let rig = rig(&roots, &self_signed(2090).1).await;
    rig.knows("the cart's", "shop", "cart");
    let mut form = exchange("the cart's");
    form.extend([("client_id", WEB), ("audience", ORDERS)]);
    let http = rig.with_certificate(&roots.leaf(WEB, None));
    rig.send(&http, "/token", &form, &[]).await.refused("invalid_grant");
}
