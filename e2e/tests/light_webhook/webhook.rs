//! The webhook as a process of the test, under a service account with the rights that it needs and no others.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{Namespace, Testbed, chart, wait_for};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::objects::{deployment, reference};
use crate::server::Server;

/// Where a Deployment is judged and not stored.
pub const DRY_RUN: &str = "/apis/apps/v1/{ns}/deployments?dryRun=All";
/// The node's address, where the API server finds the webhook.
const NODE: &str = "10.77.0.1";
static INSTALLED: OnceCell<()> = OnceCell::const_new();
static PORT: AtomicU16 = AtomicU16::new(9440);

/// One replica, the configuration that sends requests to it, and a namespace that it speaks for.
pub struct Webhook {
    pub namespace: Namespace,
    pub testbed: Testbed,
    configuration: String,
    port: u16,
    child: Child,
    log: PathBuf,
}

impl Webhook {
    /// Starts one and waits until the API server asks it.
    pub async fn start(settings: &str, flags: &[&str]) -> Self {
        let webhook = Self::spawn(settings, flags).await;
        webhook.configure().await;
        webhook.until_ready().await;
        webhook
    }

    /// Starts one that no configuration names yet.
    pub async fn spawn(settings: &str, flags: &[&str]) -> Self {
        let testbed = Testbed::from_env().await.unwrap();
        INSTALLED.get_or_init(|| install(&testbed)).await;
        let port = PORT.fetch_add(2, Ordering::Relaxed);
        let configuration = format!("light-webhook-{port}");
        let namespace = testbed
            .namespace("hooked", &[("light-webhook", &configuration)])
            .await
            .unwrap();
        namespace
            .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}")
            .await
            .unwrap();
        allow(&testbed, &configuration).await;
        let folder = testbed.data().join(&configuration);
        fs::create_dir_all(&folder).unwrap();
        written(&folder, "settings.yaml", settings.as_bytes());
        written(&folder, "key", &random_key());
        kubeconfig(&testbed, &configuration).await.unwrap();
        let log = folder.join("log");
        let child = run(&folder, &configuration, port, &log, flags);
        Self {
            namespace,
            testbed,
            configuration,
            port,
            child,
            log,
        }
    }

    /// Starts a second replica, which keeps its authority in the same configuration and is sent nothing.
    pub fn second(&self) -> Second {
        let folder = self.testbed.data().join(&self.configuration);
        let port = PORT.fetch_add(2, Ordering::Relaxed);
        let log = folder.join("log-of-the-second");
        Second(run(&folder, &format!("{}-second", self.configuration), port, &log, &[]))
    }

    /// Makes the configuration: everything that is written in this test's namespace, refused if nobody answers.
    pub async fn configure(&self) {
        let client_config = json!({"url": format!("https://{NODE}:{}/validate", self.port)});
        let selector = json!({"matchLabels": {"light-webhook": self.configuration}});
        let configuration = json!({
            "metadata": {"name": self.configuration},
            "webhooks": [{
                "name": "credentials.countersign.dev", "clientConfig": client_config, "namespaceSelector": selector,
                "rules": [{
                    "apiGroups": ["*"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "scope": "Namespaced",
                    "resources": ["*", "pods/ephemeralcontainers", "serviceaccounts/token"],
                }],
                "admissionReviewVersions": ["v1"], "sideEffects": "None", "timeoutSeconds": 3, "failurePolicy": "Fail",
            }],
        });
        let configuration = serde_json::from_value(configuration).unwrap();
        self.configurations()
            .create(&PostParams::default(), &configuration)
            .await
            .unwrap();
    }

    /// The API server as an administrator.
    pub fn admin(&self) -> Server {
        Server::admin(&self.namespace)
    }

    /// Waits until it is ready.
    pub async fn until_ready(&self) {
        wait_for("the webhook to be ready", Duration::from_secs(30), || async {
            let answer = self.ask("/readyz").await?;
            ensure!(answer == "ok", "it says {answer}");
            Ok(())
        })
        .await
        .unwrap();
        // Whose certificate it has, the API server learns by a watch, a moment after it was written.
        let (server, probe) = (self.admin(), deployment("probe", reference()));
        wait_for(
            "the API server to trust the webhook",
            Duration::from_secs(30),
            || async {
                match server.create(DRY_RUN, &probe).await {
                    Err(error) if error.contains("failed calling webhook") => bail!("{error}"),
                    _ => Ok(()),
                }
            },
        )
        .await
        .unwrap();
    }

    /// What it says of its health, and its metrics.
    pub async fn ask(&self, path: &str) -> Result<String> {
        curl(&[&format!("http://127.0.0.1:{}{path}", self.port + 1)]).await
    }

    /// The bundle of authorities that the API server trusts it by.
    pub async fn bundle(&self) -> String {
        let configuration = self.configurations().get(&self.configuration).await.unwrap();
        let webhooks = configuration.webhooks.unwrap();
        let bundle = webhooks[0].client_config.ca_bundle.clone();
        bundle.map_or_else(String::new, |bytes| String::from_utf8(bytes.0).unwrap())
    }

    /// Writes another bundle into the configuration, as a person or a tool would.
    pub async fn reset_bundle(&self, bundle: Option<&str>) {
        let value = bundle.map(|text| k8s_openapi::ByteString(text.as_bytes().to_vec()));
        let change = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": value}]);
        let patch = Patch::Json::<()>(serde_json::from_value(change).unwrap());
        let api = self.configurations();
        api.patch(&self.configuration, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    /// Sends it a review directly, trusting the bundle; gives the status code and the answer.
    pub async fn review(&self, body: &str) -> (String, String) {
        let folder = self.log.parent().unwrap();
        let bundle = written(folder, "bundle.pem", self.bundle().await.as_bytes());
        let body = written(folder, "review.json", body.as_bytes());
        let url = format!("https://{NODE}:{}/validate?timeout=3s", self.port);
        let data = format!("@{body}");
        let args = [
            "--cacert",
            &bundle,
            "--data-binary",
            &data,
            "--write-out",
            "\n%{http_code}",
            &url,
        ];
        let output = curl(&args).await.unwrap();
        let (answer, code) = output.rsplit_once('\n').unwrap();
        (code.to_owned(), answer.to_owned())
    }

    /// Tells it to end.
    pub fn terminate(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    }

    /// Whether it has ended, and well.
    pub fn ended_well(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }

    /// What it logged.
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Deletes the configuration, so that nothing waits for a webhook that is gone.
    pub async fn forget(&self) {
        let api = self.configurations();
        api.delete(&self.configuration, &DeleteParams::default()).await.unwrap();
    }

    fn configurations(&self) -> Api<ValidatingWebhookConfiguration> {
        Api::all(self.testbed.client())
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.logged();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the webhook's log\n{last}");
        }
    }
}

/// A second replica; it dies with this.
pub struct Second(Child);

impl Second {
    /// Tells it to end.
    pub fn terminate(&self) {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a replica for the configuration that its folder is named for.
fn run(folder: &Path, identity: &str, port: u16, log: &Path, flags: &[&str]) -> Child {
    let configuration = folder.file_name().unwrap();
    Command::new(binary())
        .args(["--listen", &format!("0.0.0.0:{port}")])
        .args(["--metrics-listen", &format!("127.0.0.1:{}", port + 1)])
        .args(["--identity", identity, "--server-name", NODE])
        .arg("--configuration")
        .arg(configuration)
        .arg("--settings")
        .arg(folder.join("settings.yaml"))
        .arg("--fingerprint-key-file")
        .arg(folder.join("key"))
        .args(flags)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("RUST_LOG", "info,countersign_webhook=debug")
        .stdout(Stdio::from(File::create(log).unwrap()))
        .stderr(Stdio::from(File::options().append(true).open(log).unwrap()))
        .spawn()
        .with_context(|| format!("{} cannot be started; build it before", binary().display()))
        .unwrap()
}

async fn install(testbed: &Testbed) {
    chart::install_kinds(testbed).await.unwrap();
    testbed
        .apply(
            "apiVersion: rbac.authorization.k8s.io/v1\n\
             kind: ClusterRole\n\
             metadata: {name: light-webhook}\n\
             rules:\n\
             - {apiGroups: [''], resources: [namespaces], verbs: [get, list, watch]}\n\
             - {apiGroups: [countersign.dev], resources: [credentialwaivers], verbs: [get, list, watch]}\n",
        )
        .await
        .unwrap();
}

/// A service account that may change one configuration only.
async fn allow(testbed: &Testbed, name: &str) {
    let namespace = chart::NAMESPACE;
    let subjects = format!("[{{kind: ServiceAccount, name: {name}, namespace: {namespace}}}]");
    let rbac = "apiVersion: rbac.authorization.k8s.io/v1";
    testbed
        .apply(&format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}}}\n---\n\
             {rbac}\nkind: ClusterRole\nmetadata: {{name: {name}}}\nrules:\n\
             - apiGroups: [admissionregistration.k8s.io]\n  resources: [validatingwebhookconfigurations]\n  \
             resourceNames: [{name}]\n  verbs: [get, list, watch, patch]\n---\n\
             {rbac}\nkind: ClusterRoleBinding\nmetadata: {{name: {name}-own}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects: {subjects}\n---\n\
             {rbac}\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: light-webhook}}\nsubjects: {subjects}\n",
        ))
        .await
        .unwrap();
}

async fn kubeconfig(testbed: &Testbed, account: &str) -> Result<()> {
    let token = testbed
        .kubectl(&[
            "create",
            "token",
            account,
            "--namespace",
            chart::NAMESPACE,
            "--duration=4h",
        ])
        .await?;
    let config = testbed.kubectl(&["config", "view", "--raw", "-o", "json"]).await?;
    let mut config: Value = serde_json::from_str(&config)?;
    for user in config["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({"token": token.trim()});
    }
    let path = testbed.data().join(account).join("kubeconfig");
    Ok(fs::write(&path, config.to_string())?)
}

async fn curl(args: &[&str]) -> Result<String> {
    let mut command = tokio::process::Command::new("curl");
    let output = command.args(["-s", "--max-time", "5"]).args(args).output().await?;
    ensure!(output.status.success(), "{args:?}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn written(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

fn random_key() -> [u8; 32] {
    let mut random = rand::rng();
    random.random()
}

/// The webhook as cargo built it, beside the test.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap_or(Path::new("."));
    folder.join("countersign-webhook")
}
