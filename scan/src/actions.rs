//! What becomes of a finding, by rule and by namespace.

use serde::Deserialize;

use crate::finding::{Action, Finding, Tier};

/// Exceptions from what a finding's own weight says. The first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Actions(Vec<ActionRule>);

/// One exception.
///
/// Where it names rules or tiers, its action is what is done. Where it names neither, its action is the most that is
/// done: a namespace that is set to `deny` does not get its warnings denied.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionRule {
    /// The rules that it is about, by name; `*` at the end stands for the rest of a name. Empty: all.
    #[serde(default)]
    pub rules: Vec<String>,
    /// The tiers that it is about. Empty: all.
    #[serde(default)]
    pub tiers: Vec<Tier>,
    /// The namespaces that it is about, written like rules; `""` is what has no namespace. Empty: all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// What is done.
    pub action: Action,
}

impl Actions {
    /// Takes exceptions in their order.
    pub fn new(rules: Vec<ActionRule>) -> Self {
        Self(rules)
    }

    /// What becomes of a finding in an object of a namespace.
    pub fn of(&self, finding: &Finding, namespace: &str) -> Action {
        let usual = finding.action();
        match self.0.iter().find(|rule| rule.fits(finding, namespace)) {
            Some(rule) if rule.rules.is_empty() && rule.tiers.is_empty() => usual.min(rule.action),
            Some(rule) => rule.action,
            None => usual,
        }
    }

    /// Names of rules that no rule has: mistyped, most likely.
    pub fn unknown_rules(&self) -> Vec<&str> {
        let known = crate::rules();
        let named = self.0.iter().flat_map(|rule| &rule.rules);
        let unknown = named.filter(|pattern| !known.iter().any(|rule| fits(pattern, rule.id)));
        unknown.map(String::as_str).collect()
    }
}

impl ActionRule {
    fn fits(&self, finding: &Finding, namespace: &str) -> bool {
        let any = |patterns: &[String], name| patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, name));
        any(&self.rules, finding.rule.id)
            && any(&self.namespaces, namespace)
            && (self.tiers.is_empty() || self.tiers.contains(&finding.tier))
    }
}

/// Whether a name is what a pattern says: the whole name, or its beginning before `*`.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::finding::{FingerprintKey, Location, Mitigation};
    use crate::rule::{Remedy, Rule};

    static RULE: Rule = Rule {
        id: "some-token",
        title: "a token of some service",
        remedy: Remedy::ExternalSecret,
    };

    fn finding(tier: Tier, mitigation: Option<Mitigation>) -> Finding {
        Finding {
            location: Location {
                pointer: "/data/a".to_owned(),
                steps: Vec::new(),
            },
            rule: &RULE,
            tier,
            mitigation,
            lifetime: None,
            fingerprint: FingerprintKey::new([7; 32]).fingerprint(b"value"),
        }
    }

    #[rstest]
    #[case::nothing_said("[]", Tier::Shaped, "a", Action::Deny)]
    #[case::by_rule("[{rules: [some-token], action: audit}]", Tier::Shaped, "a", Action::Audit)]
    #[case::by_beginning("[{rules: ['some-*'], action: warn}]", Tier::Shaped, "a", Action::Warn)]
    #[case::another_rule("[{rules: [some], action: warn}]", Tier::Shaped, "a", Action::Deny)]
    #[case::by_namespace("[{namespaces: ['dev-*'], action: warn}]", Tier::Shaped, "dev-a", Action::Warn)]
    #[case::another_namespace("[{namespaces: ['dev-*'], action: warn}]", Tier::Shaped, "prod", Action::Deny)]
    #[case::no_namespace("[{namespaces: [''], action: warn}]", Tier::Shaped, "", Action::Warn)]
    #[case::by_tier("[{tiers: [named], action: warn}]", Tier::Named, "a", Action::Warn)]
    #[case::another_tier("[{tiers: [named], action: warn}]", Tier::Proven, "a", Action::Deny)]
    #[case::first_counts(
        "[{rules: [some-token], action: warn}, {rules: ['*'], action: audit}]",
        Tier::Shaped,
        "a",
        Action::Warn
    )]
    #[case::raised_by_rule("[{rules: [some-token], action: deny}]", Tier::Statistical, "a", Action::Deny)]
    #[case::raised_by_tier("[{tiers: [statistical], action: deny}]", Tier::Statistical, "a", Action::Deny)]
    #[case::not_raised("[{namespaces: [a], action: deny}]", Tier::Statistical, "a", Action::Warn)]
    fn the_first_exception_that_fits_counts(
        #[case] settings: &str,
        #[case] tier: Tier,
        #[case] namespace: &str,
        #[case] expected: Action,
    ) {
        let actions: Actions = serde_saphyr::from_str(settings).unwrap();
        assert_eq!(actions.of(&finding(tier, None), namespace), expected);
    }

    #[test]
    fn a_mitigated_finding_is_warned_of_unless_its_rule_is_named() {
        let mitigated = finding(Tier::Shaped, Some(Mitigation::Test));
        let settings = "[{namespaces: [a], action: deny}, {rules: [some-token], action: deny}]";
        let actions: Actions = serde_saphyr::from_str(settings).unwrap();
        assert_eq!(actions.of(&mitigated, "a"), Action::Warn);
        assert_eq!(actions.of(&mitigated, "b"), Action::Deny);
    }

    #[test]
    fn mistyped_rules_are_named() {
        let actions: Actions = serde_saphyr::from_str("[{rules: [no-such-rule, '*'], action: warn}]").unwrap();
        assert_eq!(actions.unknown_rules(), ["no-such-rule"]);
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_saphyr::from_str::<Actions>("[{rule: [a], action: warn}]").is_err());
    }
}
