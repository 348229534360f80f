//! What the tests of the audit are made of.

use countersign_scan::{Finding, FingerprintKey, Location, Tier};
use kube::core::{ApiResource, GroupVersionKind};

use super::follow::{Look, Name, Told};
use super::kinds::Kind;

pub(super) fn config_maps() -> Kind {
    kind("", "ConfigMap", "configmaps")
}

pub(super) fn deployments() -> Kind {
    kind("apps", "Deployment", "deployments")
}

fn kind(group: &str, kind: &str, plural: &str) -> Kind {
    Kind {
        resource: ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural),
        namespaced: true,
    }
}

pub(super) fn name(namespace: &str, name: &str) -> Name {
    Name {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

/// A finding at a pointer, of a value that the number stands for.
pub(super) fn finding(pointer: &str, value: u8) -> Finding {
    Finding {
        location: Location {
            pointer: pointer.to_owned(),
            steps: Vec::new(),
        },
        rule: countersign_scan::rules()[0],
        tier: Tier::Shaped,
        mitigation: None,
        lifetime: None,
        fingerprint: FingerprintKey::new([7; 32]).fingerprint(&[value]),
    }
}

pub(super) fn seen(kind: &Kind, name: &Name, findings: Vec<Finding>) -> Told {
    let look = Look {
        uid: format!("uid-{}", name.name),
        findings,
        waiver: None,
    };
    Told::Seen(kind.id(), name.clone(), look)
}
