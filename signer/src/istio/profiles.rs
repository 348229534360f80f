//! What `ServiceIdentities` say of workloads in the mesh.

use countersign_crds::service_identity::Delivery;
use jiff::SignedDuration;

use super::refusal::Refusal;
use crate::identities::{Identities, Index};
use crate::key::KeyType;
use countersign_runtime::callers::Account;

/// What a `ServiceIdentity` says of a workload's certificates in the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub service_identity: String,
    /// The kind of key.
    pub key_type: KeyType,
    /// How long they live at most.
    pub lifetime: SignedDuration,
    /// When they are to be renewed, in hundredths of their life.
    pub renew_after_percent: u8,
}

/// The `ServiceIdentities`.
pub trait Profiles: Send + Sync {
    /// What holds for a service account, if there is a `ServiceIdentity` for it.
    ///
    /// # Errors
    ///
    /// If it does not have the mesh deliver certificates, or cannot be understood, or is not known yet.
    fn of(&self, account: &Account) -> Result<Option<Profile>, Refusal>;
}

impl Profiles for Identities {
    fn of(&self, account: &Account) -> Result<Option<Profile>, Refusal> {
        self.read(|index| profile(index, account))
    }
}

fn profile(index: &Index, account: &Account) -> Result<Option<Profile>, Refusal> {
    if !index.complete() {
        return Err(Refusal::NotReady);
    }
    let Some(entry) = index.holder(&account.namespace, &account.name) else {
        return Ok(None);
    };
    let (namespace, name) = (entry.name().namespace.clone(), entry.name().name.clone());
    let Ok(identity) = &entry.parsed.identity else {
        return Err(Refusal::NotUnderstood { namespace, name });
    };
    if !identity.delivery.contains(&Delivery::IstioCa) {
        return Err(Refusal::NotDelivered { namespace, name });
    }
    let certificate = &identity.certificate;
    Ok(Some(Profile {
        service_identity: name,
        key_type: KeyType::from(certificate.key_algorithm),
        lifetime: certificate.duration,
        renew_after_percent: certificate.renew_after_percent,
    }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::identities::Entry;

    fn index(spec: &Value) -> Index {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity",
            "metadata": {"namespace": "shop", "name": "front", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": spec,
        });
        let mut index = Index::new("cluster.local".parse().unwrap());
        index.insert(Entry::read(&serde_json::from_value(object).unwrap()));
        index
    }

    fn account(name: &str) -> Account {
        Account {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        }
    }

    fn named(make: impl FnOnce(String, String) -> Refusal) -> Refusal {
        make("shop".to_owned(), "front".to_owned())
    }

    #[test]
    fn nothing_is_known_before_all_is() {
        let mut index = index(&json!({"serviceAccountName": "web"}));
        assert_eq!(profile(&index, &account("other")), Err(Refusal::NotReady));
        index.listed(|_| true);
        assert_eq!(profile(&index, &account("other")), Ok(None));
    }

    #[rstest]
    #[case::default(json!({"serviceAccountName": "web"}), 24)]
    #[case::its_own(json!({"serviceAccountName": "web", "certificate": {"duration": "2h"}}), 2)]
    fn the_holder_says_how_long(#[case] spec: Value, #[case] hours: i64) {
        let mut index = index(&spec);
        index.listed(|_| true);
        let profile = profile(&index, &account("web")).unwrap().unwrap();
        assert_eq!(profile.lifetime, SignedDuration::from_hours(hours));
        assert_eq!(profile.service_identity, "front");
    }

    #[test]
    fn what_does_not_have_the_mesh_deliver_refuses() {
        let other_way = json!({"serviceAccountName": "web", "delivery": ["PodCertificate"]});
        let refusal = named(|namespace, name| Refusal::NotDelivered { namespace, name });
        let wrong = json!({"serviceAccountName": "web", "certificate": {"duration": "soon"}});
        let unread = named(|namespace, name| Refusal::NotUnderstood { namespace, name });
        for (spec, expected) in [(other_way, refusal), (wrong, unread)] {
            let mut index = index(&spec);
            index.listed(|_| true);
            assert_eq!(profile(&index, &account("web")), Err(expected));
        }
    }
}
