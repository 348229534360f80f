//! Ory Hydra in the server's place: on its processor, with the same client, and asked for the same token in the same way.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use countersign_identity::testing::SigningKey;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rcgen::{CertifiedKey, KeyPair};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};

use crate::client::Load;
use crate::orders::Ready;
use crate::process::output;
use crate::requests::{CLIENT, ORDERS, Partner};
use crate::rig;
use crate::{LOAD, SERVER, stay_on};

const SCOPE: &str = "orders.read";
/// Where Hydra keeps the keys that it signs JWTs with. It makes RSA keys, unless there are others.
const KEYS: &str = "/admin/keys/hydra.jwt.access-token";
/// How long it may take to be there, in tenths of a second: it makes its tables first.
const PATIENCE: usize = 1200;

/// How it is started.
pub struct Place<'a> {
    /// The program.
    pub program: &'a Path,
    /// Where its files go.
    pub folder: &'a Path,
    /// The URL of a PostgreSQL database. With SQLite it answers many requests at a time by errors.
    pub database: String,
    /// How many connections it may have to that. With fewer than there are requests at a time it was seen to stand still.
    pub connections: usize,
}

/// A running Hydra.
pub struct Hydra {
    process: Child,
    issuer: String,
    admin: String,
    http: Client,
    /// Where the load goes.
    pub load: Load,
    /// What it says that it is.
    pub version: String,
}

impl Drop for Hydra {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Hydra {
    /// Starts it, and makes sure that it does what ours does.
    pub async fn start(place: &Place<'_>, partner: &Partner) -> Result<Self> {
        let (public, admin) = (free_port()?, free_port()?);
        let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let settings = place.settings(&certificate, public, admin)?;
        let ready = Ready {
            issuer: format!("https://localhost:{public}"),
            ca: certificate.cert.pem(),
        };
        let hydra = Self {
            version: place.version()?,
            process: place.serve(&settings)?,
            load: Load::to(&ready)?,
            http: client(&ready.ca)?,
            issuer: ready.issuer,
            admin: format!("https://localhost:{admin}"),
        };
        let begun = hydra.begin(partner).await;
        begun.with_context(|| std::fs::read_to_string(place.log()).unwrap_or_default())?;
        Ok(hydra)
    }

    async fn begin(&self, partner: &Partner) -> Result<()> {
        self.wait().await?;
        self.tell(Method::DELETE, KEYS, &Value::Null).await?;
        let key = json!({"alg": "ES256", "use": "sig", "kid": "one"});
        self.tell(Method::POST, KEYS, &key).await?;
        self.tell(Method::POST, "/admin/clients", &registration(&partner.key))
            .await?;
        self.check(partner).await
    }

    async fn wait(&self) -> Result<()> {
        for _ in 0..PATIENCE {
            let asked = self.http.get(format!("{}/health/ready", self.issuer)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("Hydra is not there");
    }

    async fn tell(&self, method: Method, path: &str, what: &Value) -> Result<()> {
        let request = self.http.request(method, format!("{}{path}", self.admin));
        let answer = request
            .header("content-type", "application/json")
            .body(what.to_string())
            .send()
            .await?;
        let status = answer.status();
        ensure!(status.is_success(), "{path}: {status} {}", answer.text().await?);
        Ok(())
    }

    /// It gives a JWT, signed by ES256, for the API and the scope that were asked for, and takes an assertion only once.
    async fn check(&self, partner: &Partner) -> Result<()> {
        let mut connections = self.load.connect(1).await?;
        let request = self.credentials(partner);
        let token = connections[0].token(&request).await?;
        let keys = self.http.get(format!("{}/.well-known/jwks.json", self.issuer)).send();
        let keys: JwkSet = serde_json::from_slice(&keys.await?.bytes().await?)?;
        let id = decode_header(&token)?.kid.context("a token without a kid")?;
        let key = keys.find(&id).context("a token of no key that is published")?;
        let mut expected = Validation::new(Algorithm::ES256);
        expected.set_audience(&[ORDERS]);
        expected.set_issuer(&[&self.issuer]);
        expected.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        let claims = decode::<Value>(&token, &DecodingKey::from_jwk(key)?, &expected)?.claims;
        ensure!(
            claims["client_id"] == CLIENT && claims["scope"] == SCOPE && claims["jti"].is_string(),
            "a token of another kind: {claims}"
        );
        match connections[0].token(&request).await {
            Err(refused) if refused.to_string().contains("jti_known") => Ok(()),
            other => bail!("an assertion that was used before: {other:?}"),
        }
    }

    /// A request for a token. The API and the scope are named, and the assertion is for the endpoint, because Hydra wants it so.
    pub fn credentials(&self, partner: &Partner) -> Vec<u8> {
        const PATH: &str = "/oauth2/token";
        let form = [
            ("grant_type", "client_credentials"),
            ("audience", ORDERS),
            ("scope", SCOPE),
        ];
        partner.proven(&self.issuer, PATH, &format!("{}{PATH}", self.issuer), &form)
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Place<'_> {
    /// Writes what Hydra is to do, and gives the file. It keeps no record of requests, which ours does.
    fn settings(&self, certificate: &CertifiedKey<KeyPair>, public: u16, admin: u16) -> Result<PathBuf> {
        let name = |name: &str| self.folder.join(name);
        let (shown, key, file) = (name("hydra.pem"), name("hydra.key"), name("hydra.json"));
        std::fs::write(&shown, certificate.cert.pem())?;
        std::fs::write(&key, certificate.signing_key.serialize_pem())?;
        let listen = |port: u16| {
            let tls = json!({"enabled": true, "cert": {"path": shown}, "key": {"path": key}});
            json!({"host": "127.0.0.1", "port": port, "tls": tls})
        };
        let mut database = Url::parse(&self.database)?;
        for limit in ["max_conns", "max_idle_conns"] {
            database
                .query_pairs_mut()
                .append_pair(limit, &self.connections.to_string());
        }
        let settings = json!({
            "dsn": database.as_str(),
            "log": {"level": "error"},
            "sqa": {"opt_out": true},
            "secrets": {"system": [rig::unique()]},
            "strategies": {"access_token": "jwt", "jwt": {"scope_claim": "string"}},
            "urls": {"self": {"issuer": format!("https://localhost:{public}")}},
            "serve": {"public": listen(public), "admin": listen(admin)},
        });
        std::fs::write(&file, settings.to_string())?;
        let migrate = ["migrate", "sql", "--read-from-env", "--yes", "--config"];
        output(Command::new(self.program).args(migrate).arg(&file))?;
        Ok(file)
    }

    fn serve(&self, settings: &Path) -> Result<Child> {
        let log = File::create(self.log())?;
        let mut command = Command::new(self.program);
        command.args(["serve", "all", "--config"]).arg(settings);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A process begins where the thread is that starts it, and Go counts the processors that it may use.
        stay_on(SERVER)?;
        let started = command.spawn();
        stay_on(LOAD)?;
        started.with_context(|| format!("{} cannot be started", self.program.display()))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("hydra.log")
    }

    fn version(&self) -> Result<String> {
        let told = output(Command::new(self.program).arg("version"))?;
        let version = told.lines().find_map(|line| line.strip_prefix("Version:"));
        Ok(version.context("no version")?.trim().to_owned())
    }
}

fn registration(key: &SigningKey) -> Value {
    let mut jwk = key.jwk();
    jwk["use"] = "sig".into();
    json!({
        "client_id": CLIENT,
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [jwk]},
        "scope": SCOPE,
        "audience": [ORDERS],
    })
}

/// A port that nobody listens on.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn client(ca: &str) -> Result<Client> {
    let roots = [reqwest::Certificate::from_pem(ca.as_bytes())?];
    Ok(Client::builder()
        .tls_certs_only(roots)
        .timeout(Duration::from_mins(1))
        .build()?)
}
