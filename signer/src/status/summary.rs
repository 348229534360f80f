//! What is said of an identity: a function of what the replicas have issued.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use countersign_crds::ServiceIdentityStatus;
use countersign_crds::service_identity::{CertificateStatus, Delivery};
use countersign_policy::ObjectName;
use countersign_policy::conditions::Finding;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::identities::{Entry, Index, delivery_name};

/// The condition that says whether a private key is in a Secret.
const KEY_AT_REST: &str = "KeyAtRest";

/// How the Secret of an identity stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    /// It holds a key and a certificate.
    Written {
        /// Its name.
        name: String,
    },
    /// It is not there, or not as it should be, and why.
    Failed {
        /// Why, for a condition's reason.
        reason: &'static str,
        /// Why, and what helps.
        message: String,
    },
}

/// How the Secrets stand, by identity. Clones are of one map.
#[derive(Clone, Debug, Default)]
pub struct SecretStates(Arc<RwLock<BTreeMap<ObjectName, SecretState>>>);

impl SecretStates {
    /// Replaces what is known.
    pub fn set(&self, states: BTreeMap<ObjectName, SecretState>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// What is known.
    pub fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ObjectName, SecretState>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the replica that leads says of an identity.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Of which one.
    pub name: ObjectName,
    /// Its uid.
    pub uid: String,
    /// What is said: nothing but the fields of the replica that leads.
    pub status: ServiceIdentityStatus,
    /// Replicas whose newest certificate has expired.
    pub expired: Vec<String>,
    /// Whether the object says something else.
    pub differs: bool,
}

impl Summary {
    /// When the newest certificate ends.
    pub fn end(&self) -> Option<Timestamp> {
        self.status
            .certificate
            .as_ref()
            .map(|certificate| certificate.not_after.0)
    }
}

/// Adds up.
pub fn summarize(index: &Index, entry: &Entry, secret: Option<&SecretState>, now: Timestamp) -> Summary {
    let old = &entry.status;
    let (live, expired): (Vec<_>, Vec<_>) = old.issued.iter().partition(|issued| issued.not_after.0 > now);
    let newest = live
        .iter()
        .max_by_key(|issued| (issued.issued_at.0, &issued.serial_number));
    let delivery: BTreeSet<Delivery> = live.iter().flat_map(|issued| issued.delivery.iter().copied()).collect();
    let issued = issued(index, entry, &delivery).dated(&old.conditions, entry.meta.generation, now);
    let conditions = vec![issued, key_at_rest(entry, secret, now)];
    let status = ServiceIdentityStatus {
        live: Some(live.iter().map(|issued| issued.live).sum()),
        delivery: delivery.into_iter().collect(),
        certificate: newest.map(|issued| CertificateStatus {
            serial_number: issued.serial_number.clone(),
            not_after: issued.not_after.clone(),
        }),
        conditions,
        ..ServiceIdentityStatus::default()
    };
    let same = (status.live, &status.delivery, &status.certificate) == (old.live, &old.delivery, &old.certificate)
        && status
            .conditions
            .iter()
            .all(|condition| old.conditions.contains(condition));
    Summary {
        name: entry.name().clone(),
        uid: entry.meta.uid.clone(),
        differs: !same || !expired.is_empty(),
        expired: expired.into_iter().map(|issued| issued.by.clone()).collect(),
        status,
    }
}

fn issued(index: &Index, entry: &Entry, delivery: &BTreeSet<Delivery>) -> Finding {
    let said = |holds, reason, message| Finding::new("Issued", Some(holds), reason, message);
    if let Some(other) = index.conflict(entry) {
        let message = format!("{other} is older and holds the service account: certificates are issued as it says");
        return said(false, "Conflicted", message);
    }
    if entry.parsed.identity.is_err() {
        return said(
            false,
            "Invalid",
            "no certificate is issued until the spec is corrected: see Ready".to_owned(),
        );
    }
    if delivery.is_empty() {
        return said(
            false,
            "NoneLive",
            "no certificate is live: none was asked for, or all have expired".to_owned(),
        );
    }
    let ways: Vec<_> = delivery.iter().map(|way| delivery_name(*way)).collect();
    said(
        true,
        "Issued",
        format!("certificates were issued by {}", ways.join(", ")),
    )
}

fn key_at_rest(entry: &Entry, secret: Option<&SecretState>, now: Timestamp) -> Condition {
    let old = &entry.status.conditions;
    let said = |holds, reason, message| {
        Finding::new(KEY_AT_REST, Some(holds), reason, message).dated(old, entry.meta.generation, now)
    };
    let namespace = &entry.name().namespace;
    match secret {
        Some(SecretState::Written { name }) => {
            let message = format!(
                "a private key is at rest in etcd and in the Secret {namespace}/{name}, for all who may read it; a podCertificate \
                 volume keeps it in the Pod"
            );
            said(true, "Secret", message)
        }
        Some(SecretState::Failed { reason, message }) => said(false, reason, message.clone()),
        None if asks_for_secret(entry) => {
            // A replica that has just begun to lead leaves what the one before it found, until it has looked itself.
            let before = old.iter().find(|old| old.type_ == KEY_AT_REST).cloned();
            before.unwrap_or_else(|| said(false, "SecretPending", "the Secret was not looked at yet".to_owned()))
        }
        None => said(
            false,
            "NoSecret",
            "no private key leaves its workload or the agent".to_owned(),
        ),
    }
}

fn asks_for_secret(entry: &Entry) -> bool {
    let identity = entry.parsed.identity.as_ref();
    identity.is_ok_and(|identity| identity.delivery.contains(&Delivery::Secret))
}

#[cfg(test)]
mod tests;
