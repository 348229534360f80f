use countersign_policy::world::ServiceFacts;
use serde_json::json;

use super::*;

const NOW: i64 = 1_790_000_000;

fn own() -> (Own, Receiver<Made>) {
    Own::new(OwnSettings {
        mesh: MeshSettings {
            trust_domain: "cluster.local".parse().unwrap(),
            root_namespace: "istio-system".to_owned(),
        },
        refuse_unknown_issuer: true,
        longest_waiver: 90 * 86_400,
    })
}

fn review(kind: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut request = json!({
        "uid": "1", "kind": {"group": GROUP, "version": "v1alpha1", "kind": kind},
        "resource": {"group": GROUP, "version": "v1alpha1", "resource": "any"},
        "name": "p", "namespace": "shop", "operation": "CREATE", "userInfo": {"username": "anna"},
    });
    change(&mut request);
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
        .to_string()
        .into_bytes()
}

fn policy(sensitivity: &str) -> Value {
    json!({"spec": {
        "targetRefs": [{"kind": "Service", "name": "payments"}], "sensitivity": sensitivity,
        "credentials": {"mutualTls": {}}, "rules": [{"name": "all", "callers": [{"anyAuthenticated": true}]}],
    }})
}

/// The Service `payments` of namespace `shop`.
fn shop() -> Others {
    let mut gathered = Gathered::default();
    let facts = ServiceFacts {
        selector: [("app".to_owned(), "payments".to_owned())].into(),
        waypoint: None,
    };
    gathered.map.services.insert(ObjectName::new("shop", "payments"), facts);
    Others::Read(Box::new(gathered))
}

fn judged(body: &[u8], others: &Others) -> Verdict {
    let now = Timestamp::from_second(NOW).unwrap();
    own().0.judge(&Request::parse(body).unwrap(), others, now)
}

#[test]
fn a_policy_is_seen_with_the_others() {
    let created = |sensitivity: &str| review("ApiAuthPolicy", |request| request["object"] = policy(sensitivity));
    assert_eq!(judged(&created("Internal"), &shop()), Verdict::allowed());
    let alone = judged(&created("Internal"), &Others::Read(Box::default()));
    assert_eq!(alone.denial, None);
    assert!(alone.warnings[0].contains("payments"), "{:?}", alone.warnings);
    let message = judged(&created("Secret"), &shop()).denial.unwrap().message;
    assert!(
        message.contains("ApiAuthPolicy `shop/p` is not accepted") && message.contains("spec.sensitivity"),
        "{message}"
    );
}

#[test]
fn a_client_is_seen_with_its_issuer_and_with_the_time() {
    let issuer = json!({"managed": {
        "issuer": "https://tokens.example", "audiences": [{"audience": "a", "sensitivity": "Internal"}],
    }});
    let mut gathered = Gathered::default();
    let parsed = countersign_policy::parse::token_issuer("tokens", &issuer, &Value::Null);
    gathered.map.token_issuers.insert("tokens".to_owned(), parsed);
    let others = Others::Read(Box::new(gathered));
    let hash = format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
    let created = |audience: &str, days: i64| {
        let end = Timestamp::from_second(NOW + days * 86_400).unwrap().to_string();
        let spec = json!({
            "issuer": "tokens", "grants": ["ClientCredentials"], "audiences": [{"audience": audience}],
            "authentication": {"clientSecret": {"hashes": [{"hash": hash, "notAfter": end}]}},
        });
        let body = review("TokenClient", |request| request["object"] = json!({ "spec": spec }));
        judged(&body, &others)
    };
    assert_eq!(created("a", 90), Verdict::allowed());
    let unknown = created("b", 90).denial.unwrap().message;
    assert!(
        unknown.contains("TokenClient `shop/p` is not accepted: spec.audiences[b]"),
        "{unknown}"
    );
    let far = created("a", 400).denial.unwrap().message;
    assert!(
        far.contains("more than a year away") && !far.contains("argon2id"),
        "{far}"
    );
}

#[test]
fn what_cannot_be_judged_does_not_get_in() {
    let others = Others::NotRead("services: it did not answer".to_owned());
    let denial = judged(
        &review("ApiAuthPolicy", |request| request["object"] = policy("Internal")),
        &others,
    )
    .denial;
    let denial = denial.unwrap();
    assert_eq!(denial.reason, Reason::Unavailable);
    assert!(
        denial.message.contains("services: it did not answer"),
        "{}",
        denial.message
    );
    let unchanged = review("ApiAuthPolicy", |request| {
        request["operation"] = json!("UPDATE");
        request["object"] = policy("Internal");
        request["oldObject"] = policy("Internal");
    });
    assert_eq!(
        judged(&unchanged, &others),
        Verdict::allowed(),
        "nothing is needed to judge it"
    );
}

#[test]
fn a_status_and_foreign_kinds_pass() {
    let status = review("ApiAuthPolicy", |request| {
        request["subResource"] = json!("status");
        request["object"] = policy("Secret");
    });
    assert_eq!(judged(&status, &shop()), Verdict::allowed());
    let foreign = review("ApiAuthPolicy", |request| {
        request["kind"]["group"] = json!("example.com");
        request["object"] = policy("Secret");
    });
    assert_eq!(judged(&foreign, &shop()), Verdict::allowed());
}

#[test]
fn a_waiver_is_told_of_unless_nothing_is_kept() {
    let (own, mut told) = own();
    let created = |dry_run: bool| {
        review(WAIVER, |request| {
            request["dryRun"] = json!(dry_run);
            request["object"] = json!({
                "metadata": {"name": "p", "namespace": "shop", "uid": "u-1"},
                "spec": {
                    "object": {"kind": "ConfigMap", "name": "settings"}, "rule": countersign_scan::rules()[0].id,
                    "fields": ["/data/password"], "reason": "until the secret store is there",
                    "expires": Timestamp::from_second(NOW + 86_400).unwrap().to_string(),
                },
            });
        })
    };
    let now = Timestamp::from_second(NOW).unwrap();
    for (dry_run, expected) in [(true, false), (false, true)] {
        let body = created(dry_run);
        let verdict = own.judge(&Request::parse(&body).unwrap(), &shop(), now);
        assert_eq!(verdict.denial, None);
        assert_eq!(told.try_recv().is_ok(), expected, "dry run: {dry_run}");
    }
}
