use countersign_scan::Mitigation;

use super::super::testing::{config_maps, finding, name};
use super::*;

/// Findings in one object, each with what becomes of it, in this order.
fn report(of: &[(Known, Action, Option<&str>)]) -> Option<Value> {
    let (kind, object) = (config_maps(), name("shop", "settings"));
    let lines = of.iter().map(|(known, action, waiver)| Line {
        kind: &kind,
        object: &object,
        uid: "u-1",
        known,
        action: *action,
        in_force: (*action).min(Action::Warn),
        waiver: waiver.map(str::to_owned),
    });
    render("shop", lines.collect())
}

fn known(pointer: &str, value: u8) -> Known {
    Known {
        finding: finding(pointer, value),
        since: 100,
    }
}

#[test]
fn without_findings_there_is_no_report() {
    assert_eq!(report(&[]), None);
}

#[test]
fn the_gravest_come_first_and_all_are_counted() {
    let report = report(&[
        (known("/data/waived", 1), Action::Audit, Some("shop/old")),
        (known("/data/warned", 2), Action::Warn, None),
        (known("/data/denied", 3), Action::Deny, None),
        (known("/data/also", 4), Action::Deny, None),
    ])
    .unwrap();
    assert_eq!(
        report["summary"],
        json!({"pass": 0, "fail": 2, "warn": 1, "error": 0, "skip": 1})
    );
    let results = report["results"].as_array().unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            (
                result["result"].as_str().unwrap(),
                result["properties"]["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("fail", "/data/denied"),
            ("fail", "/data/also"),
            ("warn", "/data/warned"),
            ("skip", "/data/waived")
        ]
    );
    assert_eq!(results[3]["properties"]["waiver"], "shop/old");
    let first = &results[0];
    assert_eq!(
        first["resources"][0],
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "settings", "namespace": "shop", "uid": "u-1"})
    );
    assert_eq!(first["policy"], countersign_scan::rules()[0].id);
    assert_eq!(first["properties"]["action"], "warn", "the namespace asks for less");
    assert_eq!(report["metadata"]["namespace"], "shop");
    assert_eq!(
        (&report["kind"], &report["source"]),
        (&json!("Report"), &json!("countersign"))
    );
}

#[test]
fn what_has_no_namespace_is_in_a_cluster_report() {
    let (kind, object, known) = (config_maps(), name("", "x"), known("/data/a", 1));
    let line = Line {
        kind: &kind,
        object: &object,
        uid: "u-1",
        known: &known,
        action: Action::Deny,
        in_force: Action::Deny,
        waiver: None,
    };
    let report = render("", vec![line]).unwrap();
    assert_eq!(report["kind"], "ClusterReport");
    assert_eq!(report["metadata"].get("namespace"), None);
    assert_eq!(report["results"][0]["resources"][0].get("namespace"), None);
}

#[test]
fn a_report_fits_into_etcd_and_says_what_it_leaves_out() {
    let long = "x".repeat(4000);
    let many: Vec<_> = (0..1500)
        .map(|at| (known(&format!("/data/{long}{at}"), 1), Action::Warn, None))
        .chain([(known("/data/denied", 3), Action::Deny, None)])
        .collect();
    let report = report(&many).unwrap();
    assert!(report.to_string().len() < 1_000_000, "{}", report.to_string().len());
    let results = report["results"].as_array().unwrap();
    assert_eq!(results[0]["result"], "fail", "what is gravest is not what is left out");
    assert_eq!(report["summary"]["warn"], 1500);
    let left_out = report["metadata"]["annotations"][LEFT_OUT].as_str().unwrap();
    assert_eq!(left_out.parse::<usize>().unwrap() + results.len(), 1501);

    let short: Vec<_> = (0..1001).map(|_| (known("/data/a", 1), Action::Warn, None)).collect();
    let report = super::tests::report(&short).unwrap();
    assert_eq!(report["results"].as_array().unwrap().len(), 1000);
    assert_eq!(report["metadata"]["annotations"][LEFT_OUT], "1");
}

#[test]
fn what_was_written_is_recognised() {
    let wanted = report(&[(known("/data/a", 1), Action::Deny, None)]).unwrap();
    let mut stored = wanted.clone();
    stored["metadata"]["resourceVersion"] = json!("7");
    stored["metadata"]["managedFields"] = json!([{"manager": "somebody"}]);
    assert_eq!(digest(&wanted), digest(&stored));
    let other = report(&[(known("/data/a", 1), Action::Warn, None)]).unwrap();
    assert_ne!(digest(&wanted), digest(&other));
    let [(mark, since)] = &marks(&stored)[..] else {
        panic!("there is one result")
    };
    assert_eq!(*since, 100);
    assert_eq!(
        (mark.kind.as_str(), mark.object.clone()),
        ("ConfigMap", name("shop", "settings"))
    );
    assert_eq!(mark.fingerprint, finding("/data/a", 1).fingerprint.to_string());
}

#[test]
fn a_mitigated_finding_is_a_warning() {
    let mut known = known("/data/a", 1);
    known.finding.mitigation = Some(Mitigation::Placeholder);
    let action = known.finding.action();
    let report = report(&[(known, action, None)]).unwrap();
    assert_eq!(
        (&report["results"][0]["result"], &report["results"][0]["severity"]),
        (&json!("warn"), &json!("low"))
    );
}
