use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::finding::{Action, Lifetime, Mitigation, Tier};

/// 2026-01-01T00:00:00Z
const NOW: i64 = 1_767_225_600;

fn scanner(settings: Settings) -> Scanner {
    Scanner::new(settings, FingerprintKey::new([7; 32]))
}

fn scan(object: &Value) -> Vec<Finding> {
    scanner(Settings::default())
        .scan_json(object.to_string().as_bytes(), NOW)
        .unwrap()
}

/// What was found, as `location: rule`.
fn found(object: &Value) -> Vec<String> {
    scan(object)
        .iter()
        .map(|finding| format!("{}: {}", finding.location, finding.rule.id))
        .collect()
}

fn pod(volume: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "v", "projected": {"sources": [volume]}}]}})
}

#[rstest]
#[case(3600, None)]
#[case(3607, None)]
#[case(86_400, None)]
#[case(86_401, Some(86_401))]
#[case(31_536_000, Some(31_536_000))]
fn a_mounted_token_has_a_longest_life(#[case] seconds: i64, #[case] found: Option<i64>) {
    let findings = scan(&pod(
        &json!({"serviceAccountToken": {"path": "token", "expirationSeconds": seconds}}),
    ));
    assert_eq!(
        findings.first().and_then(|finding| finding.lifetime),
        found.map(Lifetime::Seconds)
    );
    for finding in findings {
        assert_eq!(
            finding.location.pointer,
            "/spec/volumes/0/projected/sources/0/serviceAccountToken/expirationSeconds"
        );
        assert_eq!((finding.tier, finding.action()), (Tier::Proven, Action::Deny));
    }
}

#[test]
fn the_default_life_passes_under_any_limit() {
    let limits = Limits {
        service_account_token: 600,
        ..Limits::default()
    };
    let strict = scanner(Settings {
        limits,
        ..Settings::default()
    });
    let object = |seconds| pod(&json!({"serviceAccountToken": {"expirationSeconds": seconds}})).to_string();
    assert_eq!(strict.scan_json(object(3607).as_bytes(), NOW).unwrap(), []);
    assert_eq!(strict.scan_json(object(3608).as_bytes(), NOW).unwrap().len(), 1);
}

#[test]
fn a_secret_for_an_endless_token_is_found_although_it_is_empty() {
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "ci", "annotations": {"kubernetes.io/service-account.name": "ci"}},
    });
    let findings = scan(&object);
    assert_eq!(found(&object), ["/type: service-account-token-secret"]);
    assert_eq!(findings[0].lifetime, Some(Lifetime::Endless));
}

#[rstest]
#[case::token_request(json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
    "spec": {"audiences": ["a"], "expirationSeconds": 31_536_000}}), "/spec/expirationSeconds: token-request-long-lived")]
#[case::certificate_request(json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
    "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": 31_536_000}}),
    "/spec/expirationSeconds: certificate-request-long-lived")]
#[case::annotation(json!({"apiVersion": "v1", "kind": "ServiceAccount",
    "metadata": {"annotations": {"eks.amazonaws.com/token-expiration": "172800"}}}),
    "/metadata/annotations/eks.amazonaws.com~1token-expiration: token-annotation-long-lived")]
#[case::csi_driver(json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
    "spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 172_800}]}}),
    "/spec/tokenRequests/0/expirationSeconds: projected-token-long-lived")]
fn lives_that_are_asked_for_have_limits(#[case] object: Value, #[case] expected: &str) {
    assert_eq!(found(&object), [expected]);
    assert_eq!(scan(&object)[0].action(), Action::Deny);
    let shorter = object.to_string().replace("31536000", "3600").replace("172800", "3600");
    assert_eq!(found(&serde_json::from_str(&shorter).unwrap()), Vec::<String>::new());
}

#[test]
fn a_certificate_request_that_leaves_its_life_to_the_signer_is_warned_of() {
    let object = |signer| json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "spec": {"signerName": signer}});
    let findings = scan(&object("kubernetes.io/kube-apiserver-client"));
    assert_eq!(findings[0].action(), Action::Warn);
    assert_eq!(scan(&object("kubernetes.io/kube-apiserver-client-kubelet")), []);
}

#[rstest]
#[case::endless(None, Some((Some(Lifetime::Endless), None)))]
#[case::within_a_day(Some("2026-01-01T20:00:00Z"), None)]
#[case::too_far(Some("2026-01-03T00:00:00Z"), Some((Some(Lifetime::Seconds(172_800)), None)))]
#[case::over(Some("2025-12-31T00:00:00Z"), Some((None, Some(Mitigation::Expired))))]
fn a_bootstrap_token_must_end_soon(
    #[case] expiration: Option<&str>,
    #[case] expected: Option<(Option<Lifetime>, Option<Mitigation>)>,
) {
    for field in ["stringData", "data"] {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token", (field): {"usage-bootstrap-signing": "true"},
        });
        let entry = expiration.map(|text| {
            if field == "data" {
                STANDARD.encode(text)
            } else {
                text.to_owned()
            }
        });
        if let Some(entry) = entry {
            object[field]["expiration"] = json!(entry);
        }
        let findings = scan(&object);
        let got = findings.first().map(|finding| (finding.lifetime, finding.mitigation));
        assert_eq!(got, expected, "{field}");
    }
}

#[test]
fn a_registry_password_is_found_where_docker_keeps_it() {
    let config = json!({"auths": {"registry.example": {"auth": STANDARD.encode("robot:s3same-open")}}}).to_string();
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": STANDARD.encode(config)},
    });
    assert_eq!(
        found(&object),
        ["/data/.dockerconfigjson → base64 → json → auths[\"registry.example\"].auth: registry-credential"]
    );
}

#[test]
fn all_values_of_a_secret_can_be_forbidden() {
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "data": {"colour": STANDARD.encode("blue"), "empty": ""}});
    assert_eq!(found(&object), Vec::<String>::new());
    let strict = scanner(Settings {
        forbid_literal_secrets: true,
        ..Settings::default()
    });
    let findings = strict.scan_json(object.to_string().as_bytes(), NOW).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].location.to_string(), findings[0].rule.id),
        ("/data/colour".to_owned(), "literal-secret-value")
    );
}

#[test]
fn an_update_is_judged_by_what_it_adds() {
    let with = |seconds: &[i64]| {
        let sources: Vec<Value> = seconds
            .iter()
            .map(|life| json!({"serviceAccountToken": {"expirationSeconds": life}}))
            .collect();
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"projected": {"sources": sources}}]}})
            .to_string()
    };
    let scanner = scanner(Settings::default());
    let new = |old: &[i64], new: &[i64]| {
        let (old, new) = (with(old), with(new));
        let (old, new) = (read_json(old.as_bytes()).unwrap(), read_json(new.as_bytes()).unwrap());
        scanner.scan_update(&old, &new, NOW).len()
    };
    assert_eq!(new(&[200_000], &[200_000]), 0, "old debt");
    assert_eq!(new(&[3600, 200_000], &[200_000, 3600]), 0, "moved");
    assert_eq!(new(&[200_000], &[200_000, 200_000]), 1, "once more");
    assert_eq!(new(&[200_000], &[300_000]), 1, "another");
}

#[test]
fn lists_are_judged_item_by_item() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"});
    let list =
        json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap"}, secret]});
    assert_eq!(found(&list), ["/items/1/type: service-account-token-secret"]);
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let mut text = "nothing to see here, nothing at all".to_owned();
    for _ in 0..10 {
        text = STANDARD.encode(text);
    }
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"doll": text}});
    let findings = scan(&object);
    assert_eq!(findings[0].rule.id, "too-deep");
    assert_eq!(findings[0].action(), Action::Deny);
}

#[test]
fn an_update_cannot_put_another_value_where_none_can_be_looked_into() {
    let scanner = scanner(Settings::default());
    let with = |inner: &[&str]| {
        let dolls = inner.iter().map(|text| {
            let doll = (0..10).fold((*text).to_owned(), |text, _| STANDARD.encode(text));
            (format!("doll-{}", &text[..3]), json!(doll))
        });
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": Value::Object(dolls.collect())}).to_string()
    };
    let new = |old: &[&str], new: &[&str]| {
        let (old, new) = (with(old), with(new));
        let (old, new) = (read_json(old.as_bytes()).unwrap(), read_json(new.as_bytes()).unwrap());
        scanner.scan_update(&old, &new, NOW).len()
    };
    assert_eq!(new(&["one and nothing else"], &["one and nothing else"]), 0);
    assert_eq!(new(&["one and nothing else"], &["one and another one"]), 1);
    let second = ["one and nothing else", "two and nothing else"];
    assert_eq!(new(&second[..1], &second), 1);
}

#[test]
fn a_flag_and_its_value_are_found_once_wherever_the_list_is() {
    for object in [
        json!({"name": "a", "command": ["run", "--password", "opensesame"]}),
        json!({"name": "a", "command": ["run"], "args": ["--password", "opensesame"]}),
        json!({"name": "a", "command": ["run", "--password"], "args": ["opensesame"]}),
        json!({"name": "a", "args": ["--password", "opensesame", 1]}),
        json!({"name": "a", "extraArgs": ["--password", "opensesame"]}),
    ] {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [object]}});
        let found = found(&pod);
        assert_eq!(found.len(), 1, "{pod}: {found:?}");
    }
}

#[test]
fn what_is_no_json_is_an_error_that_shows_nothing_of_it() {
    let error = scanner(Settings::default())
        .scan_json(b"{\"a\":\n hunter2}", NOW)
        .unwrap_err();
    assert_eq!(error.to_string(), "not JSON that can be read, at line 2 column 2");
    assert!(
        scanner(Settings::default())
            .scan_json(b"{\"a\": \"\xff\"}", NOW)
            .is_err()
    );
    let deep = "[".repeat(100_000);
    assert!(scanner(Settings::default()).scan_json(deep.as_bytes(), NOW).is_err());
}

#[test]
fn objects_within_objects_are_judged_by_their_kind() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"});
    let work = json!({"apiVersion": "work.example/v1", "kind": "Work", "spec": {"manifests": [secret]}});
    assert_eq!(found(&work), ["/spec/manifests/0/type: service-account-token-secret"]);
}

#[test]
fn only_the_object_of_the_api_server_has_a_status_that_need_not_be_judged() {
    let with = |field: &str| {
        let mut object = json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": "a"}});
        object[field] = json!({"adminPassword": "opensesame"});
        object
    };
    assert_eq!(found(&with("status")), Vec::<String>::new());
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [with("status")]});
    assert_eq!(found(&list), Vec::<String>::new());
    for (field, pointer) in [
        ("status", "/spec/template/status/adminPassword"),
        ("metadata", "/spec/template/metadata/adminPassword"),
    ] {
        let work = json!({"apiVersion": "work.example/v1", "kind": "Work", "spec": {"template": with(field)}});
        assert_eq!(found(&work), [format!("{pointer}: literal-password")]);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"object": with(field).to_string()}});
        let expected = format!("/data/object → json → {field}.adminPassword: literal-password");
        assert_eq!(found(&map), [expected]);
    }
}

#[rstest]
#[case::member(
    "yaml",
    "db:\n  adminPassword:\n    value: opensesame-77\n",
    Some("db.adminPassword.value")
)]
#[case::literal_block("yaml", "db:\n  password: |\n    opensesame-77\n", Some("db.password"))]
#[case::folded_block("yaml", "db:\n  password: >-\n    opensesame-77\n", Some("db.password"))]
#[case::next_line("yaml", "password:\n  opensesame-77\n", Some("password"))]
#[case::tag("yaml", "password: !!str\n  opensesame-77\n", Some("password"))]
#[case::flow(
    "yaml",
    "db: {adminPassword: {value: opensesame-77}}\n",
    Some("db.adminPassword.value")
)]
#[case::anchor("yaml", "db:\n  password: &p |\n    opensesame-77\n", Some("db.password"))]
#[case::explicit_key("yaml", "? password\n: opensesame-77\n", Some("password"))]
#[case::quoted(
    "yaml",
    "\"adminPassword\" :   # the old one\n  plaintext: opensesame-77\n",
    Some("adminPassword.plaintext")
)]
#[case::dotted(
    "yaml",
    "spring.datasource.password: |\n  opensesame-77\n",
    Some("[\"spring.datasource.password\"]")
)]
#[case::policy("yaml", "passwordPolicy:\n  minLength: 12\n", None)]
#[case::reference("yaml", "password:\n  secretRef: {name: a, key: b}\n", None)]
#[case::empty_block("yaml", "adminPassword: |\n", None)]
#[case::table("toml", "[adminPassword]\nvalue = \"opensesame-77\"\n", Some("adminPassword.value"))]
#[case::no_value("toml", "[adminPassword]\nlength = 12\n", None)]
fn what_a_name_stands_for_may_begin_in_the_next_line(
    #[case] format: &str,
    #[case] file: &str,
    #[case] field: Option<&str>,
) {
    let name = format!("config.{format}");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {(&name): file}});
    let expected: Vec<String> = field
        .map(|field| format!("/data/{name} → {format} → {field}: literal-password"))
        .into_iter()
        .collect();
    assert_eq!(found(&map), expected);
}

#[test]
fn a_crowd_of_warnings_does_not_hide_what_denies() {
    let crowd: Vec<Value> = (0..3000)
        .map(|n| json!({"name": format!("A{n}_PASSWORD"), "value": format!("CHANGEME{n}")}))
        .collect();
    let mut containers = vec![json!({"name": "crowd", "env": crowd})];
    containers.push(json!({"name": "last", "env": [{"name": "DB_PASSWORD", "value": "opensesame"}]}));
    let object = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}});
    let denied = scan(&object)
        .into_iter()
        .find(|finding| finding.action() == Action::Deny)
        .unwrap();
    assert_eq!(denied.location.pointer, "/spec/containers/1/env/0/value");
}

/// A `TokenClient` with keys, thumbprints and hashes: one way to authenticate too many, but each where it belongs.
fn token_client() -> Value {
    let bytes = |seed: u8| -> Vec<u8> { (0..32).map(|at: u8| at.wrapping_mul(37).wrapping_add(seed)).collect() };
    let text = |seed| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes(seed));
    let jwks = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": text(1), "x": text(3), "y": text(5), "use": "sig", "alg": "ES256"},
        {"kty": "RSA", "kid": "r", "n": base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes(7).repeat(8)), "e": "AQAB"},
    ]});
    json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "TokenClient", "metadata": {"name": "acme", "namespace": "partners"},
        "spec": {"authentication": {
            "privateKeyJwt": {"jwks": jwks.to_string()},
            "mutualTls": {"thumbprints": [text(9)]},
            "clientSecret": {"hashes": [{"hash": hash(), "notAfter": "2026-06-01T00:00:00Z"}]},
        }},
    })
}

fn hash() -> String {
    let bytes: Vec<u8> = (0..32).map(|at: u8| at.wrapping_mul(91)).collect();
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    format!(
        "$argon2id$v=19$m=19456,t=2,p=1${}${}",
        base64(&bytes[..16]),
        base64(&bytes)
    )
}

#[test]
fn a_token_client_holds_public_keys_and_hashes_by_design() {
    let mut client = token_client();
    assert_eq!(found(&client), [""; 0]);
    client["metadata"]["annotations"] = json!({
        "kubectl.kubernetes.io/last-applied-configuration": token_client().to_string(),
    });
    assert_eq!(found(&client), [""; 0], "nor in the copy that kubectl makes");
}

#[rstest]
#[case::elsewhere("/spec/authentication/clientSecret/hash", json!(hash()))]
#[case::another_hash("/spec/authentication/clientSecret/hashes/0/hash", json!(format!("$2b$12${}", "aB3dE6gH9".repeat(6))))]
#[case::in_another_member("/spec/authentication/clientSecret/hashes/0/note", json!(hash()))]
#[case::private_key(
    "/spec/authentication/privateKeyJwt/jwks",
    json!(r#"{"keys":[{"kty":"EC","crv":"P-256","x":"QQ","y":"QQ","d":"qyZQ8jR1vT3xW5zA7cE9gK0mN2pS4uV6yB8dF1hJ3kM"}]}"#)
)]
fn anything_else_in_a_token_client_is_told_of(#[case] pointer: &str, #[case] value: Value) {
    let mut client = token_client();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    client.pointer_mut(parent).unwrap()[member] = value;
    let [finding] = &found(&client)[..] else {
        panic!("{:?} is not one finding", found(&client));
    };
    assert!(finding.starts_with(pointer), "{finding}");
}

#[test]
fn a_hash_in_a_kind_of_the_same_name_is_told_of() {
    let mut other = token_client();
    other["apiVersion"] = json!("example.com/v1");
    assert_eq!(found(&other).len(), 1);
}
