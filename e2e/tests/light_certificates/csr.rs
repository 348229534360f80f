//! Requests by a workload's own token.

use std::time::Duration;

use axum::http;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use e2e::{SIGNING_REQUESTS, signing_request, wait_for};
use serde_json::{Value, json};

use crate::cluster::{Workloads, condition};

impl Workloads {
    fn own_id(&self) -> String {
        format!("spiffe://example.org/ns/{}/sa/api", self.namespace.name())
    }

    /// Makes a request as the workload in a Pod. Returns its path.
    async fn ask_as(&self, pod: &Value, request: &Value) -> String {
        let user = format!("system:serviceaccount:{}:api", self.namespace.name());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let extra = |key: &str| format!("Impersonate-Extra-authentication.kubernetes.io%2f{key}");
        let call = http::Request::post(SIGNING_REQUESTS)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("Impersonate-User", user)
            .header("Impersonate-Uid", text(&self.account["metadata"]["uid"]))
            .header("Impersonate-Group", "system:masters")
            .header(extra("pod-name"), text(&pod["metadata"]["name"]))
            .header(extra("pod-uid"), text(&pod["metadata"]["uid"]))
            .body(request.to_string().into_bytes())
            .unwrap();
        let created: Value = self.namespace.testbed().client().request(call).await.unwrap();
        format!("{SIGNING_REQUESTS}/{}", text(&created["metadata"]["name"]))
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_workload_gets_its_own_identity_and_nobody_elses() {
    let workloads = Workloads::new().await;
    workloads
        .identity("api", json!({"delivery": ["CertificateSigningRequest"]}))
        .await;
    let pod = workloads.pod("api-1").await;
    let own = workloads.own_id();
    let path = workloads.ask_as(&pod, &signing_request(&[&own]).unwrap()).await;
    workloads.condition(&path, "Approved", "True").await;
    let signed = |object: &Value| object["status"]["certificate"].is_string();
    let signed = workloads.until("the certificate", &path, signed).await;
    let chain = STANDARD
        .decode(signed["status"]["certificate"].as_str().unwrap())
        .unwrap();
    assert_eq!(
        String::from_utf8(chain).unwrap().matches("BEGIN CERTIFICATE").count(),
        2
    );

    let admin = own.replace("/sa/api", "/sa/admin");
    for uris in [&[][..], &[admin.as_str()], &[own.as_str(), admin.as_str()]] {
        let path = workloads.ask_as(&pod, &signing_request(uris).unwrap()).await;
        let (reason, message) = workloads.condition(&path, "Denied", "True").await;
        assert_eq!(reason, "NamesNotAllowed");
        assert!(message.contains(&own), "{message}");
    }
    let mut long = signing_request(&[&own]).unwrap();
    long["spec"]["expirationSeconds"] = json!(90_000);
    let path = workloads.ask_as(&pod, &long).await;
    assert_eq!(workloads.condition(&path, "Denied", "True").await.0, "InvalidDuration");

    // Somebody with every right is no workload.
    let created = workloads
        .admin
        .create(SIGNING_REQUESTS, &signing_request(&[&own]).unwrap())
        .await
        .unwrap();
    let path = format!("{SIGNING_REQUESTS}/{}", created["metadata"]["name"].as_str().unwrap());
    assert_eq!(
        workloads.condition(&path, "Denied", "True").await.0,
        "RequesterMismatch"
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_approval_by_hand_opens_nothing() {
    let workloads = Workloads::new().await;
    // Without an identity the approver waits a little, which is the time to approve by hand.
    let pod = workloads.pod("api-1").await;
    let path = workloads
        .ask_as(&pod, &signing_request(&[&workloads.own_id()]).unwrap())
        .await;
    wait_for("the approval by hand", Duration::from_secs(20), || async {
        let mut request = workloads.get(&path).await?;
        request["status"]["conditions"] =
            json!([{"type": "Approved", "status": "True", "reason": "ByHand", "message": ""}]);
        let approved = workloads
            .admin
            .send("PUT", &format!("{path}/approval"), "application/json", &request)
            .await;
        approved.map_err(anyhow::Error::msg)
    })
    .await
    .unwrap();
    let (reason, _) = workloads.condition(&path, "Failed", "True").await;
    assert_eq!(reason, "NoServiceIdentity");
    let failed = workloads.get(&path).await.unwrap();
    assert!(condition(&failed, "Approved").is_some() && failed["status"]["certificate"].is_null());
}
