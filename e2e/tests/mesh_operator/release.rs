//! The chart's release: one for all tests of the process.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::chart::NAMESPACE;
use e2e::{Request, Testbed, Turn, shell, wait_for};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::Mutex;

/// The chart.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/countersign");
/// The operator's program, as its container runs it.
const PROGRAM: &str = "/countersign-operator";
/// The operator, as the API server knows it.
pub const ACCOUNT: &str = "system:serviceaccount:countersign-system:countersign";

static INSTALLED: Mutex<bool> = Mutex::const_new(false);
/// How many denials came while the release was removed.
static EXPECTED: AtomicUsize = AtomicUsize::new(0);

/// The installed chart, for as long as a test uses it.
pub struct Release {
    pub testbed: Testbed,
    /// Tests that kill or remove the operator are alone.
    _turn: Turn,
}

impl Release {
    /// The release, beside other tests.
    pub async fn shared() -> Self {
        Self::of(Turn::shared().await).await
    }

    /// The release, with no other test under way.
    pub async fn alone() -> Self {
        Self::of(Turn::alone().await).await
    }

    async fn of(turn: Turn) -> Self {
        let release = Self {
            testbed: Testbed::from_env().await.unwrap(),
            _turn: turn,
        };
        let mut installed = INSTALLED.lock().await;
        if !*installed {
            install(CHART).await.unwrap();
            *installed = true;
        }
        release
    }

    /// Removes the release, as `helm uninstall` does, and waits until the operator has ended. The next test installs it
    /// again.
    pub async fn uninstall(&self) {
        let mut installed = INSTALLED.lock().await;
        self.check_rights();
        *installed = false;
        helm(&["uninstall", "countersign", "--namespace", NAMESPACE, "--wait"])
            .await
            .unwrap();
        wait_for("the operator to end", Duration::from_secs(40), || async {
            ensure!(processes().is_empty(), "it runs");
            Ok(())
        })
        .await
        .unwrap();
        // Helm removes the roles before the Pods have ended.
        EXPECTED.store(self.denied().len(), Ordering::Relaxed);
    }

    /// Installs it again.
    pub async fn reinstall(&self) {
        let mut installed = INSTALLED.lock().await;
        install(CHART).await.unwrap();
        *installed = true;
    }

    /// The Pods that run the operator.
    pub async fn pods(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.testbed.client(), NAMESPACE);
        let params =
            ListParams::default().labels("app.kubernetes.io/name=countersign,app.kubernetes.io/component=operator");
        pods.list(&params).await.unwrap().items
    }

    /// Asks every replica for its metrics, and gives those of the one that leads.
    pub async fn leader_metrics(&self) -> Result<String> {
        for pod in self.pods().await {
            let Some(ip) = pod.status.and_then(|status| status.pod_ip) else {
                continue;
            };
            let address = SocketAddr::new(ip.parse::<IpAddr>()?, 8080);
            let answer = Request::get("/metrics").send_plain(address).await;
            if answer.body().contains("countersign_leader 1") {
                return Ok(answer.body().to_owned());
            }
        }
        anyhow::bail!("no replica leads")
    }

    /// Waits until a replica leads.
    pub async fn until_led(&self) {
        wait_for("an operator to lead", Duration::from_mins(1), || self.leader_metrics())
            .await
            .unwrap();
    }

    /// Ends the test.
    pub fn done(self) {
        self.check_rights();
    }

    /// The operator must never have asked for what the chart's roles do not give it.
    fn check_rights(&self) {
        let denied = self.denied();
        let expected = EXPECTED.load(Ordering::Relaxed);
        assert_eq!(denied[expected..], [""; 0], "the chart's roles do not allow it");
    }

    fn denied(&self) -> Vec<String> {
        let entries = self.testbed.audit().unwrap();
        let denied = entries
            .iter()
            .filter(|entry| entry.user.username == ACCOUNT && entry.is_denied());
        denied
            .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
            .collect()
    }
}

/// Installs or upgrades to the chart at a path. The webhook would refuse what these tests break.
pub async fn install(chart: &str) -> Result<()> {
    let arguments = [
        "upgrade",
        "--install",
        "countersign",
        chart,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--set=webhook.enabled=false",
        "--wait",
        "--timeout=2m",
    ];
    helm(&arguments).await.map(drop).context(
        "the chart could not be installed; the image comes with `testbed run --image target/image/countersign-dev.tar`",
    )
}

/// Runs Helm.
pub async fn helm(arguments: &[&str]) -> Result<String> {
    let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    tokio::task::spawn_blocking(move || shell::sh("helm", arguments)).await?
}

/// The processes of the operator. They are in the namespace of the testbed, and so only those of this testbed.
pub fn processes() -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if command.split(|byte| *byte == 0).next() == Some(PROGRAM.as_bytes()) {
            found.push(process);
        }
    }
    found
}

/// Ends every process of the operator at once, as if the node had lost power. Returns which they were.
pub fn kill_all() -> Vec<i32> {
    let processes = processes();
    for process in &processes {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(*process), Signal::SIGKILL);
    }
    processes
}

/// What the kernel says of a process, by name.
fn kernel_status(process: i32) -> Result<BTreeMap<String, String>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    Ok(lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect())
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn the_operator_runs_with_no_rights_that_it_does_not_need() {
    let release = Release::shared().await;
    let pods = release.pods().await;
    assert_eq!(pods.len(), 2, "the default of the chart");
    for pod in &pods {
        let spec = serde_json::to_value(pod.spec.as_ref().unwrap()).unwrap();
        let of_pod = &spec["securityContext"];
        let container = &spec["containers"][0];
        let of_container = &container["securityContext"];
        assert_eq!(spec["containers"].as_array().unwrap().len(), 1, "no sidecar");
        assert_eq!(spec["serviceAccountName"], "countersign");
        assert_eq!(of_pod["runAsNonRoot"], true);
        assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(of_container["readOnlyRootFilesystem"], true);
        assert_eq!(of_container["allowPrivilegeEscalation"], false);
        assert_eq!(of_container["capabilities"]["drop"][0], "ALL");
    }
    // What the kernel makes of it.
    let running = wait_for("both replicas to run", Duration::from_secs(30), || async {
        let running = processes();
        ensure!(running.len() == 2, "{running:?}");
        Ok(running)
    })
    .await
    .unwrap();
    for process in running {
        let status = kernel_status(process).unwrap();
        assert!(status["Uid"].starts_with("65532\t"), "{}", status["Uid"]);
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(status[set], "0000000000000000", "{set}");
        }
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2", "a filter");
        let mounts = fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
        let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
        assert!(root.split(' ').nth(5).unwrap().starts_with("ro"), "{root}");
    }
    release.done();
}
