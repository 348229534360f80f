//! Tokens of Countersign's own token service: a Pod gets one for its service account, a partner for what it signed, and the API
//! that Istio guards takes them, each for what it is for.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use countersign_identity::testing::SigningKey;
use e2e::{Request, form, wait_for};
use jsonwebtoken::Algorithm;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};

use crate::shop::{Shop, now};

const HOST: &str = "countersign-tokens.countersign-system.svc";
const PARTNER: &str = "payments/acme";
const PAYMENTS: &str = "https://payments.shop.example";
const CATALOGUE: &str = "https://catalogue.shop.example";

/// Installs the token service, asks for tokens and uses them; prints what came of it, and counts what is not as expected.
pub(crate) async fn show(shop: &Shop) -> Result<usize> {
    let key = SigningKey::generate("acme-1", Algorithm::ES256);
    install(shop, &key).await?;
    let issuer = Issuer::of(shop, key).await?;
    println!("\n{}", shop.kubectl(&["get", "tokenissuers"]).await?);
    println!("{}", shop.kubectl(&["get", "tokenclients", "--all-namespaces"]).await?);
    let partner = issuer.partner(&[("resource", PAYMENTS)]).await?;
    let partner = partner["access_token"]
        .as_str()
        .context("the partner got no token")?
        .to_owned();
    let own = pod_token(shop, PAYMENTS).await?;
    let other = pod_token(shop, CATALOGUE).await?;
    until_admitted(shop, &partner).await?;
    let statements = "/v1/statements";
    let results = [
        (
            "user-profile, by a token for its service account",
            shop.asked_in_pod(statements, &own).await?,
            "200",
        ),
        (
            "user-profile, by a token for another API",
            shop.asked_in_pod(statements, &other).await?,
            "403",
        ),
        (
            "acme, by a token for what it signed",
            shop.asked_outside("GET", "/v1/charges", &partner).await?,
            "200",
        ),
        (
            "acme, with that token, for what it may not",
            shop.asked_outside("POST", "/v1/charges", &partner).await?,
            "403",
        ),
        (
            "acme asks for a scope that is not its own",
            issuer
                .error(&[("resource", PAYMENTS), ("scope", "statements.read")])
                .await?,
            "invalid_scope",
        ),
        (
            "acme asks for another API",
            issuer.error(&[("resource", CATALOGUE)]).await?,
            "invalid_target",
        ),
    ];
    let mut wrong = 0;
    for (who, got, expected) in results {
        let right = got == expected;
        wrong += usize::from(!right);
        println!("{who:<54} {got}{}", if right { "" } else { "   <== NOT AS EXPECTED" });
    }
    Ok(wrong)
}

/// Waits until all of the proxies' workers know the policies. They learn of them a moment later, and each of the gateway's keeps
/// connections to the API, on which that one's proxy goes on with what it knew when they began, until it has drained them.
async fn until_admitted(shop: &Shop, token: &str) -> Result<()> {
    const IN_A_ROW: usize = 20;
    wait_for("the partner to be admitted", Duration::from_mins(2), || async {
        for asked in 0..IN_A_ROW {
            let got = shop.asked_outside("GET", "/v1/charges", token).await?;
            ensure!(got == "200", "it is answered {got}, after {asked} that were admitted");
        }
        Ok(())
    })
    .await
}

/// How many things it shows.
pub(crate) const SHOWN: usize = 6;

/// As the documentation tells a person to: first who the token service is, then the service.
async fn install(shop: &Shop, key: &SigningKey) -> Result<()> {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/tokens");
    shop.kubectl(&["apply", "-f", &format!("{examples}/issuer.yaml")])
        .await?;
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
    let helm = Command::new("helm")
        .args([
            "upgrade",
            "countersign",
            chart,
            "--namespace",
            "countersign-system",
            "--reuse-values",
        ])
        .args(["--set", "tokens.enabled=true,tokens.tls.podCertificate.enabled=true"])
        .args(["--set", "tokens.store.persistence.enabled=false"])
        .output()?;
    ensure!(helm.status.success(), "helm: {}", String::from_utf8_lossy(&helm.stderr));
    let rollout = [
        "--namespace",
        "countersign-system",
        "rollout",
        "status",
        "deployment/countersign-tokens",
        "--timeout=120s",
    ];
    shop.kubectl(&rollout).await?;
    shop.kubectl(&["apply", "-f", examples]).await?;
    let keys = json!([{"op": "replace", "path": "/spec/authentication/privateKeyJwt", "value": {"jwks": SigningKey::jwks(&[key])}}]);
    let patch = [
        "--namespace",
        "payments",
        "patch",
        "tokenclient",
        "acme",
        "--type=json",
        "-p",
        &keys.to_string(),
    ];
    shop.kubectl(&patch).await?;
    for (namespace, what) in [
        ("default", "tokenissuer/shop-tokens"),
        ("payments", "tokenclient/acme"),
        ("payments", "apiauthpolicy/payments-by-token"),
        ("edge", "apiauthpolicy/partners"),
    ] {
        let wait = [
            "--namespace",
            namespace,
            "wait",
            what,
            "--for=condition=Ready",
            "--timeout=60s",
        ];
        shop.kubectl(&wait).await?;
    }
    let rollout = [
        "--namespace",
        "user-profile",
        "rollout",
        "status",
        "deployment/user-profile",
        "--timeout=120s",
    ];
    shop.kubectl(&rollout).await.map(drop)
}

/// In the Pod, with what is mounted there.
async fn pod_token(shop: &Shop, resource: &str) -> Result<String> {
    let exec = [
        "--namespace",
        "user-profile",
        "exec",
        "deployment/user-profile",
        "-c",
        "echo",
        "--",
    ];
    let ask = ["/echo", "token", "--resource", resource];
    wait_for("the Pod to get a token", Duration::from_secs(30), || async {
        Ok(shop.kubectl(&[&exec[..], &ask].concat()).await?.trim().to_owned())
    })
    .await
}

/// The token service, as the partner sees it.
struct Issuer {
    address: SocketAddr,
    roots: RootCertStore,
    key: SigningKey,
}

impl Issuer {
    async fn of(shop: &Shop, key: SigningKey) -> Result<Self> {
        let get = [
            "--namespace",
            "countersign-system",
            "get",
            "service",
            "countersign-tokens",
        ];
        let ip = shop
            .kubectl(&[&get[..], &["-o", "jsonpath={.spec.clusterIP}"]].concat())
            .await?;
        let ip: IpAddr = ip.trim().parse().context("the token service has no address")?;
        let get = [
            "--namespace",
            "payments",
            "get",
            "configmap",
            "countersign-trust-bundle",
            "-o",
            "json",
        ];
        let bundle: Value = serde_json::from_str(&shop.kubectl(&get).await?)?;
        let mut roots = RootCertStore::empty();
        for text in bundle["data"]
            .as_object()
            .into_iter()
            .flat_map(|data| data.values())
            .filter_map(Value::as_str)
        {
            for root in CertificateDer::pem_slice_iter(text.as_bytes()) {
                roots.add(root?)?;
            }
        }
        Ok(Self {
            address: SocketAddr::new(ip, 443),
            roots,
            key,
        })
    }

    /// Asks for a token with an assertion that is signed for this request.
    async fn partner(&self, more: &[(&str, &str)]) -> Result<Value> {
        let now = now();
        let jti = uuid::Uuid::from_u128(rand::random()).to_string();
        let claims = json!({"iss": PARTNER, "sub": PARTNER, "aud": format!("https://{HOST}"), "iat": now, "exp": now + 60, "jti": jti});
        let assertion = self.key.assertion(&claims);
        let mut pairs = vec![
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ];
        pairs.extend_from_slice(more);
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let request = Request::new("POST", "/token")
            .host(HOST)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(&pairs));
        let answer = request.send_tls(self.address, HOST, tls).await;
        serde_json::from_str(answer.body()).with_context(|| format!("the token service answers {answer}"))
    }

    async fn error(&self, more: &[(&str, &str)]) -> Result<String> {
        let told = self.partner(more).await?;
        Ok(told["error"].as_str().unwrap_or("granted").to_owned())
    }
}
