//! Makes credentials as they are carried, for tests. None is in the repository: each is drawn when a test runs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::finding::Tier;

/// A rule's name, how sure it should be, a text in which it is found, and the name that stands beside the text, if it is
/// the name that tells.
pub type Positive = (&'static str, Tier, String, Option<&'static str>);
/// A text in which nothing may be found that denies, and the name beside it.
pub type Negative = (String, Option<&'static str>);

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEX: &[u8] = b"0123456789abcdef";

fn draw(rng: &mut StdRng, alphabet: &[u8], length: usize) -> String {
    (0..length)
        .map(|_| char::from(alphabet[rng.random_range(0..alphabet.len())]))
        .collect()
}

/// A secret that a machine made.
fn random(rng: &mut StdRng) -> String {
    let length = rng.random_range(24..=48);
    let alphabet = if rng.random_bool(0.3) { HEX } else { BASE62 };
    draw(rng, alphabet, length)
}

/// A password: one that people take, or one that a machine made.
fn password(rng: &mut StdRng) -> String {
    const COMMON: &[&str] = &[
        "mysql", "sst", "minio123", "password", "admin", "guest", "secret", "postgres", "123456", "qwerty1",
    ];
    if rng.random_bool(0.5) {
        COMMON[rng.random_range(0..COMMON.len())].to_owned()
    } else {
        random(rng)
    }
}

/// Names under which any literal is a credential of the rule.
const NAMES: &[(&str, &[&str])] = &[
    (
        "literal-password",
        &[
            "password",
            "MYSQL_ROOT_PASSWORD",
            "GF_SECURITY_ADMIN_PASSWORD",
            "auth.rootPassword",
            "adminPassword",
            "db_passwd",
            "DB_PASS",
            "MYSQL_PWD",
            "--password",
            "keystorePassword",
            "requirepass",
            "ldap.bindpw",
        ],
    ),
    (
        "literal-token",
        &[
            "API_TOKEN",
            "GITHUB_TOKEN",
            "authToken",
            "X-Vault-Token",
            "PRIVATE-TOKEN",
            "--token",
            "accessToken",
            "slack.botToken",
            "BOT_TOKEN",
            "refresh_token",
        ],
    ),
    (
        "literal-api-key",
        &[
            "API_KEY",
            "apiKey",
            "X-Api-Key",
            "datadog.apiKey",
            "x-api-key",
            "MY_APP_KEY",
            "subscriptionKey",
            "SERVICE_API_KEY",
            "--api-key",
            "NEW_RELIC_LICENSE_KEY",
        ],
    ),
    (
        "literal-secret",
        &[
            "AWS_SECRET_ACCESS_KEY",
            "secretAccessKey",
            "secretKey",
            "encryptionKey",
            "MASTER_KEY",
            "AccountKey",
            "sharedKey",
            "S3_SECRET",
            "secret",
            "RABBITMQ_ERLANG_COOKIE",
            "API_SECRET",
        ],
    ),
    (
        "client-secret",
        &[
            "CLIENT_SECRET",
            "clientSecret",
            "oidc.client-secret",
            "consumerSecret",
            "APP_SECRET",
            "OAUTH2_PROXY_CLIENT_SECRET",
            "--client-secret",
            "applicationSecret",
            "client_secret",
            "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET",
        ],
    ),
    (
        "signing-secret",
        &[
            "JWT_SECRET",
            "cookie_secret",
            "OAUTH2_PROXY_COOKIE_SECRET",
            "SESSION_SECRET",
            "SECRET_KEY_BASE",
            "DJANGO_SECRET_KEY",
            "signingKey",
            "webhookSecret",
            "GF_SECURITY_SECRET_KEY",
            "hmacSecret",
        ],
    ),
];

/// Texts that carry a password (`{}`).
const CARRIERS: &[(&str, Tier, &[&str])] = &[
    (
        "url-password",
        Tier::Shaped,
        &[
            "postgres://app:{}@db:5432/app?sslmode=disable",
            "mysql://root:{}@tcp(db:3306)/app",
            "mongodb+srv://app:{}@cluster0.abcde.mongodb.net/app",
            "redis://:{}@redis-master:6379/0",
            "amqp://app:{}@rabbitmq:5672/%2f",
            "https://bot:{}@git.internal/team/repo.git",
            "http://proxyuser:{}@proxy.corp:3128",
            "smtp://mailer:{}@mail:587",
            "ftp://backup:{}@[2001:db8::1]:21/",
            "nats://app:{}@nats:4222",
        ],
    ),
    (
        "connection-string-password",
        Tier::Named,
        &[
            "Server=tcp:db,1433;Initial Catalog=app;User ID=sa;Password={};Encrypt=True",
            "Data Source=db;User Id=sa;Pwd={}",
            "server=db;uid=root;pwd={};database=app",
            "host=db port=5432 user=app password={} dbname=app",
            "jdbc:mysql://db/app?user=app&password={}",
            "jdbc:sqlserver://db:1433;user=sa;password={};",
            "redis:6379,password={},ssl=True,abortConnect=False",
            "Password={};Server=db",
            "jdbc:postgresql://db:5432/app?user=app&password={}&ssl=true",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"app\" password=\"{}\";",
        ],
    ),
    (
        "literal-password",
        Tier::Named,
        &[
            "CREATE USER 'app'@'%' IDENTIFIED BY '{}';",
            "ALTER USER postgres WITH PASSWORD '{}';",
            "CREATE ROLE app LOGIN PASSWORD '{}';",
            "machine git.internal login bot password {}",
        ],
    ),
];

/// Texts that carry a token (`{}`), which must look random.
const TOKENS: &[(&str, &[&str])] = &[
    (
        "bearer-token",
        &[
            "Bearer {}",
            "Authorization: Bearer {}",
            "-H 'Authorization: Bearer {}'",
            "{\"Authorization\": \"Bearer {}\"}",
            "bearer {}",
            "headers: [\"Authorization: Bearer {}\"]",
            "proxy_set_header Authorization \"Bearer {}\";",
            "authorization=Bearer {}",
            "authorization: bearer {}",
            "r.headers:add(\"authorization\", \"Bearer {}\")",
        ],
    ),
    (
        "literal-api-key",
        &[
            "request_handle:headers():add(\"x-api-key\", \"{}\")",
            "proxy_set_header X-Api-Key \"{}\";",
            "https://api.internal/x?api_key={}",
        ],
    ),
    (
        "literal-token",
        &[
            "curl --header \"PRIVATE-TOKEN: {}\" https://gitlab/api",
            "//registry.npmjs.org/:_authToken={}",
            "https://api.internal/x?access_token={}",
        ],
    ),
];

/// Ten or more texts for each rule.
pub fn positives(rng: &mut StdRng) -> Vec<Positive> {
    let mut all = Vec::new();
    for (rule, names) in NAMES {
        for name in *names {
            let text = if *rule == "literal-password" {
                password(rng)
            } else {
                random(rng)
            };
            all.push((*rule, Tier::Named, text, Some(*name)));
        }
    }
    for (rule, tier, templates) in CARRIERS {
        all.extend(
            templates
                .iter()
                .map(|template| (*rule, *tier, template.replace("{}", &password(rng)), None)),
        );
    }
    for (rule, templates) in TOKENS {
        all.extend(
            templates
                .iter()
                .map(|template| (*rule, Tier::Named, template.replace("{}", &random(rng)), None)),
        );
    }
    for user in [
        "admin",
        "prometheus",
        "scraper",
        "app@corp",
        "u",
        "ci-bot",
        "svc_account",
        "grafana",
        "elastic",
        "root",
    ] {
        let encoded = BASE64_STANDARD.encode(format!("{user}:{}", password(rng) + "!"));
        all.push((
            "basic-auth",
            Tier::Proven,
            format!("Basic {encoded}"),
            Some("Authorization"),
        ));
    }
    for template in [
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
        "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
        "HostName=a.azure-devices.net;SharedAccessKeyName=device;SharedAccessKey={}",
    ] {
        for _ in 0..4 {
            let key = BASE64_STANDARD.encode(draw(rng, BASE62, 33));
            all.push(("connection-string-key", Tier::Named, template.replace("{}", &key), None));
        }
    }
    all.extend(hashes(rng));
    all
}

/// Hashes of passwords: they are worth a warning.
fn hashes(rng: &mut StdRng) -> Vec<Positive> {
    let mut b62 = |length| draw(rng, BASE62, length);
    [
        format!("admin:$2y$10${}", b62(53)),
        format!("$2a$12${}", b62(53)),
        format!("$2b$05${}", b62(53)),
        format!("admin:$apr1${}${}", b62(8), b62(22)),
        format!("$1${}${}", b62(8), b62(22)),
        format!("$5${}${}", b62(16), b62(43)),
        format!("$6${}${}", b62(16), b62(86)),
        format!("$argon2id$v=19$m=65536,t=3,p=4${}${}", b62(22), b62(43)),
        format!("admin:{{SHA}}{}=", b62(27)),
        format!("{{SSHA}}{}", b62(32)),
    ]
    .into_iter()
    .map(|text| ("password-hash", Tier::Shaped, text, None))
    .collect()
}

/// Names that ask for a path, a name, a time or the like, whatever follows.
#[rustfmt::skip]
const OTHER_NAMES: &[&str] = &[
    "POSTGRES_PASSWORD_FILE", "ML_SECRET_KEY_PATH", "VAULT_SECRET_PATH", "secretName", "tlsSecretName",
    "credentialName", "TOKEN_URL", "secretRef", "existingSecret", "existingSecretPasswordKey", "aws_access_key_id",
    "tokenTTL", "passwordPolicy", "tokenType", "tokenIssuer", "secretStore", "automountServiceAccountToken",
    "publicKey", "topologyKey", "ALLOW_EMPTY_PASSWORD", "nextPageToken", "checksum/secret", "proxy_pass",
    "passwordSecretName", "imagePullSecrets", "API_KEY_ID",
];

/// Values that are no secret under any name.
#[rustfmt::skip]
const OTHER_VALUES: &[&str] = &[
    "", "true", "no", "null", "$(DB_PASSWORD)", "${DB_PASSWORD}", "$DB_PASSWORD", "{{ .Values.password }}",
    "<% password %>", "vault:secret/data/db#pw", "ref+vault://secret/db#/pw", "op://vault/item/password",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db", "projects/p/secrets/db/versions/1", "akvs:vault/db",
    "env:DB_PASSWORD", "${file:/run/secrets/db:password}", "ENC[AES256_GCM,data:abc,iv:def,tag:g,type:str]",
    "$ANSIBLE_VAULT;1.1;AES256", "ENC(abcdef)", "/etc/ml_secret_key", "******", "https://idp.internal/token",
    "$__file{/etc/secrets/pw}",
];

const PLACEHOLDERS: &[&str] = &[
    "CHANGEME",
    "REPLACE_ME",
    "INSERT_TOKEN_HERE",
    "your-password",
    "<password>",
    "dummy",
    "xxxxxxxx",
];

/// Texts without a password or a token in them.
#[rustfmt::skip]
const OTHER_TEXTS: &[&str] = &[
    "postgres://app:$(DB_PASSWORD)@db/app", "postgres://app@db/app", "https://host:8080/path",
    "ssh://git@github.com:org/repo.git", "docker://alpine:3.18@sha256:0123456789abcdef",
    "Basic authentication is off", "Bearer token", "Authorization: Bearer ${TOKEN}",
    "Server=db;User ID=sa;Password=$(SA_PASSWORD)", "host=db user=app password=$PGPASSWORD dbname=app",
    "ALTER USER postgres WITH PASSWORD '{{ .password }}';", "allow_headers: x-api-key,content-type,authorization",
    "awk '{print $5$6}'", "https://host/list?token=next",
];

/// Texts that must not deny.
pub fn negatives(rng: &mut StdRng) -> Vec<Negative> {
    let mut all = Vec::new();
    for name in OTHER_NAMES {
        let value = if rng.random_bool(0.5) {
            "redis-password"
        } else {
            "my-tls"
        };
        all.push((value.to_owned(), Some(*name)));
    }
    for (_, names) in NAMES {
        for value in OTHER_VALUES.iter().chain(PLACEHOLDERS) {
            all.push(((*value).to_owned(), Some(names[rng.random_range(0..names.len())])));
        }
    }
    all.extend(OTHER_TEXTS.iter().map(|text| ((*text).to_owned(), None)));
    // The public key of an error tracker; digests and identifiers where nothing asks for a secret.
    let key = draw(rng, HEX, 32);
    all.push((format!("https://{key}@o1.ingest.sentry.io/42"), Some("SENTRY_DSN")));
    all.push((draw(rng, HEX, 64), Some("checksum/config")));
    all.push((draw(rng, HEX, 40), Some("gitSha")));
    all
}
