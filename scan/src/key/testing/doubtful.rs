//! What is found, but refused nowhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use serde_json::json;

use super::asn1::{self, Certificate};
use super::files::{self, armored, pem, pgp_armor};
use super::positive::account;
use super::{DAY, DRESSES, Doubtful, YEAR, dressed, tokens};
use crate::finding::Mitigation;

/// What is worth a warning: encrypted, ended, still to be filled in, for tests, or with a mistake in it.
pub fn doubtful(rng: &mut StdRng, now: i64) -> Vec<Doubtful> {
    let mut all = Vec::new();
    encrypted(rng, &mut all);
    ended(rng, now, &mut all);
    unproven(rng, &mut all);
    let example = json!({"sub": "1234567890", "name": "John Doe", "admin": true});
    all.push((
        "jwt-without-expiry",
        Mitigation::Test,
        tokens::jwt(rng, "HS256", 0, &example),
        None,
    ));
    all
}

fn encrypted(rng: &mut StdRng, all: &mut Vec<Doubtful>) {
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n";
    let keys = [
        pem("ENCRYPTED PRIVATE KEY", &asn1::pkcs8_encrypted(rng)),
        armored("RSA PRIVATE KEY", headers, &asn1::random(rng, 1200)),
        pem("OPENSSH PRIVATE KEY", &files::openssh(rng, "aes256-ctr")),
        pgp_armor("PGP PRIVATE KEY BLOCK", &files::pgp(rng, true, 254)),
        files::cosign(rng),
    ];
    for key in &keys {
        for dress in 0..DRESSES {
            all.push(("private-key", Mitigation::Encrypted, dressed(key, dress), None));
        }
    }
    let more = [
        files::putty(rng, "aes256-cbc"),
        files::ssh2(rng, "3des-cbc"),
        files::signing(rng, "minisign encrypted secret key", b"EdScB2", 158),
        files::signing(rng, "signify secret key", b"EdBK\0\0\0\x2a", 104),
        STANDARD.encode(asn1::pkcs8_encrypted(rng)),
    ];
    all.extend(more.map(|text| ("private-key", Mitigation::Encrypted, text, None)));
    let header = json!({"alg": "PBES2-HS256+A128KW", "enc": "A128CBC-HS256", "cty": "jwk+json"});
    all.push(("jwe", Mitigation::Encrypted, tokens::jwe(rng, &header), None));
}

fn ended(rng: &mut StdRng, now: i64, all: &mut Vec<Doubtful>) {
    let mut add = |rule, text, name| all.push((rule, Mitigation::Expired, text, name));
    let claims = |life: i64| json!({"iat": now - DAY - life, "exp": now - DAY});
    add("jwt-expired", tokens::jwt(rng, "ES256", 0, &claims(600)), None);
    add("jwt-long-lived", tokens::jwt(rng, "ES256", 1, &claims(YEAR)), None);
    add(
        "service-account-token",
        tokens::jwt(rng, "RS256", 2, &account(now - 2 * YEAR, Some(YEAR))),
        None,
    );
    add("jwt-unsigned", tokens::jwt(rng, "none", 3, &claims(YEAR)), None);
    add(
        "azure-sas",
        format!("?{}", tokens::sas(rng, Some(now - YEAR), Some(now - DAY))),
        None,
    );
    add(
        "presigned-url",
        tokens::presigned(rng, "X-Amz-", now - YEAR, 7 * DAY),
        None,
    );
    let old = Certificate {
        issuer: "an issuer",
        subject: "a workload",
        from: now - 2 * YEAR,
        to: now - YEAR,
        authority: None,
    };
    add(
        "certificate-long-lived",
        pem("CERTIFICATE", &old.der(rng)),
        Some("tls.crt"),
    );
}

fn unproven(rng: &mut StdRng, all: &mut Vec<Doubtful>) {
    let mut add = |rule, why, text: String| all.push((rule, why, text, None));
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        add(
            "private-key",
            Mitigation::Unproven,
            pem(label, &[&[0x31], &asn1::random(rng, 400)[..]].concat()),
        );
        for body in ["...", "<your key>", "REDACTED", "MIIE...snip...", "xxxxxxxxxxxxxxxx"] {
            let text = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----");
            add("private-key", Mitigation::Placeholder, text);
        }
    }
    let mut key = tokens::age(rng, "AGE-SECRET-KEY-");
    let last = if key.pop() == Some('Q') { 'P' } else { 'Q' };
    key.push(last);
    add("age-key", Mitigation::Unproven, key);
    add(
        "age-key",
        Mitigation::Placeholder,
        format!("AGE-SECRET-KEY-1{}", "X".repeat(58)),
    );
    add(
        "totp-seed",
        Mitigation::Placeholder,
        "otpauth://totp/a?secret=YOUR_SECRET".to_owned(),
    );
    let mut token = tokens::jwt(rng, "RS256", 0, &json!({"sub": "robot"}));
    token.truncate(token.len() - 300);
    add("jwt-without-expiry", Mitigation::Unproven, token);
    let mut key = tokens::jwk(rng, "EC", "P-256", true);
    key["d"] = tokens::url_safe(rng, 20).into();
    add("jwk-private", Mitigation::Unproven, key.to_string());
    key["d"] = "<fill this in>".into();
    add("jwk-private", Mitigation::Placeholder, key.to_string());
}
