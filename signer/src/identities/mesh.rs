//! What the mesh is told: it gives every service account an identity, but for what a `ServiceIdentity` says.

use countersign_crds::service_identity::Delivery;

use super::{Identities, Index};
use crate::grant::SHORTEST;
use crate::istio::cluster::Unreachable;
use crate::istio::{Profile, Profiles};

impl Profiles for Identities {
    fn of(&self, namespace: &str, service_account: &str) -> Result<Option<Profile>, Unreachable> {
        self.read(|index| {
            if !index.complete() {
                return Err(Unreachable("the ServiceIdentities were not read yet".to_owned()));
            }
            Ok(profile(index, namespace, service_account))
        })
    }
}

fn profile(index: &Index, namespace: &str, service_account: &str) -> Option<Profile> {
    let entry = index.holder(namespace, service_account)?;
    let service_identity = entry.name().name.clone();
    Some(match &entry.parsed.identity {
        Ok(identity) => Profile {
            service_identity,
            istio_ca: identity.delivery.contains(&Delivery::IstioCa),
            lifetime: identity.certificate.duration,
            renew_after_percent: identity.certificate.renew_after_percent,
        },
        // What is not understood delivers nothing.
        Err(_) => Profile {
            service_identity,
            istio_ca: false,
            lifetime: SHORTEST,
            renew_after_percent: 50,
        },
    })
}

#[cfg(test)]
mod tests {
    use kube::core::DynamicObject;
    use serde_json::{Value, json};

    use super::*;
    use crate::identities::Entry;

    fn insert(identities: &Identities, spec: &Value) {
        let object = json!({"metadata": {"namespace": "shop", "name": "one", "uid": "u"}, "spec": spec});
        identities.insert(Entry::read(&serde_json::from_value::<DynamicObject>(object).unwrap()));
    }

    #[test]
    fn the_mesh_is_told_what_the_holder_says() {
        let identities = Identities::new("example.org".parse().unwrap());
        insert(
            &identities,
            &json!({"serviceAccountName": "api", "certificate": {"duration": "3h"}}),
        );
        assert!(identities.of("shop", "api").is_err(), "they are not known yet");
        identities.listed(|_| true);
        let profile = identities.of("shop", "api").unwrap().unwrap();
        assert!(profile.istio_ca && profile.lifetime.as_hours() == 3);
        assert_eq!(identities.of("shop", "web"), Ok(None));
        for spec in [
            json!({"serviceAccountName": "api", "delivery": ["WorkloadAPI"]}),
            json!({"serviceAccountName": "api", "typo": 1}),
        ] {
            insert(&identities, &spec);
            assert!(!identities.of("shop", "api").unwrap().unwrap().istio_ca);
        }
    }
}
