//! The index of identities: plain values, no clock and no client.

use std::collections::BTreeMap;

use countersign_crds::service_identity::{Delivery, Usage};
use countersign_identity::{SpiffeId, TrustDomain};
use countersign_policy::parse::{Identity, summary};
use countersign_policy::{Holders, ObjectName};
use jiff::SignedDuration;

use super::Entry;
use crate::grant::{Grant, SHORTEST, Usages};
use crate::issue::Path;
use crate::key::KeyType;
use crate::refusal::{Reason, Refusal};

/// Identities by name and by the service account that they hold.
#[derive(Debug)]
pub struct Index {
    trust_domain: TrustDomain,
    entries: BTreeMap<ObjectName, Entry>,
    holders: Holders,
    complete: bool,
}

impl Index {
    /// An empty index, which refuses everything until [`Index::listed`].
    pub fn new(trust_domain: TrustDomain) -> Self {
        Self {
            trust_domain,
            entries: BTreeMap::new(),
            holders: Holders::default(),
            complete: false,
        }
    }

    /// Takes in an object as it is now.
    pub fn insert(&mut self, entry: Entry) {
        self.remove(&entry.parsed.name);
        self.holders.add(&entry.parsed);
        self.entries.insert(entry.parsed.name.clone(), entry);
    }

    /// Takes in that an object is gone.
    pub fn remove(&mut self, name: &ObjectName) {
        if let Some(old) = self.entries.remove(name) {
            self.holders.remove(&old.parsed);
        }
    }

    /// Takes in that the objects were listed completely: what is not to be retained no longer exists.
    pub fn listed(&mut self, retain: impl Fn(&ObjectName) -> bool) {
        let gone: Vec<_> = self.entries.keys().filter(|name| !retain(name)).cloned().collect();
        for name in &gone {
            self.remove(name);
        }
        self.complete = true;
    }

    /// Whether the objects were read completely once.
    pub fn complete(&self) -> bool {
        self.complete
    }

    /// The trust domain of all identities.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// All objects, in the order of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The object that holds a service account.
    pub fn holder(&self, namespace: &str, service_account: &str) -> Option<&Entry> {
        self.entries
            .get(self.holders.of_service_account(namespace, service_account)?)
    }

    /// Who holds the service account that an object names, if that is another one.
    pub fn conflict(&self, entry: &Entry) -> Option<&ObjectName> {
        self.holders.other(&entry.parsed)
    }

    /// The SPIFFE ID of a workload's own certificates, if it has an identity that was understood.
    pub fn spiffe_id(&self, namespace: &str, service_account: &str) -> Option<SpiffeId> {
        let entry = self.holder(namespace, service_account)?;
        entry.parsed.svid_id(&self.trust_domain).ok()
    }

    /// What a workload is given, by the way it asks in. `requested` is the longest life that it wants.
    ///
    /// # Errors
    ///
    /// If the workload has no identity, or not by this way.
    pub fn grant(
        &self,
        namespace: &str,
        service_account: &str,
        path: Path,
        requested: Option<SignedDuration>,
    ) -> Result<Grant, Refusal> {
        if !self.complete {
            return Err(Refusal::new(
                Reason::NotReady,
                "the ServiceIdentities were not read yet: ask again in a moment",
            ));
        }
        let entry = self.holder(namespace, service_account).ok_or_else(|| {
            Refusal::new(
                Reason::NoServiceIdentity,
                format!(
                    "no ServiceIdentity in namespace {namespace} names the service account {service_account}: create one with \
                     spec.serviceAccountName: {service_account}"
                ),
            )
        })?;
        let name = entry.name();
        let invalid = |problems: &[_]| {
            let problems = summary(problems);
            Refusal::new(
                Reason::InvalidServiceIdentity,
                format!("the ServiceIdentity {name} must be corrected first: {problems}"),
            )
        };
        let identity = entry.parsed.identity.as_ref().map_err(|problems| invalid(problems))?;
        let allowed = delivery(path).filter(|delivery| identity.delivery.contains(delivery));
        if allowed.is_none() {
            return Err(not_allowed(name, path));
        }
        // Meshes know workloads by their service account only.
        let spiffe_id = match path {
            Path::IstioCa => entry.parsed.spiffe_id(&self.trust_domain),
            _ => entry.parsed.svid_id(&self.trust_domain),
        }
        .map_err(|problems| invalid(&problems))?;
        grant(entry, identity, spiffe_id, requested)
    }
}

fn not_allowed(name: &ObjectName, path: Path) -> Refusal {
    let delivery = delivery(path).map_or(path.name(), delivery_name);
    Refusal::new(
        Reason::DeliveryNotAllowed,
        format!("the ServiceIdentity {name} does not allow this way: add {delivery} to its spec.delivery"),
    )
}

fn grant(
    entry: &Entry,
    identity: &Identity,
    spiffe_id: SpiffeId,
    requested: Option<SignedDuration>,
) -> Result<Grant, Refusal> {
    let profile = &identity.certificate;
    let lifetime = requested.map_or(profile.duration, |requested| requested.min(profile.duration));
    if lifetime < SHORTEST {
        return Err(Refusal::new(
            Reason::InvalidDuration,
            "a certificate lives for an hour at least: ask for 3600 s or more",
        ));
    }
    Ok(Grant {
        namespace: entry.name().namespace.clone(),
        service_account: identity.service_account.clone(),
        service_identity: Some(entry.name().name.clone()),
        spiffe_id,
        key_type: Some(KeyType::from(profile.key_algorithm)),
        dns_names: profile.dns_names.iter().cloned().collect(),
        usages: Usages {
            server: profile.usages.contains(&Usage::ServerAuth),
            client: profile.usages.contains(&Usage::ClientAuth),
        },
        lifetime,
        renew_after_percent: profile.renew_after_percent,
    })
}

/// The way, as a `ServiceIdentity` has it. None has the signer's own.
pub fn delivery(path: Path) -> Option<Delivery> {
    match path {
        Path::PodCertificate => Some(Delivery::PodCertificate),
        Path::CertificateSigningRequest => Some(Delivery::CertificateSigningRequest),
        Path::IstioCa => Some(Delivery::IstioCa),
        Path::WorkloadApi => Some(Delivery::WorkloadApi),
        Path::Secret => Some(Delivery::Secret),
        Path::Serving => None,
    }
}

/// The way, as it is written in a `ServiceIdentity`.
pub fn delivery_name(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::PodCertificate => "PodCertificate",
        Delivery::CertificateSigningRequest => "CertificateSigningRequest",
        Delivery::IstioCa => "IstioCA",
        Delivery::WorkloadApi => "WorkloadAPI",
        Delivery::Secret => "Secret",
    }
}

#[cfg(test)]
mod tests;
