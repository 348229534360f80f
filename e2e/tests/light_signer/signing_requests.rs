//! `CertificateSigningRequests` of a workload with its own token and the rights that users are told to give it.

use std::time::Duration;

use anyhow::Context as _;
use e2e::{ApiUser, SIGNING_REQUESTS, signing_request, wait_for};
use futures::StreamExt as _;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::Api;
use kube::api::{WatchEvent, WatchParams};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::cluster::Cluster;
use crate::process::Signer;
use crate::workload::{Workload, get};

/// Asks; gives the name of the request.
async fn ask(user: &ApiUser, uris: &[&str]) -> String {
    let request = signing_request(uris).unwrap();
    let created = user.create(SIGNING_REQUESTS, &request).await.unwrap();
    created["metadata"]["name"].as_str().unwrap().to_owned()
}

/// Follows one's own request until there is a certificate.
async fn watched(user: &ApiUser, name: &str) -> CertificateSigningRequest {
    let api: Api<CertificateSigningRequest> = Api::all(user.client());
    let only = WatchParams::default().fields(&format!("metadata.name={name}"));
    let mut events = api.watch(&only, "0").await.unwrap().boxed();
    let signed = async {
        while let Some(event) = events.next().await {
            if let WatchEvent::Added(request) | WatchEvent::Modified(request) = event.unwrap()
                && request
                    .status
                    .as_ref()
                    .is_some_and(|status| status.certificate.is_some())
            {
                return request;
            }
        }
        panic!("the watch ended before there was a certificate");
    };
    timeout(Duration::from_secs(40), signed).await.unwrap()
}

/// Waits for the refusal of a request; gives its reason and message.
async fn denied(user: &ApiUser, name: &str) -> (String, String) {
    let what = format!("{name} to be denied");
    let condition = wait_for(&what, Duration::from_secs(40), || async {
        let path = format!("{SIGNING_REQUESTS}/{name}");
        let request = get(user, &path).await.map_err(anyhow::Error::msg)?;
        assert!(request["status"]["certificate"].is_null(), "{request}");
        let conditions = request["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let denied = conditions.into_iter().find(|condition| condition["type"] == "Denied");
        denied.context("it is not")
    })
    .await
    .unwrap();
    let text = |field: &str| condition[field].as_str().unwrap().to_owned();
    (text("reason"), text("message"))
}

/// The URIs in a leaf, which is the first of a chain in PEM.
fn uris(chain: &[u8]) -> Vec<String> {
    let leaf = CertificateDer::from_pem_slice(chain).unwrap();
    let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
    let uri = |name: &GeneralName<'_>| match name {
        GeneralName::URI(uri) => (*uri).to_owned(),
        other => panic!("{other}"),
    };
    names.iter().map(uri).collect()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_workload_with_the_rights_of_the_documentation_gets_its_own_identity_and_no_other() {
    let cluster = Cluster::turn().await;
    let signer = Signer::start(&cluster).await;
    let workload = Workload::new(&cluster, "CertificateSigningRequest").await;
    let own = workload.namespace.spiffe_id("api");
    let admin = workload.namespace.spiffe_id("admin");
    let itself = workload.itself().await;

    let refused = itself
        .create(SIGNING_REQUESTS, &signing_request(&[&own]).unwrap())
        .await;
    let refused = refused.unwrap_err();
    let missing = "cannot create resource \"certificatesigningrequests\"";
    assert!(refused.contains(missing), "{refused}");

    workload.may_request_certificates().await;
    let name = ask(&itself, &[&own]).await;
    let answered = watched(&itself, &name).await;
    let user = format!("system:serviceaccount:{}:api", workload.namespace.name());
    assert_eq!(answered.spec.username, Some(user), "the API server says who asked");
    let status = answered.status.unwrap();
    assert_eq!(uris(&status.certificate.unwrap().0), [own.as_str()]);
    let approved = &status.conditions.unwrap()[0];
    assert_eq!(
        (approved.type_.as_str(), approved.status.as_str()),
        ("Approved", "True")
    );

    for asked in [&[admin.as_str()][..], &[&own, &admin]] {
        let name = ask(&itself, asked).await;
        let (reason, message) = denied(&itself, &name).await;
        assert_eq!(reason, "NamesNotAllowed");
        assert!(message.contains(&own) && !message.contains(&admin), "{message}");
    }
    // A token of the same account that is not bound to the Pod is nobody's.
    let unbound = workload.user(&[]).await;
    let name = ask(&unbound, &[&own]).await;
    assert_eq!(denied(&unbound, &name).await.0, "RequesterMismatch");
    signer.stop().await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn who_may_ask_may_not_approve() {
    let cluster = Cluster::turn().await;
    let workload = Workload::new(&cluster, "CertificateSigningRequest").await;
    workload.may_request_certificates().await;
    let itself = workload.itself().await;
    // There is no signer that would have answered before.
    let name = ask(&itself, &[&workload.namespace.spiffe_id("admin")]).await;
    let path = format!("{SIGNING_REQUESTS}/{name}");
    let mut request = get(&itself, &path).await.unwrap();
    request["status"]["conditions"] = json!([{"type": "Approved", "status": "True", "reason": "Mine", "message": ""}]);
    for part in ["approval", "status"] {
        let path = format!("{path}/{part}");
        let refused = itself.send("PUT", &path, "application/json", &request).await;
        let refused = refused.unwrap_err();
        let missing = format!("cannot update resource \"certificatesigningrequests/{part}\"");
        assert!(refused.contains(&missing), "{refused}");
    }
    let after = get(&itself, &path).await.unwrap();
    assert_eq!(after["status"], Value::Object(serde_json::Map::default()));
}
