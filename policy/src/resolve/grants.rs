//! Turns callers into alternatives that can be compared with a request.

use std::collections::BTreeSet;

use super::{Grant, Issuers, Lookup, PeerDemand, ResolvedRule, TokenGrant};
use crate::model::{Caller, Callers, Policy, Rule, TokenDemand};
use crate::parse::{Problem, summary};
use crate::world::{Dependency, ObjectName, World};

pub(super) fn resolve<W: World>(
    policy: &Policy,
    issuers: &Issuers<'_>,
    lookup: &mut Lookup<'_, W>,
    missing: &mut Vec<Problem>,
) -> Vec<ResolvedRule> {
    policy
        .rules
        .iter()
        .enumerate()
        .map(|(at, rule)| ResolvedRule {
            name: rule.name.clone(),
            operations: rule.operations.clone(),
            grants: grants(policy, at, rule, issuers, lookup, missing),
            rate_limit: rule.rate_limit,
        })
        .collect()
}

fn grants<W: World>(
    policy: &Policy,
    at: usize,
    rule: &Rule,
    issuers: &Issuers<'_>,
    lookup: &mut Lookup<'_, W>,
    missing: &mut Vec<Problem>,
) -> Vec<Grant> {
    let Callers::AnyOf { callers, scopes, .. } = &rule.callers else {
        return vec![Grant {
            peer: PeerDemand::None,
            token: None,
        }];
    };
    let token = |demand: &TokenDemand| token_grant(policy, issuers, demand, scopes);
    let any_issuer = || {
        policy_issuers(policy).map(|issuer| TokenDemand {
            issuer,
            client: None,
            claims: Vec::new(),
        })
    };
    let mut grants = Vec::new();
    for (index, caller) in callers.iter().enumerate() {
        match caller {
            Caller::AnyAuthenticated => {
                if policy.mutual_tls && scopes.is_empty() {
                    grants.push(Grant {
                        peer: PeerDemand::Any,
                        token: None,
                    });
                }
                grants.extend(any_issuer().filter_map(|any| {
                    Some(Grant {
                        peer: PeerDemand::None,
                        token: Some(token(&any)?),
                    })
                }));
            }
            Caller::Token(demand) => {
                grants.extend(token(demand).map(|token| Grant {
                    peer: PeerDemand::None,
                    token: Some(token),
                }));
            }
            Caller::Workload {
                identity,
                token: demand,
            } => {
                let peer = match find_identity(identity, lookup) {
                    Ok(peer) => peer,
                    Err(message) => {
                        let field = format!("spec.rules[{at}].callers[{index}].serviceIdentity");
                        missing.push(Problem::new(field, message));
                        continue;
                    }
                };
                match demand {
                    Some(demand) => grants.extend(token(demand).map(|token| Grant {
                        peer,
                        token: Some(token),
                    })),
                    None if scopes.is_empty() => grants.push(Grant { peer, token: None }),
                    None => grants.extend(any_issuer().filter_map(|any| {
                        Some(Grant {
                            peer: peer.clone(),
                            token: Some(token(&any)?),
                        })
                    })),
                }
            }
        }
    }
    grants
}

/// The issuers that a policy accepts, each once.
fn policy_issuers(policy: &Policy) -> impl Iterator<Item = String> {
    policy
        .jwt
        .iter()
        .map(|source| source.issuer.clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
}

fn token_grant(
    policy: &Policy,
    issuers: &Issuers<'_>,
    demand: &TokenDemand,
    scopes: &BTreeSet<String>,
) -> Option<TokenGrant> {
    let issuer = issuers.get(demand.issuer.as_str())?;
    let audiences = policy
        .jwt
        .iter()
        .filter(|source| source.issuer == demand.issuer)
        .flat_map(|source| source.audiences.iter().cloned())
        .collect();
    let mut claims: Vec<(String, Vec<String>)> = scopes
        .iter()
        .map(|scope| ("scope".to_owned(), vec![scope.clone()]))
        .collect();
    claims.extend(
        demand
            .client
            .iter()
            .map(|client| (issuer.client_id_claim.clone(), vec![client.clone()])),
    );
    claims.extend(demand.claims.iter().cloned());
    Some(TokenGrant {
        issuer: issuer.id.clone(),
        audiences,
        claims,
    })
}

fn find_identity<W: World>(name: &ObjectName, lookup: &mut Lookup<'_, W>) -> Result<PeerDemand, String> {
    lookup.seen.insert(Dependency::ServiceIdentity(name.clone()));
    let identity = lookup
        .world
        .service_identity(name)
        .ok_or_else(|| format!("ServiceIdentity `{name}` does not exist, and admits nobody until it does"))?;
    identity
        .spiffe_id(&lookup.mesh.trust_domain)
        .map(PeerDemand::Is)
        .map_err(|problems| {
            let problems = summary(&problems);
            format!("ServiceIdentity `{name}` is not understood, and admits nobody: {problems}")
        })
}
