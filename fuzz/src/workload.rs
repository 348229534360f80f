//! A workload that lives and has an identity, so that of a request nothing but its content decides.

use std::sync::LazyLock;

use countersign_signer::identities::{Entry, Index};
use countersign_signer::pod_certificate::{ObjectFact, PodFact};
use kube::core::DynamicObject;
use serde_json::json;

/// Its SPIFFE ID.
pub const ID: &str = "spiffe://example.com/ns/shop/sa/cart";

/// The identities of a cluster: that of the workload, and another.
pub static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index::new("example.com".parse().expect("a trust domain"));
    for account in ["cart", "admin"] {
        let object = json!({
            "metadata": {"namespace": "shop", "name": account, "uid": account},
            "spec": {
                "serviceAccountName": account,
                "delivery": ["PodCertificate", "CertificateSigningRequest", "WorkloadAPI"],
                "certificate": {"keyAlgorithm": "ED25519", "dnsNames": [format!("{account}.shop.svc")]},
            },
        });
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        index.insert(Entry::read(&object));
    }
    index.listed(|_| true);
    index
});

/// An object of this uid.
pub fn object(uid: &str) -> ObjectFact {
    ObjectFact {
        uid: uid.to_owned(),
        deleting: false,
    }
}

/// Its Pod.
pub fn pod() -> PodFact {
    PodFact {
        object: object("pod-uid"),
        service_account: "cart".to_owned(),
        node: "node-1".to_owned(),
        ended: false,
    }
}
