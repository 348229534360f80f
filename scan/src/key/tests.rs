//! Every rule, by what is made for it when the test runs.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::json;

mod robust;

use super::testing;
use crate::finding::{Action, Finding, FingerprintKey};
use crate::walk::{Scanner, Settings};

/// 15 January 2027.
const NOW: i64 = 1_800_000_000;
const SEEDS: [u64; 3] = [1, 42, 7_777_777];

/// It takes a while to make, in a debug build.
static SCANNER: LazyLock<Scanner> = LazyLock::new(|| Scanner::new(Settings::default(), FingerprintKey::new([7; 32])));

/// What is found of a text in a ConfigMap, under that name.
fn found(text: &str, name: Option<&str>) -> Vec<Finding> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {name.unwrap_or("thing"): text}});
    SCANNER.scan_json(object.to_string().as_bytes(), NOW).unwrap()
}

fn denied(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.action() == Action::Deny)
}

/// What went wrong, all of it.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn note(&mut self, rule: &str, name: Option<&str>, text: &str, findings: &[Finding]) {
        let told: Vec<_> = findings
            .iter()
            .map(|finding| format!("{} {finding}", finding.rule.id))
            .collect();
        self.0.push(format!("{rule} {name:?} {told:?}\n{text}"));
    }

    fn none(&self) {
        assert!(self.0.is_empty(), "{} are wrong:\n{}", self.0.len(), self.0.join("\n"));
    }
}

#[test]
fn what_is_a_credential_is_refused_at_its_tier() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Wrong::default();
    for seed in SEEDS {
        for (rule, tier, text, name) in testing::positives(&mut StdRng::seed_from_u64(seed), NOW) {
            let findings = found(&text, name);
            // Once, and as nothing else.
            if !matches!(&findings[..], [one] if one.rule.id == rule && one.tier == tier && denied(&findings)) {
                wrong.note(rule, name, &text, &findings);
            }
            *counts.entry(rule).or_default() += 1;
        }
    }
    wrong.none();
    for rule in super::RULES {
        let count = counts.get(rule.id).copied().unwrap_or_default() / SEEDS.len();
        // What has ended is never refused.
        assert!(
            count >= 10 || rule.id == "jwt-expired",
            "{} has {count} positives",
            rule.id
        );
    }
}

#[test]
fn what_weighs_less_is_worth_a_warning() {
    let mut wrong = Wrong::default();
    for seed in SEEDS {
        for (rule, why, text, name) in testing::doubtful(&mut StdRng::seed_from_u64(seed), NOW) {
            let findings = found(&text, name);
            let as_told = |finding: &Finding| finding.rule.id == rule && finding.mitigation == Some(why);
            if denied(&findings) || !findings.iter().any(as_told) {
                wrong.note(rule, name, &text, &findings);
            }
        }
    }
    wrong.none();
}

#[test]
fn what_is_public_short_lived_or_talk_is_not_refused() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Wrong::default();
    for seed in SEEDS {
        for (rule, text, name) in testing::negatives(&mut StdRng::seed_from_u64(seed), NOW) {
            let findings = found(&text, name);
            if denied(&findings) {
                wrong.note(rule, name, &text, &findings);
            }
            *counts.entry(rule).or_default() += 1;
        }
    }
    wrong.none();
    for rule in super::RULES {
        let count = counts.get(rule.id).copied().unwrap_or_default() / SEEDS.len();
        assert!(count >= 10, "{} has {count} negatives", rule.id);
    }
}
