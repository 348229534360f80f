//! Keys, certificates and tokens that are parsed: bytes behind the literals that lead to their parsers.
#![no_main]

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use countersign_fuzz::{choice, config_map, scan, secret};
use libfuzzer_sys::fuzz_target;

const LABELS: &[&str] = &[
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "PGP PRIVATE KEY BLOCK",
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "PUBLIC KEY",
];

fuzz_target!(|data: &[u8]| {
    let Some((chosen, bytes)) = choice(data) else {
        return;
    };
    let base64 = BASE64_STANDARD.encode(bytes);
    let label = LABELS[chosen / 8 % LABELS.len()];
    let halves = bytes.split_at(bytes.len() / 2);
    let (header, claims) = (
        BASE64_URL_SAFE_NO_PAD.encode(halves.0),
        BASE64_URL_SAFE_NO_PAD.encode(halves.1),
    );
    scan(&match chosen % 8 {
        0 => config_map(
            "key.pem",
            &format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n"),
        ),
        1 => config_map("key", &base64),
        2 => secret("keystore.jks", bytes),
        3 => config_map("token", &format!("{header}.{claims}.c2ln")),
        4 => config_map("token", &format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln")),
        5 => config_map("jwks.json", &String::from_utf8_lossy(bytes)),
        6 => secret(
            "tls.crt",
            format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n").as_bytes(),
        ),
        _ => config_map(
            "url",
            &format!("https://blob.example.com/a?{}", String::from_utf8_lossy(bytes)),
        ),
    });
});
