//! A request to Istio's CA API: any bytes as a message, and any text or DER as its certification request.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_fuzz::choice;
use countersign_signer::istio::proto::IstioCertificateRequest;
use countersign_signer::istio::request::read;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use rcgen::PublicKeyData as _;

fn ask(request: &IstioCertificateRequest) {
    match read(request) {
        Ok(asked) => {
            assert!(!asked.key.der_bytes().is_empty(), "a key that is taken is one");
            assert!(asked.lifetime.is_none_or(|lifetime| lifetime.is_positive()), "a life is positive");
        }
        Err(refusal) => {
            assert_eq!(refusal.code() as i32, 3, "what cannot be read is an invalid argument");
            assert!(refusal.to_string().len() < 400, "a refusal quotes nothing of a request");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(request) = IstioCertificateRequest::decode(data) {
        ask(&request);
    }
    let Some((choices, rest)) = choice(data) else {
        return;
    };
    let csr = if choices % 2 == 0 {
        String::from_utf8_lossy(rest).into_owned()
    } else {
        let text = BASE64_STANDARD.encode(rest);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n")
    };
    ask(&IstioCertificateRequest {
        csr,
        validity_duration: i64::try_from(choices).unwrap_or(0) - 100,
        metadata: None,
    });
});
