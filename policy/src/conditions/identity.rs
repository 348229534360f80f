//! What became of a `ServiceIdentity`, as far as the operator says it.

use countersign_crds::ServiceIdentityStatus;
use countersign_crds::service_identity::MeshPrincipals;
use countersign_identity::SpiffeId;
use jiff::Timestamp;

use super::{Finding, dated};
use crate::holders::Holders;
use crate::parse::{ParsedIdentity, Problem, summary};
use crate::world::MeshSettings;

/// The operator's part of the status of a `ServiceIdentity`. `holders` are those of all there are.
pub fn identity_status(
    identity: &ParsedIdentity,
    holders: &Holders,
    mesh: &MeshSettings,
    generation: i64,
    previous: &ServiceIdentityStatus,
    now: Timestamp,
) -> ServiceIdentityStatus {
    let known = names(identity, holders, mesh);
    let account_held = holders.other(identity).is_none();
    let ready = match (&known, conflict(identity, holders)) {
        (Err(problems), _) => Finding::new("Ready", Some(false), "Invalid", summary(problems)),
        (Ok(_), Some(message)) => Finding::new("Ready", Some(false), "Conflicted", message),
        (Ok(names), None) => Finding::new("Ready", Some(true), "Ready", names.message()),
    };
    let names = known.ok().filter(|_| account_held);
    ServiceIdentityStatus {
        observed_generation: Some(generation),
        spiffe_id: names.as_ref().map(|names| names.svid.to_string()),
        mesh_principals: names.map(|names| names.principals),
        conditions: dated(vec![ready], &previous.conditions, generation, now),
        ..ServiceIdentityStatus::default()
    }
}

/// By what a workload is known.
struct Names {
    in_mesh: SpiffeId,
    svid: SpiffeId,
    principals: MeshPrincipals,
}

impl Names {
    fn message(&self) -> String {
        if self.svid == self.in_mesh {
            return "policies can name this identity".to_owned();
        }
        format!("policies can name this identity; the mesh knows it as {}", self.in_mesh)
    }
}

fn names(identity: &ParsedIdentity, holders: &Holders, mesh: &MeshSettings) -> Result<Names, Vec<Problem>> {
    let domain = &mesh.trust_domain;
    Ok(Names {
        in_mesh: identity.spiffe_id(domain)?,
        svid: identity.svid_id(domain)?,
        principals: identity.mesh_principals(domain, holders.other_in_consul(identity).is_none())?,
    })
}

/// What others hold of that which an identity names, and what to do.
fn conflict(identity: &ParsedIdentity, holders: &Holders) -> Option<String> {
    if let Some(holder) = holders.other(identity) {
        let account = identity.service_account.as_deref().unwrap_or_default();
        return Some(format!(
            "the older ServiceIdentity `{holder}` holds service account `{account}`, and certificates are as that one \
             says; delete one of the two, or name another service account"
        ));
    }
    let holder = holders.other_in_consul(identity)?;
    let service = identity.consul_service.as_deref().unwrap_or_default();
    Some(format!(
        "the older ServiceIdentity `{holder}` holds service `{service}` in Consul, so that this one has no name there; its \
         certificates are not concerned; take spec.mesh.consulService out of one of the two, or name another service"
    ))
}
