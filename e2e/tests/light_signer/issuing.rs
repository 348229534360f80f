//! A signer that is killed again and again while it answers requests.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::{ApiUser, wait_for};
use rand::{RngExt as _, SeedableRng as _};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::process::Signer;

const ROUNDS: usize = 16;
const EACH: usize = 12;

/// What a kubelet would ask for a Pod that it runs.
async fn request(admin: &ApiUser, node: &str) -> Value {
    let node = json!({"metadata": {"name": node}});
    let node = admin.create("/api/v1/nodes", &node).await.unwrap();
    let account = json!({"metadata": {"name": "api"}});
    let account = admin.create("/api/v1/{ns}/serviceaccounts", &account).await.unwrap();
    let identity = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": "api"},
        "spec": {"serviceAccountName": "api"},
    });
    let identities = "/apis/countersign.dev/v1alpha1/{ns}/serviceidentities";
    admin.create(identities, &identity).await.unwrap();
    let pod = json!({
        "metadata": {"name": "api"},
        "spec": {
            "serviceAccountName": "api", "nodeName": node["metadata"]["name"], "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": "none"}],
        },
    });
    let pod = admin.create("/api/v1/{ns}/pods", &pod).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let der = CertificateParams::default().serialize_request(&key).unwrap();
    json!({
        "metadata": {"generateName": "killed-"},
        "spec": {
            "signerName": "countersign.dev/spiffe", "podName": "api", "podUID": pod["metadata"]["uid"],
            "serviceAccountName": "api", "serviceAccountUID": account["metadata"]["uid"],
            "nodeName": node["metadata"]["name"], "nodeUID": node["metadata"]["uid"],
            "maxExpirationSeconds": 86400, "stubPKCS10Request": STANDARD.encode(der.der()),
        },
    })
}

/// Asks; gives the name of the request.
async fn ask(admin: &ApiUser, requests: &str, request: &Value) -> String {
    let created = admin.create(requests, request).await.unwrap();
    created["metadata"]["name"].as_str().unwrap().to_owned()
}

/// The serial numbers of all certificates that were ever signed, those that nobody got among them.
fn signed(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let issued =
        lines.filter(|line| line["target"] == "countersign_signer::issued" && line["path"] == "pod-certificate");
    issued.map(|line| line["serial"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --light"]
async fn no_request_is_lost_and_no_serial_number_is_used_twice_when_signers_are_killed() {
    let cluster = Cluster::turn().await;
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    drop(Signer::start(&cluster).await);
    let namespace = cluster.testbed.namespace("killed", &[]).await.unwrap();
    let admin = ApiUser::admin(&namespace);
    let request = request(&admin, &format!("node-{}", namespace.name())).await;
    let requests = format!(
        "/apis/certificates.k8s.io/{}/{{ns}}/podcertificaterequests",
        cluster.version
    );
    let (mut log, mut names) = (String::new(), Vec::new());
    for _ in 0..ROUNDS {
        let signer = Signer::spawn(&cluster, "one", 8091).await;
        for _ in 0..EACH {
            names.push(ask(&admin, &requests, &request).await);
            sleep(Duration::from_millis(rng.random_range(0..150))).await;
        }
        log = signer.logged();
        drop(signer);
    }
    let killed = signed(&log).len();
    // And some that ask while nobody is there.
    for _ in 0..EACH {
        names.push(ask(&admin, &requests, &request).await);
    }
    let signer = Signer::start(&cluster).await;
    for name in &names {
        let path = format!("{requests}/{name}");
        wait_for(&format!("{name} to be answered"), Duration::from_mins(1), || async {
            let object = admin.send("GET", &path, "application/json", &Value::Null).await;
            let object = object.map_err(anyhow::Error::msg)?;
            let chain = object["status"]["certificateChain"].as_str();
            chain.with_context(|| format!("it is {}", object["status"])).map(drop)
        })
        .await
        .unwrap();
    }
    let serials = signed(&signer.logged());
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
