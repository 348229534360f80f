use kube::core::DynamicObject;
use serde_json::{Value, json};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn entry(name: &str, spec: &Value, status: &Value) -> Entry {
    let metadata = json!({
        "namespace": "shop", "name": name, "uid": name, "generation": 3, "creationTimestamp": "2026-11-24T10:00:00Z",
    });
    let object = json!({"metadata": metadata, "spec": spec, "status": status});
    Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap())
}

fn summary(entries: &[&Entry], secret: Option<&SecretState>) -> Summary {
    let mut index = Index::new("example.org".parse().unwrap());
    for entry in entries {
        index.insert((*entry).clone());
    }
    index.listed(|_| true);
    summarize(&index, entries[0], secret, now())
}

fn issued(by: &str, serial: &str, issued_at: &str, not_after: &str, live: i64, delivery: &str) -> Value {
    json!({"by": by, "serialNumber": serial, "issuedAt": issued_at, "notAfter": not_after, "live": live, "delivery": [delivery]})
}

fn api() -> Value {
    json!({"serviceAccountName": "api"})
}

fn reasons(summary: &Summary) -> Vec<(&str, &str, &str)> {
    let conditions = summary.status.conditions.iter();
    conditions
        .map(|condition| {
            (
                condition.type_.as_str(),
                condition.status.as_str(),
                condition.reason.as_str(),
            )
        })
        .collect()
}

#[test]
fn what_the_replicas_issued_is_added_up() {
    let status = json!({"issued": [
        issued("a", "01", "2026-11-24T11:00:00Z", "2026-11-24T20:00:00Z", 2, "IstioCA"),
        issued("b", "02", "2026-11-24T11:30:00Z", "2026-11-24T13:00:00Z", 3, "PodCertificate"),
        issued("gone", "03", "2026-11-23T11:30:00Z", "2026-11-24T12:00:00Z", 9, "WorkloadAPI"),
    ]});
    let summary = summary(&[&entry("one", &api(), &status)], None);
    assert_eq!(summary.status.live, Some(5));
    assert_eq!(summary.status.delivery, [Delivery::PodCertificate, Delivery::IstioCa]);
    // The newest, not the one that lives longest.
    assert_eq!(summary.status.certificate.as_ref().unwrap().serial_number, "02");
    assert_eq!(summary.end(), Some("2026-11-24T13:00:00Z".parse().unwrap()));
    assert_eq!(summary.expired, ["gone"]);
    assert_eq!(
        reasons(&summary),
        [("Issued", "True", "Issued"), ("KeyAtRest", "False", "NoSecret")]
    );
}

#[test]
fn what_is_said_already_is_not_written_again() {
    let mut object = entry(
        "one",
        &api(),
        &json!({"issued": [issued("a", "01", "2026-11-24T11:00:00Z", "2026-11-24T20:00:00Z", 2, "IstioCA")]}),
    );
    let first = summary(&[&object], None);
    assert!(first.differs);
    let issued = std::mem::take(&mut object.status.issued);
    object.status = ServiceIdentityStatus {
        issued,
        ..first.status.clone()
    };
    // What the operator says is no concern.
    object.status.spiffe_id = Some("spiffe://example.org/ns/shop/sa/api".into());
    assert!(!summary(&[&object], None).differs);
    object.meta.generation = 4;
    let next = summary(&[&object], None);
    assert!(next.differs);
    assert_eq!(next.status.conditions[0].last_transition_time, Time(now()));
}

#[test]
fn a_fresh_object_is_told_that_nothing_is_live() {
    let summary = summary(&[&entry("one", &api(), &Value::Null)], None);
    assert_eq!((summary.status.live, summary.end()), (Some(0), None));
    assert_eq!(reasons(&summary)[0], ("Issued", "False", "NoneLive"));
}

#[test]
fn conflicts_mistakes_and_secrets_are_said() {
    let (b, a) = (entry("b", &api(), &Value::Null), entry("a", &api(), &Value::Null));
    assert_eq!(reasons(&summary(&[&b, &a], None))[0], ("Issued", "False", "Conflicted"));
    let wrong = entry("a", &json!({"serviceAccountName": "api", "typo": 1}), &Value::Null);
    assert_eq!(reasons(&summary(&[&wrong], None))[0], ("Issued", "False", "Invalid"));
    let written = SecretState::Written { name: "tls".into() };
    assert_eq!(
        reasons(&summary(&[&a], Some(&written)))[1],
        ("KeyAtRest", "True", "Secret")
    );
    let failed = SecretState::Failed {
        reason: "SecretNotOwned",
        message: "x".into(),
    };
    assert_eq!(
        reasons(&summary(&[&a], Some(&failed)))[1],
        ("KeyAtRest", "False", "SecretNotOwned")
    );
}

#[test]
fn a_new_leader_takes_nothing_back_before_it_has_looked() {
    let spec = json!({"serviceAccountName": "api", "delivery": ["Secret"], "secretName": "tls"});
    let mut object = entry("one", &spec, &Value::Null);
    assert_eq!(
        reasons(&summary(&[&object], None))[1],
        ("KeyAtRest", "False", "SecretPending")
    );
    let written = SecretState::Written { name: "tls".into() };
    object.status = summary(&[&object], Some(&written)).status;
    assert_eq!(reasons(&summary(&[&object], None))[1], ("KeyAtRest", "True", "Secret"));
}
