//! Secrets with a key and a certificate, for workloads that can take them in no other way. Only where a `ServiceIdentity` asks
//! for it: the key is at rest in etcd then, and the status says so.
//!
//! Secrets are watched by their metadata alone, which says all that is needed to keep them: no key is ever read.

mod make;
mod plan;
mod scope;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::Bundle;
use countersign_policy::ObjectName;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use plan::{Seen, Step, Wanted, plan};
pub use scope::{Scope, ScopeError};

use crate::bundle;
use crate::identities::Identities;
use crate::issue::Issuer;
use crate::status::{SecretState, SecretStates};
use make::MakeError;

/// The label that holds the name of the `ServiceIdentity` that a Secret belongs to.
pub const IDENTITY_LABEL: &str = "countersign.dev/service-identity";
/// The annotation that holds a digest of what the certificate was made for: another one, and it is made anew.
pub const DIGEST_ANNOTATION: &str = "countersign.dev/made-for";
/// The annotation that holds when the certificate is made anew.
pub const REFRESH_ANNOTATION: &str = "countersign.dev/renew-at";
/// The annotation that holds when the certificate ends.
pub const NOT_AFTER_ANNOTATION: &str = "countersign.dev/not-after";

const FIELD_MANAGER: &str = "countersign.dev/signer";
/// How often it is looked for what is due.
const PERIOD: Duration = Duration::from_secs(30);
/// How long changes are gathered before they are acted on.
const GATHER: Duration = Duration::from_millis(500);

/// Keeps the Secrets.
pub struct Secrets {
    client: Client,
    scope: Scope,
    identities: Identities,
    issuer: Issuer,
    roots: channel::Receiver<Option<Arc<Bundle>>>,
    states: SecretStates,
    leadership: Leadership,
    seen: watch::SeenSecrets,
}

/// Why a Secret is not as it should be.
enum Failed {
    NotOwned,
    Later(String),
}

impl Secrets {
    /// Makes a keeper. `roots` are what peers are verified with; `states` is told how the Secrets stand.
    pub fn new(
        client: Client,
        scope: Scope,
        identities: Identities,
        issuer: Issuer,
        roots: channel::Receiver<Option<Arc<Bundle>>>,
        states: SecretStates,
        leadership: Leadership,
    ) -> Self {
        Self {
            client,
            scope,
            identities,
            issuer,
            roots,
            states,
            leadership,
            seen: watch::SeenSecrets::default(),
        }
    }

    /// Keeps them until `stop`, while this replica leads.
    pub async fn run(mut self, stop: CancellationToken) {
        let (client, scope, seen) = (self.client.clone(), self.scope.clone(), self.seen.clone());
        let watching = watch::follow(client, &scope, &seen);
        let keeping = async {
            let mut changes = self.identities.changes();
            let mut secrets = self.seen.changes();
            let mut roots = self.roots.clone();
            loop {
                let leads = self.leadership.holds();
                let mut leadership = self.leadership.clone();
                tokio::select! {
                    Ok(()) = changes.changed() => {}
                    Ok(()) = secrets.changed() => {}
                    Ok(()) = roots.changed() => {}
                    () = leadership.changed_from(leads) => {}
                    () = tokio::time::sleep(PERIOD) => {}
                }
                tokio::time::sleep(GATHER).await;
                changes.mark_unchanged();
                secrets.mark_unchanged();
                self.round().await;
            }
        };
        tokio::select! {
            () = watching => {}
            () = keeping => {}
            () = stop.cancelled() => {}
        }
    }

    async fn round(&mut self) {
        let roots = bundle::certificates(self.roots.borrow_and_update().as_deref());
        // Without roots a workload could not verify anybody.
        if !(self.leadership.holds() && self.identities.complete() && self.all_seen()) || roots.is_empty() {
            return;
        }
        let now = clock::now();
        let steps = self
            .identities
            .read(|index| self.seen.read(|seen| plan(index, &self.scope, seen, &roots, now)));
        let mut states = BTreeMap::new();
        for step in steps {
            if !self.leadership.holds() {
                return;
            }
            match step {
                Step::Refused(identity, refusal) => {
                    let state = SecretState::Failed {
                        reason: refusal.reason.name(),
                        message: refusal.message,
                    };
                    states.insert(identity, state);
                }
                Step::Keep(wanted) => drop(states.insert(wanted.identity.clone(), written(&wanted))),
                Step::Make(wanted, there) => {
                    let state = self.make(&wanted, there.as_ref(), &roots).await;
                    states.insert(wanted.identity.clone(), state);
                }
                Step::NotOwned(wanted) => drop(states.insert(wanted.identity.clone(), not_owned(&wanted))),
                Step::Delete(name, seen) => self.delete(&name, &seen).await,
            }
        }
        self.states.set(states);
    }

    fn all_seen(&self) -> bool {
        self.seen.listed() == self.scope.places(&self.client).len()
    }

    async fn make(&self, wanted: &Wanted, there: Option<&Seen>, roots: &[CertificateDer<'static>]) -> SecretState {
        match self.write(wanted, there, roots).await {
            Ok(()) => written(wanted),
            Err(Failed::NotOwned) => not_owned(wanted),
            Err(Failed::Later(message)) => {
                warn!(secret = %wanted.secret, message, "a Secret cannot be written now");
                match there {
                    // What is in it holds a while longer.
                    Some(_) => written(wanted),
                    None => SecretState::Failed {
                        reason: "SecretNotWritten",
                        message: format!(
                            "the Secret {} cannot be written yet, and is tried again: {message}",
                            wanted.secret
                        ),
                    },
                }
            }
        }
    }

    async fn write(
        &self,
        wanted: &Wanted,
        there: Option<&Seen>,
        roots: &[CertificateDer<'static>],
    ) -> Result<(), Failed> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &wanted.secret.namespace);
        let name = &wanted.secret.name;
        let later = |error: kube::Error| Failed::Later(error.to_string());
        if there.is_none()
            && let Some(object) = api.get_metadata_opt(name).await.map_err(later)?
        {
            // It is not labelled as ours, or the watch is late.
            return match Seen::of(&object.metadata) {
                Some(seen) if seen.owner == wanted.uid => Ok(()),
                _ => Err(Failed::NotOwned),
            };
        }
        let made = make::make(&self.issuer, wanted, roots, clock::now()).await;
        let secret = made.map_err(|error: MakeError| Failed::Later(error.to_string()))?;
        let stored = match there {
            None => {
                let params = PostParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    dry_run: false,
                };
                match api.create(&params, &secret).await {
                    Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => return Err(Failed::NotOwned),
                    stored => stored,
                }
            }
            Some(seen) => {
                let mut secret = secret;
                // Tied to the one that was seen.
                secret.metadata.uid = Some(seen.uid.clone());
                let params = PatchParams::apply(FIELD_MANAGER).force();
                api.patch(name, &params, &Patch::Apply(&secret)).await
            }
        };
        let stored = stored.map_err(later)?;
        info!(secret = %wanted.secret, identity = %wanted.identity, "wrote a key and its certificate to a Secret");
        self.seen.learn(&wanted.secret, &stored.metadata);
        Ok(())
    }

    async fn delete(&self, name: &ObjectName, seen: &Seen) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &name.namespace);
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(seen.uid.clone()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match api.delete(&name.name, &params).await {
            Ok(_) => info!(secret = %name, "deleted a Secret that no ServiceIdentity wants any more"),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => warn!(secret = %name, %error, "a Secret that no ServiceIdentity wants cannot be deleted"),
        }
    }
}

fn written(wanted: &Wanted) -> SecretState {
    SecretState::Written {
        name: wanted.secret.name.clone(),
    }
}

fn not_owned(wanted: &Wanted) -> SecretState {
    SecretState::Failed {
        reason: "SecretNotOwned",
        message: format!(
            "the Secret {} was not made for this ServiceIdentity and is left alone: delete it, or give another spec.secretName",
            wanted.secret
        ),
    }
}
