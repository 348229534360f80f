//! What is said of the tokens in a `ServiceIdentity`.

use countersign_policy::conditions::Finding;
use countersign_policy::parse::Problem;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use super::summary;

/// The condition. The others there are the operator's and the signer's.
pub const TOKENS_GRANTED: &str = "TokensGranted";

/// What is said of a `ServiceIdentity`, from its `spec` and why it gets less than stands there. Nothing is said of one that asks
/// for no tokens.
pub fn workload_conditions(
    spec: &Value,
    problems: &[Problem],
    generation: i64,
    previous: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let asked = spec["tokens"].as_array().map_or(0, Vec::len);
    if asked == 0 {
        return Vec::new();
    }
    let finding = if problems.is_empty() {
        let issuers = if asked == 1 {
            "1 TokenIssuer"
        } else {
            &format!("{asked} TokenIssuers")
        };
        Finding::new(
            TOKENS_GRANTED,
            Some(true),
            "Granted",
            format!("it may ask {issuers} for what spec.tokens says"),
        )
    } else {
        let message = format!("it gets nothing by the entries concerned: {}", summary(problems));
        Finding::new(TOKENS_GRANTED, Some(false), "Invalid", message)
    };
    vec![finding.dated(previous, generation, now)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(spec: &Value, problems: &[Problem]) -> Vec<(String, String, String)> {
        let conditions = workload_conditions(spec, problems, 3, &[], Timestamp::UNIX_EPOCH);
        assert!(
            conditions
                .iter()
                .all(|one| one.type_ == "TokensGranted" && one.observed_generation == Some(3))
        );
        conditions
            .into_iter()
            .map(|condition| (condition.status, condition.reason, condition.message))
            .collect()
    }

    #[test]
    fn who_asks_for_tokens_is_told_whether_it_can_have_them() {
        let asks = json!({"tokens": [{"tokenIssuer": "corp", "audiences": []}]});
        let granted = told(&asks, &[]);
        assert_eq!((granted[0].0.as_str(), granted[0].1.as_str()), ("True", "Granted"));
        assert!(granted[0].2.contains("1 TokenIssuer "), "{granted:?}");
        let problem = Problem {
            field: "spec.tokens[corp].audiences".to_owned(),
            message: "is unknown".to_owned(),
        };
        let refused = told(&asks, std::slice::from_ref(&problem));
        assert_eq!((refused[0].0.as_str(), refused[0].1.as_str()), ("False", "Invalid"));
        assert!(
            refused[0].2.contains("spec.tokens[corp].audiences: is unknown"),
            "{refused:?}"
        );
        assert_eq!(told(&json!({"tokens": []}), &[problem]), []);
        assert_eq!(told(&json!({}), &[]), []);
    }
}
