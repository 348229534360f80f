//! Requests as kubelets make them, and as only somebody with every right can.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SignatureAlgorithm, SigningKey as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::cluster::{IDENTITIES, Workloads, condition, time};

impl Workloads {
    fn requests(&self) -> String {
        format!(
            "/apis/certificates.k8s.io/{}/{{ns}}/podcertificaterequests",
            self.version
        )
    }

    fn request(&self, pod: &Value) -> Value {
        self.request_with(pod, &KeyPair::generate().unwrap())
    }

    fn request_with(&self, pod: &Value, key: &KeyPair) -> Value {
        let der = CertificateParams::default().serialize_request(key).unwrap();
        json!({
            "metadata": {"generateName": "req-"},
            "spec": {
                "signerName": "countersign.dev/spiffe",
                "podName": pod["metadata"]["name"], "podUID": pod["metadata"]["uid"],
                "serviceAccountName": "api", "serviceAccountUID": self.account["metadata"]["uid"],
                "nodeName": self.node["metadata"]["name"], "nodeUID": self.node["metadata"]["uid"],
                "maxExpirationSeconds": 86400, "stubPKCS10Request": STANDARD.encode(der.der()),
            },
        })
    }

    /// Makes a request with every right. Returns its path.
    async fn ask(&self, request: &Value) -> String {
        let created = self.admin.create(&self.requests(), request).await.unwrap();
        format!("{}/{}", self.requests(), created["metadata"]["name"].as_str().unwrap())
    }

    /// Makes a request as the node's kubelet. Returns its path.
    async fn ask_as_kubelet(&self, request: &Value) -> String {
        let node = self.node["metadata"]["name"].as_str().unwrap();
        let kubelet = self
            .admin
            .clone()
            .impersonate(&format!("system:node:{node}"), &["system:nodes"]);
        // The API server learns of the node and the Pod by a watch of its own.
        let created = e2e::wait_for("the kubelet to be let", std::time::Duration::from_secs(10), || async {
            let created = kubelet.create(&self.requests(), request).await;
            created.map_err(anyhow::Error::msg)
        });
        let created = created.await.unwrap();
        format!("{}/{}", self.requests(), created["metadata"]["name"].as_str().unwrap())
    }

    async fn denied(&self, request: &Value) -> (String, String) {
        self.condition(&self.ask(request).await, "Denied", "True").await
    }
}

fn verify(chain: &[CertificateDer<'static>], root: &CertificateDer<'static>) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .unwrap();
    verifier
        .verify_client_cert(&chain[0], &chain[1..], UnixTime::now())
        .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_kubelet_gets_the_certificate_of_its_pod() {
    let workloads = Workloads::new().await;
    let spec =
        json!({"certificate": {"duration": "6h", "dnsNames": [format!("api.{}.svc", workloads.namespace.name())]}});
    workloads.identity("api", spec).await;
    let pod = workloads.pod("api-1").await;
    let path = workloads.ask_as_kubelet(&workloads.request(&pod)).await;
    workloads.condition(&path, "Issued", "True").await;

    let issued = workloads.get(&path).await.unwrap();
    let status = &issued["status"];
    let chain = status["certificateChain"].as_str().unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(chain.len(), 2, "the leaf and the intermediate, no root");
    verify(&chain, &workloads.root);
    let life = time(&status["notAfter"])
        .unwrap()
        .duration_since(time(&status["notBefore"]).unwrap());
    assert_eq!(life.as_hours(), 6);
    assert!(time(&status["beginRefreshAt"]).unwrap() < time(&status["notAfter"]).unwrap());

    // And the identity says so.
    let identity = format!("{IDENTITIES}/api");
    let (reason, message) = workloads.condition(&identity, "Issued", "True").await;
    assert_eq!(
        (reason.as_str(), message.as_str()),
        ("Issued", "certificates were issued by PodCertificate")
    );
    let identity = workloads.get(&identity).await.unwrap();
    let said = &identity["status"];
    assert_eq!(
        (&said["live"], &said["delivery"]),
        (&json!(1), &json!(["PodCertificate"]))
    );
    assert_eq!(said["certificate"]["notAfter"], status["notAfter"]);
    assert_eq!(said["issued"][0]["by"], "one");
    assert_eq!(said["issued"][0]["serialNumber"], said["certificate"]["serialNumber"]);
    assert_eq!(condition(&identity, "KeyAtRest").unwrap()["status"], "False");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn the_shortest_lives_and_extreme_renewal_points_are_accepted() {
    let workloads = Workloads::new().await;
    for percent in [1, 50, 95] {
        let name = format!("api-{percent}");
        let certificate = json!({"certificate": {"duration": "1h", "renewAfterPercent": percent}});
        workloads.identity(&name, certificate).await;
        let pod = workloads.pod(&name).await;
        let mut request = workloads.request(&pod);
        request["spec"]["maxExpirationSeconds"] = json!(3600);
        let path = workloads.ask_as_kubelet(&request).await;
        workloads.condition(&path, "Issued", "True").await;
        let identity = format!("{IDENTITIES}/{name}");
        let deleted = workloads
            .admin
            .send("DELETE", &identity, "application/json", &json!({}))
            .await;
        deleted.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn every_kind_of_key_is_issued_for_and_no_other_than_the_profiles() {
    let workloads = Workloads::new().await;
    let made = |algorithm: &'static SignatureAlgorithm| KeyPair::generate_for(algorithm).unwrap();
    let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let kinds = [
        ("ECDSAP256", made(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("ECDSAP384", made(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("ECDSAP521", made(&rcgen::PKCS_ECDSA_P521_SHA512)),
        ("ED25519", made(&rcgen::PKCS_ED25519)),
        ("RSA3072", rsa(rcgen::RsaKeySize::_3072)),
        ("RSA4096", rsa(rcgen::RsaKeySize::_4096)),
    ];
    for (kind, key) in &kinds {
        workloads
            .identity("api", json!({"certificate": {"keyAlgorithm": kind}}))
            .await;
        let pod = workloads.pod(&kind.to_lowercase()).await;
        let path = workloads.ask_as_kubelet(&workloads.request_with(&pod, key)).await;
        workloads.condition(&path, "Issued", "True").await;
        let (_, other) = kinds.iter().find(|(other, _)| other != kind).unwrap();
        let (reason, message) = workloads.denied(&workloads.request_with(&pod, other)).await;
        assert_eq!(reason, "UnsupportedKeyType");
        assert!(message.contains(kind), "{message}");
        let identity = format!("{IDENTITIES}/api");
        workloads
            .admin
            .send("DELETE", &identity, "application/json", &json!({}))
            .await
            .unwrap();
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn who_writes_a_request_with_every_right_is_no_workload_by_it() {
    let workloads = Workloads::new().await;
    workloads.identity("api", json!({})).await;
    let pod = workloads.pod("api-1").await;
    let other_account = json!({"metadata": {"name": "other"}});
    let other_account = workloads
        .admin
        .create("/api/v1/{ns}/serviceaccounts", &other_account)
        .await
        .unwrap();
    let other_node = json!({"metadata": {"name": format!("other-{}", workloads.namespace.name())}});
    let other_node = workloads.admin.create("/api/v1/nodes", &other_node).await.unwrap();
    let changed = |change: &[(&str, &Value)]| {
        let mut request = workloads.request(&pod);
        for (field, value) in change {
            request["spec"][field] = (*value).clone();
        }
        request
    };
    let another = json!("00000000-0000-0000-0000-000000000000");
    for (change, expected) in [
        (&[("podName", &json!("nobody"))][..], "PodNotFound"),
        (&[("podUID", &another)], "PodReplaced"),
        (&[("serviceAccountUID", &another)], "ServiceAccountMismatch"),
        (&[("nodeUID", &another)], "NodeMismatch"),
        (
            &[
                ("serviceAccountName", &other_account["metadata"]["name"]),
                ("serviceAccountUID", &other_account["metadata"]["uid"]),
            ],
            "ServiceAccountMismatch",
        ),
        (
            &[
                ("nodeName", &other_node["metadata"]["name"]),
                ("nodeUID", &other_node["metadata"]["uid"]),
            ],
            "NodeMismatch",
        ),
        (
            &[("unverifiedUserAnnotations", &json!({"example.com/san": "x"}))],
            "UnknownAnnotation",
        ),
    ] {
        let (reason, message) = workloads.denied(&changed(change)).await;
        assert_eq!(reason, expected, "{message}");
    }
    let ended = json!({"status": {"phase": "Succeeded"}});
    workloads
        .admin
        .patch("/api/v1/{ns}/pods/api-1/status", &ended)
        .await
        .unwrap();
    assert_eq!(workloads.denied(&changed(&[])).await.0, "PodEnded");
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn an_identity_that_comes_a_little_late_is_waited_for_and_no_longer() {
    let workloads = Workloads::new().await;
    let pod = workloads.pod("api-1").await;
    let early = workloads.ask_as_kubelet(&workloads.request(&pod)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    workloads.identity("api", json!({"delivery": ["WorkloadAPI"]})).await;
    let (reason, message) = workloads.condition(&early, "Denied", "True").await;
    assert_eq!(reason, "DeliveryNotAllowed");
    assert!(message.contains("add PodCertificate to its spec.delivery"), "{message}");

    let identity = format!("{IDENTITIES}/api");
    workloads
        .admin
        .send("DELETE", &identity, "application/json", &json!({}))
        .await
        .unwrap();
    let (reason, message) = workloads.denied(&workloads.request(&pod)).await;
    assert_eq!(reason, "NoServiceIdentity");
    assert!(message.contains("spec.serviceAccountName: api"), "{message}");

    let late = workloads.ask_as_kubelet(&workloads.request(&pod)).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    workloads.identity("api", json!({})).await;
    workloads.condition(&late, "Issued", "True").await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_bare_key_is_taken_where_the_api_server_has_that_field() {
    let workloads = Workloads::new().await;
    if workloads.version == "v1" {
        return;
    }
    workloads.identity("api", json!({})).await;
    let pod = workloads.pod("api-1").await;
    let key = KeyPair::generate().unwrap();
    let proof = key.sign(pod["metadata"]["uid"].as_str().unwrap().as_bytes()).unwrap();
    let mut request = workloads.request(&pod);
    let spec = request["spec"].as_object_mut().unwrap();
    spec.remove("stubPKCS10Request");
    spec.insert(
        "pkixPublicKey".to_owned(),
        json!(STANDARD.encode(key.subject_public_key_info())),
    );
    spec.insert("proofOfPossession".to_owned(), json!(STANDARD.encode(proof)));
    let path = workloads.ask_as_kubelet(&request).await;
    workloads.condition(&path, "Issued", "True").await;
}
