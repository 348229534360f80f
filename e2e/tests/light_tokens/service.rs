//! The token service as a process of the test, under the chart's service account.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use countersign_identity::testing::SigningKey;
use e2e::{Namespace, Testbed, chart, wait_for};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// There is one token service, and one Secret of keys, so tests take turns.
static TURN: Mutex<()> = Mutex::const_new(());
static INSTALLED: OnceCell<()> = OnceCell::const_new();

pub const ISSUER: &str = "https://localhost:8461";
const PORT: u16 = 8461;
const METRICS: u16 = 8462;

/// The service, for as long as it is this test's turn.
pub struct Tokens {
    pub testbed: Testbed,
    pub namespace: Namespace,
    pub http: reqwest::Client,
    /// The URL of its store.
    pub store: String,
    flags: &'static [&'static str],
    child: Child,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Tokens {
    /// Starts it, with an issuer of one API.
    pub async fn start() -> Self {
        Self::start_with(None, &[]).await
    }

    /// Starts it on a store, instead of a file of its own, and with more flags.
    pub async fn start_with(store: Option<String>, flags: &'static [&'static str]) -> Self {
        let turn = TURN.lock().await;
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let testbed = Testbed::from_env().await.unwrap();
        let installed = async || {
            chart::install_kinds(&testbed).await?;
            chart::install_tokens_account(&testbed).await
        };
        INSTALLED.get_or_try_init(installed).await.unwrap();
        testbed.apply(&issuer().to_string()).await.unwrap();
        let namespace = testbed.namespace("tokens", &[]).await.unwrap();
        let folder = TempDir::new().unwrap();
        let http = certificate(folder.path());
        let store = store.unwrap_or_else(|| format!("sqlite:{}", folder.path().join("tokens.db").display()));
        let child = spawn(&testbed, folder.path(), &store, flags).await;
        let tokens = Self {
            testbed,
            namespace,
            http,
            store,
            flags,
            child,
            folder,
            _turn: turn,
        };
        tokens.until_ready().await;
        tokens
    }

    async fn until_ready(&self) {
        wait_for("the token service to answer", Duration::from_secs(40), || async {
            let url = format!("{ISSUER}/jwks");
            let answer = self.http.get(&url).send().await?;
            ensure!(answer.status() == 200, "it answers {}", answer.status());
            Ok(())
        })
        .await
        .unwrap();
    }

    /// Kills it, and starts it again.
    pub async fn restart(&mut self) {
        self.kill();
        self.start_again().await;
    }

    /// Kills it, without a word to it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, as it was started before.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.testbed, self.folder.path(), &self.store, self.flags).await;
        self.until_ready().await;
    }

    /// What it shows on `/metrics`.
    pub async fn metrics(&self) -> Result<String> {
        let url = format!("http://127.0.0.1:{METRICS}/metrics");
        Ok(self.http.get(url).send().await?.text().await?)
    }

    /// The keys that it publishes.
    pub async fn kids(&self) -> Vec<String> {
        let text = self
            .http
            .get(format!("{ISSUER}/jwks"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let set: Value = serde_json::from_str(&text).unwrap();
        set["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let request = self
            .http
            .post(format!("{ISSUER}{path}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let text = request
            .body(e2e::form(form))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Asks for a token for the API, as a client with a key.
    pub async fn ask(&self, key: &SigningKey, client: &str) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let jti = format!("{client}-{:?}", std::time::Instant::now());
        let claims = json!({"iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti});
        let assertion = key.assertion(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", &assertion),
        ];
        self.post("/token", &form).await
    }

    /// Makes a client with this key, and waits until it may ask.
    pub async fn client(&self, name: &str, key: &SigningKey) -> String {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenClient", "metadata": {"name": name},
            "spec": {
                "issuer": "e2e",
                "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[key])}},
                "grants": ["ClientCredentials"],
                "audiences": [{"audience": "https://orders.example", "scopes": ["orders.read"]}],
            },
        });
        self.namespace.apply(&object.to_string()).await.unwrap();
        self.until_told("TokenClient", "tokenclients", name, "Ready", "True")
            .await;
        format!("{}/{name}", self.namespace.name())
    }

    /// Waits until a condition has this status, and gives the whole status.
    pub async fn until_told(&self, kind: &str, plural: &str, name: &str, condition: &str, status: &str) -> Value {
        let gvk = GroupVersionKind::gvk("countersign.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        let api: Api<DynamicObject> = if matches!(kind, "TokenClient" | "ServiceIdentity") {
            Api::namespaced_with(self.testbed.client(), self.namespace.name(), &resource)
        } else {
            Api::all_with(self.testbed.client(), &resource)
        };
        let what = format!("{kind} {name} to be {condition}={status}");
        wait_for(&what, Duration::from_mins(1), || async {
            let object = api.get(name).await?;
            let said = &object.data["status"];
            let conditions = said["conditions"].as_array().context("nothing is said of it")?;
            let found = conditions
                .iter()
                .find(|one| one["type"] == condition)
                .context("no such condition")?;
            ensure!(found["status"] == status, "it is {found}");
            Ok(said.clone())
        })
        .await
        .unwrap()
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "--- the token service's log\n{}",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

/// An issuer with one API.
pub fn issuer() -> Value {
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": "e2e"},
        "spec": {"managed": {
            "issuer": ISSUER,
            "audiences": [{"audience": "https://orders.example", "sensitivity": "Sensitive", "scopes": ["orders.read"]}],
        }},
    })
}

async fn spawn(testbed: &Testbed, folder: &Path, store: &str, flags: &[&str]) -> Child {
    let kubeconfig = chart::kubeconfig_of(testbed, "countersign-tokens").await.unwrap();
    let out = || {
        Stdio::from(
            File::options()
                .create(true)
                .append(true)
                .open(folder.join("log"))
                .unwrap(),
        )
    };
    Command::new(binary())
        .args([
            "--listen",
            &format!("127.0.0.1:{PORT}"),
            "--metrics-listen",
            &format!("127.0.0.1:{METRICS}"),
        ])
        .arg("--tls-certificate")
        .arg(folder)
        .args(["--store-url", store])
        .args(["--namespace", chart::NAMESPACE, "--identity", "one"])
        .args(flags)
        .env("KUBECONFIG", kubeconfig)
        .stdout(out())
        .stderr(out())
        .spawn()
        .with_context(|| {
            format!(
                "{}: build it with `cargo build -p countersign-tokens`",
                binary().display()
            )
        })
        .unwrap()
}

/// Puts a certificate for this machine into the folder, and makes a client that trusts it.
fn certificate(folder: &Path) -> reqwest::Client {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    reqwest::Client::builder()
        .tls_certs_only([trusted])
        // The port of the URL counts.
        .resolve("localhost", SocketAddr::from(([127, 0, 0, 1], 0)))
        .build()
        .unwrap()
}

/// The token service as cargo built it, beside the test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors()
        .nth(2)
        .unwrap_or(Path::new("."))
        .join("countersign-tokens")
}

/// A key of a client.
pub fn key() -> SigningKey {
    SigningKey::generate("one", jsonwebtoken::Algorithm::ES256)
}

/// The claims of a token, unverified.
pub fn claims(told: &Value) -> Result<Value> {
    use base64::Engine as _;
    let token = told["access_token"]
        .as_str()
        .with_context(|| format!("no token: {told}"))?;
    let payload = token.split('.').nth(1).context("no JWT")?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload)?;
    Ok(serde_json::from_slice(&payload)?)
}
