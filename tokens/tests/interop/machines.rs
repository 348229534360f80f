//! Programs that ask for themselves: `client_credentials`, with what the token is worth afterwards (RFC 7662), and until it is
//! given back (RFC 7009).

use countersign_identity::{Bundle, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::held::{KEY_ID, Key, secret, self_signed};
use crate::peers::Library;
use crate::rig::{ISSUER, Rig, Setup, claims_of, token_client};

const ORDERS: &str = "https://orders.example";
const PAYMENTS: &str = "https://payments.example";
const STOCK: &str = "https://stock.example";

fn partner(authentication: &Value) -> Value {
    json!({
        "authentication": authentication,
        "grants": ["ClientCredentials"],
        "audiences": [
            {"audience": ORDERS, "scopes": ["orders.read", "orders.write"]},
            {"audience": PAYMENTS, "scopes": ["pay"]},
        ],
    })
}

async fn rig(client: &Value, roots: Option<Bundle>) -> Rig {
    Rig::start(Setup {
        manifests: format!("{ISSUER}{}", token_client("partner", client)),
        roots,
        live: true,
        ..Setup::default()
    })
    .await
}

fn task(audience: &str, scope: &str, with: &Value) -> Value {
    let mut task = json!({
        "what": "machine", "client": "shop/partner", "grant": "client_credentials", "discovery": "oauth2",
        "parameters": {"resource": audience, "scope": scope},
    });
    task.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    task
}

fn by_key(key: &Key, named: bool) -> Value {
    let mut with = json!({"method": "private_key_jwt", "key": key.pem, "algorithm": key.algorithm});
    if named {
        with["kid"] = KEY_ID.into();
    }
    with
}

/// What a program got, and what it was told of it.
fn check(library: Library, done: &Value, audience: &str, scope: &str) {
    assert_eq!(done["tokens"]["scope"], scope, "{done}");
    // What x/oauth2 does not offer, the others show.
    if library != Library::XOauth2 {
        assert_eq!(done["known"]["active"], true, "{done}");
        assert_eq!(done["known"]["aud"], audience);
        assert_eq!(done["known"]["client_id"], "shop/partner");
        assert_eq!(done["after"], json!({"active": false}));
    }
}

#[rstest]
#[tokio::test]
async fn by_assertions(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
    #[values("ES256", "PS256", "EdDSA")] algorithm: &'static str,
) {
    let key = Key::new(algorithm);
    let rig = rig(&partner(&json!({"privateKeyJwt": {"jwks": key.jwks}})), None).await;
    let mut with = by_key(&key, algorithm != "PS256");
    with["api"] = ORDERS.into();
    let done = library.does(&rig, &task(ORDERS, "orders.read", &with)).await;
    check(library, &done, ORDERS, "orders.read");
    assert_eq!(done["tokens"]["expires_in"], 900);
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(claims["client_id"], "shop/partner");
    if library == Library::Oauth4webapi {
        assert_eq!(done["verified"], claims, "as an API verifies it");
    }
}

#[rstest]
#[case::another_key(true, ORDERS, "orders.read", "invalid_client")]
#[case::another_api(false, "https://catalog.example", "items.read", "invalid_target")]
#[case::another_scope(false, ORDERS, "pay", "invalid_scope")]
#[case::no_proof(false, PAYMENTS, "pay", "invalid_request")]
#[tokio::test]
async fn a_refusal_is_understood(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
    #[case] other: bool,
    #[case] audience: &str,
    #[case] scope: &str,
    #[case] error: &str,
) {
    let (own, foreign) = (Key::new("ES256"), Key::new("ES256"));
    let rig = rig(&partner(&json!({"privateKeyJwt": {"jwks": own.jwks}})), None).await;
    let mut with = by_key(if other { &foreign } else { &own }, true);
    with["refused"] = true.into();
    let done = library.does(&rig, &task(audience, scope, &with)).await;
    assert_eq!(done, json!({"refused": error}));
}

#[rstest]
#[tokio::test]
async fn bound_to_a_key(
    #[values(Library::OpenidClient, Library::Oauth4webapi)] library: Library,
    #[values("ES256", "PS256", "Ed25519")] proof: &str,
) {
    let key = Key::new("ES256");
    let rig = rig(&partner(&json!({"privateKeyJwt": {"jwks": key.jwks}})), None).await;
    let mut with = by_key(&key, true);
    with["dpop"] = proof.into();
    with["api"] = PAYMENTS.into();
    let done = library.does(&rig, &task(PAYMENTS, "pay", &with)).await;
    check(library, &done, PAYMENTS, "pay");
    assert_eq!(done["tokens"]["token_type"], "dpop", "both libraries write it so");
    assert_eq!(done["known"]["cnf"]["jkt"].as_str().unwrap().len(), 43);
    if library == Library::Oauth4webapi {
        assert_eq!(done["verified"]["cnf"], done["known"]["cnf"], "as an API verifies it");
    }
}

/// The metadata of an issuer with a path is found before the path (RFC 8414 section 3.1) or behind it (OpenID Connect Discovery
/// 1.0 section 4), whichever the library looks for. Authlib's program looks for both.
#[rstest]
#[case(Library::OpenidClient, "oauth2")]
#[case(Library::OpenidClient, "oidc")]
#[case(Library::Oauth4webapi, "oauth2")]
#[case(Library::Oauth4webapi, "oidc")]
#[case(Library::Authlib, "both")]
#[case(Library::XOauth2, "oidc")]
#[tokio::test]
async fn at_an_issuer_with_a_path(#[case] library: Library, #[case] discovery: &str) {
    let key = Key::new("ES256");
    let client = token_client("partner", &partner(&json!({"privateKeyJwt": {"jwks": key.jwks}})));
    let rig = Rig::start(Setup {
        manifests: format!("{}{client}", ISSUER.replace("${ISSUER}", "${ISSUER}/for/partners")),
        live: true,
        ..Setup::default()
    })
    .await;
    let mut with = by_key(&key, true);
    with["path"] = "/for/partners".into();
    with["discovery"] = discovery.into();
    let done = library.does(&rig, &task(ORDERS, "orders.read", &with)).await;
    check(library, &done, ORDERS, "orders.read");
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(claims["iss"], rig.url("/for/partners"));
}

#[rstest]
#[tokio::test]
async fn by_a_secret(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
    #[values("client_secret_basic", "client_secret_post")] method: &str,
) {
    let (secret, kept) = secret();
    let mut client = partner(&json!({"clientSecret": {"hashes": [kept]}}));
    client["audiences"] = json!([{"audience": STOCK, "scopes": ["stock.read"]}]);
    let rig = rig(&client, None).await;
    let with = json!({"method": method, "secret": secret});
    let done = library.does(&rig, &task(STOCK, "stock.read", &with)).await;
    check(library, &done, STOCK, "stock.read");
}

#[tokio::test]
async fn by_a_secret_as_the_program_finds_out() {
    let (secret, kept) = secret();
    let mut client = partner(&json!({"clientSecret": {"hashes": [kept]}}));
    client["audiences"] = json!([{"audience": STOCK, "scopes": ["stock.read"]}]);
    let rig = rig(&client, None).await;
    let with = json!({"method": "client_secret", "secret": secret});
    let done = Library::XOauth2.does(&rig, &task(STOCK, "stock.read", &with)).await;
    check(Library::XOauth2, &done, STOCK, "stock.read");
}

#[rstest]
#[tokio::test]
async fn by_a_certificate_that_is_registered(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
) {
    let (pem, thumbprint) = self_signed();
    let rig = rig(&partner(&json!({"mutualTls": {"thumbprints": [thumbprint]}})), None).await;
    let done = with_certificate(library, &rig, &pem, "self_signed_tls_client_auth").await;
    check(library, &done, PAYMENTS, "pay");
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"], json!({"x5t#S256": thumbprint}));
}

/// At the issuer's own host nobody is asked for a certificate here.
#[rstest]
#[tokio::test]
async fn by_a_certificate_at_the_host_that_is_for_certificates(
    #[values(Library::OpenidClient, Library::Oauth4webapi)] library: Library,
) {
    let (pem, thumbprint) = self_signed();
    let client = partner(&json!({"mutualTls": {"thumbprints": [thumbprint]}}));
    let rig = Rig::start(Setup {
        manifests: format!(
            "{ISSUER}    mutualTlsHost: ${{OTHER_HOST}}{}",
            token_client("partner", &client)
        ),
        live: true,
        ..Setup::default()
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.pem");
    std::fs::write(&path, pem).unwrap();
    let with = json!({"method": "self_signed_tls_client_auth", "certificate": path, "aliases": true});
    let done = library.does(&rig, &task(PAYMENTS, "pay", &with)).await;
    check(library, &done, PAYMENTS, "pay");
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["iss"], &claims["cnf"]),
        (&json!(rig.issuer), &json!({"x5t#S256": thumbprint}))
    );
}

async fn with_certificate(library: Library, rig: &Rig, pem: &str, method: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.pem");
    std::fs::write(&path, pem).unwrap();
    let with = json!({"method": method, "certificate": path});
    library.does(rig, &task(PAYMENTS, "pay", &with)).await
}

#[rstest]
#[tokio::test]
async fn by_a_certificate_of_the_trust_domain(
    #[values(Library::OpenidClient, Library::Oauth4webapi, Library::Authlib, Library::XOauth2)] library: Library,
) {
    const ID: &str = "spiffe://cluster.local/ns/shop/sa/partner";
    let (roots, pem) = svid(ID);
    let rig = rig(&partner(&json!({"mutualTls": {"spiffeId": ID}})), Some(roots)).await;
    let done = with_certificate(library, &rig, &pem, "tls_client_auth").await;
    check(library, &done, PAYMENTS, "pay");
    let claims = claims_of(done["tokens"]["access_token"].as_str().unwrap());
    assert_eq!(claims["cnf"]["x5t#S256"].as_str().unwrap().len(), 43);
}

/// A certificate of an authority of the trust domain, with its key.
fn svid(id: &str) -> (Bundle, String) {
    let domain: TrustDomain = "cluster.local".parse().unwrap();
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, "authority");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    root.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into().unwrap())];
    let authority = root.self_signed(&root_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "partner");
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let leaf = leaf.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap();
    let mut roots = Bundle::new(domain);
    roots.add_pem(authority.pem().as_bytes()).unwrap();
    (roots, leaf.pem() + &key.serialize_pem())
}
