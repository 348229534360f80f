//! What is kept of the objects that are watched: facts, never whole objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_crds::{ApiAuthPolicyStatus, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::object::{Kind, POLICY_ANNOTATION, POLICY_UID_LABEL, ROLE_LABEL, Role};
use countersign_policy::parse::{self, ParsedIdentity, ParsedIssuer, ParsedPolicy};
use countersign_policy::world::{GatewayFacts, HttpRouteFacts, NamespaceFacts, ObjectName, PodFacts, ServiceFacts};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::{DynamicObject, ObjectMeta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::digest::{Digest, digest_of};
use crate::kinds::Source;

/// Which write of an object this is. Kubernetes numbers them upwards (KEP-5504).
pub type Version = Option<u64>;

/// What every object of Countersign's own kinds has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Tells an object from a later one of the same name.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// Which write this is.
    pub version: Version,
    /// Whether it is on its way out, held back by finalizers.
    pub deleting: bool,
}

/// One object that Countersign wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// Tells it from a later one of the same name.
    pub uid: String,
    /// The policy that it was written for, by uid.
    pub policy_uid: Arc<str>,
    /// The policy that it was written for, by name. Only a hint: anyone who may write the object can write this.
    pub policy: Option<String>,
    /// What it is for.
    pub role: Option<Role>,
    /// Which write this is.
    pub version: Version,
    /// What it says.
    pub digest: Digest,
}

/// What is kept of one object.
#[derive(Clone, Debug)]
pub enum Fact {
    /// Of an `ApiAuthPolicy`.
    Policy(Meta, Box<ParsedPolicy>, Box<ApiAuthPolicyStatus>),
    /// Of a `ServiceIdentity`, with the operator's part of its status.
    Identity(Meta, Box<ParsedIdentity>, Box<ServiceIdentityStatus>),
    /// Of a `TokenIssuer`. Of the status of an external one, the operator's part; of that of a managed one, all.
    Issuer(Meta, Box<ParsedIssuer>, Box<TokenIssuerStatus>),
    /// Of a Namespace, and whether it is being deleted.
    Namespace(NamespaceFacts, bool),
    /// Of a Pod.
    Pod(PodFacts),
    /// Of a Service.
    Service(ServiceFacts),
    /// Of a Gateway.
    Gateway(GatewayFacts),
    /// Of an `HTTPRoute`.
    HttpRoute(HttpRouteFacts),
    /// Of an object of the mesh.
    Owned(Box<Observed>),
}

/// The name of an object. Objects without a namespace have an empty one.
pub fn name_of(meta: &ObjectMeta) -> ObjectName {
    ObjectName::new(
        meta.namespace.clone().unwrap_or_default(),
        meta.name.clone().unwrap_or_default(),
    )
}

/// Reads a resource version.
pub fn version(meta: &ObjectMeta) -> Version {
    meta.resource_version
        .as_deref()
        .and_then(|version| version.parse().ok())
}

/// What is kept of an object of which only the metadata was read.
pub fn of_metadata(source: Source, meta: &ObjectMeta) -> Option<Fact> {
    match source {
        Source::Namespaces => Some(Fact::Namespace(
            NamespaceFacts::read(labels(meta)),
            meta.deletion_timestamp.is_some(),
        )),
        Source::Pods => Some(Fact::Pod(PodFacts::read(
            labels(meta).clone(),
            meta.annotations.as_ref().unwrap_or(&NOTHING),
        ))),
        _ => None,
    }
}

/// What is kept of an object.
pub fn of_object(source: Source, object: &DynamicObject) -> Option<Fact> {
    let data = &object.data;
    let name = || name_of(&object.metadata);
    match source {
        Source::Policies => {
            let parsed = parse::policy(name(), &data["spec"]);
            Some(Fact::Policy(
                meta(&object.metadata),
                Box::new(parsed),
                Box::new(status(data)),
            ))
        }
        Source::Identities => {
            let created = object.metadata.creation_timestamp.as_ref();
            let created = created.map_or(Timestamp::MAX, |time| time.0);
            let parsed = parse::service_identity(name(), &data["spec"], created);
            Some(Fact::Identity(
                meta(&object.metadata),
                Box::new(parsed),
                Box::new(own_part(&data["status"])),
            ))
        }
        Source::Issuers => {
            let parsed = parse::token_issuer(&name().name, &data["spec"], &data["status"]);
            let status = issuer_status(parsed.managed, status(data));
            Some(Fact::Issuer(meta(&object.metadata), Box::new(parsed), Box::new(status)))
        }
        Source::Services => Some(Fact::Service(ServiceFacts::read(
            labels(&object.metadata),
            &data["spec"],
        ))),
        Source::Gateways => Some(Fact::Gateway(GatewayFacts::read(&data["spec"]))),
        Source::HttpRoutes => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
            Some(Fact::HttpRoute(HttpRouteFacts::read(namespace, &data["spec"])))
        }
        Source::Owned(kind) => observed(kind, object).map(|observed| Fact::Owned(Box::new(observed))),
        Source::Namespaces | Source::Pods => of_metadata(source, &object.metadata),
    }
}

/// What is kept of an object of the mesh, if it was written for a policy.
pub fn observed(kind: Kind, object: &DynamicObject) -> Option<Observed> {
    let meta = &object.metadata;
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
    let policy_uid = Arc::from(label(POLICY_UID_LABEL)?.as_str());
    // The spec is large, and most of the metadata is an account of who wrote what: neither is copied.
    let metadata = json!({
        "labels": meta.labels,
        "annotations": meta.annotations,
        "ownerReferences": meta.owner_references,
    });
    Some(Observed {
        kind,
        name: name_of(meta),
        uid: meta.uid.clone().unwrap_or_default(),
        policy: meta
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(POLICY_ANNOTATION))
            .cloned(),
        role: label(ROLE_LABEL).and_then(|role| Role::from_label(role)),
        version: version(meta),
        digest: digest_of(&object.data["spec"], &metadata, &policy_uid),
        policy_uid,
    })
}

/// What every object of Countersign's own kinds has.
pub fn meta(meta: &ObjectMeta) -> Meta {
    Meta {
        uid: meta.uid.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        version: version(meta),
        deleting: meta.deletion_timestamp.is_some(),
    }
}

/// A status that cannot be read was not written by this operator, and is as good as none.
pub fn status<S: DeserializeOwned + Default>(object: &Value) -> S {
    S::deserialize(&object["status"]).unwrap_or_default()
}

/// The operator's part of the status of a `ServiceIdentity`. What the signer says there changes with each certificate, and
/// is neither looked at nor compared.
fn own_part(status: &Value) -> ServiceIdentityStatus {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    ServiceIdentityStatus {
        observed_generation: status["observedGeneration"].as_i64(),
        spiffe_id: status["spiffeId"].as_str().map(str::to_owned),
        mesh_principals: Option::deserialize(&status["meshPrincipals"]).unwrap_or_default(),
        conditions: conditions
            .filter(|condition| condition["type"] == "Ready")
            .filter_map(|condition| Condition::deserialize(condition).ok())
            .collect(),
        ..ServiceIdentityStatus::default()
    }
}

/// What the operator looks at in the status of a `TokenIssuer`. In that of an external one, what the token service left
/// there while the issuer was a managed one is neither looked at nor compared.
fn issuer_status(managed: bool, mut status: TokenIssuerStatus) -> TokenIssuerStatus {
    if !managed {
        status.keys.clear();
        status.clients = None;
        let own = |condition: &Condition| matches!(condition.type_.as_str(), "KeysAvailable" | "Ready");
        status.conditions.retain(own);
    }
    status
}

static NOTHING: BTreeMap<String, String> = BTreeMap::new();

fn labels(meta: &ObjectMeta) -> &BTreeMap<String, String> {
    meta.labels.as_ref().unwrap_or(&NOTHING)
}
