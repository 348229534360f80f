//! A mesh whose certificates live for ten minutes, while the root and the intermediate are replaced and a replica of the signer
//! is killed again and again: no request may fail. `make soak` runs it; `SOAK_MINUTES` says for how long.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test code: a panic is how a test fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{ProxyCertificate, Testbed, Workload};
use tokio::time::sleep;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/mounted.yaml");
/// Each request goes over a connection of its own between the proxies, so each is a handshake.
const MESH: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: api}
spec:
  host: api
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: all}
spec: {mtls: {mode: STRICT}}
";

/// How many minutes it takes at least to see every certificate renewed.
const SHORTEST: u64 = 17;

fn minutes() -> u64 {
    let set = std::env::var("SOAK_MINUTES").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Has the mesh's certificates live for ten minutes, and so roots be in use ten minutes after they are published.
async fn quicken(testbed: &Testbed) {
    let namespace = ["--namespace", e2e::chart::NAMESPACE];
    let lives = [
        "--set=signer.istio.minDuration=10m",
        "--set=signer.istio.maxDuration=10m",
    ];
    let upgraded = Command::new("helm")
        .args(["upgrade", "countersign", CHART, "--reuse-values", "--wait"])
        .args(namespace)
        .args(lives)
        .status();
    assert!(upgraded.unwrap().success());
    let spec = r#"{"spec": {"propagation": "6m"}}"#;
    let patch = [
        "patch",
        "certificateauthority",
        "countersign",
        "--type=merge",
        "-p",
        spec,
    ];
    testbed.kubectl(&patch).await.unwrap();
}

async fn replace(testbed: &Testbed, what: &str) {
    let annotation = format!("countersign.dev/rotate-{what}=now");
    let annotate = ["annotate", "certificateauthority", "countersign", &annotation];
    testbed.kubectl(&annotate).await.unwrap();
    println!("asked for another {what}");
}

async fn kill_one(testbed: &Testbed) {
    let namespace = ["--namespace", e2e::chart::NAMESPACE];
    let select = ["get", "pods", "-l", "app.kubernetes.io/component=signer", "-o", "name"];
    let pods = testbed.kubectl(&[&namespace[..], &select].concat()).await.unwrap();
    let Some(pod) = pods.lines().next() else { return };
    let kill = ["delete", pod, "--grace-period=0", "--force", "--wait=false"];
    testbed.kubectl(&[&namespace[..], &kill].concat()).await.unwrap();
}

/// The serial number of the newest certificate of an identity of the example, as its status tells it.
async fn mounted_serial(testbed: &Testbed, name: &str) -> String {
    let path = "jsonpath={.status.certificate.serialNumber}";
    let get = ["--namespace", "ledger", "get", "serviceidentity", name, "-o", path];
    testbed.kubectl(&get).await.unwrap()
}

/// What the status of the authority has at a place; nothing if the API server does not answer just now.
async fn authority(testbed: &Testbed, path: &str) -> String {
    let get = ["get", "certificateauthority", "countersign", "-o", path];
    testbed.kubectl(&get).await.unwrap_or_default()
}

async fn phase(testbed: &Testbed) -> String {
    authority(testbed, "jsonpath={.status.phase} {.status.roots[*].state}").await
}

/// The root that the intermediate in use is under.
async fn root_in_use(testbed: &Testbed) -> Option<String> {
    let root = authority(testbed, "jsonpath={.status.intermediate.issuer}").await;
    (!root.is_empty()).then_some(root)
}

/// What was seen of certificates, by workload: all serial numbers, and those that came after another root was in use.
#[derive(Debug, Default)]
struct Serials {
    all: BTreeMap<&'static str, BTreeSet<String>>,
    under_new_root: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Serials {
    fn note(&mut self, name: &'static str, serial: String, another_root: bool) {
        let is_new = self.all.entry(name).or_default().insert(serial.clone());
        if is_new && another_root {
            self.under_new_root.entry(name).or_default().insert(serial);
        }
    }
}

/// Starts a client that goes on for as long; its answers come at the end.
fn client(testbed: &Testbed, namespace: &str, deployment: &str, url: &str, length: Duration) -> std::process::Child {
    let seconds = length.as_secs().to_string();
    let deployment = format!("deployment/{deployment}");
    let mut kubectl = testbed.command("kubectl");
    kubectl
        .args(["--namespace", namespace, "exec", &deployment, "--"])
        .args(["/echo", "client", "--for", &seconds, "--every", "50", url])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

fn answers(child: std::process::Child) -> BTreeMap<String, u64> {
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "make soak"]
async fn no_request_fails_while_everything_is_replaced() {
    assert!(
        minutes() >= SHORTEST,
        "SOAK_MINUTES: kubelets may take 15 minutes to renew a certificate, so {SHORTEST} are the fewest"
    );
    let testbed = Testbed::from_env().await.unwrap();
    quicken(&testbed).await;
    let namespace = testbed
        .namespace("soak", &[("istio-injection", "enabled")])
        .await
        .unwrap();
    let api = namespace.deploy(&Workload::echo("api")).await.unwrap();
    let caller = namespace.deploy(&Workload::echo("caller")).await.unwrap();
    namespace.apply(MESH).await.unwrap();
    testbed
        .apply("{apiVersion: v1, kind: Namespace, metadata: {name: ledger}}")
        .await
        .unwrap();
    testbed.kubectl(&["apply", "-f", EXAMPLE]).await.unwrap();
    // A kubelet renews ten minutes after a certificate's begin at the soonest.
    let soon = r#"{"spec": {"certificate": {"renewAfterPercent": 17}}}"#;
    for name in ["ledger", "auditor"] {
        let patch = [
            "--namespace",
            "ledger",
            "patch",
            "serviceidentity",
            name,
            "--type=merge",
            "-p",
            soon,
        ];
        testbed.kubectl(&patch).await.unwrap();
    }
    // What was asked for before that is asked for anew.
    let again = ["--namespace", "ledger", "rollout", "restart", "deployment"];
    testbed.kubectl(&again).await.unwrap();
    for name in ["deployment/ledger", "deployment/auditor"] {
        let rollout = ["--namespace", "ledger", "rollout", "status", name, "--timeout=90s"];
        testbed.kubectl(&rollout).await.unwrap();
    }
    // Proxies and names settle.
    sleep(Duration::from_secs(15)).await;

    let length = Duration::from_mins(minutes());
    let begin = Instant::now();
    let in_mesh = client(&testbed, namespace.name(), "caller", &api.url, length);
    let mounted = client(
        &testbed,
        "ledger",
        "auditor",
        "https://ledger.ledger.svc/entries",
        length,
    );
    let first_root = root_in_use(&testbed).await.unwrap();
    let (mut serials, mut phases, mut another_root) = (Serials::default(), BTreeSet::new(), false);
    let mut asked = 0;
    while begin.elapsed() + Duration::from_secs(20) < length {
        let passed = begin.elapsed();
        if asked == 0 && passed > length / 20 {
            replace(&testbed, "root").await;
            asked = 1;
        } else if asked == 1 && passed > length * 3 / 4 {
            replace(&testbed, "intermediate").await;
            asked = 2;
        }
        kill_one(&testbed).await;
        sleep(Duration::from_secs(45)).await;
        for (name, workload) in [("api", &api), ("caller", &caller)] {
            let shown = ProxyCertificate::of(&namespace, &workload.pod).await.unwrap();
            serials.note(name, shown.serial, another_root);
        }
        for name in ["ledger", "auditor"] {
            serials.note(name, mounted_serial(&testbed, name).await, another_root);
        }
        // What is new from the next look on was signed after this.
        another_root |= root_in_use(&testbed).await.is_some_and(|root| root != first_root);
        let phase = phase(&testbed).await;
        println!("after {:?}: {phase}", begin.elapsed());
        phases.insert(phase);
    }
    let (in_mesh, mounted) = (answers(in_mesh), answers(mounted));
    println!("in the mesh: {in_mesh:?}, outside it: {mounted:?}, certificates: {serials:?}");
    for answers in [&in_mesh, &mounted] {
        assert!(answers["200"] > length.as_secs(), "{answers:?}");
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    for (name, serials) in &serials.all {
        assert!(serials.len() > 1, "{name} was not renewed");
    }
    assert!(another_root, "the new root was not used: {phases:?}");
    for name in ["api", "caller"] {
        let under_new_root = serials.under_new_root.contains_key(name);
        assert!(
            under_new_root,
            "{name} has no certificate under the new root: {serials:?}"
        );
    }
}
