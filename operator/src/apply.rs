//! In which order a policy's objects are written, and what is still done when one of the writes fails.
//!
//! 1. What refuses everything ([`Role::Deny`]).
//! 2. What admits and is to go is deleted; what admits and is to change is cut down to the rules that stay.
//! 3. Everything else, what admits last.
//! 4. What refuses and is to go.
//!
//! So what is no longer admitted is refused before anything that can fail for long: a name that is taken, a quota, an
//! admission webhook. After a failure, whatever can only refuse is tried all the same, and nothing is opened.

use countersign_policy::object::Role;
use countersign_policy::world::ObjectName;
use serde_json::Value;

use crate::api::WriteError;
use crate::fact::Observed;
use crate::plan::{Plan, Write, admits, narrowed};
use crate::work::Change;

/// What is asked of the cluster.
pub trait Cluster {
    /// Creates or changes an object.
    fn write(&self, write: &Write) -> impl Future<Output = Result<Observed, WriteError>> + Send;
    /// Reads the object that is to be changed: its metadata and its spec.
    fn stored(&self, write: &Write) -> impl Future<Output = Result<Option<Value>, WriteError>> + Send;
    /// Deletes an object.
    fn delete(&self, object: &Observed) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Does what is planned for a policy. Returns the first thing that failed.
pub async fn apply<C: Cluster + Sync>(
    plan: &Plan,
    owner_uid: &str,
    cluster: &C,
    changes: &mut Vec<Change>,
) -> Result<(), WriteError> {
    let mut run = Run {
        cluster,
        changes,
        error: None,
    };
    let mut open = Vec::new();
    for write in plan.writes.iter().filter(|write| write.role == Role::Deny) {
        if !run.write(write).await {
            open.push(point(&write.name));
        }
    }
    let mut taken_back = true;
    for object in plan.prunes.iter().filter(|object| admits(object)) {
        // Where nothing else refuses, what admits refuses the rest, and must stay.
        taken_back &= !open.contains(&point(&object.name)) && run.delete(object).await;
    }
    let mut done = Vec::new();
    for write in plan.to_be_narrowed() {
        match run.narrow(plan, write, owner_uid).await {
            Narrowed::No | Narrowed::Partly => {}
            Narrowed::Finally => done.push(&write.name),
            Narrowed::Failed => taken_back = false,
        }
    }
    for write in plan.writes.iter().filter(|write| write.role != Role::Deny) {
        // What is still admitted, and should not be, must not meet another guard or other tokens.
        let relied_on = match write.role {
            Role::Guard => write.replaces.is_some(),
            role => role == Role::Tokens,
        };
        let held_back = !taken_back && relied_on || run.error.is_some() && !write.role.refuses();
        let as_it_is_to_be = write.role == Role::Allow && done.contains(&&write.name);
        if !(held_back || as_it_is_to_be) {
            run.write(write).await;
        }
    }
    if let Some(error) = run.error.take() {
        return Err(error);
    }
    for object in plan.prunes.iter().filter(|object| !admits(object)) {
        if !run.delete(object).await {
            break;
        }
    }
    run.error.map_or(Ok(()), Err)
}

/// Where the objects of a policy are attached, as their names tell.
fn point(name: &ObjectName) -> &str {
    name.name.rsplit('-').next().unwrap_or_default()
}

/// What became of an object that admits.
enum Narrowed {
    /// It has nothing that does not stay.
    No,
    /// It has fewer rules now.
    Partly,
    /// It is as it is to be.
    Finally,
    /// It is as it was, as far as is known.
    Failed,
}

struct Run<'a, C> {
    cluster: &'a C,
    changes: &'a mut Vec<Change>,
    error: Option<WriteError>,
}

impl<C: Cluster> Run<'_, C> {
    async fn write(&mut self, write: &Write) -> bool {
        let written = self.cluster.write(write).await;
        let written = self.succeeded(written);
        let succeeded = written.is_some();
        self.changes.extend(written.map(Change::Wrote));
        succeeded
    }

    async fn delete(&mut self, object: &Observed) -> bool {
        let deleted = self.cluster.delete(object).await;
        let succeeded = self.succeeded(deleted).is_some();
        if succeeded {
            self.changes.push(Change::Deleted(object.clone()));
        }
        succeeded
    }

    /// Takes out of an object what the policy no longer admits.
    async fn narrow(&mut self, plan: &Plan, write: &Write, owner_uid: &str) -> Narrowed {
        let stored = self.cluster.stored(write).await;
        let Some(stored) = self.succeeded(stored) else {
            return Narrowed::Failed;
        };
        let Some(narrowed) = stored.and_then(|stored| narrowed(plan, write, &stored, owner_uid)) else {
            return Narrowed::No;
        };
        match self.write(&narrowed).await {
            false => Narrowed::Failed,
            true if narrowed.digest == write.digest => Narrowed::Finally,
            true => Narrowed::Partly,
        }
    }

    fn succeeded<T>(&mut self, result: Result<T, WriteError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
