//! The sensitivity tiers: the least strength of what a policy may accept.

use std::collections::BTreeSet;

use countersign_crds::MINIMUM_SENSITIVITY_LABEL;

use crate::model::{Caller, Callers, Policy, Rule, Sensitivity, Waiver};
use crate::parse::Problem;

/// The longest life of a token at a sensitivity, in seconds.
pub fn longest_token(sensitivity: Sensitivity) -> i64 {
    match sensitivity {
        Sensitivity::Public => 24 * 3600,
        Sensitivity::Internal => 3600,
        Sensitivity::Sensitive => 15 * 60,
        Sensitivity::Critical => 5 * 60,
    }
}

/// Reads the value of the label that sets a namespace's floor.
///
/// # Errors
///
/// If it is none of the sensitivities.
pub fn read_floor(value: &str) -> Result<Sensitivity, Problem> {
    match value {
        "Public" => Ok(Sensitivity::Public),
        "Internal" => Ok(Sensitivity::Internal),
        "Sensitive" => Ok(Sensitivity::Sensitive),
        "Critical" => Ok(Sensitivity::Critical),
        other => Err(Problem::new(
            format!("namespace label {MINIMUM_SENSITIVITY_LABEL}"),
            format!("`{other}` is not a sensitivity; use Public, Internal, Sensitive or Critical"),
        )),
    }
}

/// All in which a policy is weaker than a sensitivity asks for. `outside` says whether callers from outside the mesh
/// reach the target.
pub fn weaknesses(policy: &Policy, sensitivity: Sensitivity, outside: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    for (at, rule) in policy.rules.iter().enumerate() {
        let mut weak = |name: &str, message: String| {
            found.push(Problem::new(format!("spec.rules[{at}]{name}"), message));
        };
        match &rule.callers {
            Callers::Unauthenticated if sensitivity > Sensitivity::Public => weak(
                ".unauthenticated",
                format!(
                    "rule `{}` admits requests without a credential, which only Public allows; {sensitivity:?} is in force",
                    rule.name
                ),
            ),
            Callers::Unauthenticated => {}
            Callers::AnyOf { scopes, waived, .. } => {
                let tokens = admits_token_holders(policy, rule);
                if tokens && scopes.is_empty() && sensitivity >= Sensitivity::Sensitive {
                    weak(
                        ".scopes",
                        format!(
                            "rule `{}` admits tokens whatever their scope; at {sensitivity:?} name the scopes that they need",
                            rule.name
                        ),
                    );
                }
                if tokens && sensitivity == Sensitivity::Critical {
                    weak(
                        ".callers",
                        format!(
                            "rule `{}` asks for a token, which at Critical must be checked for revocation on each call; nothing \
                             here can do that yet, so admit workloads by serviceIdentity alone",
                            rule.name
                        ),
                    );
                } else if outside && admits_bare_token(policy, rule) && !proof_waived(sensitivity, waived) {
                    weak(
                        ".waive",
                        format!(
                            "rule `{}` admits tokens from outside the mesh, which at {sensitivity:?} must be bound to a key; nothing \
                             here can check that yet, so write waive: [ProofOfPossession] to do without",
                            rule.name
                        ),
                    );
                }
            }
        }
    }
    found
}

fn proof_waived(sensitivity: Sensitivity, waived: &BTreeSet<Waiver>) -> bool {
    sensitivity < Sensitivity::Sensitive || waived.contains(&Waiver::ProofOfPossession)
}

/// Whether some caller of a rule presents a token.
fn admits_token_holders(policy: &Policy, rule: &Rule) -> bool {
    let Callers::AnyOf { callers, scopes, .. } = &rule.callers else {
        return false;
    };
    callers.iter().any(|caller| match caller {
        Caller::AnyAuthenticated => !policy.jwt.is_empty(),
        _ => !scopes.is_empty() || caller.token().is_some(),
    })
}

/// Whether some caller of a rule is known by a token alone, without a certificate beside it.
fn admits_bare_token(policy: &Policy, rule: &Rule) -> bool {
    let Callers::AnyOf { callers, .. } = &rule.callers else {
        return false;
    };
    callers.iter().any(|caller| match caller {
        Caller::AnyAuthenticated => !policy.jwt.is_empty(),
        Caller::Token(_) => true,
        Caller::Workload { .. } => false,
    })
}
