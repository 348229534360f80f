//! Which Secrets are to be made, kept and deleted: a function of the identities and of what is there.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::service_identity::Delivery;
use countersign_policy::ObjectName;
use jiff::Timestamp;
use kube::api::ObjectMeta;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::{DIGEST_ANNOTATION, IDENTITY_LABEL, REFRESH_ANNOTATION, Scope};
use crate::authority::hex;
use crate::grant::Grant;
use crate::identities::{Entry, Index};
use crate::issue::Path;
use crate::refusal::Refusal;

/// A Secret that is there and says that it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its uid.
    pub uid: String,
    /// The uid of the `ServiceIdentity` that controls it; empty if none does.
    pub owner: String,
    /// What it was made for.
    pub digest: String,
    /// When it is to be made anew. What does not say so is due.
    pub refresh_at: Timestamp,
}

impl Seen {
    /// Reads the metadata of a Secret. None if it does not say that it is ours.
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        metadata.labels.as_ref()?.get(IDENTITY_LABEL)?;
        let annotation = |name| metadata.annotations.as_ref().and_then(|all| all.get(name));
        let owners = metadata.owner_references.iter().flatten();
        let owner = owners
            .filter(|owner| owner.controller == Some(true) && owner.kind == "ServiceIdentity")
            .map(|owner| owner.uid.clone())
            .next();
        Some(Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            owner: owner.unwrap_or_default(),
            digest: annotation(DIGEST_ANNOTATION).cloned().unwrap_or_default(),
            refresh_at: annotation(REFRESH_ANNOTATION)
                .and_then(|time| time.parse().ok())
                .unwrap_or(Timestamp::MIN),
        })
    }
}

/// A Secret that an identity asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The identity.
    pub identity: ObjectName,
    /// Its uid.
    pub uid: String,
    /// The Secret.
    pub secret: ObjectName,
    /// What its certificate is like.
    pub grant: Grant,
    /// A digest of that, and of the roots.
    pub digest: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The identity gets none.
    Refused(ObjectName, Refusal),
    /// It is as it should be.
    Keep(Wanted),
    /// It is to be made, or made anew in the place of this one.
    Make(Wanted, Option<Seen>),
    /// Another's has its name.
    NotOwned(Wanted),
    /// Nobody wants it any more.
    Delete(ObjectName, Seen),
}

/// What is to be done now.
pub fn plan(
    index: &Index,
    scope: &Scope,
    seen: &BTreeMap<ObjectName, Seen>,
    roots: &[CertificateDer<'_>],
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = Vec::new();
    // Secrets that are not to be deleted: of an identity that cannot be understood just now, all it has.
    let mut held = BTreeSet::new();
    let mut doubtful = BTreeSet::new();
    for entry in index.entries() {
        let wanted = wanted(index, entry, roots);
        let allowed = scope.admits(&entry.name().namespace);
        match wanted.map(|wanted| allowed.and(wanted)) {
            None => {}
            Some(Err(refusal)) => {
                doubtful.insert(entry.meta.uid.as_str());
                steps.push(Step::Refused(entry.name().clone(), refusal));
            }
            Some(Ok(wanted)) => {
                held.insert(wanted.secret.clone());
                steps.push(step(wanted, seen, now));
            }
        }
    }
    for (name, seen) in seen {
        let ours = !seen.owner.is_empty();
        if ours && !held.contains(name) && !doubtful.contains(seen.owner.as_str()) {
            steps.push(Step::Delete(name.clone(), seen.clone()));
        }
    }
    steps
}

fn step(wanted: Wanted, seen: &BTreeMap<ObjectName, Seen>, now: Timestamp) -> Step {
    match seen.get(&wanted.secret) {
        None => Step::Make(wanted, None),
        Some(there) if there.owner != wanted.uid => Step::NotOwned(wanted),
        Some(there) if there.digest == wanted.digest && there.refresh_at > now => Step::Keep(wanted),
        Some(there) => Step::Make(wanted, Some(there.clone())),
    }
}

/// The Secret that an identity asks for, if it does.
fn wanted(index: &Index, entry: &Entry, roots: &[CertificateDer<'_>]) -> Option<Result<Wanted, Refusal>> {
    if entry.meta.deleting || index.conflict(entry).is_some() {
        return None;
    }
    let namespace = &entry.name().namespace;
    let account = entry.parsed.service_account.as_deref().unwrap_or_default();
    if let Ok(identity) = &entry.parsed.identity
        && !identity.delivery.contains(&Delivery::Secret)
    {
        return None;
    }
    let granted = index.grant(namespace, account, Path::Secret, None);
    Some(granted.map(|grant| {
        let identity = entry.parsed.identity.as_ref().ok();
        let name = identity
            .and_then(|identity| identity.secret_name.clone())
            .unwrap_or_default();
        Wanted {
            identity: entry.name().clone(),
            uid: entry.meta.uid.clone(),
            secret: ObjectName::new(namespace.as_str(), name),
            digest: digest(&grant, roots),
            grant,
        }
    }))
}

/// What a Secret is made for, in short.
fn digest(grant: &Grant, roots: &[CertificateDer<'_>]) -> String {
    let mut digest = Sha256::new();
    digest.update(format!(
        "{} {:?} {:?} {:?} {} {}",
        grant.spiffe_id, grant.key_type, grant.dns_names, grant.usages, grant.lifetime, grant.renew_after_percent
    ));
    for root in roots {
        digest.update(Sha256::digest(root));
    }
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests;
