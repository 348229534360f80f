//! The operator's part of the status of a `ServiceIdentity`. The rest is the signer's.
//!
//! Server-side apply keeps the two apart: each writes only what it names, and takes back only what it had named.

use countersign_crds::ServiceIdentityStatus;
use countersign_policy::world::ObjectName;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::{Answer, FIELD_MANAGER, WriteError, Writer};
use crate::kinds::{Source, own_api_version};
use crate::metrics::Verb;

impl Writer {
    /// Writes the operator's part of the status, if the object is still the one that was seen.
    pub async fn identity_status(
        &self,
        name: &ObjectName,
        uid: &str,
        status: &ServiceIdentityStatus,
    ) -> Result<DynamicObject, WriteError> {
        let resource = Source::Identities.resource();
        let what = || format!("the status of {} {name}", resource.kind);
        let refused = |error: serde_json::Error| WriteError::Refused {
            what: what(),
            message: error.to_string(),
        };
        let error = |answer| match answer {
            // Deleted: the watch will tell.
            Answer::Status(status) if status.code == 404 => WriteError::Raced(what()),
            answer => answer.into_error(what()),
        };
        let api = self.dynamic(&resource, name);
        let part = part(name, uid, &serde_json::to_value(status).map_err(refused)?);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&part);
        let applied = self.call(
            Verb::Apply,
            &resource.kind,
            api.patch_status(&name.name, &params, &patch),
        );
        let stored = applied.await.map_err(error)?;
        let Some(patch) = leftover(uid, status, &stored.data["status"]) else {
            return Ok(stored);
        };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::<()>::Json(serde_json::from_value(patch).map_err(refused)?);
        let cleaned = self.call(
            Verb::Patch,
            &resource.kind,
            api.patch_status(&name.name, &params, &patch),
        );
        cleaned.await.map_err(error)
    }
}

/// What is applied: nothing but what `status` holds, tied to the object that was seen.
fn part(name: &ObjectName, uid: &str, status: &Value) -> Value {
    json!({
        "apiVersion": own_api_version(),
        "kind": Source::Identities.resource().kind,
        "metadata": {"name": name.name, "namespace": name.namespace, "uid": uid},
        "status": status,
    })
}

/// A name that is to go stays when somebody else wrote it too. A patch takes it out then.
fn leftover(uid: &str, meant: &ServiceIdentityStatus, stored: &Value) -> Option<Value> {
    let principals = meant.mesh_principals.as_ref();
    let consul = principals.is_none_or(|principals| principals.consul.is_some());
    let gone = [
        ("/spiffeId", meant.spiffe_id.is_some()),
        ("/meshPrincipals", principals.is_some()),
        // Where all of them go, this one goes with them.
        ("/meshPrincipals/consul", consul),
    ]
    .into_iter()
    .filter(|(path, meant)| !meant && stored.pointer(path).is_some_and(|value| !value.is_null()))
    .map(|(path, _)| json!({"op": "remove", "path": format!("/status{path}")}));
    let mut patch = vec![json!({"op": "test", "path": "/metadata/uid", "value": uid})];
    patch.extend(gone);
    (patch.len() > 1).then_some(Value::Array(patch))
}

#[cfg(test)]
mod tests {
    use countersign_policy::Holders;
    use countersign_policy::conditions::identity_status;
    use countersign_policy::parse;
    use countersign_policy::world::MeshSettings;
    use jiff::Timestamp;

    use super::*;
    use crate::fact::{Fact, of_object};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// An object whose status the signer and somebody of another time wrote to.
    fn stored(spec: &Value) -> DynamicObject {
        let condition = |name: &str| json!({"type": name, "status": "True", "reason": "Issued", "message": "", "lastTransitionTime": NOW.to_string()});
        let object = json!({
            "apiVersion": own_api_version(), "kind": "ServiceIdentity",
            "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 3},
            "spec": spec,
            "status": {
                "delivery": ["PodCertificate", "SomethingNew"], "live": 2, "certificate": {"serialNumber": "0a"},
                "conditions": [condition("Issued"), condition("KeyAtRest")],
            },
        });
        serde_json::from_value(object).unwrap()
    }

    fn status_of(object: &DynamicObject) -> ServiceIdentityStatus {
        match of_object(Source::Identities, object) {
            Some(Fact::Identity(_, _, status)) => *status,
            other => panic!("{other:?} is not an identity"),
        }
    }

    /// What the operator finds that the status should be.
    fn meant(object: &DynamicObject) -> ServiceIdentityStatus {
        let mesh = MeshSettings {
            trust_domain: "cluster.local".parse().unwrap(),
            root_namespace: "istio-system".to_owned(),
        };
        let name = ObjectName::new("shop", "web");
        let parsed = parse::service_identity(name, &object.data["spec"], NOW);
        identity_status(&parsed, &Holders::default(), &mesh, 3, &status_of(object), NOW)
    }

    #[test]
    fn what_the_signer_says_is_never_written() {
        let object = stored(&json!({"serviceAccountName": "web"}));
        let status = serde_json::to_value(meant(&object)).unwrap();
        let applied = part(&ObjectName::new("shop", "web"), "u", &status);
        let fields: Vec<&String> = applied["status"].as_object().unwrap().keys().collect();
        assert_eq!(
            fields,
            ["conditions", "meshPrincipals", "observedGeneration", "spiffeId"]
        );
        let conditions = applied["status"]["conditions"].as_array().unwrap();
        let types: Vec<&Value> = conditions.iter().map(|condition| &condition["type"]).collect();
        assert_eq!(types, ["Ready"], "the list is merged by type");
        assert_eq!(applied["metadata"]["uid"], "u");
    }

    #[test]
    fn what_the_signer_says_is_never_compared() {
        let mut object = stored(&json!({"serviceAccountName": "web"}));
        let meant = meant(&object);
        assert_ne!(meant, status_of(&object), "the operator was not here yet");
        let own = serde_json::to_value(&meant).unwrap();
        let status = &mut object.data["status"];
        status["observedGeneration"] = own["observedGeneration"].clone();
        status["spiffeId"] = own["spiffeId"].clone();
        status["meshPrincipals"] = own["meshPrincipals"].clone();
        status["conditions"]
            .as_array_mut()
            .unwrap()
            .insert(1, own["conditions"][0].clone());
        assert_eq!(meant, status_of(&object));
        object.data["status"]["live"] = json!(3);
        object.data["status"]["certificate"] = Value::Null;
        assert_eq!(meant, status_of(&object), "a new certificate is no news");
    }

    #[test]
    fn a_name_that_somebody_else_wrote_too_is_taken_out() {
        let object = stored(&json!({"serviceAccountName": "web", "typo": true}));
        let meant = meant(&object);
        assert_eq!(leftover("u", &meant, &object.data["status"]), None, "there is none");
        let written = json!({
            "spiffeId": "spiffe://cluster.local/ns/shop/sa/web",
            "meshPrincipals": {"istio": "cluster.local/ns/shop/sa/web", "consul": "web"},
        });
        let removed = |meant: &ServiceIdentityStatus| {
            let patch = leftover("u", meant, &written).unwrap();
            let operations = patch.as_array().unwrap().clone();
            assert_eq!(operations[0]["op"], "test", "it is still the object that was seen");
            operations[1..]
                .iter()
                .map(|one| one["path"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(removed(&meant), ["/status/spiffeId", "/status/meshPrincipals"]);
        let without_consul = self::meant(&stored(&json!({"serviceAccountName": "web"})));
        assert_eq!(removed(&without_consul), ["/status/meshPrincipals/consul"]);
    }
}
