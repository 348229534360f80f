//! Two replicas of the token service as the chart installs them, with one PostgreSQL behind them whose certificate is of a private
//! authority, as is their own: what is used up or revoked at one is so at the other, and one goes on when the other is killed.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use countersign_identity::testing::SigningKey;
use e2e::{ApiUser, Namespace, Testbed, form, wait_for};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::postgres::Server;

const NAMESPACE: [&str; 2] = ["--namespace", e2e::chart::NAMESPACE];
const HOST: &str = "countersign-tokens.countersign-system.svc";
const ISSUER: &str = "https://countersign-tokens.countersign-system.svc/replicas";
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");

/// A private authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        (certificate, key.serialize_pem())
    }
}

/// The token service with what it needs. It is taken away when a test is done.
struct Installed {
    testbed: Testbed,
    namespace: Namespace,
    authority: Authority,
    client: String,
    key: SigningKey,
    _database: Server,
}

impl Installed {
    async fn new() -> Self {
        let testbed = Testbed::from_env().await.unwrap();
        let authority = Authority::new();
        let node = [
            "get",
            "nodes",
            "--output=jsonpath={.items[0].status.addresses[?(@.type==\"InternalIP\")].address}",
        ];
        let node = testbed.kubectl(&node).await.unwrap().trim().to_owned();
        let (certificate, key) = authority.certify(&node);
        let database = Server::start_with(Some((&node, &certificate, &key)));
        drop(database.database("tokens"));
        let namespace = testbed.namespace("replicas", &[]).await.unwrap();
        let installed = Self {
            client: format!("{}/partner", namespace.name()),
            key: SigningKey::generate("one", jsonwebtoken::Algorithm::ES256),
            testbed,
            namespace,
            authority,
            _database: database,
        };
        installed.objects(&node).await;
        helm(&[
            "tokens.enabled=true",
            "tokens.replicas=2",
            "tokens.tls.podCertificate.enabled=false",
            "tokens.tls.secretName=replicas-tls",
            "tokens.store.postgres.secretName=replicas-database",
            "tokens.store.postgres.caConfigMap=replicas-database-ca",
        ]);
        let rollout = ["rollout", "status", "deployment/countersign-tokens", "--timeout=180s"];
        installed
            .testbed
            .kubectl(&[&NAMESPACE[..], &rollout].concat())
            .await
            .unwrap();
        installed.client().await;
        installed
    }

    /// What the chart's values name, and the issuer.
    async fn objects(&self, node: &str) {
        let (certificate, key) = self.authority.certify(HOST);
        let meta = |name: &str| json!({"name": name, "namespace": e2e::chart::NAMESPACE});
        // From cert-manager, as the documentation has it: of nobody else a private key is taken.
        let user = "system:serviceaccount:cert-manager:cert-manager";
        let manager = ApiUser::admin_of(&self.testbed, e2e::chart::NAMESPACE).impersonate(user, &["system:masters"]);
        let secret = json!({
            "metadata": {"name": "replicas-tls"}, "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": certificate, "tls.key": key, "ca.crt": self.authority.pem},
        });
        manager.create("/api/v1/{ns}/secrets", &secret).await.unwrap();
        for object in [
            json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": meta("replicas-database"),
                "stringData": {"url": format!("postgres://countersign@{node}/tokens")},
            }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("replicas-database-ca"),
                "data": {"ca.crt": self.authority.pem},
            }),
            json!({
                "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenIssuer", "metadata": {"name": "replicas"},
                "spec": {"managed": {"issuer": ISSUER, "audiences": [{
                    "audience": "https://orders.example", "sensitivity": "Internal", "scopes": ["orders.read"],
                    "tokenFormat": "Opaque", "introspectedBy": [self.client],
                }]}},
            }),
        ] {
            self.testbed.apply(&object.to_string()).await.unwrap();
        }
    }

    async fn client(&self) {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenClient", "metadata": {"name": "partner"},
            "spec": {
                "issuer": "replicas",
                "authentication": {"privateKeyJwt": {"jwks": SigningKey::jwks(&[&self.key])}},
                "grants": ["ClientCredentials"],
                "audiences": [{"audience": "https://orders.example", "scopes": ["orders.read"]}],
            },
        });
        self.namespace.apply(&object.to_string()).await.unwrap();
        let ready = ["wait", "tokenclient/partner", "--for=condition=Ready", "--timeout=60s"];
        self.namespace.kubectl(&ready).await.unwrap();
        let found = [
            "wait",
            "tokenissuer/replicas",
            "--for=condition=DiscoveryReachable",
            "--timeout=90s",
        ];
        self.testbed.kubectl(&found).await.unwrap();
    }

    /// The replicas that answer, each by its own address.
    async fn replicas(&self) -> Result<Vec<Replica>> {
        let pods = [
            "get",
            "pods",
            "--selector=app.kubernetes.io/component=tokens",
            "--output=json",
        ];
        let pods: Value = serde_json::from_str(&self.testbed.kubectl(&[&NAMESPACE[..], &pods].concat()).await?)?;
        let pods = pods["items"].as_array().context("no list of Pods")?;
        let ready = pods.iter().filter(|pod| {
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            pod["metadata"]["deletionTimestamp"].is_null()
                && conditions
                    .into_iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
        });
        ready.map(|pod| Replica::of(pod, &self.authority)).collect()
    }

    async fn two(&self) -> [Replica; 2] {
        wait_for("two replicas to be ready", Duration::from_mins(2), || async {
            let replicas = self.replicas().await?;
            let count = replicas.len();
            replicas.try_into().map_err(|_| anyhow::anyhow!("there are {count}"))
        })
        .await
        .unwrap()
    }

    /// An assertion by which the client proves itself, once.
    fn assertion(&self) -> String {
        let now = jiff::Timestamp::now().as_second();
        let jti = uuid::Uuid::from_u128(rand::random()).to_string();
        let client = &self.client;
        let claims = json!({"iss": client, "sub": client, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti});
        self.key.assertion(&claims)
    }

    async fn post(&self, replica: &Replica, endpoint: &str, assertion: &str, more: &[(&str, &str)]) -> Result<Value> {
        let proof = [
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
            ("client_assertion", assertion),
        ];
        replica.post(endpoint, &[&proof[..], more].concat()).await
    }

    async fn token(&self, replica: &Replica, assertion: &str) -> Value {
        let grant = [("grant_type", "client_credentials")];
        self.post(replica, "token", assertion, &grant).await.unwrap()
    }

    async fn active(&self, replica: &Replica, token: &str) -> bool {
        let told = self
            .post(replica, "introspect", &self.assertion(), &[("token", token)])
            .await;
        told.unwrap()["active"] == true
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        helm(&["tokens.enabled=false"]);
    }
}

fn helm(values: &[&str]) {
    let upgraded = Command::new("helm")
        .args(["upgrade", "countersign", CHART, "--reuse-values"])
        .args(NAMESPACE)
        .args(["--set", &values.join(",")])
        .output()
        .unwrap();
    assert!(
        upgraded.status.success(),
        "helm: {}",
        String::from_utf8_lossy(&upgraded.stderr)
    );
}

/// One of them.
struct Replica {
    pod: String,
    http: reqwest::Client,
}

impl Replica {
    fn of(pod: &Value, authority: &Authority) -> Result<Self> {
        let ip: IpAddr = pod["status"]["podIP"]
            .as_str()
            .context("a Pod has no address")?
            .parse()?;
        let trusted = reqwest::Certificate::from_pem(authority.pem.as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([trusted])
            .resolve(HOST, SocketAddr::new(ip, 8443))
            .build()?;
        let pod = pod["metadata"]["name"]
            .as_str()
            .context("a Pod has no name")?
            .to_owned();
        Ok(Self { pod, http })
    }

    async fn post(&self, endpoint: &str, fields: &[(&str, &str)]) -> Result<Value> {
        let request = self
            .http
            .post(format!("https://{HOST}:8443/replicas/{endpoint}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(fields));
        let text = request.send().await?.text().await?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_str(&text)?)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --istio --countersign"]
async fn replicas_share_what_is_used_and_what_is_revoked_and_one_goes_on_alone() {
    let installed = Installed::new().await;
    let [one, two] = installed.two().await;

    let assertion = installed.assertion();
    let answer = installed.token(&one, &assertion).await;
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    let replayed = installed.token(&two, &assertion).await;
    assert_eq!(
        replayed["error"], "invalid_client",
        "it was used at the other: {replayed}"
    );

    assert!(installed.active(&two, &token).await, "the other knows what one gave");
    installed
        .post(&two, "revoke", &installed.assertion(), &[("token", &token)])
        .await
        .unwrap();
    assert!(!installed.active(&one, &token).await, "it was revoked at the other");

    let kill = ["delete", "pod", &one.pod, "--grace-period=0", "--force", "--wait=false"];
    installed
        .testbed
        .kubectl(&[&NAMESPACE[..], &kill].concat())
        .await
        .unwrap();
    for _ in 0..20 {
        let answer = installed.token(&two, &installed.assertion()).await;
        assert!(answer["access_token"].is_string(), "one goes on alone: {answer}");
    }
    let known = answer_of(&installed, &two).await;
    let again = installed.two().await;
    let new = again.iter().find(|replica| replica.pod != two.pod).expect("a new one");
    assert!(
        installed.active(new, &known).await,
        "the new one knows what was given before it was there"
    );
}

async fn answer_of(installed: &Installed, replica: &Replica) -> String {
    let answer = installed.token(replica, &installed.assertion()).await;
    answer["access_token"].as_str().expect("a token").to_owned()
}
