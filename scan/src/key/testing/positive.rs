//! What must be found.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::asn1::{self, Certificate};
use super::files::{self, pem, pgp_armor};
use super::tokens;
use super::{DAY, DRESSES, Positive, YEAR, dressed};
use crate::finding::Tier;

/// At least ten texts for each rule. `now` is when they are looked at.
pub fn positives(rng: &mut StdRng, now: i64) -> Vec<Positive> {
    let mut all = Vec::new();
    private_keys(rng, &mut all);
    stores(rng, &mut all);
    web_keys(rng, &mut all);
    short_keys(rng, &mut all);
    certificates(rng, now, &mut all);
    tokens(rng, now, &mut all);
    unreadable_tokens(rng, now, &mut all);
    signed_urls(rng, now, &mut all);
    all
}

/// Private keys without a passphrase, in PEM.
fn plain_keys(rng: &mut StdRng) -> Vec<String> {
    vec![
        pem("PRIVATE KEY", &asn1::pkcs8_rsa(rng, 2048)),
        pem("PRIVATE KEY", &asn1::pkcs8_ec(rng)),
        pem("PRIVATE KEY", &asn1::pkcs8_ed25519(rng)),
        pem("RSA PRIVATE KEY", &asn1::rsa(rng, 2048)),
        pem("EC PRIVATE KEY", &asn1::ec(rng, 32)),
        pem("EC PRIVATE KEY", &asn1::ec(rng, 66)),
        pem("DSA PRIVATE KEY", &asn1::dsa(rng)),
        pem("OPENSSH PRIVATE KEY", &files::openssh(rng, "none")),
        pgp_armor("PGP PRIVATE KEY BLOCK", &files::pgp(rng, true, 0)),
        pgp_armor("PGP PRIVATE KEY BLOCK", &files::pgp(rng, false, 0)),
    ]
}

fn private_keys(rng: &mut StdRng, all: &mut Vec<Positive>) {
    let mut add = |text: String| all.push(("private-key", Tier::Proven, text, None));
    for dress in 0..DRESSES {
        for key in plain_keys(rng) {
            add(dressed(&key, dress));
        }
    }
    for key in [
        asn1::pkcs8_rsa(rng, 2048),
        asn1::rsa(rng, 3072),
        asn1::pkcs8_ec(rng),
        asn1::ec(rng, 32),
    ] {
        add(STANDARD.encode(&key));
        add(format!("sign --key {} --now", STANDARD.encode(&key)));
    }
    for key in [
        asn1::pkcs8_ed25519(rng),
        asn1::ec(rng, 48),
        files::openssh(rng, "none"),
        files::pgp(rng, true, 0),
    ] {
        add(STANDARD.encode(&key));
    }
    add(pem("RSA PRIVATE KEY", &asn1::rsa(rng, 2048)).replace('\n', " "));
    add(files::putty(rng, "none"));
    add(files::ssh2(rng, "none"));
    add(files::signing(rng, "minisign secret key", b"Ed\0\0B2", 158));
    add(files::signing(rng, "signify secret key", b"EdBK\0\0\0\0", 104));
}

fn stores(rng: &mut StdRng, all: &mut Vec<Positive>) {
    for _ in 0..5 {
        for kind in [1, 2] {
            all.push(("pkcs12", Tier::Proven, STANDARD.encode(asn1::pkcs12(rng, kind)), None));
        }
        for (magic, kinds) in [
            (0xfeed_feed, &[1][..]),
            (0xfeed_feed, &[2, 1]),
            (0xcece_cece, &[2, 2, 3]),
        ] {
            all.push((
                "java-keystore",
                Tier::Proven,
                STANDARD.encode(files::java(rng, magic, kinds)),
                None,
            ));
        }
    }
}

fn web_keys(rng: &mut StdRng, all: &mut Vec<Positive>) {
    const KINDS: [(&str, &str); 7] = [
        ("RSA", ""),
        ("EC", "P-256"),
        ("EC", "P-384"),
        ("EC", "P-521"),
        ("OKP", "Ed25519"),
        ("OKP", "X25519"),
        ("OKP", "Ed448"),
    ];
    let mut add = |rule, key: &Value| {
        all.push((rule, Tier::Proven, key.to_string(), None));
        all.push((rule, Tier::Proven, json!({"keys": [key]}).to_string(), None));
    };
    for (kind, curve) in KINDS {
        add("jwk-private", &tokens::jwk(rng, kind, curve, true));
    }
    for bytes in [16, 32, 48, 64, 128] {
        add(
            "symmetric-jwk",
            &json!({"kty": "oct", "alg": "HS256", "k": tokens::url_safe(rng, bytes)}),
        );
    }
    for _ in 0..5 {
        add(
            "gcp-service-account-key",
            &service_account(&pem("PRIVATE KEY", &asn1::pkcs8_rsa(rng, 2048))),
        );
    }
}

/// The key file of a service account of Google Cloud.
pub(super) fn service_account(key: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "a-project", "private_key_id": "", "private_key": key,
        "client_email": "robot@a-project.iam.gserviceaccount.com", "token_uri": "https://oauth2.googleapis.com/token",
    })
}

fn short_keys(rng: &mut StdRng, all: &mut Vec<Positive>) {
    for at in 0..10 {
        let kind = if at % 2 == 0 {
            "AGE-SECRET-KEY-"
        } else {
            "AGE-SECRET-KEY-PQ-"
        };
        all.push((
            "age-key",
            Tier::Proven,
            format!("# a key\n{}\n", tokens::age(rng, kind)),
            None,
        ));
        let seed = tokens::nkey(rng, b"ACNOPUX"[at % 7]);
        let armored = format!("-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n");
        all.push(("nats-seed", Tier::Proven, seed, None));
        all.push(("nats-seed", Tier::Proven, armored, None));
        let uri = format!(
            "otpauth://totp/Some:one@example.net?secret={}&issuer=Some",
            tokens::base32(rng, 10 + at)
        );
        all.push(("totp-seed", Tier::Proven, uri, None));
        let uri = format!(
            "otpauth://hotp/Some?algorithm=SHA1&amp;secret={}",
            tokens::base32(rng, 8)
        );
        all.push(("totp-seed", Tier::Shaped, uri, None));
        let (private, shared) = (tokens::wireguard(rng), tokens::base64(rng, 32));
        let names = [
            "PrivateKey",
            "WIREGUARD_PRIVATE_KEY",
            "wg-private-key",
            "wireguardKey",
            "WG0_PRIVATE_KEY",
        ];
        all.push(("wireguard-key", Tier::Shaped, private, Some(names[at % names.len()])));
        let names = ["PresharedKey", "WIREGUARD_PRESHARED_KEY", "preshared-key"];
        all.push(("wireguard-key", Tier::Shaped, shared, Some(names[at % names.len()])));
        let names = ["VAULT_UNSEAL_KEY", "unseal-key-1", "unsealKey", "unseal_key_b64"];
        all.push((
            "vault-unseal-key",
            Tier::Shaped,
            tokens::share(rng),
            Some(names[at % names.len()]),
        ));
        all.push((
            "vault-unseal-key",
            Tier::Shaped,
            tokens::hex(rng, 33),
            Some(names[at % names.len()]),
        ));
        all.push((
            "openvpn-key",
            Tier::Shaped,
            dressed(&tokens::openvpn(rng), at % 6),
            None,
        ));
    }
}

fn certificates(rng: &mut StdRng, now: i64, all: &mut Vec<Positive>) {
    const NAMES: [&str; 6] = [
        "tls.crt",
        "client-certificate-data",
        "client.crt",
        "POSTGRES_CLIENT_CERT",
        "server-cert.pem",
        "tlsCertificate",
    ];
    for at in 0..10 {
        let name = NAMES[at % NAMES.len()];
        let subject = if at % 3 == 0 { "an issuer" } else { "a workload" };
        let life = [91 * DAY, YEAR, 10 * YEAR, 100 * YEAR][at % 4];
        let certificate = Certificate {
            issuer: "an issuer",
            subject,
            from: now - DAY,
            to: now - DAY + life,
            authority: [None, Some(false)][at % 2],
        };
        let der = certificate.der(rng);
        let text = pem("CERTIFICATE", &der);
        all.push((
            "certificate-long-lived",
            Tier::Proven,
            STANDARD.encode(&text),
            Some(name),
        ));
        all.push(("certificate-long-lived", Tier::Proven, text, Some(name)));
    }
    let certificate = Certificate {
        issuer: "an issuer",
        subject: "a workload",
        from: now,
        to: 253_402_300_799,
        authority: None,
    };
    let text = pem("CERTIFICATE", &certificate.der(rng));
    all.push(("certificate-long-lived", Tier::Proven, text, Some("webhook.crt")));
}

/// Claims of a service account of Kubernetes, of the bound kind or of the older one.
pub(super) fn account(now: i64, life: Option<i64>) -> Value {
    match life {
        None => json!({
            "iss": "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/namespace": "default",
            "kubernetes.io/serviceaccount/secret.name": "robot-token-x", "sub": "system:serviceaccount:default:robot",
        }),
        Some(life) => json!({
            "aud": ["https://kubernetes.default.svc"], "exp": now + life, "iat": now, "iss": "https://issuer.example.net",
            "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": "robot"}, "warnafter": now + 3607},
        }),
    }
}

fn tokens(rng: &mut StdRng, now: i64, all: &mut Vec<Positive>) {
    const ALGORITHMS: [&str; 6] = ["HS256", "RS256", "ES256", "EdDSA", "PS512", "ES384"];
    for at in 0..12 {
        let mut add = |rule, algorithm, claims: Value| {
            let token = tokens::jwt(rng, algorithm, at % 5, &claims);
            let text = match at % 4 {
                0 => token,
                1 => format!("curl -H 'Authorization: Bearer {token}' https://example.net"),
                2 => format!("{{\"müßig\": 1, \"token\": \"{token}\"}}"),
                _ => format!("a token.\\n{token}\\nand more."),
            };
            all.push((rule, Tier::Proven, text, None));
        };
        let algorithm = ALGORITHMS[at % ALGORITHMS.len()];
        let life = [2 * DAY, YEAR, 30 * YEAR][at % 3];
        add(
            "service-account-token",
            "RS256",
            account(now, (at % 2 == 0).then_some(life)),
        );
        add(
            "argocd-token",
            "HS256",
            json!({"iss": "argocd", "sub": "robot:apiKey", "iat": now - DAY, "jti": "x"}),
        );
        add(
            "jwt-without-expiry",
            algorithm,
            json!({"sub": format!("robot {at}"), "iat": now - DAY}),
        );
        let end = now + life;
        let claims = match at % 4 {
            0 => json!({"iat": now, "exp": end}),
            1 => json!({"exp": end}),
            2 => json!({"iat": now * 1000, "exp": end * 1000}),
            // Issued in the future, for a short while, as it says.
            _ => json!({"iat": end - 60, "exp": end.to_string()}),
        };
        add("jwt-long-lived", algorithm, claims);
        add("jwt-unsigned", "none", json!({"sub": "anyone", "exp": now + 600}));
    }
}

fn unreadable_tokens(rng: &mut StdRng, now: i64, all: &mut Vec<Positive>) {
    for at in 0..10 {
        let header = match at % 3 {
            0 => json!({"alg": "RSA-OAEP-256", "enc": "A256GCM"}),
            1 => json!({"alg": "dir", "enc": "A128CBC-HS256", "kid": tokens::url_safe(rng, 6)}),
            _ => json!({"alg": "ECDH-ES", "enc": "A256GCM", "exp": now + 30 * DAY}),
        };
        all.push(("jwe", Tier::Shaped, tokens::jwe(rng, &header), None));
    }
}

fn signed_urls(rng: &mut StdRng, now: i64, all: &mut Vec<Positive>) {
    for at in 0..5 {
        let life = [2 * DAY, YEAR, 7 * DAY][at % 3];
        let url = |query: &str| format!("wget 'https://a.blob.example.net/b/c?{query}' -O x");
        let mut add = |tier, text| all.push(("azure-sas", tier, text, None));
        add(Tier::Proven, url(&tokens::sas(rng, Some(now), Some(now + life))));
        add(
            Tier::Proven,
            url(&tokens::sas(rng, None, Some(now + life)).replace('&', "\\u0026")),
        );
        add(
            Tier::Proven,
            format!(
                "BlobEndpoint=x;SharedAccessSignature={}",
                tokens::sas(rng, None, Some(now + life))
            ),
        );
        add(Tier::Shaped, url(&tokens::sas(rng, None, None)));
        add(
            Tier::Shaped,
            url(&format!(
                "si=policy&amp;{}",
                tokens::sas(rng, None, None).replace('&', "&amp;")
            )),
        );
        let signature = tokens::sas(rng, None, None);
        let (_, signature) = signature.split_once("sig=").unwrap_or_default();
        add(
            Tier::Proven,
            format!("SharedAccessSignature sr=x&sig={signature}&se={}&skn=root", now + life),
        );

        let mut add = |text| all.push(("presigned-url", Tier::Proven, text, None));
        add(tokens::presigned(rng, "X-Amz-", now, life.min(7 * DAY)));
        add(format!(
            "url: \"{}\" # müßig",
            tokens::presigned(rng, "X-Goog-", now - DAY, 3 * DAY)
        ));
        add(tokens::presigned(rng, "x-oss-", now, life).replace("x-oss-Exp", "x-oss-exp"));
        let signature = tokens::url_safe(rng, 20);
        add(format!(
            "https://x.example.net/?GoogleAccessId=robot&Expires={}&Signature={signature}",
            now + life
        ));
        add(format!(
            "https://x.example.net/?Expires={}&Signature={signature}&Key-Pair-Id=K2",
            now + life
        ));
    }
}
