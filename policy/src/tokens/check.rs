//! What can be said only of an issuer and of who asks it together.

use std::collections::{BTreeMap, BTreeSet};

use super::{Authentication, Client, Grant, ManagedIssuer, Revocation, Revoked, Workload};
use crate::model::Sensitivity;
use crate::parse::Problem;

/// How far away the end of a client secret may be, in seconds.
const LONGEST_SECRET: i64 = 366 * 24 * 3600;

/// All in which a client asks for more than its issuer gives. With any of it, it gets nothing.
///
/// That tokens for `Critical` audiences are bound to a key is no problem of a client's: it is made so for all of them, by
/// [`Audience::binding`](super::Audience::binding).
pub fn check(client: &Client, issuer: &ManagedIssuer) -> Vec<Problem> {
    let mut found = audiences("spec", &client.object.namespace, &client.audiences, issuer);
    let known = client
        .audiences
        .keys()
        .filter_map(|name| Some((name, issuer.audiences.get(name)?)));
    for (name, audience) in known {
        if matches!(client.authentication, Authentication::Secret(_)) && audience.sensitivity > Sensitivity::Internal {
            found.push(Problem::new(
                "spec.authentication.clientSecret",
                format!(
                    "audience `{name}` is {:?}, and a shared secret is for Internal and Public alone; prove the client with \
                     privateKeyJwt or mutualTls, or leave the audience out",
                    audience.sensitivity
                ),
            ));
        }
        if let Some(lifetime) = client.lifetime.filter(|lifetime| *lifetime > audience.lifetime) {
            found.push(Problem::new(
                "spec.tokenLifetime",
                format!(
                    "is {lifetime} s, and audience `{name}` of TokenIssuer `{}` allows {} s; shorten it, or leave it out",
                    issuer.name, audience.lifetime
                ),
            ));
        }
    }
    if client.grants.contains(&Grant::AuthorizationCode) && issuer.upstream.is_none() {
        found.push(Problem::new(
            "spec.grants",
            format!(
                "AuthorizationCode needs a place where users sign in; give spec.managed.upstream to TokenIssuer `{}`",
                issuer.name
            ),
        ));
    }
    found
}

/// All in which a workload asks for more than an issuer gives. With any of it, it gets nothing from this issuer.
pub fn check_workload(workload: &Workload, issuer: &ManagedIssuer) -> Vec<Problem> {
    let asked = workload.tokens.get(&issuer.name);
    asked.map_or_else(Vec::new, |asked| {
        audiences(
            &format!("spec.tokens[{}]", issuer.name),
            &workload.object.namespace,
            asked,
            issuer,
        )
    })
}

/// All for which a revocation cannot do what it says.
pub fn check_revocation(revocation: &Revocation, now: i64) -> Vec<Problem> {
    let mut found = Vec::new();
    if revocation.until <= now {
        found.push(Problem::new(
            "spec.until",
            "is past, so that nothing is revoked; give a time by which the tokens have ended",
        ));
    }
    let issued_before = match &revocation.revoked {
        Revoked::Subject { issued_before, .. } | Revoked::Client { issued_before, .. } => *issued_before,
        Revoked::IssuedBefore(time) => Some(*time),
        Revoked::Token(_) | Revoked::Family(_) => None,
    };
    if issued_before.is_some_and(|time| time >= revocation.until) {
        found.push(Problem::new("spec.issuedBefore", "must be before spec.until"));
    }
    found
}

/// What is wrong with the ends of a client's secrets at a time, in seconds since 1970. They may be a year away at most.
pub fn secrets(client: &Client, now: i64) -> Vec<Problem> {
    let Authentication::Secret(hashes) = &client.authentication else {
        return Vec::new();
    };
    let far = hashes
        .iter()
        .enumerate()
        .filter(|(_, hash)| hash.not_after > now + LONGEST_SECRET);
    let mut found: Vec<Problem> = far
        .map(|(at, _)| {
            Problem::new(
                format!("spec.authentication.clientSecret.hashes[{at}].notAfter"),
                "is more than a year away; give an earlier end, and another secret before it",
            )
        })
        .collect();
    if hashes.iter().all(|hash| hash.not_after <= now) {
        found.push(Problem::new(
            "spec.authentication.clientSecret.hashes",
            "every secret has ended; add the hash of a new one",
        ));
    }
    found
}

/// All in which audiences and scopes, which stand below `path` of an object in `namespace`, are not the issuer's.
fn audiences(
    path: &str,
    namespace: &str,
    asked: &BTreeMap<String, BTreeSet<String>>,
    issuer: &ManagedIssuer,
) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, scopes) in asked {
        let path = format!("{path}.audiences[{name}]");
        let Some(audience) = issuer.audiences.get(name) else {
            let names: Vec<&str> = issuer.audiences.keys().map(String::as_str).collect();
            found.push(Problem::new(
                path,
                format!(
                    "TokenIssuer `{}` has no audience `{name}`; it has {}",
                    issuer.name,
                    names.join(", ")
                ),
            ));
            continue;
        };
        if !audience.is_for(namespace) {
            found.push(Problem::new(
                path.clone(),
                format!(
                    "audience `{name}` of TokenIssuer `{}` is not for namespace `{namespace}`; have it added to the audience's \
                     namespaces, or leave the audience out",
                    issuer.name
                ),
            ));
        }
        let unknown: Vec<&str> = scopes.difference(&audience.scopes).map(String::as_str).collect();
        if !unknown.is_empty() {
            found.push(Problem::new(
                format!("{path}.scopes"),
                format!(
                    "audience `{name}` of TokenIssuer `{}` has no scope {}; it has {}",
                    issuer.name,
                    unknown.join(", "),
                    listed(&audience.scopes)
                ),
            ));
        }
        if scopes.is_empty() && audience.sensitivity >= Sensitivity::Sensitive {
            found.push(Problem::new(
                format!("{path}.scopes"),
                format!(
                    "audience `{name}` is {:?}, where a token without scopes opens nothing; name those that are needed: it has {}",
                    audience.sensitivity,
                    listed(&audience.scopes)
                ),
            ));
        }
    }
    found
}

fn listed(scopes: &BTreeSet<String>) -> String {
    let names: Vec<&str> = scopes.iter().map(String::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
