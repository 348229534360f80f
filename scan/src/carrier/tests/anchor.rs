//! What literals in a text lead to, and what they must not.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rstest::rstest;

use super::{BASE62, HEX, hits, random};
use crate::finding::{Mitigation, Tier};

/// The hits that decide, by rule and part of the text.
fn found(text: &str) -> Vec<(&'static str, String, Option<Mitigation>)> {
    let mut found: Vec<_> = hits(text)
        .into_iter()
        .filter(|hit| hit.tier != Tier::Statistical)
        .map(|hit| (hit.rule.id, text[hit.span].to_owned(), hit.mitigation))
        .collect();
    found.dedup();
    found
}

fn expect(text: &str, rule: &'static str, secret: &str) {
    assert_eq!(found(text), [(rule, secret.to_owned(), None)], "{text}");
}

#[rstest]
#[case("postgres://app:{}@db:5432/app?sslmode=disable")]
#[case("postgresql://app:{}@db.prod.svc/app")]
#[case("mysql://root:{}@tcp(db:3306)/app")]
#[case("mongodb+srv://app:{}@cluster0.abcde.mongodb.net,b:27017/app")]
#[case("redis://:{}@redis-master:6379/0")]
#[case("rediss://default:{}@10.0.0.1:6379")]
#[case("amqp://user:{}@rabbitmq:5672/%2f")]
#[case("https://bot:{}@git.example.org/team/repo.git")]
#[case("git clone https://oauth2:{}@gitlab.internal/a.git && make")]
#[case("ftp://anonymous:{}@[2001:db8::1]:21/")]
#[case("proxy=\"http://proxyuser:{}@proxy.corp:3128\"")]
#[case("smtp://mailer@corp:{}@mail:587")]
#[case("jdbc:oracle:thin:scott/{}@//db:1521/orcl")]
#[case("jdbc:postgresql://app:{}@db/app")]
fn a_password_in_a_url_is_found(#[case] template: &str) {
    for password in [
        "mysql".to_owned(),
        "guest".to_owned(),
        random(1, BASE62, 20),
        random(2, HEX, 32),
        "p@ss:word".to_owned(),
    ] {
        let text = template.replace("{}", &password);
        let found = found(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert!(
            found[0].1 == password || password.contains('@') && password.ends_with(&found[0].1),
            "{text} {found:?}"
        );
        assert_eq!(found[0].2, None, "{text}");
        assert!(matches!(found[0].0, "url-password" | "connection-string-password"));
    }
}

#[rstest]
#[case("https://example.com:8080/path")]
#[case("https://user@example.com/")]
#[case("ssh://git@github.com:org/repo.git")]
#[case("git+ssh://git@github.com/org/repo.git")]
#[case("postgres://app:$(DB_PASSWORD)@db/app")]
#[case("postgres://app:${DB_PASSWORD}@db/app")]
#[case("postgres://app:$DB_PASSWORD@db/app")]
#[case("postgres://{{ .Values.user }}:{{ .Values.password }}@db/app")]
#[case("postgres://app:{{ .password }}@db/app")]
#[case("postgres://app:<%= @password %>@db/app")]
#[case("postgres://%s:%s@%s:%d/%s")]
#[case("redis://:@redis:6379")]
#[case("redis://:****@redis:6379")]
#[case("docker://registry.k8s.io/pause:3.9@sha256:0123456789abcdef")]
#[case("docker://alpine:3.18@sha256:0123456789abcdef")]
#[case("http://a:80,http://b:81")]
#[case("kafka://a:9092,b:9092")]
#[case("unix:///var/run/docker.sock")]
#[case("https?://([^:]+):([^@]+)@host")]
#[case("https://host/path?mail=a:b@example.com")]
#[case("https://host/@scope/package:1.0@latest")]
#[case("see https://host:80 or mail ops@example.com")]
#[case("postgres://app:{password}@db")]
#[case("spiffe://cluster.local/ns/a/sa/b")]
#[case("oci://ghcr.io/org/chart:1.2.3")]
#[case("://a:b@c")]
fn a_url_without_a_password_is_not(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[rstest]
#[case("postgres://app:CHANGEME@db/app")]
#[case("postgres://app:<password>@db/app")]
#[case("postgres://user:password@host:5432/db")]
#[case("amqp://username:password@hostname")]
#[case("# dsn = postgres://app:secret@localhost/app")]
#[case("key: x\n  // redis://:foobared@redis")]
fn a_documented_url_is_a_warning(#[case] text: &str) {
    let found = found(text);
    // A `<` ends a URL: what stands there cannot be told.
    assert!(
        found
            .iter()
            .all(|(_, _, mitigation)| *mitigation == Some(Mitigation::Placeholder)),
        "{found:?}"
    );
}

#[test]
fn the_public_key_of_an_error_tracker_is_none() {
    for seed in 0..20 {
        let key = random(seed, HEX, 32);
        assert!(hits(&format!("https://{key}@o123.ingest.sentry.io/456")).is_empty());
        assert!(hits(&format!("https://{key}@errors.corp.example/7")).is_empty());
        let hits = hits(&format!("https://{key}@git.corp/a/b.git"));
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].tier, Tier::Statistical);
    }
}

#[rstest]
fn basic_is_found_by_what_it_decodes_to(
    #[values(
        "admin:admin",
        "scraper:s3cr3t!",
        "user@corp:pass word",
        "u:12345678",
        "prometheus:mysql"
    )]
    pair: &str,
    #[values(
        "Authorization: Basic {}",
        "Basic {}",
        "basic {}",
        "\"Authorization\": \"Basic {}\"",
        "proxy_set_header Authorization \"Basic {}\";"
    )]
    template: &str,
) {
    let encoded = BASE64_STANDARD.encode(pair);
    let text = template.replace("{}", &encoded);
    let hits = hits(&text);
    assert_eq!(hits.len(), 1, "{text}");
    assert_eq!(
        (hits[0].rule.id, hits[0].tier, hits[0].mitigation),
        ("basic-auth", Tier::Proven, None)
    );
    assert_eq!(&text[hits[0].span.clone()], encoded);
    assert_eq!(
        super::hits(&text.replace('=', "")).len(),
        usize::from(!text.contains("Authorization\"="))
    );
}

#[rstest]
#[case("Basic authentication is off")]
#[case("Basic realm=\"x\"")]
#[case("Basic ${ENCODED}")]
#[case("Basic $(echo -n user:pass | base64)")]
#[case("auth: basic none")]
#[case("The Basic usage of this chart")]
#[case("Basic understanding12")]
#[case("visual basic Zm9vYmFyYmF6")]
#[case("Basic {{ printf \"%s:%s\" .user .pass | b64enc }}")]
#[case("Basic <base64>")]
#[case("NonBasic YWRtaW46YWRtaW4=")]
fn basic_is_a_word_too(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[test]
fn basic_of_a_reference_is_none() {
    assert_eq!(
        found(&format!("Basic {}", BASE64_STANDARD.encode("admin:$(PASSWORD)"))),
        []
    );
    assert_eq!(found(&format!("Basic {}", BASE64_STANDARD.encode("admin:"))), []);
}

#[test]
fn an_opaque_bearer_token_is_found() {
    for seed in 0..20 {
        for token in [
            random(seed, BASE62, 32),
            random(seed, HEX, 40),
            format!("{}.{}", random(seed, BASE62, 20), random(seed, BASE62, 22)),
        ] {
            for template in [
                "Bearer {}",
                "Authorization: Bearer {}",
                "-H 'Authorization: Bearer {}'",
                "headers: {Authorization: \"Bearer {}\"}",
                "bearer {}",
            ] {
                expect(&template.replace("{}", &token), "bearer-token", &token);
            }
        }
    }
    expect("Authorization: Bearer abc1234def5", "bearer-token", "abc1234def5");
}

#[rstest]
#[case("Bearer token")]
#[case("Bearer authentication")]
#[case("Bearer error=\"invalid_token\"")]
#[case("Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)")]
#[case("Authorization: Bearer ${TOKEN}")]
#[case("Authorization: Bearer $TOKEN")]
#[case("Authorization: Bearer {{ .token }}")]
#[case("Authorization: Bearer <token>")]
#[case("Authorization: Bearer YOUR_API_TOKEN_HERE")]
#[case("Authorization: Bearer %REQ(x-token)%")]
#[case("authorization: bearer required")]
#[case("bearer of news")]
#[case("Bearer vault:secret/data/x#token")]
fn bearer_is_a_word_too(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[test]
fn a_json_web_token_is_left_to_who_can_tell_its_lifetime() {
    assert_eq!(
        found(&format!(
            "Bearer eyJ{}.eyJ{}.{}",
            random(1, BASE62, 30),
            random(2, BASE62, 30),
            random(3, BASE62, 43)
        )),
        []
    );
}

#[test]
fn headers_of_keys_are_found_in_free_text() {
    for seed in 0..10 {
        let key = random(seed, BASE62, 32);
        for (template, rule) in [
            ("request_handle:headers():add(\"x-api-key\", \"{}\")", "literal-api-key"),
            ("proxy_set_header X-Api-Key \"{}\";", "literal-api-key"),
            ("curl -H 'X-API-Key: {}' http://x", "literal-api-key"),
            ("X-API-KEY={}", "literal-api-key"),
            (
                "curl --header \"PRIVATE-TOKEN: {}\" https://gitlab/api",
                "literal-token",
            ),
            ("Private-Token: {}", "literal-token"),
            ("X-Auth-Token: {}", "literal-token"),
            ("x-vault-token: {}", "literal-token"),
            ("Authorization: token {}", "literal-token"),
            ("Authorization: ApiKey {}", "literal-token"),
        ] {
            expect(&template.replace("{}", &key), rule, &key);
        }
    }
}

#[rstest]
#[case("X-Api-Key")]
#[case("X-Api-Key: ")]
#[case("allow_headers: x-api-key,content-type,authorization")]
#[case("name: x-api-key\nin: header")]
#[case("X-Api-Key: $API_KEY")]
#[case("X-Api-Key: {{ .apiKey }}")]
#[case("header X-Auth-Token is required")]
#[case("PRIVATE-TOKEN: ${GITLAB_TOKEN}")]
#[case("x-api-key: required")]
#[case("my-x-api-key-name")]
fn headers_without_a_key_are_not(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[test]
fn connection_strings_are_found() {
    for password in ["mysql".to_owned(), "Passw0rd!".to_owned(), random(1, BASE62, 24)] {
        for template in [
            "Server=tcp:db,1433;Initial Catalog=app;User ID=sa;Password={};Encrypt=True",
            "Data Source=db;User Id=sa;Pwd={}",
            "Password={};Server=db",
            "server=db;uid=root;pwd={};database=app",
            "host=db port=5432 user=app password={} dbname=app sslmode=disable",
            "jdbc:postgresql://db:5432/app?user=app&password={}&ssl=true",
            "jdbc:mysql://db/app?user=app&password={}",
            "jdbc:sqlserver://db:1433;user=sa;password={};",
            "redis:6379,password={},ssl=True,abortConnect=False",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"app\" password=\"{}\";",
            "Server=db; User=sa; Password = {}; Database=x"
                .replace(" = ", " =")
                .as_str(),
            "jdbc:mysql://db/app?trustCertificateKeyStorePassword={}&user=app",
        ] {
            let text = template.replace("{}", &password);
            expect(&text, "connection-string-password", &password);
        }
    }
    let key = BASE64_STANDARD.encode(random(1, BASE62, 64));
    for template in [
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
        "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={}",
        "HostName=a.azure-devices.net;SharedAccessKeyName=device;SharedAccessKey={}",
    ] {
        expect(&template.replace("{}", &key), "connection-string-key", &key);
    }
}

#[rstest]
#[case("", "")]
#[case("\"", "\"")]
#[case("'", "'")]
#[case("\\\"", "\\\"")]
fn a_password_of_a_connection_string_ends_somewhere(#[case] open: &str, #[case] close: &str) {
    for last in ["x", "é"] {
        let longest = random(1, BASE62, 256 - last.len()) + last;
        let text = |password: &str| format!("Server=db;Password={open}{password}{close};Encrypt=True");
        expect(&text(&longest), "connection-string-password", &longest);
        for more in [1, 2, 3, 4, 5, 1000] {
            assert_eq!(found(&text(&(longest.clone() + &"y".repeat(more)))), [], "{more} more");
        }
    }
}

#[rstest]
#[case("Server=db;User ID=sa;Password=;Encrypt=True")]
#[case("Server=db;User ID=sa;Password=$(SA_PASSWORD)")]
#[case("Server=db;User ID=sa;Password=${SA_PASSWORD};")]
#[case("Server=db;User ID=sa;Password={{ .password }};")]
#[case("host=db user=app password=$PGPASSWORD dbname=app")]
#[case("jdbc:postgresql://db/app?user=app&password=${PW}")]
#[case("the password=secret thing")]
#[case("if [ \"$password=\" = \"\" ]; then exit; fi")]
#[case("--set auth.password=mysql")]
#[case("ssl.truststore.password=")]
#[case("AccountName=a;AccountKey=$(KEY)")]
#[case("required username=\"${USER}\" password=\"${PASSWORD}\";")]
#[case("s/password=[^&]*&user=/password=***&user=/")]
#[case("https://host/list?token=next&user=1")]
fn connection_strings_without_a_password_are_not(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[test]
fn tokens_in_queries_and_registries_are_found() {
    for seed in 0..10 {
        let token = random(seed, BASE62, 32);
        for (template, rule) in [
            ("https://api/x?access_token={}", "literal-token"),
            ("https://api/x?a=1&token={}&b=2", "literal-token"),
            ("https://api/x?api_key={}", "literal-api-key"),
            ("https://api/x?apikey={}#top", "literal-api-key"),
            ("https://idp/token?client_id=a&client_secret={}", "client-secret"),
            ("//registry.npmjs.org/:_authToken={}", "literal-token"),
            ("//nexus.corp/repository/npm/:_auth={}", "literal-token"),
            ("//nexus.corp/:_password={}\n//nexus.corp/:username=ci", "literal-token"),
        ] {
            expect(&template.replace("{}", &token), rule, &token);
        }
    }
    assert_eq!(found("//registry.npmjs.org/:_authToken=${NPM_TOKEN}"), []);
    assert_eq!(found("//registry.npmjs.org/:_authToken=$NPM_TOKEN"), []);
}

#[rstest]
#[case("CREATE USER 'app'@'%' IDENTIFIED BY '{}';")]
#[case("create user app identified by '{}'")]
#[case("ALTER USER postgres WITH PASSWORD '{}';")]
#[case("CREATE ROLE app LOGIN PASSWORD '{}';")]
#[case("create role app with login password '{}'")]
#[case("GRANT ALL ON *.* TO 'root'@'%' IDENTIFIED BY \"{}\" WITH GRANT OPTION;")]
#[case("machine github.com login bot password {}")]
#[case("machine a\n  login b\n  password {}\nmachine c login d")]
fn statements_that_set_a_password_are_found(#[case] template: &str) {
    for password in ["mysql", "repl", "Str0ng!pass"] {
        expect(&template.replace("{}", password), "literal-password", password);
    }
}

#[rstest]
#[case("CREATE USER app IDENTIFIED BY '$MYSQL_PASSWORD';")]
#[case("CREATE USER app IDENTIFIED BY '${MYSQL_PASSWORD}';")]
#[case("ALTER USER postgres WITH PASSWORD '{{ .password }}';")]
#[case("ALTER USER postgres WITH PASSWORD :'password';")]
#[case("ALTER USER postgres WITH PASSWORD %s;")]
#[case("the password 'must be set' by you")]
#[case("echo \"password 'x' is wrong\"")]
#[case("machine learning with a login and a password is fun")]
#[case("a state machine has no password")]
#[case("machine github.com login bot")]
#[case("machine github.com login bot password ${TOKEN}")]
fn statements_without_a_literal_are_not(#[case] text: &str) {
    assert_eq!(found(text), []);
}

#[test]
fn hashes_are_a_warning() {
    let b62 = |seed, length| random(seed, BASE62, length);
    for seed in 0..10 {
        for hash in [
            format!("$2y$10${}", b62(seed, 53)),
            format!("$2a$12${}", b62(seed, 53)),
            format!("$2b$05${}", b62(seed, 53)),
            format!("$apr1${}${}", b62(seed, 8), b62(seed, 22)),
            format!("$1${}${}", b62(seed, 8), b62(seed, 22)),
            format!("$5${}${}", b62(seed, 16), b62(seed, 43)),
            format!("$6${}${}", b62(seed, 16), b62(seed, 86)),
            format!("$6$rounds=5000${}${}", b62(seed, 16), b62(seed, 86)),
            format!("$argon2id$v=19$m=65536,t=3,p=4${}${}", b62(seed, 22), b62(seed, 43)),
            format!("{{SHA}}{}=", b62(seed, 27)),
            format!("{{SSHA}}{}", b62(seed, 32)),
        ] {
            for template in ["admin:{}", "{}", "users: [\"admin:{}\"]", "root:{}:19000:0:99999:7:::"] {
                let text = template.replace("{}", &hash);
                assert_eq!(found(&text), [("password-hash", hash.clone(), Some(Mitigation::Hash))]);
            }
        }
    }
}

#[rstest]
#[case("$2y$10$")]
#[case("$1$2$3")]
#[case("awk '{print $5$6}'")]
#[case("s/a/$1$b/")]
#[case("{SHA}")]
#[case(
    "echo $6$HOME/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)]
#[case("$argon2id")]
#[case("$y$j9T$")]
#[case("$apr1$short$hash")]
#[case("{{SHA256}}")]
fn what_begins_like_a_hash_is_not(#[case] text: &str) {
    assert_eq!(found(text), []);
}

/// Every anchor looks at a bounded part only: twice the text is twice the work.
#[test]
fn many_anchors_are_bounded() {
    for anchor in crate::carrier::ANCHORS {
        for filler in ["", "a:b@", " ", "é"] {
            let unit = format!("{}{filler}", anchor.literal);
            let text = unit.repeat(50_000 / unit.len());
            let took = super::timed(|| hits(&text).len());
            assert!(
                took < Duration::from_mins(1),
                "{:?} with {filler:?} took {took:?}",
                anchor.literal
            );
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_an_anchor_panic(parts in proptest::collection::vec((0..crate::carrier::ANCHORS.len(), "\\PC{0,12}"), 0..8)) {
        let text: String = parts.iter().flat_map(|(anchor, rest)| [crate::carrier::ANCHORS[*anchor].literal, rest]).collect();
        for hit in hits(&text) {
            proptest::prop_assert!(text.get(hit.span).is_some());
        }
    }
}
