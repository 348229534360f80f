//! The shop on the cluster: the chart, the examples, and an issuer of tokens that the demo runs.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use countersign_identity::testing::{SigningKey, hmac_token, unsigned_token};
use e2e::https::{HttpsServer, Page};
use e2e::{Request, Testbed};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::cases::{Caller, Case, Token};

/// The node's address, which Pods reach.
const NODE: [u8; 4] = [10, 77, 0, 1];
const ISSUER: &str = "https://idp.shop.example";

pub(crate) struct Shop {
    testbed: Testbed,
    key: SigningKey,
    stranger: SigningKey,
    gateway: SocketAddr,
    // Serves the keys while the demo runs.
    _keys: HttpsServer,
}

impl Shop {
    /// Starts the issuer and applies the examples. The chart is there: it came before the mesh, whose certificates it signs.
    pub(crate) async fn open(testbed: &Testbed) -> Result<Self> {
        let key = SigningKey::generate("shop-1", Algorithm::ES256);
        let stranger = SigningKey::generate("shop-1", Algorithm::ES256);
        let page = Page::found("/keys", &SigningKey::jwks(&[&key]));
        let keys = HttpsServer::serve(IpAddr::from(NODE), vec![page]).await?;
        script("apply-examples")?;
        let external = json!({ "issuer": ISSUER, "maxTokenLifetime": "10m",
                               "jwksUri": keys.url("/keys"), "caBundle": keys.authority });
        replace_issuer(testbed, &external).await?;
        testbed
            .kubectl(&[
                "wait",
                "tokenissuers",
                "--all",
                "--for=condition=Ready",
                "--timeout=60s",
            ])
            .await?;
        let ready = [
            "wait",
            "apiauthpolicies",
            "--all-namespaces",
            "--all",
            "--for=condition=Ready",
            "--timeout=60s",
        ];
        testbed.kubectl(&ready).await?;
        let service = [
            "--namespace",
            "edge",
            "get",
            "service",
            "shop-istio",
            "-o",
            "jsonpath={.spec.clusterIP}",
        ];
        let ip: IpAddr = testbed
            .kubectl(&service)
            .await?
            .trim()
            .parse()
            .context("the gateway has no address")?;
        let shop = Self {
            testbed: testbed.clone(),
            key,
            stranger,
            gateway: SocketAddr::new(ip, 80),
            _keys: keys,
        };
        shop.settle().await?;
        Ok(shop)
    }

    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.testbed.kubectl(args).await
    }

    /// Proxies learn of what was written a moment later: the last thing to arrive is a token's admission.
    async fn settle(&self) -> Result<()> {
        let last = crate::cases::all();
        let admitted: Vec<&Case> = last.iter().filter(|case| case.admitted).collect();
        for case in admitted {
            e2e::wait_for(
                &format!("{} {} to be admitted", case.method, case.path),
                std::time::Duration::from_secs(30),
                || async {
                    let got = self.ask(case).await?;
                    ensure!(got == "200", "it is answered {got}");
                    Ok(())
                },
            )
            .await?;
        }
        Ok(())
    }

    /// Sends a request; gives the status code, or `reset`.
    pub(crate) async fn ask(&self, case: &Case) -> Result<String> {
        let headers = self.headers(case);
        match case.caller {
            Caller::Pod(from) => self.ask_from(from, case, &headers).await,
            Caller::Node => {
                let pod = [
                    "--namespace",
                    case.service,
                    "get",
                    "pods",
                    "-l",
                    &format!("app={}", case.service),
                    "-o",
                    "jsonpath={.items[0].status.podIP}",
                ];
                let ip: IpAddr = self.kubectl(&pod).await?.trim().parse()?;
                let answer = Request::new(case.method, case.path)
                    .send_plain(SocketAddr::new(ip, 8080))
                    .await;
                Ok(answer.to_string())
            }
            Caller::Outside => {
                let mut request = Request::new(case.method, case.path).host(case.host_name());
                for (name, value) in &headers {
                    request = request.header(name, value);
                }
                Ok(request.send_plain(self.gateway).await.to_string())
            }
        }
    }

    /// Asks the payments API through the gateway.
    pub(crate) async fn from_outside(&self, method: &str, path: &str, token: &str) -> Result<String> {
        let request = Request::new(method, path).host("api.shop.example").bearer(token);
        Ok(request.send_plain(self.gateway).await.to_string())
    }

    /// Asks the payments API from the Pod of user-profile.
    pub(crate) async fn from_pod(&self, path: &str, token: &str) -> Result<String> {
        let url = format!("http://payments.payments.svc.cluster.local{path}");
        let exec = [
            "--namespace",
            "user-profile",
            "exec",
            "deployment/user-profile",
            "-c",
            "echo",
            "--",
        ];
        let header = format!("Authorization: Bearer {token}");
        let ask = ["/echo", "client", "-H", &header, &url];
        Ok(self.kubectl(&[&exec[..], &ask].concat()).await?.trim().to_owned())
    }

    async fn ask_from(&self, from: &str, case: &Case, headers: &[(String, String)]) -> Result<String> {
        let url = format!("http://{0}.{0}.svc.cluster.local{1}", case.service, case.path);
        let deployment = format!("deployment/{from}");
        let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let mut command = vec![
            "--namespace",
            from,
            "exec",
            &deployment,
            "-c",
            "echo",
            "--",
            "/echo",
            "client",
            "-X",
            case.method,
        ];
        for header in &headers {
            command.extend(["-H", header]);
        }
        command.push(&url);
        Ok(self.kubectl(&command).await?.trim().to_owned())
    }

    /// The request's header fields.
    pub(crate) fn headers(&self, case: &Case) -> Vec<(String, String)> {
        let token = match &case.token {
            Token::None => return Vec::new(),
            Token::Good(claims) => self.key.token(&complete(claims)),
            Token::Forged(claims) => self.stranger.token(&complete(claims)),
            Token::Unsigned(claims) => unsigned_token(&complete(claims)),
            Token::PublicKeyAsSecret(claims) => hmac_token(
                SigningKey::jwks(&[&self.key]).as_bytes(),
                &self.key.id,
                &complete(claims),
            ),
        };
        vec![("Authorization".to_owned(), format!("Bearer {token}"))]
    }
}

/// The issuer of the examples has keys in the object itself; the demo's are fetched, and one excludes the other.
async fn replace_issuer(testbed: &Testbed, external: &Value) -> Result<()> {
    let patch = json!([{ "op": "replace", "path": "/spec/external", "value": external }]).to_string();
    testbed
        .kubectl(&["patch", "tokenissuer", "shop-idp", "--type=json", "-p", &patch])
        .await
        .map(drop)
}

/// Adds what every token of the shop carries.
fn complete(claims: &Value) -> Value {
    let now = now();
    let mut all = json!({ "iss": ISSUER, "sub": "demo", "iat": now, "exp": now + 300 });
    if let (Some(all), Some(own)) = (all.as_object_mut(), claims.as_object()) {
        all.extend(own.clone());
        all.retain(|_, value| !value.is_null());
    }
    all
}

pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Runs one of the scripts that a person would run.
fn script(name: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts").join(name);
    let status = Command::new(&path)
        .status()
        .with_context(|| format!("cannot run {}", path.display()))?;
    if !status.success() {
        bail!("{} failed: {status}", path.display());
    }
    Ok(())
}
