//! Credentials that only their carrier tells: the name beside them, the header, the URL or the connection string.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_scan::Tier;
use rand::RngExt;
use rand::rngs::StdRng;

use super::Positive;

const NAMED: &[(&str, &[&str])] = &[
    (
        "literal-password",
        &[
            "DB_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "adminPassword",
            "redis_passwd",
            "SSH_PASSPHRASE",
        ],
    ),
    (
        "literal-token",
        &["API_TOKEN", "accessToken", "BOT_TOKEN", "auth_token"],
    ),
    ("literal-api-key", &["SERVICE_API_KEY", "apiKey", "x_api_key"]),
    ("literal-secret", &["AWS_SECRET_ACCESS_KEY", "MASTER_SECRET"]),
    ("client-secret", &["OAUTH_CLIENT_SECRET", "clientSecret", "appSecret"]),
    (
        "signing-secret",
        &[
            "JWT_SECRET",
            "COOKIE_SECRET",
            "SECRET_KEY_BASE",
            "sessionSecret",
            "WEBHOOK_SECRET",
        ],
    ),
];

/// What people choose: no test of randomness finds these.
const WEAK: &[&str] = &[
    "mysql", "admin", "minio123", "password", "sst", "hunter2", "s3cr3t!", "P@ssw0rd",
];

/// One or more for each rule of the carriers.
pub fn positives(rng: &mut StdRng) -> Vec<Positive> {
    let mut all: Vec<Positive> = Vec::new();
    for (rule, names) in NAMED {
        for name in *names {
            let length = rng.random_range(16..40);
            all.push((rule, Tier::Named, draw(rng, length), Some(name)));
        }
    }
    for weak in WEAK {
        all.push((
            "literal-password",
            Tier::Named,
            (*weak).to_owned(),
            Some("POSTGRES_PASSWORD"),
        ));
    }
    let (user, password, key) = (draw(rng, 6), draw(rng, 14), BASE64_STANDARD.encode(draw(rng, 64)));
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    all.push(("basic-auth", Tier::Shaped, basic, Some("Authorization")));
    all.push((
        "bearer-token",
        Tier::Named,
        format!("Bearer {}", draw(rng, 40)),
        Some("Authorization"),
    ));
    for scheme in [
        "postgres",
        "mysql",
        "mongodb+srv",
        "redis",
        "amqps",
        "https",
        "ldaps",
        "nats",
    ] {
        let url = format!("{scheme}://{user}:{password}@db.example.com:5432/app");
        all.push(("url-password", Tier::Shaped, url, None));
    }
    for text in [
        format!("Server=tcp:db,1433;Database=app;User ID={user};Password={password};Encrypt=true"),
        format!("jdbc:mysql://db:3306/app?user={user}&password={password}"),
    ] {
        all.push(("connection-string-password", Tier::Named, text, None));
    }
    for text in [
        format!("DefaultEndpointsProtocol=https;AccountName=app;AccountKey={key};EndpointSuffix=core.windows.net"),
        format!("Endpoint=sb://bus.servicebus.windows.net/;SharedAccessKeyName=all;SharedAccessKey={key}"),
    ] {
        all.push(("connection-string-key", Tier::Named, text, None));
    }
    all.push((
        "password-hash",
        Tier::Shaped,
        format!("{user}:$2y$10${}", draw(rng, 53)),
        None,
    ));
    all
}

/// Letters and digits, the last of which is a digit: no word and no placeholder.
fn draw(rng: &mut StdRng, length: usize) -> String {
    let characters = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let letters = (1..length).map(|_| char::from(characters[rng.random_range(0..characters.len())]));
    letters.chain(['7']).collect()
}
