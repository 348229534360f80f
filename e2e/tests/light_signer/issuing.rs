//! A signer that is killed again and again while it answers requests.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::{ApiUser, SIGNING_REQUESTS, signing_request, wait_for};
use rand::{RngExt as _, SeedableRng as _};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::process::Signer;
use crate::workload::{Workload, get};

const ROUNDS: usize = 16;
const EACH: usize = 12;

/// A way by which certificates are asked for.
struct Way {
    /// Its name in the signer's log.
    name: &'static str,
    /// Who asks.
    user: ApiUser,
    /// For what, and where.
    request: Value,
    requests: String,
    /// The field of the status that has the certificate.
    answer: &'static str,
    /// It is there as long as this is.
    _workload: Workload,
}

impl Way {
    /// What a kubelet asks for a Pod that it runs.
    async fn of_kubelets(cluster: &Cluster) -> Self {
        let workload = Workload::new(cluster, "PodCertificate").await;
        let Workload { node, account, pod, .. } = &workload;
        let key = KeyPair::generate().unwrap();
        let der = CertificateParams::default().serialize_request(&key).unwrap();
        let request = json!({
            "metadata": {"generateName": "killed-"},
            "spec": {
                "signerName": "countersign.dev/spiffe", "podName": "api", "podUID": pod["metadata"]["uid"],
                "serviceAccountName": "api", "serviceAccountUID": account["metadata"]["uid"],
                "nodeName": node["metadata"]["name"], "nodeUID": node["metadata"]["uid"],
                "maxExpirationSeconds": 86400, "stubPKCS10Request": STANDARD.encode(der.der()),
            },
        });
        let version = cluster.version;
        Self {
            name: "pod-certificate",
            user: workload.admin.clone(),
            request,
            requests: format!("/apis/certificates.k8s.io/{version}/{{ns}}/podcertificaterequests"),
            answer: "certificateChain",
            _workload: workload,
        }
    }

    /// What a workload asks for itself.
    async fn of_workloads(cluster: &Cluster) -> Self {
        let workload = Workload::new(cluster, "CertificateSigningRequest").await;
        workload.may_request_certificates().await;
        Self {
            name: "certificate-signing-request",
            user: workload.itself().await,
            request: signing_request(&[&workload.namespace.spiffe_id("api")]).unwrap(),
            requests: SIGNING_REQUESTS.to_owned(),
            answer: "certificate",
            _workload: workload,
        }
    }

    /// Asks; gives the name of the request.
    async fn ask(&self) -> String {
        let created = self.user.create(&self.requests, &self.request).await.unwrap();
        created["metadata"]["name"].as_str().unwrap().to_owned()
    }

    async fn until_answered(&self, name: &str) {
        let path = format!("{}/{name}", self.requests);
        wait_for(&format!("{name} to be answered"), Duration::from_mins(1), || async {
            let object = get(&self.user, &path).await.map_err(anyhow::Error::msg)?;
            let certificate = object["status"][self.answer].as_str();
            certificate
                .with_context(|| format!("it is {}", object["status"]))
                .map(drop)
        })
        .await
        .unwrap();
    }

    /// The serial numbers of all certificates that were ever signed, those that nobody got among them.
    fn signed(&self, log: &str) -> Vec<String> {
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let issued = lines.filter(|line| line["target"] == "countersign_signer::issued" && line["path"] == self.name);
        issued.map(|line| line["serial"].as_str().unwrap().to_owned()).collect()
    }
}

/// Asks while signers are killed, and when nobody is there; all are answered in the end, each by a certificate of its own.
async fn outlast_kills(cluster: &Cluster, way: &Way, before: usize) {
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let (mut log, mut names) = (String::new(), Vec::new());
    for _ in 0..ROUNDS {
        let signer = Signer::spawn(cluster, "one", 8091).await;
        for _ in 0..EACH {
            names.push(way.ask().await);
            sleep(Duration::from_millis(rng.random_range(0..150))).await;
        }
        log = signer.logged();
        drop(signer);
    }
    let killed = way.signed(&log[before..]).len();
    // And some that ask while nobody is there.
    for _ in 0..EACH {
        names.push(way.ask().await);
    }
    let signer = Signer::start(cluster).await;
    for name in &names {
        way.until_answered(name).await;
    }
    let serials = way.signed(&signer.logged()[before..]);
    let different: BTreeSet<_> = serials.iter().collect();
    assert_eq!(different.len(), serials.len(), "a serial number was used twice");
    assert!(serials.len() >= names.len(), "{} of {}", serials.len(), names.len());
    // Some were signed by those that were killed, and not all; else nothing was shown.
    assert!(
        (1..=names.len() - EACH).contains(&killed),
        "{killed} of {}",
        names.len()
    );
    signer.stop().await;
}

/// Has an authority made; gives how long the log is by then. Tests before this one are in it too.
async fn begin(cluster: &Cluster) -> usize {
    let signer = Signer::start(cluster).await;
    signer.logged().len()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --light"]
async fn no_request_of_a_kubelet_is_lost_and_no_serial_number_is_used_twice_when_signers_are_killed() {
    let cluster = Cluster::turn().await;
    let before = begin(&cluster).await;
    let way = Way::of_kubelets(&cluster).await;
    outlast_kills(&cluster, &way, before).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --light"]
async fn no_signing_request_is_lost_and_no_serial_number_is_used_twice_when_signers_are_killed() {
    let cluster = Cluster::turn().await;
    let before = begin(&cluster).await;
    let way = Way::of_workloads(&cluster).await;
    outlast_kills(&cluster, &way, before).await;
}
