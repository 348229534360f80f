//! What became of an object, as conditions that tell a reader what to do.

mod identity;

use countersign_crds::api_auth_policy::{Mode, Outcome};
use countersign_crds::{ApiAuthPolicyStatus, TokenIssuerStatus};
use countersign_identity::KeySet;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use identity::identity_status;

use crate::parse::{ParsedIssuer, summary};
use crate::report::{Report, duration};
use crate::resolve::Reason;

/// The longest message of a condition that stays readable; the API server allows 32768.
const MAX_MESSAGE: usize = 2048;

/// What came of writing a policy's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// They are written and current.
    Current,
    /// Some could not be written.
    Failed {
        /// Why, in a word.
        reason: ApplyFailure,
        /// Why, and what to do.
        message: String,
    },
}

/// Why objects could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplyFailure {
    /// An object of that name exists, and is not Countersign's.
    Conflicted,
    /// The API server refused the object.
    Refused,
    /// The API server did not answer.
    Unreachable,
    /// The enforcer's kinds are not installed.
    NotInstalled,
}

/// What came of fetching an issuer's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFetch {
    /// They stand in the object itself.
    NotNeeded,
    /// It was not tried yet.
    NotYet,
    /// This was answered.
    Fetched(String),
    /// It failed, for this reason.
    Failed(String),
}

/// A condition before it is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    name: &'static str,
    status: Option<bool>,
    reason: String,
    message: String,
}

impl Finding {
    /// Says of a condition that it is true or false, or, without a status, that nobody knows; why, in one word; and in words that
    /// tell what to do.
    pub fn new(
        name: &'static str,
        status: Option<bool>,
        reason: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            name,
            status,
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// Dates the condition: an unchanged status keeps its time. `generation` is that of the object that was looked at.
    pub fn dated(self, previous: &[Condition], generation: impl Into<Option<i64>>, now: Timestamp) -> Condition {
        let status = self
            .status
            .map_or("Unknown", |yes| if yes { "True" } else { "False" })
            .to_owned();
        let since = previous
            .iter()
            .find(|before| before.type_ == self.name && before.status == status)
            .map_or(Time(now), |before| before.last_transition_time.clone());
        let message = match self.message.char_indices().nth(MAX_MESSAGE) {
            Some((end, _)) => format!("{} ...", &self.message[..end]),
            None => self.message,
        };
        Condition {
            type_: self.name.to_owned(),
            status,
            reason: self.reason,
            message,
            last_transition_time: since,
            observed_generation: generation.into(),
        }
    }
}

fn dated(findings: Vec<Finding>, previous: &[Condition], generation: i64, now: Timestamp) -> Vec<Condition> {
    findings
        .into_iter()
        .map(|finding| finding.dated(previous, generation, now))
        .collect()
}

/// The status of a policy, from what was found and from what was written.
pub fn policy_status(
    report: &Report,
    applied: &Applied,
    generation: i64,
    previous: &ApiAuthPolicyStatus,
    now: Timestamp,
) -> ApiAuthPolicyStatus {
    let accepted = accepted(report);
    let programmed = programmed(report, applied);
    let ready = ready(report, &accepted, &programmed);
    ApiAuthPolicyStatus {
        observed_generation: Some(generation),
        target: Some(report.target.clone()),
        sensitivity: report.sensitivity,
        credentials: report.credentials.clone(),
        mode: Some(report.mode),
        rules: report.rules.clone(),
        token_lifetimes: report.token_lifetimes.clone(),
        conditions: dated(vec![accepted, programmed, ready], &previous.conditions, generation, now),
    }
}

fn accepted(report: &Report) -> Finding {
    match &report.rejection {
        None => Finding::new(
            "Accepted",
            Some(true),
            "Accepted",
            "the policy is understood and strong enough",
        ),
        Some((reason, message)) => {
            let reason: &Reason = reason;
            Finding::new("Accepted", Some(false), format!("{reason:?}"), message.clone())
        }
    }
}

fn programmed(report: &Report, applied: &Applied) -> Finding {
    match applied {
        Applied::Failed { reason, message } => {
            Finding::new("Programmed", Some(false), format!("{reason:?}"), message.clone())
        }
        Applied::Current if report.rejection.is_some() => {
            let message = match report.mode {
                Mode::Enforce => "the policy admits nothing, and what it refused stays refused, until it is accepted",
                Mode::DryRun => "nothing is recorded until the policy is accepted",
            };
            Finding::new("Programmed", Some(false), "NotAccepted", message)
        }
        Applied::Current => partially(report).unwrap_or_else(|| {
            Finding::new(
                "Programmed",
                Some(true),
                "Programmed",
                "the enforcers' objects are written and current",
            )
        }),
    }
}

/// The rules that an enforcer cannot hold, which are refused there, each with the reason.
pub(crate) fn not_enforceable(report: &Report) -> Vec<String> {
    let rules = report.rules.iter();
    rules
        .filter(|rule| rule.outcome == Outcome::NotEnforceable)
        .map(|rule| {
            format!(
                "rule `{}` at {:?}: {}",
                rule.name,
                rule.enforcer,
                rule.message.as_deref().unwrap_or_default()
            )
        })
        .collect()
}

/// What keeps a policy that is written from doing all that it says.
fn partially(report: &Report) -> Option<Finding> {
    let partial = |reason: &str, message: String| Some(Finding::new("Programmed", Some(false), reason, message));
    if !report.narrowed.is_empty() {
        return partial("PartiallyProgrammed", report.narrowed.join("; "));
    }
    let not_enforceable = not_enforceable(report);
    if !not_enforceable.is_empty() {
        return partial("NotEnforceable", not_enforceable.join("; "));
    }
    if !report.unguarded.is_empty() && report.mode == Mode::Enforce {
        let shown: Vec<&str> = report.unguarded.iter().take(3).map(String::as_str).collect();
        let message = format!(
            "Pods behind the policy without an Istio proxy: {} ({}). Nothing refuses requests to them; label the namespace \
             istio-injection=enabled and restart them",
            report.unguarded.len(),
            shown.join(", ")
        );
        return partial("PodsOutsideMesh", message);
    }
    None
}

fn ready(report: &Report, accepted: &Finding, programmed: &Finding) -> Finding {
    for finding in [accepted, programmed] {
        if finding.status != Some(true) {
            return Finding::new("Ready", Some(false), finding.reason.clone(), finding.message.clone());
        }
    }
    match report.mode {
        Mode::Enforce => Finding::new(
            "Ready",
            Some(true),
            "Enforcing",
            "requests that no rule admits are refused",
        ),
        Mode::DryRun => Finding::new(
            "Ready",
            Some(true),
            "DryRun",
            "nobody is refused; the proxies record what they would refuse, judging callers by certificate only, since tokens \
             are not verified in dry run",
        ),
    }
}

/// The status of a `TokenIssuer`, with the keys that were fetched. A failed fetch keeps the keys of the one before. That of
/// a managed one is left as it is: the token service writes it.
pub fn issuer_status(
    issuer: &ParsedIssuer,
    fetch: &KeyFetch,
    generation: i64,
    previous: &TokenIssuerStatus,
    now: Timestamp,
) -> TokenIssuerStatus {
    if issuer.managed {
        return previous.clone();
    }
    let understood = match &issuer.issuer {
        Ok(understood) => understood,
        Err(problems) => {
            let findings =
                ["KeysAvailable", "Ready"].map(|name| Finding::new(name, Some(false), "Invalid", summary(problems)));
            return TokenIssuerStatus {
                observed_generation: Some(generation),
                conditions: dated(findings.into(), &previous.conditions, generation, now),
                ..TokenIssuerStatus::default()
            };
        }
    };
    let (keys, finding) = keys(&understood.keys, fetch);
    let ready = match finding.status {
        Some(true) => Finding::new("Ready", Some(true), "Ready", "tokens of this issuer can be verified"),
        status => Finding::new("Ready", status, finding.reason.clone(), finding.message.clone()),
    };
    let source = issuer.fetch().filter(|_| !keys.is_empty());
    TokenIssuerStatus {
        observed_generation: Some(generation),
        issuer: Some(understood.id.clone()),
        longest_token: Some(duration(understood.longest_token)),
        key_count: i64::try_from(keys.len()).ok(),
        jwks: source.map(|_| keys.to_json()),
        jwks_uri: source.map(|source| source.uri.to_owned()),
        conditions: dated(vec![finding, ready], &previous.conditions, generation, now),
        // A managed issuer alone has keys of its own and clients.
        ..TokenIssuerStatus::default()
    }
}

fn keys(current: &KeySet, fetch: &KeyFetch) -> (KeySet, Finding) {
    let finding = |status, reason: &str, message: String| Finding::new("KeysAvailable", status, reason, message);
    let failed = |why: &str| {
        if current.is_empty() {
            let message = format!("the keys could not be fetched, so no token can be verified: {why}");
            return finding(Some(false), "FetchFailed", message);
        }
        finding(
            Some(true),
            "UsingLastFetched",
            format!("the keys fetched last are in use, since fetching failed: {why}"),
        )
    };
    match fetch {
        KeyFetch::NotNeeded => (
            current.clone(),
            finding(
                Some(true),
                "Inline",
                format!("{} keys in spec.external.jwks", current.len()),
            ),
        ),
        KeyFetch::NotYet if current.is_empty() => (
            KeySet::default(),
            finding(None, "Pending", "the keys are being fetched".to_owned()),
        ),
        KeyFetch::NotYet => (
            current.clone(),
            finding(Some(true), "Fetched", format!("{} keys were fetched", current.len())),
        ),
        KeyFetch::Fetched(body) => match KeySet::parse(body) {
            Ok(keys) => {
                let message = format!("{} keys were fetched", keys.len());
                (keys, finding(Some(true), "Fetched", message))
            }
            Err(error) => (current.clone(), failed(&format!("what was answered is {error}"))),
        },
        KeyFetch::Failed(why) => (current.clone(), failed(why)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse::token_issuer;

    #[test]
    fn the_status_of_a_managed_issuer_is_the_token_services() {
        let audiences = json!([{"audience": "a"}]);
        for issuer in ["https://tokens.example", "not an issuer"] {
            let spec = json!({"managed": {"issuer": issuer, "audiences": audiences}});
            let parsed = token_issuer("shop", &spec, &json!(null));
            let previous = TokenIssuerStatus {
                issuer: Some("https://tokens.example".to_owned()),
                clients: Some(3),
                ..TokenIssuerStatus::default()
            };
            let status = issuer_status(&parsed, &KeyFetch::NotNeeded, 7, &previous, Timestamp::UNIX_EPOCH);
            assert_eq!(status, previous, "{issuer}");
        }
    }

    #[test]
    fn an_external_issuer_tells_its_identifier_and_its_longest_token() {
        let spec =
            json!({"external": {"issuer": "https://idp.example", "jwksUri": "https://a", "maxTokenLifetime": "90m"}});
        let parsed = token_issuer("corp", &spec, &json!(null));
        let none = TokenIssuerStatus::default();
        let status = issuer_status(&parsed, &KeyFetch::NotYet, 1, &none, Timestamp::UNIX_EPOCH);
        assert_eq!(status.issuer.as_deref(), Some("https://idp.example"));
        assert_eq!(status.longest_token.as_deref(), Some("1h30m"));
    }
}
