//! What users write instead of a credential, and credentials that are none any more.

use rand::RngExt;
use rand::rngs::StdRng;

/// Names that ask for a secret.
const NAMES: &[&str] = &[
    "DB_PASSWORD",
    "apiKey",
    "CLIENT_SECRET",
    "accessToken",
    "JWT_SECRET",
    "AWS_SECRET_ACCESS_KEY",
];

/// Names that ask for where a secret is, or for something about it.
const ABOUT: &[(&str, &[&str])] = &[
    ("DB_PASSWORD_FILE", &["/run/secrets/db", "secrets/db.txt"]),
    ("TOKEN_PATH", &["/var/run/secrets/tokens/token"]),
    ("secretName", &["db-credentials", "tls"]),
    ("existingSecret", &["redis-auth"]),
    ("credentialName", &["gateway-cert"]),
    ("passwordKey", &["redis-password"]),
    ("TOKEN_URL", &["https://login.example.com/oauth2/token"]),
    ("PASSWORD_MIN_LENGTH", &["12"]),
    ("tokenExpiration", &["3600", "1h", "24h"]),
    ("ENABLE_PASSWORD_AUTH", &["true", "false", "yes"]),
    ("SECRET_BACKEND", &["vault", "aws-secrets-manager"]),
    ("authType", &["basic", "bearer", "oauth2"]),
    ("STRIPE_KEY", &["pk_live_51H8xKuFq2L", "pk_test_51H8xKuFq2L"]),
];

/// What stands where a credential would.
fn instead(rng: &mut StdRng) -> Vec<String> {
    let word = ["app", "payments", "web", "shop"][rng.random_range(0..4)];
    vec![
        format!("$({word}_PASSWORD)").to_uppercase(),
        format!("${{{}_TOKEN}}", word.to_uppercase()),
        format!("${{{}_TOKEN:-}}", word.to_uppercase()),
        format!("{{{{ .Values.{word}.password }}}}"),
        format!("{{{{ {word}_password }}}}"),
        format!("<your-{word}-password>"),
        "CHANGEME".to_owned(),
        "REPLACE_ME".to_owned(),
        format!("your-{word}-token-here"),
        "xxxxxxxxxxxxxxxx".to_owned(),
        "****************".to_owned(),
        format!("vault:secret/data/{word}#password"),
        format!("ref+vault://secret/{word}/password"),
        format!("op://vault/{word}/password"),
        format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{word}-a1b2c3"),
        format!("projects/{word}/secrets/token/versions/latest"),
        format!("akvs:{word}/token"),
        format!("urn:k8s:secret:{word}:token"),
        format!("/run/secrets/{word}/token"),
        format!("file:///run/secrets/{word}"),
        "ENC[AES256_GCM,data:PyhZmNhy,iv:PBqPaJmSw21,tag:Hb2,type:str]".to_owned(),
        String::new(),
        "true".to_owned(),
        "null".to_owned(),
    ]
}

/// References and placeholders under names that ask for a secret; names that do not; digests and identifiers.
pub fn references(rng: &mut StdRng) -> Vec<(&'static str, String, Option<&'static str>)> {
    let mut all = Vec::new();
    for name in NAMES {
        all.extend(instead(rng).into_iter().map(|text| ("a reference", text, Some(*name))));
    }
    for (name, values) in ABOUT {
        all.extend(values.iter().map(|value| ("a fact", (*value).to_owned(), Some(*name))));
    }
    let digest = hex(rng, 64);
    let uuid = [8, 4, 4, 4, 12].map(|digits| hex(rng, digits)).join("-");
    for text in [
        format!("registry.example.com/app@sha256:{digest}"),
        format!("sha256:{digest}"),
        digest,
        hex(rng, 40),
        hex(rng, 32),
        uuid,
        "postgres://app@db:5432/app".to_owned(),
        "postgres://$(DB_USER):$(DB_PASSWORD)@db:5432/app".to_owned(),
        "https://user:${PASSWORD}@git.example.com/a.git".to_owned(),
        "Server=db;User ID=app;Password=${DB_PASSWORD};".to_owned(),
        "https://fonts.example.com/css?family=a&sig=none".to_owned(),
        "Bearer $(TOKEN)".to_owned(),
        "Basic realm=\"app\"".to_owned(),
        "a token is taken from the secret store, and the password: see there".to_owned(),
    ] {
        all.push(("an identifier", text, None));
    }
    all
}

/// A token that was masked, filled with one letter, cut off, or written about.
pub fn broken(token: &str) -> [String; 4] {
    let start: String = token.chars().take(6).collect();
    let filled = token.chars().enumerate().map(|(at, character)| {
        let keep = at < 8 || !character.is_ascii_alphanumeric();
        if keep { character } else { 'x' }
    });
    let short: String = token.chars().take(10).collect();
    [
        format!("{start}{}", "*".repeat(24)),
        filled.collect(),
        format!("{short}…"),
        format!("starts with {start}, and then the rest of it"),
    ]
}

fn hex(rng: &mut StdRng, digits: usize) -> String {
    (0..digits)
        .map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)]))
        .collect()
}
