//! What must not be refused: what is public, what lives short, what refers to a credential or talks about one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::asn1::{self, Certificate};
use super::files::{self, pem, pgp_armor};
use super::positive::{account, service_account};
use super::{DAY, Negative, YEAR, tokens};

/// At least ten texts for each rule. `now` is when they are looked at.
pub fn negatives(rng: &mut StdRng, now: i64) -> Vec<Negative> {
    let mut all = Vec::new();
    private_keys(rng, &mut all);
    stores(rng, &mut all);
    web_keys(rng, &mut all);
    short_keys(rng, &mut all);
    certificates(rng, now, &mut all);
    tokens(rng, now, &mut all);
    signed_urls(rng, now, &mut all);
    all
}

fn private_keys(rng: &mut StdRng, all: &mut Vec<Negative>) {
    let public = asn1::public_key(rng);
    let texts = [
        pem("PUBLIC KEY", &public),
        pem("RSA PUBLIC KEY", &public),
        pem("CERTIFICATE REQUEST", &asn1::random(rng, 300)),
        pem("X509 CRL", &asn1::random(rng, 300)),
        pgp_armor("PGP PUBLIC KEY BLOCK", &asn1::random(rng, 300)),
        pgp_armor("PGP MESSAGE", &asn1::random(rng, 300)),
        pem("AGE ENCRYPTED FILE", &asn1::random(rng, 300)),
        STANDARD.encode(&public),
        STANDARD.encode(asn1::random(rng, 300)),
        "The file must begin with -----BEGIN PRIVATE KEY----- and end with -----END PRIVATE KEY-----.".to_owned(),
        "-----BEGIN PRIVATE KEY-----\n{{ .Values.key }}\n-----END PRIVATE KEY-----".to_owned(),
        "-----BEGIN RSA PRIVATE KEY-----\n${KEY}\n-----END RSA PRIVATE KEY-----".to_owned(),
        "grep -q -- '-----BEGIN OPENSSH PRIVATE KEY-----' /keys/id && echo yes it is a key that has a header"
            .to_owned(),
        "ssh-ed25519 ".to_owned() + &STANDARD.encode(asn1::random(rng, 51)) + " someone",
        files::signing(rng, "minisign public key", b"Ed", 42),
        files::signing(rng, "signature from minisign secret key", b"ED", 74),
        "PuTTY-User-Key-File-3 is what a key of PuTTY begins with".to_owned(),
    ];
    all.extend(texts.map(|text| ("private-key", text, None)));
}

fn stores(rng: &mut StdRng, all: &mut Vec<Negative>) {
    for count in 1..=10 {
        all.push(("pkcs12", STANDARD.encode(asn1::pkcs12(rng, 3)), None));
        all.push((
            "java-keystore",
            STANDARD.encode(files::java(rng, 0xfeed_feed, &vec![2; count])),
            None,
        ));
    }
}

fn web_keys(rng: &mut StdRng, all: &mut Vec<Negative>) {
    for (kind, curve) in [
        ("RSA", ""),
        ("EC", "P-256"),
        ("EC", "P-384"),
        ("OKP", "Ed25519"),
        ("OKP", "X25519"),
    ] {
        let key = tokens::jwk(rng, kind, curve, false);
        all.push(("jwk-private", key.to_string(), None));
        all.push(("jwk-private", json!({"keys": [key, key]}).to_string(), None));
    }
    let secrets = [
        "",
        "${KEY}",
        "{{ .key }}",
        "<fill in>",
        "...",
        "xxxxxxxxxxxxxxxx",
        "AAAAAAAAAAAAAAAAAAAA",
    ];
    for secret in secrets {
        all.push(("symmetric-jwk", json!({"kty": "oct", "k": secret}).to_string(), None));
    }
    for kind in ["oct", "RSA", "a kind", ""] {
        all.push((
            "symmetric-jwk",
            json!({"kty": kind, "kid": "a", "alg": "HS256"}).to_string(),
            None,
        ));
    }
    let bodies = ["...", "<key>", "REDACTED", "${KEY}", "{{ key }}", ""];
    for body in bodies {
        let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        all.push(("gcp-service-account-key", service_account(&key).to_string(), None));
    }
    for kind in [
        "external_account",
        "gdch_service_account",
        "authorized_user",
        "service_account",
    ] {
        let text = json!({"type": kind, "audience": "//iam.googleapis.com/x", "project_id": "a"}).to_string();
        all.push(("gcp-service-account-key", text, None));
    }
}

fn short_keys(rng: &mut StdRng, all: &mut Vec<Negative>) {
    for at in 0..10 {
        all.push(("age-key", tokens::age(rng, "age").to_ascii_lowercase(), None));
        all.push(("age-key", format!("AGE-SECRET-KEY-1{}", &"...<yours>"[..at % 10]), None));
        // The public half of a key of NATS, and a seed with a mistake.
        all.push(("nats-seed", format!("U{}", &tokens::nkey(rng, b'U')[2..]), None));
        let mut seed = tokens::nkey(rng, b'U');
        let last = if seed.pop() == Some('A') { 'B' } else { 'A' };
        seed.push(last);
        all.push(("nats-seed", seed, None));
        let uri = [
            "otpauth://totp/a?issuer=b",
            "otpauth://",
            "otpauth://totp/a?secret=$SECRET",
            "otpauth://totp/?secret=",
        ];
        all.push(("totp-seed", uri[at % 4].to_owned(), None));
        all.push(("wireguard-key", tokens::base64(rng, 32), Some("PublicKey")));
        all.push(("wireguard-key", tokens::base64(rng, 32), Some("digest")));
        all.push((
            "vault-unseal-key",
            ["3", "true", "vault-unseal", "/vault/keys"][at % 4].to_owned(),
            Some("unsealKeys"),
        ));
        all.push(("vault-unseal-key", tokens::base64(rng, 32), Some("sha256")));
        all.push((
            "openvpn-key",
            pem("OpenVPN Static key V1", b"...").replace("Li4u", "..."),
            None,
        ));
    }
}

fn certificates(rng: &mut StdRng, now: i64, all: &mut Vec<Negative>) {
    let mut add = |issuer, subject, life, authority, name| {
        let certificate = Certificate {
            issuer,
            subject,
            from: now - DAY,
            to: now - DAY + life,
            authority,
        };
        let text = pem("CERTIFICATE", &certificate.der(rng));
        all.push(("certificate-long-lived", STANDARD.encode(&text), name));
        all.push(("certificate-long-lived", text, name));
    };
    // Within the limit.
    add("an issuer", "a workload", 90 * DAY, None, Some("tls.crt"));
    add(
        "an issuer",
        "a workload",
        3600,
        Some(false),
        Some("client-certificate-data"),
    );
    // Authorities, and what trusts.
    add("root", "root", 10 * YEAR, Some(true), Some("tls.crt"));
    add("root", "between", 10 * YEAR, Some(true), Some("client.crt"));
    for name in [
        "ca.crt",
        "caBundle",
        "ca-bundle.crt",
        "root-cert.pem",
        "clientCA.crt",
        "trusted_certs.crt",
        "idp.crt",
    ] {
        add("an issuer", "a server", 10 * YEAR, None, Some(name));
    }
    // The certificate of another, to compare with.
    for name in ["server.example.net", "samlCertificate", "description", "webhook.crt"] {
        add("self", "self", 10 * YEAR, None, Some(name));
    }
    add("self", "self", 10 * YEAR, None, None);
}

fn tokens(rng: &mut StdRng, now: i64, all: &mut Vec<Negative>) {
    let mut add = |rule, text: String| all.push((rule, text, None));
    for at in 0..10 {
        let life = [60, 600, 3600, DAY][at % 4];
        let short = json!({"iat": now - 30, "exp": now - 30 + life, "sub": format!("robot {at}")});
        add("jwt-long-lived", tokens::jwt(rng, "ES256", at % 5, &short));
        let short = json!({"exp": now + life});
        add(
            "jwt-without-expiry",
            format!("Bearer {}", tokens::jwt(rng, "RS256", at % 5, &short)),
        );
        add(
            "service-account-token",
            tokens::jwt(rng, "RS256", at % 5, &account(now, Some(life))),
        );
        let short = json!({"iss": "argocd", "iat": now, "exp": now + life});
        add("argocd-token", tokens::jwt(rng, "HS256", at % 5, &short));
        // Of the header of a token only, of two of its parts, with words in the place of parts.
        let token = tokens::jwt(rng, "none", at % 5, &json!({"sub": "robot"}));
        let (header, _) = token.split_once('.').unwrap_or_default();
        let rest = [
            "",
            ".",
            "..",
            ".payload.signature",
            ".<claims>.<signature>",
            ".e30.short",
        ][at % 6];
        add("jwt-unsigned", format!("{header}{rest}"));
        let word = tokens::url_safe(rng, 90);
        let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "clevis": {"pin": "tang"}});
        let texts = [
            tokens::jwe(rng, &header),
            format!("{word}.{word}.{word}.{word}.{word}"),
            "a.b.c.d.e".to_owned(),
        ];
        add("jwe", texts[at % 3].clone());
        let expired = json!({"iat": now - DAY, "exp": now - DAY + life});
        add("jwt-expired", tokens::jwt(rng, "ES256", at % 5, &expired));
    }
    for claims in public_claims() {
        let algorithm = if claims.get("nats").is_some() {
            "ed25519-nkey"
        } else {
            "HS256"
        };
        add("jwt-without-expiry", tokens::jwt(rng, algorithm, 3, &claims));
    }
    for kind in ["dpop+jwt", "secevent+jwt", "logout+jwt"] {
        let header = json!({"typ": kind, "alg": "ES256"}).to_string();
        add(
            "jwt-without-expiry",
            tokens::with_header(rng, &header, 64, &json!({"jti": "a", "iat": now})),
        );
    }
}

/// Claims of tokens that are made to be given out.
fn public_claims() -> Vec<Value> {
    vec![
        json!({"iss": "OA", "nats": {"type": "operator"}}),
        json!({"iss": "OA", "nats": {"type": "account", "limits": {"subs": -1}}}),
        json!({"iss": "AA", "nats": {"type": "user", "pub": {}}}),
        json!({"iss": "supabase", "role": "anon", "iat": 1, "exp": 4_000_000_000_i64}),
    ]
}

fn signed_urls(rng: &mut StdRng, now: i64, all: &mut Vec<Negative>) {
    for at in 0..10 {
        let life = [60, 3600, DAY - 60, DAY - 5][at % 4];
        all.push((
            "azure-sas",
            format!(
                "https://a.example.net/?{}",
                tokens::sas(rng, Some(now), Some(now + life))
            ),
            None,
        ));
        let words = [
            "sig=",
            "sig=abc&se=2099-01-01",
            "a?sig=<signature>&se=<end>",
            "?sv=1&sig=${SIG}&se=2099-01-01",
        ];
        all.push(("azure-sas", words[at % 4].to_owned(), None));
        all.push(("presigned-url", tokens::presigned(rng, "X-Amz-", now, life), None));
        let words = [
            "X-Amz-Expires=604800",
            "?X-Goog-Expires=604800&X-Goog-Signature=...",
            "Set-Cookie: Expires=0; a=b",
            "?Expires=4000000000&Signature=<yours>&Key-Pair-Id=K2",
            "?X-Amz-Signature=abc&X-Amz-Expires=999999",
        ];
        all.push(("presigned-url", words[at % 5].to_owned(), None));
    }
}
