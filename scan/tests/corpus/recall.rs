//! Every rule finds what it is for, wherever that stands; and what only looks like it is let in.

use std::collections::{BTreeMap, BTreeSet};

use crate::carriers::{self, Carried};
use crate::{NOW, doubtful, found, negatives, positives, rng, scanner, structure};
use countersign_scan::{Action, Finding, FingerprintKey, Limits, Mitigation, Scanner, Settings, Tier, rule, rules};

/// How often everything is drawn anew.
const ROUNDS: u64 = 10;
/// Rules that never refuse: what they find is worth a warning.
const WARNINGS: &[&str] = &[
    "service-account-secrets",
    "random-value",
    "password-hash",
    "jwt-expired",
];

/// What is not found, and why that is accepted: a certificate is public, and in a line under a harmless name nothing says
/// that it is one.
const ACCEPTED: &[&str] = &["certificate-long-lived"];
/// What is let in from every carrier in the first round.
const EVERYWHERE_HARMLESS: &[&str] = &["a reference", "a fact", "an identifier"];
/// What may be taken apart before it is seen as a whole, and is found by the names of its parts.
const PARTS: &[&str] = &["connection-string-key", "connection-string-password", "elastic-api-key"];
/// How many texts of a rule are looked at in each round.
const MOST: usize = 4;
/// How many texts of a rule are put into every carrier. The others are put into one.
const EVERYWHERE: usize = 2;

#[test]
fn every_credential_is_found_in_every_carrier() {
    let scanner = scanner();
    let mut missed = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, (id, tier, text, name)) in positives(round).into_iter().enumerate() {
            let carried = carriers::all(name, &text);
            let count = seen.entry(id).or_default();
            *count += 1;
            if *count > MOST {
                continue;
            }
            let everywhere = round == 0 && *count <= EVERYWHERE;
            let chosen = (number + usize::try_from(round).unwrap()) % carried.len();
            for (index, carried) in carried.iter().enumerate() {
                // What is escaped twice, once by what it stands in, is not looked through.
                let accepted = ACCEPTED.contains(&id) && carried.in_a_line || text.contains("\\u0026");
                if (everywhere || index == chosen) && !accepted && !is_found(&scanner, carried, id, tier) {
                    let found = ids(&found(&scanner, &carried.object));
                    missed.insert(format!("{id} ({name:?}) in {}: {found:?}", carried.carrier));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{} are missed:\n{}", missed.len(), list(&missed));
}

fn is_found(scanner: &Scanner, carried: &Carried, id: &str, tier: Tier) -> bool {
    found(scanner, &carried.object).iter().any(|finding| {
        let parts = PARTS.contains(&id) && finding.rule.id.starts_with("literal-");
        (parts || finding.rule.id == id && finding.tier <= tier)
            && (finding.action() == Action::Deny || WARNINGS.contains(&id))
            && finding.location.pointer == carried.pointer
    })
}

#[test]
fn every_structure_is_judged() {
    let scanner = scanner();
    for round in 0..ROUNDS {
        for (id, object) in structure::positives(&mut rng(round), NOW) {
            let findings = found(&scanner, &object);
            let wanted = |finding: &&Finding| finding.rule.id == id;
            let finding = findings.iter().find(wanted);
            let finding = finding.unwrap_or_else(|| panic!("{id} is missed, found {:?}", ids(&findings)));
            let expected = if WARNINGS.contains(&id) {
                Action::Warn
            } else {
                Action::Deny
            };
            assert_eq!(finding.action(), expected, "{id}");
        }
        for (id, object) in structure::negatives(&mut rng(round), NOW) {
            let findings = found(&scanner, &object);
            let denied = findings.iter().filter(|finding| finding.action() == Action::Deny);
            assert_eq!(denied.count(), 0, "{id}: {findings:?}");
        }
    }
}

/// Rules that find only what settings ask for.
#[test]
fn settings_ask_for_more() {
    let settings = Settings {
        limits: Limits {
            token: 600,
            ..Limits::default()
        },
        forbid_literal_secrets: true,
    };
    let strict = Scanner::new(settings, FingerprintKey::new([7; 32]));
    for round in 0..ROUNDS {
        for (id, object) in structure::asked_for(&mut rng(round)) {
            let is_it = |finding: &Finding| finding.rule.id == id;
            assert!(found(&strict, &object).iter().any(is_it), "{id}");
            assert!(
                !found(&scanner(), &object).iter().any(is_it),
                "{id} without being asked for"
            );
        }
    }
}

#[test]
fn what_is_doubtful_is_worth_a_warning() {
    let scanner = scanner();
    for round in 0..ROUNDS {
        for (id, mitigation, text, name) in doubtful(round) {
            for carried in [
                carriers::env(name.unwrap_or("setting"), &text),
                carriers::string_data(name.unwrap_or("setting"), &text),
            ] {
                let findings = found(&scanner, &carried.object);
                let is_it = |finding: &Finding| finding.rule.id == id && finding.mitigation == Some(mitigation);
                assert!(findings.iter().any(is_it), "{id}, {mitigation}: {:?}", ids(&findings));
                assert!(!is_denied(&findings), "{id}, {mitigation}: {:?}", ids(&findings));
            }
        }
    }
}

#[test]
fn what_is_no_credential_is_let_in_from_every_carrier() {
    let scanner = scanner();
    let mut denied = BTreeSet::new();
    for round in 0..ROUNDS {
        for (number, (id, text, name)) in negatives(round).into_iter().enumerate() {
            let carried = carriers::all(name, &text);
            let chosen = (number + usize::try_from(round).unwrap()) % carried.len();
            for (index, carried) in carried.iter().enumerate() {
                if index != chosen && (round > 0 || !EVERYWHERE_HARMLESS.contains(&id)) {
                    continue;
                }
                let findings = found(&scanner, &carried.object);
                if is_denied(&findings) {
                    denied.insert(format!(
                        "{id} ({name:?}: {text:.60}) in {}: {:?}",
                        carried.carrier,
                        ids(&findings)
                    ));
                }
            }
        }
    }
    assert!(denied.is_empty(), "{} are denied:\n{}", denied.len(), list(&denied));
}

#[test]
fn every_rule_has_ten_positives() {
    let mut counts: BTreeMap<&str, usize> = rules().iter().map(|rule| (rule.id, 0)).collect();
    for round in 0..ROUNDS {
        let mut source = rng(round);
        let of_texts = positives(round).into_iter().map(|(id, ..)| id);
        let of_doubts = doubtful(round).into_iter().map(|(id, ..)| id);
        let of_objects = structure::positives(&mut source, NOW)
            .into_iter()
            .chain(structure::asked_for(&mut source));
        for id in of_texts.chain(of_doubts).chain(of_objects.map(|(id, _)| id)) {
            assert!(rule(id).is_some(), "no rule is called {id}");
            *counts.entry(id).or_default() += 1;
        }
    }
    counts.retain(|_, count| *count < 10);
    assert!(counts.is_empty(), "too few positives: {counts:?}");
}

fn is_denied(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.action() == Action::Deny)
}

fn ids(findings: &[Finding]) -> Vec<(&'static str, Tier, Option<Mitigation>, String)> {
    findings
        .iter()
        .map(|finding| {
            (
                finding.rule.id,
                finding.tier,
                finding.mitigation,
                finding.location.to_string(),
            )
        })
        .collect()
}

fn list(lines: &BTreeSet<String>) -> String {
    let lines: Vec<&str> = lines.iter().take(60).map(String::as_str).collect();
    lines.join("\n")
}
