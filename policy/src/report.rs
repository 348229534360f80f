//! What an evaluation found, for the policy's status.

use countersign_crds::api_auth_policy::{Mode, RuleStatus, Sensitivity, TokenLifetimeStatus};

use crate::model::{Policy, Target};
use crate::parse::ParsedPolicy;
use crate::resolve::{Reason, Rejection, Resolved};

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Why the policy is not accepted, in a word and in a sentence; `None` if it is.
    pub rejection: Option<(Reason, String)>,
    /// What it protects, in short.
    pub target: String,
    /// The sensitivity in force, if the policy was understood.
    pub sensitivity: Option<Sensitivity>,
    /// The credentials accepted, in short, if the policy was understood.
    pub credentials: Option<String>,
    /// The mode in force.
    pub mode: Mode,
    /// How each rule is enforced.
    pub rules: Vec<RuleStatus>,
    /// The longest life of tokens.
    pub token_lifetimes: Vec<TokenLifetimeStatus>,
    /// What makes the policy admit less than it says, each with what to do.
    pub narrowed: Vec<String>,
    /// Pods behind the policy that no enforcer stands before.
    pub unguarded: Vec<String>,
}

impl Report {
    pub(crate) fn accepted(parsed: &ParsedPolicy, resolved: &Resolved, rules: Vec<RuleStatus>) -> Self {
        let token_lifetimes = resolved
            .sources
            .iter()
            .map(|source| TokenLifetimeStatus {
                issuer: source.name.clone(),
                longest: duration(source.longest_token),
                held_by: "TokenIssuer".to_owned(),
            })
            .collect();
        Self {
            rejection: None,
            target: targets(&parsed.targets),
            sensitivity: Some(resolved.sensitivity),
            credentials: Some(credentials(&resolved.policy)),
            mode: parsed.mode,
            rules,
            token_lifetimes,
            narrowed: resolved.missing.iter().map(ToString::to_string).collect(),
            unguarded: Vec::new(),
        }
    }

    pub(crate) fn rejected(parsed: &ParsedPolicy, rejection: &Rejection) -> Self {
        let policy = parsed.policy.as_ref().ok();
        Self {
            rejection: Some((rejection.reason, rejection.message.clone())),
            target: targets(&parsed.targets),
            sensitivity: policy.map(|policy| policy.sensitivity),
            credentials: policy.map(credentials),
            mode: parsed.mode,
            rules: Vec::new(),
            token_lifetimes: Vec::new(),
            narrowed: Vec::new(),
            unguarded: Vec::new(),
        }
    }
}

/// A target, such as `Service/payments`.
pub(crate) fn target_in_short(target: &Target) -> String {
    match target {
        Target::Service(name) => format!("Service/{name}"),
        Target::Gateway(name) => format!("Gateway/{name}"),
        Target::HttpRoute(name) => format!("HTTPRoute/{name}"),
        Target::Pods(labels) => {
            let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}={value}")).collect();
            format!("Pods/{}", labels.join(","))
        }
    }
}

fn targets(targets: &[Target]) -> String {
    let mut names: Vec<String> = targets.iter().map(target_in_short).collect();
    if names.is_empty() {
        return "unknown".to_owned();
    }
    let more = names.len().saturating_sub(3);
    names.truncate(3);
    let suffix = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join(",") + &suffix
}

fn credentials(policy: &Policy) -> String {
    let mut kinds: Vec<String> = Vec::new();
    if policy.mutual_tls {
        kinds.push("mTLS".to_owned());
    }
    for source in &policy.jwt {
        let kind = format!("JWT({})", source.issuer);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() {
        "none".to_owned()
    } else {
        kinds.join(",")
    }
}

/// A number of seconds as people write it: `10m`, `1h30m`.
pub fn duration(seconds: i64) -> String {
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect::<Vec<_>>()
        .concat()
}
