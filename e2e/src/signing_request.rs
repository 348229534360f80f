//! What a workload asks the API server for.

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use serde_json::{Value, json};

/// Where `CertificateSigningRequests` are.
pub const SIGNING_REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";

/// A `CertificateSigningRequest` to Countersign's signer for a client with these URIs, with a key that is made for it.
pub fn signing_request(uris: &[&str]) -> Result<Value> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for uri in uris {
        params.subject_alt_names.push(SanType::URI(Ia5String::try_from(*uri)?));
    }
    let pem = params.serialize_request(&KeyPair::generate()?)?.pem()?;
    Ok(json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "csr-"},
        "spec": {
            "signerName": "countersign.dev/spiffe-csr", "request": STANDARD.encode(pem),
            "usages": ["digital signature", "client auth"], "expirationSeconds": 3600,
        },
    }))
}
