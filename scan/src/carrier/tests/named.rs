//! Names and literals, as real charts write them.

use rstest::rstest;

use super::{BASE62, HEX, random};
use crate::carrier::{may_name_secret, named};
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::limits::Limits;

fn judge(name: &str, text: &str) -> Option<Hit> {
    let limits = Limits::default();
    let hit = named(&Input {
        text,
        name: Some(name),
        now: 0,
        limits: &limits,
    });
    if let Some(hit) = &hit {
        assert!(may_name_secret(name), "{name} is passed over, but asks for a secret");
        assert!(text.get(hit.span.clone()).is_some_and(|part| !part.is_empty()));
    }
    hit
}

/// No floor of entropy under the name of a password.
#[rstest]
fn a_word_under_a_passwords_name_is_denied(
    #[values(
        "password",
        "PASSWORD",
        "MYSQL_ROOT_PASSWORD",
        "POSTGRES_PASSWORD",
        "GF_SECURITY_ADMIN_PASSWORD",
        "auth.rootPassword",
        "adminPassword",
        "admin-password",
        "redis_password",
        "dbPasswd",
        "DB_PASS",
        "db.pass",
        "MYSQL_PWD",
        "userpass",
        "requirepass",
        "masterauth",
        "keyPassword",
        "keystorePassword",
        "ssl.truststore.password",
        "spring.datasource.password",
        "--password",
        "--db-password",
        "bindpw",
        "LDAP_BIND_PW",
        "passphrase",
        "SSH_PASSPHRASE",
        "rootpw",
        "PGPASSWORD",
        "SSHPASS",
        "storepass",
        "password1",
        "DEFAULT_PASSWORD",
        "ADMIN_PASSWORD_DEFAULT",
        "password_plaintext",
        "users[0].password",
        "PassWord",
        "pass",
        "MINIO_ROOT_PASSWORD",
        "ES_JAVA_KEYSTORE_PASSWORD",
        "smtp_password",
        "PROXY_PASS",
        "passwordValue"
    )]
    name: &str,
    #[values(
        "mysql",
        "sst",
        "minio123",
        "password",
        "123456",
        "changeit",
        "Tr0ub4dor&3",
        "admin",
        "correct horse battery staple"
    )]
    text: &str,
) {
    let hit = judge(name, text).unwrap_or_else(|| panic!("{name} has nothing"));
    assert_eq!(
        (hit.rule.id, hit.tier, hit.mitigation),
        ("literal-password", Tier::Named, None)
    );
}

#[rstest]
#[case("CLIENT_SECRET", "client-secret")]
#[case("clientSecret", "client-secret")]
#[case("oidc.client-secret", "client-secret")]
#[case("consumerSecret", "client-secret")]
#[case("APP_SECRET", "client-secret")]
#[case("clientsecret", "client-secret")]
#[case("OAUTH2_PROXY_CLIENT_SECRET", "client-secret")]
#[case("--client-secret", "client-secret")]
#[case("GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET", "client-secret")]
#[case("applicationSecret", "client-secret")]
#[case("JWT_SECRET", "signing-secret")]
#[case("jwtSecret", "signing-secret")]
#[case("cookie_secret", "signing-secret")]
#[case("OAUTH2_PROXY_COOKIE_SECRET", "signing-secret")]
#[case("SESSION_SECRET", "signing-secret")]
#[case("SECRET_KEY_BASE", "signing-secret")]
#[case("SECRET_KEY", "signing-secret")]
#[case("DJANGO_SECRET_KEY", "signing-secret")]
#[case("GF_SECURITY_SECRET_KEY", "signing-secret")]
#[case("signingKey", "signing-secret")]
#[case("webhookSecret", "signing-secret")]
#[case("NEXTAUTH_SECRET", "signing-secret")]
#[case("server.secretkey", "literal-secret")]
#[case("API_TOKEN", "literal-token")]
#[case("GITHUB_TOKEN", "literal-token")]
#[case("github.token", "literal-token")]
#[case("authToken", "literal-token")]
#[case("_authToken", "literal-token")]
#[case("authtoken", "literal-token")]
#[case("X-Vault-Token", "literal-token")]
#[case("PRIVATE-TOKEN", "literal-token")]
#[case("--token", "literal-token")]
#[case("token", "literal-token")]
#[case("TOKEN", "literal-token")]
#[case("VAULT_TOKEN", "literal-token")]
#[case("INFLUXDB_ADMIN_TOKEN", "literal-token")]
#[case("refresh_token", "literal-token")]
#[case("GITHUB_PAT", "literal-token")]
#[case("bearer", "literal-token")]
#[case("API_KEY", "literal-api-key")]
#[case("apiKey", "literal-api-key")]
#[case("X-Api-Key", "literal-api-key")]
#[case("x-api-key", "literal-api-key")]
#[case("apikey", "literal-api-key")]
#[case("datadog.apiKey", "literal-api-key")]
#[case("DD_APP_KEY", "literal-api-key")]
#[case("Ocp-Apim-Subscription-Key", "literal-api-key")]
#[case("NEW_RELIC_LICENSE_KEY", "literal-api-key")]
#[case("SENDGRID_KEY", "literal-api-key")]
#[case("AWS_SECRET_ACCESS_KEY", "literal-secret")]
#[case("aws_secret_access_key", "literal-secret")]
#[case("secretAccessKey", "literal-secret")]
#[case("secretKey", "literal-secret")]
#[case("encryptionKey", "literal-secret")]
#[case("ENCRYPTION_KEY", "literal-secret")]
#[case("MASTER_KEY", "literal-secret")]
#[case("AccountKey", "literal-secret")]
#[case("sharedKey", "literal-secret")]
#[case("authKey", "literal-secret")]
#[case("secret", "literal-secret")]
#[case("S3_SECRET", "literal-secret")]
#[case("API_SECRET", "literal-secret")]
#[case("erlangCookie", "literal-secret")]
#[case("RABBITMQ_ERLANG_COOKIE", "literal-secret")]
#[case("credentials", "literal-secret")]
#[case("_auth", "literal-secret")]
#[case("REDIS_AUTH", "literal-password")]
#[case("MEMCACHE_AUTH", "literal-secret")]
#[case("WIFI_PSK", "literal-secret")]
#[case("Authorization", "bearer-token")]
#[case("proxy-authorization", "bearer-token")]
fn random_material_is_denied(#[case] name: &str, #[case] rule: &str) {
    for seed in 0..20 {
        for text in [
            random(seed, BASE62, 32),
            random(seed, HEX, 32),
            random(seed, BASE62, 24),
        ] {
            let hit = judge(name, &text)
                .unwrap_or_else(|| panic!("{name} has nothing with seed {seed}, {} long", text.len()));
            assert_eq!(
                (hit.rule.id, hit.tier, hit.mitigation),
                (rule, Tier::Named, None),
                "{name}"
            );
        }
    }
}

/// Clear names need nothing random.
#[rstest]
#[case("CLIENT_SECRET", "hunter2", "client-secret")]
#[case("JWT_SECRET", "secret", "signing-secret")]
#[case("SECRET_KEY", "dev", "signing-secret")]
#[case("secretKey", "minio123", "literal-secret")]
#[case("MINIO_SECRET_KEY", "minio123", "literal-secret")]
#[case("S3_SECRET", "minio123", "literal-secret")]
#[case("AWS_SECRET_ACCESS_KEY", "minio-secret", "literal-secret")]
#[case("VAULT_TOKEN", "root", "literal-token")]
#[case("ADMIN_TOKEN", "admin", "literal-token")]
#[case("API_KEY", "abc123", "literal-api-key")]
#[case("NEO4J_AUTH", "neo4j/graph", "basic-auth")]
#[case("BASIC_AUTH", "admin:admin", "basic-auth")]
#[case("basicAuth", "scraper:pickle", "basic-auth")]
#[case("apiKey", "a1b2c3d4e5", "literal-api-key")]
#[case("token", "f00dcafe99", "literal-token")]
fn short_literals_are_denied(#[case] name: &str, #[case] text: &str, #[case] rule: &str) {
    let hit = judge(name, text).unwrap_or_else(|| panic!("{name} has nothing"));
    let expected = if rule == "literal-secret" && text == "minio-secret" {
        Tier::Statistical
    } else {
        Tier::Named
    };
    assert_eq!((hit.rule.id, hit.tier), (rule, expected), "{name}");
}

#[test]
fn the_span_is_the_secret() {
    let text = "  \"hunter2\"\n";
    assert_eq!(
        judge("password", text).map(|hit| text[hit.span].to_owned()).as_deref(),
        Some("hunter2")
    );
    let text = format!("Bearer {}", random(1, BASE62, 30));
    assert_eq!(judge("Authorization", &text).map(|hit| hit.span), Some(7..37));
    let text = "admin:hunter2";
    assert_eq!(judge("BASIC_AUTH", text).map(|hit| hit.span), Some(6..13));
}

/// Names that have a secret's word in them and ask for something else. No value makes them secret, or only a random one.
#[rstest]
fn names_that_ask_for_something_else(
    #[values(
        "POSTGRES_PASSWORD_FILE",
        "ML_SECRET_KEY_PATH",
        "VAULT_SECRET_PATH",
        "SECRET_NAME",
        "secretName",
        "tlsSecretName",
        "credentialName",
        "PASSWORD_DIR",
        "TOKEN_URL",
        "token_endpoint",
        "tokenUri",
        "AUTH_HOST",
        "secretRef",
        "secretKeyRef",
        "passwordSecretRef",
        "existingSecret",
        "existingSecretPasswordKey",
        "auth.existingSecret",
        "aws_access_key_id",
        "API_KEY_ID",
        "tokenTTL",
        "TOKEN_EXPIRY",
        "tokenLifetime",
        "tokenDuration",
        "passwordTimeout",
        "PASSWORD_LENGTH",
        "passwordMinLength",
        "passwordPolicy",
        "tokenType",
        "authEnabled",
        "tokenAlgorithm",
        "tokenIssuer",
        "tokenAudience",
        "tokenHeader",
        "tokenPrefix",
        "passwordField",
        "tokenClaim",
        "secretStore",
        "secretStoreRef",
        "credentialProvider",
        "secretBackend",
        "secretRotation",
        "secretVersion",
        "tokenFormat",
        "passwordMode",
        "tokenCount",
        "tokenLimit",
        "passwordRegex",
        "secretLabel",
        "secretAnnotation",
        "DB_SECRETNAME",
        "automountServiceAccountToken",
        "publicKey",
        "sshPublicKey",
        "topologyKey",
        "key",
        "partitionKey",
        "primaryKey",
        "cacheKey",
        "ALLOW_EMPTY_PASSWORD",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
        "disablePassword",
        "requirePassword",
        "resetPassword",
        "nextPageToken",
        "continueToken",
        "eos_token",
        "max_tokens",
        "checksum/secret",
        "checksum/credentials",
        "secret.reloader.stakater.com/reload",
        "vault.hashicorp.com/agent-inject-secret-password",
        "vault.hashicorp.com/agent-inject-token",
        "proxy_pass",
        "fastcgi_pass",
        "bypass",
        "compass",
        "monkey",
        "keyboard",
        "authors",
        "patch",
        "path",
        "passthrough",
        "passive",
        "secretary",
        "tokenizer",
        "keycloak",
        "kubelet",
        "keepalive",
        "pathType",
        "metadata",
        "name",
        "author",
        "tokenReviewer",
        "authMode",
        "oldpwd",
        "SENTRY_PUBLIC_KEY",
        "routingKey",
        "passwordSecret.name",
        "secretKeyRef.key",
        "kmsKey",
        "hostKey",
        "server.authentication",
        "credentialsSecret.name"
    )]
    name: &str,
    #[values("redis-password", "my-tls", "hunter2", "mysql", "s3cr3t-99")] text: &str,
) {
    assert_eq!(judge(name, text), None);
}

/// Names that may hold a secret or the name of one.
#[rstest]
fn names_of_objects_and_keys_are_left_alone(
    #[values(
        "secret",
        "secrets",
        "imagePullSecrets",
        "imagePullSecret",
        "tlsSecret",
        "certSecret",
        "caSecret",
        "existingSecretKey",
        "secretKey",
        "passwordSecret",
        "passwordKey",
        "userPasswordKey",
        "adminPasswordKey",
        "credentials",
        "credential",
        "token",
        "tokenKey",
        "tokenSecret",
        "privateKey",
        "tokens",
        "credentialsSecret",
        "auth",
        "accessKey",
        "SSL_SECRET",
        "IMAGE_PULL_SECRET"
    )]
    name: &str,
    #[values(
        "my-tls",
        "redis-password",
        "mysql-root-password",
        "wildcard-example-com-tls",
        "regcred",
        "default/db-credentials",
        "tls.key",
        "password",
        "admin-password",
        "ca.crt",
        "client_secret",
        "my-app-7d9c5b7d9f-x2k4q",
        "token",
        "Bearer",
        "file",
        "credentials.json",
        "cert-2024",
        "oidc"
    )]
    text: &str,
) {
    assert_eq!(judge(name, text), None);
}

/// Values that are no literals, under names that could not be clearer.
#[rstest]
fn values_that_are_no_literals(
    #[values(
        "password",
        "DB_PASSWORD",
        "clientSecret",
        "API_TOKEN",
        "apiKey",
        "secret",
        "JWT_SECRET",
        "token",
        "Authorization"
    )]
    name: &str,
    #[values(
        "",
        " ",
        "true",
        "false",
        "yes",
        "no",
        "none",
        "null",
        "~",
        "$(DB_PASSWORD)",
        "${DB_PASSWORD}",
        "$DB_PASSWORD",
        "%DB_PASSWORD%",
        "{{ .Values.password }}",
        "{{- .Values.auth.password | quote }}",
        "<% password %>",
        "<%= ENV['X'] %>",
        "#{DB_PASSWORD}#",
        "vault:secret/data/db#pw",
        "vault://secret/db",
        "ref+vault://secret/db#/pw",
        "op://vault/item/password",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
        "arn:aws:ssm:eu-west-1:123456789012:parameter/db",
        "projects/p/secrets/db/versions/1",
        "akvs:vault/db",
        "secretref:db",
        "env:DB_PASSWORD",
        "file:/run/secrets/db",
        "${file:/run/secrets/db:password}",
        "!env DB_PASSWORD",
        "ENC[AES256_GCM,data:abc,iv:def,tag:ghi,type:str]",
        "$ANSIBLE_VAULT;1.1;AES256",
        "ENC(abcdef)",
        "/etc/ml_secret_key",
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "./token.txt",
        "******",
        "$__file{/etc/secrets/pw}",
        "https://idp.internal/token",
        "((concourse-password))",
        "%(ENV_DB_PASSWORD)s",
        "{cipher}abcdef0123",
        "<path:secret/data/db#password>",
        "[\"a\", \"b\"]",
        "{\"a\": 1}",
        "`cat /run/pw`",
        "$(cat /run/pw)",
        "prefix-${SUFFIX}",
        "@DB_PASSWORD@",
        "credentials.json",
        "^[a-z0-9]+$",
        "$oidc.keycloak.clientSecret",
        "x"
    )]
    text: &str,
) {
    assert_eq!(judge(name, text), None);
}

#[rstest]
fn placeholders_are_a_warning(
    #[values("password", "DB_PASSWORD", "clientSecret", "API_TOKEN", "apiKey", "JWT_SECRET")] name: &str,
    #[values(
        "CHANGEME",
        "changeme",
        "change-me",
        "CHANGE_ME_PLEASE",
        "REPLACE_ME",
        "replace-with-your-token",
        "INSERT_TOKEN_HERE",
        "your-password",
        "<your-password>",
        "<PASSWORD>",
        "TODO",
        "dummy",
        "example-password",
        "to be set",
        "xxxxxxxx",
        "placeholder",
        "YOUR_API_KEY"
    )]
    text: &str,
) {
    let hit = judge(name, text).unwrap_or_else(|| panic!("{name} says nothing of {text}"));
    assert_eq!(hit.mitigation, Some(Mitigation::Placeholder));
}

/// Words, numbers, times and sentences under names that are no password's.
#[rstest]
fn settings_are_no_secrets(
    #[values(
        "token",
        "apiKey",
        "secret",
        "API_TOKEN",
        "accessToken",
        "credentials",
        "signingKey",
        "CLIENT_SECRET"
    )]
    name: &str,
    #[values(
        "required",
        "optional",
        "default",
        "auto",
        "Bearer",
        "Basic",
        "jwt",
        "oidc",
        "File",
        "string",
        "object",
        "3600",
        "10m",
        "1h30m",
        "-1",
        "The token of the user",
        "Set this to the key of your account",
        "client_secret_basic",
        "50%"
    )]
    text: &str,
) {
    assert_eq!(judge(name, text), None);
}

#[rstest]
#[case("AUTH_TOKEN", &format!("eyJ{}.eyJ{}.{}", "abc", "def", "ghi"))]
#[case("apiKey", &format!("AIza{}", random(1, BASE62, 35)))]
#[case("STRIPE_API_KEY", &format!("pk_live_{}", random(1, BASE62, 24)))]
#[case("AWS_ACCESS_KEY", &format!("AKIA{}", random(1, "ABCDEFGHIJKLMNOP234567", 16)))]
#[case("privateKey", "-----BEGIN PRIVATE KEY-----")]
#[case("Authorization", "Basic abc")]
#[case("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=c, Signature=d")]
#[case("password", "first line\nsecond line")]
#[case("password", "The password of the administrator")]
#[case("clientSecret", "urn:k8s:secret:my-secret:clientSecret")]
#[case("token", "**SOPS**")]
#[case("nginx.ingress.kubernetes.io/auth-secret", "default/basic-auth")]
#[case("crlSecret", "client-crl")]
#[case("password", "Password")]
#[case("login.password", "Enter your password:")]
#[case("encryptedData.password", &format!("AgB{}", random(3, BASE62, 400)))]
fn what_others_judge_is_left_to_them(#[case] name: &str, #[case] text: &str) {
    assert_eq!(judge(name, text), None);
}

#[rstest]
#[case("adminPasswordHash", &random(1, HEX, 64))]
#[case("password_md5", &random(1, HEX, 32))]
#[case("password", &format!("$2y$10${}", random(1, BASE62, 53)))]
#[case("htpasswd", &format!("admin:$apr1${}${}", random(1, BASE62, 8), random(2, BASE62, 22)))]
fn a_hash_is_a_warning(#[case] name: &str, #[case] text: &str) {
    let hit = judge(name, text).unwrap_or_else(|| panic!("{name} has nothing"));
    assert_eq!((hit.rule.id, hit.mitigation), ("password-hash", Some(Mitigation::Hash)));
}

/// Every key of every object is asked for: most must cost next to nothing.
#[rstest]
#[case("apiVersion")]
#[case("metadata")]
#[case("namespace")]
#[case("containers")]
#[case("image")]
#[case("app.kubernetes.io/name")]
#[case("resourceVersion")]
#[case("f:spec")]
fn common_names_are_passed_over(#[case] name: &str) {
    assert!(!may_name_secret(name));
}
