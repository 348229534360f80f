//! Whether a change of Countersign's own kinds may be: what the operator would not accept is refused before it is stored.
//!
//! What is wrong with the object itself is refused. What depends on other objects that may still come is let in with a
//! warning, since whoever applies from Git does so in any order. So is what opens a target or breaks another policy: that
//! may be meant. A policy that gets in and is not accepted denies.

mod effects;
mod tokens;

use jiff::Timestamp;
use serde_json::Value;

use crate::conditions::not_enforceable;
use crate::evaluate::evaluate;
use crate::holders::holders;
use crate::parse::{self, Problem};
use crate::resolve::{Lookup, Reason, objections};
use crate::world::{MapWorld, MeshSettings, ObjectName, World};

/// The kinds that policies, and what the token service gives, are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ApiAuthPolicy`
    ApiAuthPolicy,
    /// `ServiceIdentity`
    ServiceIdentity,
    /// `TokenClient`
    TokenClient,
    /// `TokenIssuer`
    TokenIssuer,
    /// `TokenRevocation`
    TokenRevocation,
}

/// A change that somebody asks for.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The kind.
    pub kind: Kind,
    /// The name; with an empty namespace for a `TokenIssuer` and a `TokenRevocation`.
    pub name: ObjectName,
    /// The object as it is. `None` if it is to be created.
    pub old: Option<&'a Value>,
    /// The object as it is to be. `None` if it is to be deleted.
    pub new: Option<&'a Value>,
}

/// What changes are held to.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The mesh.
    pub mesh: &'a MeshSettings,
    /// Whether a policy that names a `TokenIssuer` that does not exist is refused. If not, it is warned of: such a policy
    /// denies all until the issuer is there.
    pub refuse_unknown_issuer: bool,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// What is said to a change. It may be if nothing is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it may not be, each with what to do.
    pub refusals: Vec<String>,
    /// What whoever asks for it should know.
    pub warnings: Vec<String>,
}

/// Judges a change. `world` has what the objects name, with or without the change.
///
/// A change that leaves the spec as it is passes, whatever the spec: labels and finalizers must not depend on it.
pub fn judge(change: &Change<'_>, world: &MapWorld, settings: Settings<'_>) -> Verdict {
    if !change.matters() {
        return Verdict::default();
    }
    let before = change.made(world, change.old);
    let after = change.made(world, change.new);
    let mut verdict = match change.new {
        Some(_) => own(change, &after, settings),
        None => Verdict::default(),
    };
    if change.kind == Kind::ApiAuthPolicy {
        verdict
            .warnings
            .extend(effects::opened(&change.name, &before, &after, settings.mesh));
    }
    verdict
        .warnings
        .extend(effects::others(change, &before, &after, settings.mesh));
    if change.kind == Kind::TokenIssuer {
        verdict
            .warnings
            .extend(tokens::clients_left(&change.name.name, &before, &after));
    }
    verdict
}

impl Change<'_> {
    /// Whether the spec changes. What leaves it as it is needs no world to be judged.
    pub fn matters(&self) -> bool {
        let [old, new] = [self.old, self.new].map(|object| object.map(|object| &object["spec"]));
        old != new
    }

    /// The world with the object like this.
    fn made(&self, world: &MapWorld, object: Option<&Value>) -> MapWorld {
        let mut made = world.clone();
        let name = self.name.clone();
        match (self.kind, object) {
            (Kind::ApiAuthPolicy, Some(object)) => {
                made.policies.insert(name.clone(), parse::policy(name, &object["spec"]));
            }
            (Kind::ApiAuthPolicy, None) => drop(made.policies.remove(&name)),
            (Kind::ServiceIdentity, Some(object)) => {
                let parsed = parse::service_identity(name.clone(), &object["spec"], created(object));
                made.service_identities.insert(name, parsed);
            }
            (Kind::ServiceIdentity, None) => drop(made.service_identities.remove(&name)),
            (Kind::TokenIssuer, Some(object)) => {
                let parsed = parse::token_issuer(&name.name, &object["spec"], &object["status"]);
                made.token_issuers.insert(name.name, parsed);
            }
            (Kind::TokenIssuer, None) => drop(made.token_issuers.remove(&name.name)),
            (Kind::TokenClient, Some(object)) => {
                let parsed = crate::tokens::client(name.clone(), &object["spec"]);
                made.token_clients.insert(name, parsed);
            }
            (Kind::TokenClient, None) => drop(made.token_clients.remove(&name)),
            // Nothing is looked up in it.
            (Kind::TokenRevocation, _) => {}
        }
        made
    }
}

/// What is said to the object itself.
fn own(change: &Change<'_>, after: &MapWorld, settings: Settings<'_>) -> Verdict {
    let problems = match change.kind {
        Kind::ApiAuthPolicy => return policy(&change.name, after, settings),
        Kind::ServiceIdentity => return identity(&change.name, after, settings),
        Kind::TokenClient => return tokens::client(&change.name, after, settings.now),
        Kind::TokenRevocation => return tokens::revocation(change, after, settings.now),
        Kind::TokenIssuer => after
            .token_issuer(&change.name.name)
            .and_then(|issuer| issuer.issuer.as_ref().err().cloned())
            .unwrap_or_default(),
    };
    // An empty set of keys is a place for keys to come. Until then the issuer admits nobody.
    let pending =
        |problem: &Problem| problem.field == "spec.external.jwks" && change.new.is_some_and(has_empty_key_set);
    let (warnings, refusals): (Vec<Problem>, Vec<Problem>) = problems.into_iter().partition(pending);
    let mut verdict = Verdict {
        refusals: texts(&refusals),
        warnings: texts(&warnings),
    };
    verdict.refusals.extend(tokens::twin(&change.name.name, after));
    verdict
}

fn texts(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn identity(name: &ObjectName, after: &MapWorld, settings: Settings<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(identity) = after.service_identity(name) else {
        return verdict;
    };
    let domain = &settings.mesh.trust_domain;
    let ids = identity.spiffe_id(domain).and_then(|_| identity.svid_id(domain));
    verdict.refusals.extend(texts(&ids.err().unwrap_or_default()));
    tokens::workload(identity, after, domain, &mut verdict);
    let holders = holders(after.service_identities.values());
    if let Some(holder) = holders.other_in_consul(identity) {
        verdict.warnings.push(format!(
            "spec.mesh.consulService: the older ServiceIdentity `{holder}` holds this service, so that this one will not be \
             ready and has no name in Consul until that one is deleted or names another"
        ));
    }
    if let Some(holder) = holders.other(identity) {
        verdict.warnings.push(format!(
            "spec.serviceAccountName: the older ServiceIdentity `{holder}` holds this service account, so that this one will \
             not be ready and changes no certificate until that one is deleted"
        ));
    }
    verdict
}

/// Since when an object exists. One that does not say is about to be made, and is the youngest.
fn created(object: &Value) -> Timestamp {
    let text = object["metadata"]["creationTimestamp"].as_str().unwrap_or_default();
    text.parse().unwrap_or(Timestamp::MAX)
}

fn has_empty_key_set(issuer: &Value) -> bool {
    let text = issuer["spec"]["external"]["jwks"].as_str().unwrap_or_default();
    let set: Value = serde_json::from_str(text).unwrap_or_default();
    set["keys"].as_array().is_some_and(Vec::is_empty)
}

fn policy(name: &ObjectName, after: &MapWorld, settings: Settings<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(parsed) = after.policy(name) else {
        return verdict;
    };
    let found = objections(parsed, &mut Lookup::new(after, settings.mesh));
    let accepted = found.is_empty();
    for (reason, message) in found {
        match reason {
            Reason::Invalid | Reason::TargetNotSupported | Reason::WeakerThanSensitivity | Reason::Conflicted => {
                verdict.refusals.push(message);
            }
            Reason::IssuerNotFound if settings.refuse_unknown_issuer => {
                verdict
                    .refusals
                    .push(format!("{message} (apply the TokenIssuer first)"));
            }
            Reason::TargetNotFound | Reason::IssuerNotFound | Reason::IssuerNotReady => {
                verdict
                    .warnings
                    .push(format!("the policy denies all until this is mended: {message}"));
            }
        }
    }
    if accepted && let Some(evaluation) = evaluate(name, after, settings.mesh) {
        let report = evaluation.report;
        verdict.warnings.extend(not_enforceable(&report));
        verdict.warnings.extend(report.narrowed);
    }
    verdict
}

#[cfg(test)]
mod tests;
