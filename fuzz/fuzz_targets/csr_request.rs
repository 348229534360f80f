//! A CertificateSigningRequest: any JSON as the object, any bytes in the place of its PKCS#10, and a good one with bytes changed.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_fuzz::chain::key;
use countersign_fuzz::choice;
use countersign_fuzz::workload::{ID, INDEX, object, pod};
use countersign_signer::csr::{Facts, Request, check};
use kube::core::DynamicObject;
use libfuzzer_sys::fuzz_target;
use rcgen::{CertificateParams, DistinguishedName, PublicKeyData as _, SanType};
use serde_json::{Value, json};

/// A request that is granted, in DER.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(ID.to_owned().try_into().expect("ASCII"))];
    params.serialize_request(&key(3)).expect("a request").der().to_vec()
});

fn facts() -> Facts {
    Facts {
        pod: Some(pod()),
        service_account: Some(object("account-uid")),
    }
}

/// Whatever is asked for, what is granted is the workload's own.
fn ask(object: &DynamicObject) -> bool {
    let Ok(request) = Request::read(object) else {
        return false;
    };
    let Ok((grant, key)) = check(&request, &facts(), &INDEX) else {
        return false;
    };
    assert_eq!(grant.spiffe_id.to_string(), ID);
    assert!(!key.der_bytes().is_empty(), "a key that is granted is one");
    true
}

/// The object of an API server, with this PKCS#10.
fn envelope(pem: &str) -> DynamicObject {
    let object: Value = json!({
        "metadata": {"name": "request", "uid": "u"},
        "spec": {
            "request": BASE64_STANDARD.encode(pem),
            "signerName": "countersign.dev/spiffe-csr",
            "username": "system:serviceaccount:shop:cart",
            "uid": "account-uid",
            "extra": {
                "authentication.kubernetes.io/pod-name": ["cart-1"], "authentication.kubernetes.io/pod-uid": ["pod-uid"],
            },
            "usages": ["digital signature", "client auth"],
        },
    });
    serde_json::from_value(object).expect("an object")
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
}

fuzz_target!(|data: &[u8]| {
    let Some((chosen, rest)) = choice(data) else {
        assert!(ask(&envelope(&pem(&GOOD))), "the good one is granted");
        return;
    };
    match chosen % 4 {
        0 => {
            if let Ok(object) = serde_json::from_slice(rest) {
                ask(&object);
            }
        }
        1 => drop(ask(&envelope(&String::from_utf8_lossy(rest)))),
        2 => drop(ask(&envelope(&pem(rest)))),
        _ => {
            let mut der = GOOD.clone();
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % der.len();
                der[at] = change[2];
            }
            ask(&envelope(&pem(&der)));
        }
    }
});
