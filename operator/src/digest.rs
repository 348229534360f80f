//! Whether an object of the mesh is as it should be.
//!
//! For each object that Countersign wrote, only a digest is kept. It covers all that gives the object its meaning: the
//! whole spec, every label and annotation that Istio or Countersign looks at, and the owner. So it also shows what
//! somebody *added*: `rules: [{}]` in a deny-all, an `istio.io/dry-run` annotation, or an `istio.io/rev` label that
//! hides the object from the control plane.

use std::collections::BTreeMap;

use countersign_policy::object::MANAGED_BY_LABEL;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The first half of a SHA-256.
pub type Digest = [u8; 16];

/// Whether a label or annotation means something to Istio or to Countersign.
pub fn meaningful(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    key == MANAGED_BY_LABEL
        || ["istio.io", "countersign.dev"]
            .iter()
            .any(|of| domain == *of || domain.strip_suffix(of).is_some_and(|rest| rest.ends_with('.')))
}

/// The digest of an object: of one that is to be written, or of one that was read.
pub fn digest(object: &Value, owner_uid: &str) -> Digest {
    digest_of(&object["spec"], &object["metadata"], owner_uid)
}

/// The same from the parts that count. Of the metadata, only labels, annotations and owners do.
pub fn digest_of(spec: &Value, metadata: &Value, owner_uid: &str) -> Digest {
    let mut hash = Sha256::new();
    canonical(spec, &mut hash);
    for field in ["labels", "annotations"] {
        let meaning: BTreeMap<_, _> = metadata[field]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| meaningful(key))
            .collect();
        for (key, value) in meaning {
            text(key, &mut hash);
            canonical(value, &mut hash);
        }
        hash.update([0]);
    }
    let owners = metadata["ownerReferences"].as_array();
    for owner in owners.into_iter().flatten().filter(|owner| owner["uid"] == owner_uid) {
        canonical(owner, &mut hash);
    }
    let full = hash.finalize();
    let mut half = Digest::default();
    half.copy_from_slice(&full[..16]);
    half
}

/// Hashes a value so that equal values are equal, whatever order their members were written in.
fn canonical(value: &Value, hash: &mut Sha256) {
    match value {
        Value::Null => hash.update([1]),
        Value::Bool(value) => hash.update([2, u8::from(*value)]),
        Value::Number(number) => {
            hash.update([3]);
            // An API server stores 1.0 as 1, and this writes a float that is whole like an integer.
            let float = number.as_f64().filter(|_| number.is_f64());
            text(
                &float.map_or_else(|| number.to_string(), |float| float.to_string()),
                hash,
            );
        }
        Value::String(value) => {
            hash.update([4]);
            text(value, hash);
        }
        Value::Array(items) => {
            hash.update([5]);
            hash.update((items.len() as u64).to_le_bytes());
            for item in items {
                canonical(item, hash);
            }
        }
        Value::Object(members) => {
            hash.update([6]);
            hash.update((members.len() as u64).to_le_bytes());
            let sorted: BTreeMap<_, _> = members.iter().collect();
            for (key, value) in sorted {
                text(key, hash);
                canonical(value, hash);
            }
        }
    }
}

fn text(value: &str, hash: &mut Sha256) {
    hash.update((value.len() as u64).to_le_bytes());
    hash.update(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "metadata": {
                "labels": {"app.kubernetes.io/managed-by": "countersign", "countersign.dev/policy-uid": "u"},
                "annotations": {"countersign.dev/policy": "p"},
                "ownerReferences": [{"uid": "u", "name": "p"}],
            },
            "spec": {"action": "ALLOW", "rules": [{"to": [{"operation": {"methods": ["GET"]}}]}]},
        })
    }

    #[test]
    fn what_others_may_add_does_not_count() {
        let mut read = object();
        read["metadata"]["labels"]["argocd.argoproj.io/instance"] = "shop".into();
        read["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}".into();
        read["metadata"]["resourceVersion"] = "7".into();
        read["metadata"]["ownerReferences"] = json!([{"uid": "other"}, {"uid": "u", "name": "p"}]);
        read["status"] = json!({"conditions": []});
        assert_eq!(digest(&object(), "u"), digest(&read, "u"));
    }

    #[test]
    fn a_whole_number_is_the_same_in_either_notation() {
        let [float, integer] = [json!({"spec": {"n": 1.0}}), json!({"spec": {"n": 1}})];
        assert_eq!(digest(&float, "u"), digest(&integer, "u"));
        let [float, integer] = [
            json!({"spec": {"n": 1e15}}),
            json!({"spec": {"n": 1_000_000_000_000_000_i64}}),
        ];
        assert_eq!(digest(&float, "u"), digest(&integer, "u"));
        assert_ne!(digest(&json!({"spec": {"n": 1.5}}), "u"), digest(&integer, "u"));
    }

    #[rstest::rstest]
    #[case::rule(|o: &mut Value| o["spec"]["rules"] = json!([{}]))]
    #[case::selector(|o: &mut Value| o["spec"]["selector"] = json!({"matchLabels": {"a": "b"}}))]
    #[case::dry_run(|o: &mut Value| o["metadata"]["annotations"]["istio.io/dry-run"] = "true".into())]
    #[case::revision(|o: &mut Value| o["metadata"]["labels"]["istio.io/rev"] = "canary".into())]
    #[case::subdomain(|o: &mut Value| o["metadata"]["labels"]["networking.istio.io/x"] = "y".into())]
    #[case::owner(|o: &mut Value| o["metadata"]["ownerReferences"] = json!([]))]
    #[case::label(|o: &mut Value| o["metadata"]["labels"]["countersign.dev/policy-uid"] = "v".into())]
    fn what_changes_the_meaning_counts(#[case] change: impl Fn(&mut Value)) {
        let mut read = object();
        change(&mut read);
        assert_ne!(digest(&object(), "u"), digest(&read, "u"));
    }
}
