//! Makes a difference small, and tells it.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::Value;

use super::judge::{self, Case, Outcome};
use super::place::Place;
use super::world::Scenario;

/// Steps that are tried: each writes policies and waits for proxies.
const STEPS: usize = 30;

/// The difference in its smallest form, with the policies, the request and what both sides say.
pub(super) async fn describe(
    place: &Place,
    scenario: &Scenario,
    case: &Case,
    outcome: &Outcome,
    round: usize,
) -> Result<String> {
    let (scenario, case, outcome) = shrink(place, scenario.clone(), case.clone(), outcome.clone(), round).await?;
    let resolved = scenario.resolved(place, case.target);
    let mut text = format!("DIFFERENCE on {}\n", place.targets[case.target].name());
    for spec in &scenario.specs[case.target] {
        writeln!(text, "  policy   {spec}")?;
    }
    writeln!(
        text,
        "  request  {:?} {} {} ({})",
        case.peer, case.method, case.path, case.note
    )?;
    for (name, value) in &case.headers {
        writeln!(text, "           {name}: {}", claims(value))?;
    }
    let decision = outcome
        .decision
        .as_ref()
        .map_or("no request".to_owned(), ToString::to_string);
    writeln!(text, "  decide   {decision}")?;
    for line in judge::trace(place, &resolved, &case) {
        writeln!(text, "           {line}")?;
    }
    write!(text, "  enforcer {}", outcome.answer)?;
    Ok(text)
}

/// A token by its header and claims: its signature tells a reader nothing.
fn claims(value: &str) -> String {
    use base64::Engine as _;
    let readable = |part: &str| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()?;
        String::from_utf8(bytes).ok()
    };
    let parts: Vec<String> = value
        .split(['.', ' '])
        .map(|part| {
            readable(part)
                .filter(|text| text.starts_with('{'))
                .unwrap_or_else(|| part.chars().take(12).collect())
        })
        .collect();
    parts.join(" ")
}

async fn shrink(
    place: &Place,
    mut scenario: Scenario,
    mut case: Case,
    mut outcome: Outcome,
    round: usize,
) -> Result<(Scenario, Case, Outcome)> {
    let mut steps = 0;
    'again: while steps < STEPS {
        let resolved = scenario.resolved(place, case.target);
        for smaller in smaller_cases(&case) {
            let now = judge::ask(place, &resolved, &smaller).await;
            if now.differs() {
                (case, outcome) = (smaller, now);
                continue 'again;
            }
        }
        for specs in smaller_specs(&scenario.specs[case.target]) {
            steps += 1;
            if steps >= STEPS {
                break;
            }
            let mut smaller = scenario.clone();
            smaller.specs[case.target] = specs;
            place.program(&smaller, round).await?;
            let now = judge::ask(place, &smaller.resolved(place, case.target), &case).await;
            if now.differs() && super::confirm(place, &smaller, &case, &now).await.is_some() {
                (scenario, outcome) = (smaller, now);
                continue 'again;
            }
        }
        break;
    }
    place.program(&scenario, round).await?;
    Ok((scenario, case, outcome))
}

fn smaller_cases(case: &Case) -> Vec<Case> {
    (0..case.headers.len())
        .map(|at| {
            let mut smaller = case.clone();
            smaller.headers.remove(at);
            smaller
        })
        .collect()
}

/// Each way to leave out one policy, or one element of one list of one policy.
fn smaller_specs(specs: &[Value]) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for at in 0..specs.len() {
        if specs.len() > 1 {
            let mut fewer = specs.to_vec();
            fewer.remove(at);
            all.push(fewer);
        }
        for spec in without_one(&specs[at]["rules"]) {
            let mut smaller = specs.to_vec();
            smaller[at]["rules"] = spec;
            all.push(smaller);
        }
    }
    all
}

/// Each way to leave out one element of a list, at any depth.
fn without_one(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Array(items) => {
            for at in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(at);
                all.push(Value::Array(fewer));
                for smaller in without_one(&items[at]) {
                    let mut same = items.clone();
                    same[at] = smaller;
                    all.push(Value::Array(same));
                }
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                for smaller in without_one(field) {
                    let mut same = fields.clone();
                    same.insert(name.clone(), smaller);
                    all.push(Value::Object(same));
                }
            }
        }
        _ => {}
    }
    all
}
