//! Decoders: bytes in a row of encodings that the input chooses itself.
#![no_main]

use std::io::Write;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use countersign_fuzz::{choice, config_map, scan, secret};
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fn encoded(how: usize, bytes: Vec<u8>) -> Vec<u8> {
    match how % 6 {
        0 => BASE64_STANDARD.encode(bytes).into_bytes(),
        1 => BASE64_URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
        2 => gzip(&bytes),
        3 => bytes
            .iter()
            .flat_map(|byte| format!("%{byte:02x}").into_bytes())
            .collect(),
        4 => json!({"password": String::from_utf8_lossy(&bytes)})
            .to_string()
            .into_bytes(),
        _ => bytes,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn carried(how: usize, bytes: &[u8]) -> Value {
    let base64 = BASE64_STANDARD.encode(bytes);
    match how % 5 {
        0 => secret("value", bytes),
        1 => json!({"apiVersion": "v1", "kind": "ConfigMap", "binaryData": {"file": base64}}),
        2 => {
            json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": BASE64_STANDARD.encode(base64)}})
        }
        3 => json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "stringData": {".dockerconfigjson": json!({"auths": {"registry.example.com": {"auth": base64}}}).to_string()}}),
        _ => config_map("file", &String::from_utf8_lossy(bytes)),
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choices, rest)) = choice(data) else {
        return;
    };
    let Some((row, bytes)) = choice(rest) else {
        return;
    };
    // Up to seven encodings: more than are undone.
    let value = (0..row % 8).fold(bytes.to_vec(), |bytes, turn| encoded(row / 8 + turn, bytes));
    scan(&carried(choices, &value));
});
