//! What is done for one object, away from the loop: calls to the API server, in their order.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_crds::{ApiAuthPolicyStatus, ServiceIdentityStatus, TokenIssuerStatus};
use countersign_policy::conditions::{self, Applied, KeyFetch};
use countersign_policy::object::Kind;
use countersign_policy::parse::ParsedIssuer;
use countersign_policy::report::Report;
use countersign_policy::world::ObjectName;
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::{Value, json};
use tracing::{debug, info, warn};

use crate::api::{WriteError, Writer, not_installed};
use crate::apply::{Cluster, apply};
use crate::events::{Recorder, ready};
use crate::fact::{self, Fact, Meta, Observed};
use crate::jwks::{Fetcher, Wanted};
use crate::kinds::{self, Source, own_api_version};
use crate::metrics::{Failure, Metrics};
use crate::plan::{Plan, Write, in_order_of_removal};
use countersign_runtime::clock;

/// What all tasks share.
#[derive(Clone)]
pub struct Tools {
    /// Writes.
    pub writer: Writer,
    /// Publishes events.
    pub recorder: Recorder,
    /// Fetches keys.
    pub fetcher: Arc<Fetcher>,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// What became of an object of the mesh.
#[derive(Debug)]
pub enum Change {
    /// It is like this now.
    Wrote(Observed),
    /// It is gone.
    Deleted(Observed),
}

/// What came of a task.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What became of objects of the mesh.
    pub changes: Vec<Change>,
    /// The object whose status was written, as it is now.
    pub restated: Option<(ObjectName, Fact)>,
    /// Why it is to be done again.
    pub error: Option<WriteError>,
    /// Whether keys could be fetched, if it was tried.
    pub fetched: Option<bool>,
}

/// A policy whose objects or status are not as they should be.
pub struct PolicyJob {
    /// Its name.
    pub name: ObjectName,
    /// Its uid and generation.
    pub meta: Meta,
    /// What its evaluation found.
    pub report: Report,
    /// What is to be written.
    pub plan: Plan,
    /// The kinds that the cluster does not serve. Writing an object of one of them fails.
    pub not_served: Vec<Kind>,
    /// Its status as it is.
    pub previous: ApiAuthPolicyStatus,
    /// Whether it was tried before, and failed.
    pub retry: bool,
}

impl PolicyJob {
    /// Writes the policy's objects, then its status.
    pub async fn run(self, tools: Tools) -> Outcome {
        let mut outcome = Outcome::default();
        let calls = Calls {
            job: &self,
            tools: &tools,
        };
        let applied = match apply(&self.plan, &self.meta.uid, &calls, &mut outcome.changes).await {
            Ok(()) => Applied::Current,
            Err(error) => {
                let failed = Applied::Failed {
                    reason: error.reason(),
                    message: error.to_string(),
                };
                let passing = matches!(error, WriteError::Raced(_) | WriteError::NotLeader);
                outcome.error = Some(error);
                if passing {
                    return outcome;
                }
                failed
            }
        };
        let status = conditions::policy_status(
            &self.report,
            &applied,
            self.meta.generation,
            &self.previous,
            clock::now(),
        );
        if status == self.previous {
            return outcome;
        }
        let reference = reference(Source::Policies, &self.name, &self.meta.uid);
        match restate(&tools, Source::Policies, &self.name, &self.meta.uid, &status).await {
            Ok(fact) => {
                outcome.restated = fact;
                if let Some(ready) = ready(&status.conditions) {
                    info!(policy = %self.name, ready = ready.status, reason = ready.reason, generation = self.meta.generation, "status written");
                }
                tools
                    .recorder
                    .readiness(reference, &self.previous.conditions, &status.conditions)
                    .await;
            }
            Err(error) => outcome.error = Some(outcome.error.take().unwrap_or(error)),
        }
        outcome
    }
}

/// The cluster, for one policy.
struct Calls<'a> {
    job: &'a PolicyJob,
    tools: &'a Tools,
}

impl Cluster for Calls<'_> {
    async fn write(&self, write: &Write) -> Result<Observed, WriteError> {
        let job = self.job;
        if job.not_served.contains(&write.kind) {
            return Err(not_installed(write.kind));
        }
        let written = self.tools.writer.write(write, &job.meta.uid, job.retry).await?;
        debug!(policy = %job.name, kind = write.kind.name(), object = %write.name, "wrote");
        Ok(written)
    }

    async fn stored(&self, write: &Write) -> Result<Option<Value>, WriteError> {
        let writer = &self.tools.writer;
        let api = writer.dynamic(&kinds::owned(write.kind), &write.name);
        let stored = writer.read(&api, &write.name.name, write.kind.name()).await?;
        Ok(stored.map(|stored| {
            json!({
                "metadata": {
                    "labels": stored.metadata.labels,
                    "annotations": stored.metadata.annotations,
                    "ownerReferences": stored.metadata.owner_references,
                },
                "spec": stored.data["spec"],
            })
        }))
    }

    async fn delete(&self, object: &Observed) -> Result<(), WriteError> {
        self.tools.writer.delete(object).await?;
        debug!(kind = object.kind.name(), object = %object.name, "deleted what is no longer wanted");
        Ok(())
    }
}

/// Deletes objects, in the order given.
async fn prune(tools: &Tools, objects: &[Observed], changes: &mut Vec<Change>) -> Result<(), WriteError> {
    for object in objects {
        tools.writer.delete(object).await?;
        debug!(kind = object.kind.name(), object = %object.name, "deleted what is no longer wanted");
        changes.push(Change::Deleted(object.clone()));
    }
    Ok(())
}

/// Deletes the objects of a policy that no longer exists, as the cluster's garbage collector would. The loop may have
/// seen the objects of a new policy before the policy itself, so the API server has the last word.
pub async fn remove_orphans(tools: Tools, uid: String, objects: Vec<Observed>) -> Outcome {
    let mut outcome = Outcome::default();
    for place in places(&objects) {
        match policy_exists(&tools, &place, &uid).await {
            Ok(false) => {}
            Ok(true) => return outcome,
            Err(error) => {
                outcome.error = Some(error);
                return outcome;
            }
        }
    }
    let objects = in_order_of_removal(objects.iter());
    outcome.error = prune(&tools, &objects, &mut outcome.changes).await.err();
    outcome
}

/// Where the policy of an object would be.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// It has this name, as the object says.
    Name(ObjectName),
    /// It has any name in this namespace: somebody took out of the object which.
    Namespace(String),
}

fn places(objects: &[Observed]) -> BTreeSet<Place> {
    let place = |object: &Observed| {
        let namespace = object.name.namespace.clone();
        match &object.policy {
            Some(policy) => Place::Name(ObjectName::new(namespace, policy.clone())),
            None => Place::Namespace(namespace),
        }
    };
    objects.iter().map(place).collect()
}

async fn policy_exists(tools: &Tools, place: &Place, uid: &str) -> Result<bool, WriteError> {
    let resource = Source::Policies.resource();
    match place {
        Place::Name(name) => {
            let api = tools.writer.dynamic(&resource, name);
            let found = tools.writer.read(&api, &name.name, &resource.kind).await?;
            Ok(found.is_some_and(|policy| policy.metadata.uid.as_deref() == Some(uid)))
        }
        Place::Namespace(namespace) => {
            let uids = tools.writer.uids(&resource, namespace).await?;
            Ok(uids.iter().any(|found| found == uid))
        }
    }
}

/// Writes the operator's part of the status of a `ServiceIdentity`.
pub async fn restate_identity(tools: Tools, name: ObjectName, meta: Meta, status: ServiceIdentityStatus) -> Outcome {
    let written = tools.writer.identity_status(&name, &meta.uid, &status).await;
    let fact = |object| fact::of_object(Source::Identities, &object).map(|fact| (name.clone(), fact));
    let (restated, error) = split(written.map(fact));
    Outcome {
        restated,
        error,
        ..Outcome::default()
    }
}

/// A `TokenIssuer` whose keys are due, or whose status is not as it should be.
pub struct IssuerJob {
    /// Its uid and generation.
    pub meta: Meta,
    /// What it says.
    pub issuer: ParsedIssuer,
    /// What is to be fetched.
    pub wanted: Option<Wanted>,
    /// Its status as it is.
    pub previous: TokenIssuerStatus,
    /// Its name.
    pub name: String,
}

impl IssuerJob {
    /// Fetches the issuer's keys, then writes its status.
    pub async fn run(self, tools: Tools) -> Outcome {
        let mut outcome = Outcome::default();
        let fetch = match &self.wanted {
            None => KeyFetch::NotNeeded,
            Some(wanted) => match tools.fetcher.fetch(wanted).await {
                Ok(body) => KeyFetch::Fetched(body),
                Err(error) => {
                    tools.metrics.failed(Failure::KeyFetch);
                    warn!(issuer = self.name, %error, "keys could not be fetched");
                    KeyFetch::Failed(error.to_string())
                }
            },
        };
        outcome.fetched = self.wanted.as_ref().map(|_| matches!(fetch, KeyFetch::Fetched(_)));
        let status =
            conditions::issuer_status(&self.issuer, &fetch, self.meta.generation, &self.previous, clock::now());
        if status == self.previous {
            return outcome;
        }
        let name = ObjectName::new("", self.name.as_str());
        match restate(&tools, Source::Issuers, &name, &self.meta.uid, &status).await {
            Ok(fact) => {
                outcome.restated = fact;
                let reference = reference(Source::Issuers, &name, &self.meta.uid);
                tools
                    .recorder
                    .readiness(reference, &self.previous.conditions, &status.conditions)
                    .await;
            }
            Err(error) => outcome.error = Some(error),
        }
        outcome
    }
}

async fn restate<S: serde::Serialize>(
    tools: &Tools,
    source: Source,
    name: &ObjectName,
    uid: &str,
    status: &S,
) -> Result<Option<(ObjectName, Fact)>, WriteError> {
    let status: Value = serde_json::to_value(status).map_err(|error| WriteError::Refused {
        what: format!("the status of {name}"),
        message: error.to_string(),
    })?;
    let object = tools.writer.status(source, name, uid, &status).await?;
    Ok(fact::of_object(source, &object).map(|fact| (name.clone(), fact)))
}

fn split<T>(result: Result<Option<T>, WriteError>) -> (Option<T>, Option<WriteError>) {
    match result {
        Ok(value) => (value, None),
        Err(error) => (None, Some(error)),
    }
}

fn reference(source: Source, name: &ObjectName, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(own_api_version()),
        kind: Some(source.resource().kind),
        name: Some(name.name.clone()),
        namespace: Some(name.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_does_not_say_whose_it_is_is_looked_up_all_the_same() {
        let object = |policy: Option<&str>| Observed {
            kind: Kind::EnvoyFilter,
            name: ObjectName::new("shop", "a"),
            uid: "1".into(),
            policy_uid: "u".into(),
            policy: policy.map(str::to_owned),
            role: None,
            version: None,
            digest: [0; 16],
        };
        let places = places(&[object(Some("p")), object(None), object(Some("p")), object(None)]);
        let expected = [
            Place::Name(ObjectName::new("shop", "p")),
            Place::Namespace("shop".to_owned()),
        ];
        assert_eq!(places, BTreeSet::from(expected));
    }
}
