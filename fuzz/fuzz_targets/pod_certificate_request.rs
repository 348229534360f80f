//! A PodCertificateRequest: any JSON as the object, any bytes in the place of its key, and a good one with bytes changed.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_fuzz::chain::key;
use countersign_fuzz::choice;
use countersign_fuzz::workload::{ID, INDEX, object, pod};
use countersign_signer::pod_certificate::{Facts, Request, check};
use kube::core::DynamicObject;
use libfuzzer_sys::fuzz_target;
use rcgen::{CertificateParams, PublicKeyData as _};
use serde_json::{Value, json};

/// A request whose key is granted a certificate, in DER.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let request = CertificateParams::default().serialize_request(&key(3));
    request.expect("a request").der().to_vec()
});

/// Whatever is asked for, what is granted is the workload's own.
fn ask(request: &DynamicObject) -> bool {
    let Ok(request) = Request::read(request) else {
        return false;
    };
    let facts = Facts {
        pod: Some(pod()),
        service_account: Some(object("account-uid")),
        node: Some(object("node-uid")),
    };
    let Ok((grant, key)) = check(&request, &facts, &INDEX) else {
        return false;
    };
    assert_eq!(grant.spiffe_id.to_string(), ID);
    assert!(!key.der_bytes().is_empty(), "a key that is granted is one");
    true
}

/// The object of an API server, with this key in this field.
fn envelope(field: &str, key: &[u8]) -> DynamicObject {
    let mut object: Value = json!({
        "metadata": {"namespace": "shop", "name": "request", "uid": "u"},
        "spec": {
            "signerName": "countersign.dev/spiffe",
            "podName": "cart-1", "podUID": "pod-uid",
            "serviceAccountName": "cart", "serviceAccountUID": "account-uid",
            "nodeName": "node-1", "nodeUID": "node-uid",
            "maxExpirationSeconds": 86400,
        },
    });
    object["spec"][field] = json!(BASE64_STANDARD.encode(key));
    serde_json::from_value(object).expect("an object")
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else {
        assert!(ask(&envelope("stubPKCS10Request", &GOOD)), "the good one is granted");
        return;
    };
    match chosen % 4 {
        0 => {
            if let Ok(object) = serde_json::from_slice(rest) {
                ask(&object);
            }
        }
        1 => drop(ask(&envelope("stubPKCS10Request", rest))),
        2 => drop(ask(&envelope("pkixPublicKey", rest))),
        _ => {
            let mut der = GOOD.clone();
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % der.len();
                der[at] = change[2];
            }
            ask(&envelope("stubPKCS10Request", &der));
        }
    }
});
