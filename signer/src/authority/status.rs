//! What the status of the `CertificateAuthority` says.

use countersign_crds::certificate_authority::{
    CertificateAuthorityStatus, IntermediateStatus, NextStep, RootState, RootStatus,
};
use countersign_policy::conditions::Finding;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::kept::Kept;
use super::rotation::Next;
use crate::bundle::Publication;
use crate::problem::Problem;

/// How many places with trouble a message names.
const NAMED: usize = 3;

/// What the status is made of.
pub struct View<'a> {
    /// The trust domain.
    pub trust_domain: &'a str,
    /// What is kept.
    pub kept: Option<&'a Kept>,
    /// What is done next.
    pub next: Option<Next>,
    /// Where the roots stand.
    pub publication: &'a Publication,
    /// What is wrong.
    pub problem: Option<&'a Problem>,
    /// The generation of the object.
    pub generation: Option<i64>,
    /// The status before.
    pub previous: Option<&'a CertificateAuthorityStatus>,
}

/// The status now.
pub fn status(view: &View<'_>, now: Timestamp) -> CertificateAuthorityStatus {
    let state = view.kept.map(Kept::state);
    let mut roots: Vec<&super::rotation::Root> = state.into_iter().flat_map(|state| &state.roots).collect();
    // The one in use first.
    roots.sort_by_key(|root| root.state != RootState::Active);
    CertificateAuthorityStatus {
        observed_generation: view.generation,
        phase: state
            .filter(|state| !state.roots.is_empty())
            .map(|state| state.phase(now)),
        trust_domain: Some(view.trust_domain.to_owned()),
        roots: roots
            .into_iter()
            .map(|root| RootStatus {
                sha256: root.sha256.clone(),
                not_after: Time(root.ends),
                state: root.state,
            })
            .collect(),
        intermediate: view.kept.and_then(intermediate),
        next_step: view.next.map(|next| NextStep {
            at: Time(next.at),
            what: next.what.to_owned(),
        }),
        rotated_for: state.map(|state| state.rotated_for.clone()),
        conditions: vec![ready(view, now)],
    }
}

fn intermediate(kept: &Kept) -> Option<IntermediateStatus> {
    let signing = kept.state().signing.as_ref()?;
    Some(IntermediateStatus {
        sha256: signing.sha256.clone(),
        serial_number: kept.authority()?.serial().to_owned(),
        not_after: Time(signing.ends),
        issuer: signing.under.clone(),
    })
}

fn ready(view: &View<'_>, now: Timestamp) -> Condition {
    let signing = view.kept.and_then(|kept| kept.state().signing.as_ref());
    let signs = signing.is_some_and(|signing| now < signing.ends);
    let mut notes: Vec<String> = Vec::new();
    let reason = match (signs, view.problem) {
        (true, None) => {
            notes.push(format!("signs certificates of the trust domain {}", view.trust_domain));
            "Signing"
        }
        (true, Some(problem)) => {
            notes.push(format!("what is in use goes on signing, but: {}", problem.message));
            problem.reason
        }
        (false, Some(problem)) => {
            notes.push(problem.message.clone());
            problem.reason
        }
        (false, None) if signing.is_some() => {
            notes.push("the intermediate has ended, and nothing is signed".to_owned());
            "Ended"
        }
        (false, None) => {
            notes.push("there is no intermediate yet".to_owned());
            "NoIntermediate"
        }
    };
    notes.extend(publication_notes(view.publication));
    let previous = view.previous.map_or(&[][..], |previous| &previous.conditions);
    Finding::new("Ready", Some(signs), reason, notes.join("; ")).dated(previous, view.generation, now)
}

fn publication_notes(publication: &Publication) -> Vec<String> {
    let mut notes = Vec::new();
    if publication.cluster_trust_bundles == Some(false) {
        notes.push(
            "this API server serves no ClusterTrustBundles, so the roots are in ConfigMaps only: label namespaces \
             countersign.dev/trust-bundle=enabled"
                .to_owned(),
        );
    }
    let failing = &publication.failing;
    if !failing.is_empty() {
        let named: Vec<String> = failing
            .iter()
            .take(NAMED)
            .map(|(place, why)| format!("{place} ({why})"))
            .collect();
        let more = failing.len().saturating_sub(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        notes.push(format!(
            "the roots cannot be published in {}{more}: no new root is used before they are, or before the label \
             countersign.dev/trust-bundle is taken from the namespace",
            named.join(", ")
        ));
    }
    if !publication.foreign.is_empty() {
        let named: Vec<&str> = publication.foreign.iter().take(NAMED).map(String::as_str).collect();
        notes.push(format!(
            "there are ConfigMaps of the bundle's name that are not the signer's, and are left as they are, in {}",
            named.join(", ")
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
