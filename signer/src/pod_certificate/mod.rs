//! `PodCertificateRequest`: the kubelet makes a key for a Pod, and asks for its certificate.
//!
//! Kubernetes checks that a kubelet asks for Pods of its own node. All else is checked here, against the objects as they are
//! now: a request tells of the past, and who can write one with every right must not become a workload by it.

mod check;
mod facts;
mod request;
mod status;

use std::sync::Arc;
use std::time::Duration;

use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use jiff::Timestamp;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use check::check;
pub use facts::{Facts, ObjectFact, PodFact};
pub use request::{Named, Request, RequestKey};

use crate::authority::SignError;
use crate::discovery;
use crate::identities::Identities;
use crate::issue::{IssueError, Issuer, Path};
use crate::refusal::Reason;
use crate::requests::{self, Answer, Answerer};

/// The name by which Pods ask for this signer.
pub const SIGNER_NAME: &str = "countersign.dev/spiffe";

const FIELD_MANAGER: &str = "countersign.dev/signer";
/// How long a request waits for an identity that may be on its way, in seconds.
const PATIENCE: i64 = 10;
/// How often a cluster that does not serve the kind is asked whether it does now.
const ABSENCE: Duration = Duration::from_secs(30);
/// How soon an API server that did not say is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Answers the requests of kubelets until `stop`, while this replica leads.
pub async fn run(
    client: Client,
    identities: Identities,
    issuer: Issuer,
    leadership: Leadership,
    stop: CancellationToken,
) {
    let Some(resource) = served(&client, &stop).await else {
        return;
    };
    info!(version = resource.version, "answers PodCertificateRequests");
    let api = Api::all_with(client.clone(), &resource);
    let config = watcher::Config::default().fields(&format!("spec.signerName={SIGNER_NAME}"));
    let answerer = Arc::new(PodCertificates {
        client,
        resource,
        identities,
        issuer,
        leadership: leadership.clone(),
    });
    requests::serve(api, config, answerer, leadership, stop).await;
}

/// The kind, once the API server has it. None if the time is over.
async fn served(client: &Client, stop: &CancellationToken) -> Option<ApiResource> {
    let mut told = false;
    loop {
        let wait = match discovery::newest(client, "PodCertificateRequest", "podcertificaterequests").await {
            Ok(Some(resource)) => return Some(resource),
            Ok(None) => {
                if !told {
                    info!(
                        "the API server does not serve PodCertificateRequests: Pods get no certificates from their kubelets"
                    );
                    told = true;
                }
                ABSENCE
            }
            Err(error) => {
                warn!(%error, "the API server does not say whether it serves PodCertificateRequests");
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return None,
        }
    }
}

struct PodCertificates {
    client: Client,
    resource: ApiResource,
    identities: Identities,
    issuer: Issuer,
    leadership: Leadership,
}

impl Answerer for PodCertificates {
    fn waits(&self, request: &DynamicObject) -> bool {
        // The selector says so already, if the API server heeds it.
        request.data["spec"]["signerName"] == SIGNER_NAME && !status::is_final(&request.data["status"])
    }

    async fn answer(&self, object: DynamicObject) -> Answer {
        let now = clock::now();
        let Ok(request) = Request::read(&object) else {
            let message = "the request cannot be read as a PodCertificateRequest";
            return self
                .write(
                    object,
                    status::denied(Reason::InvalidRequest.name(), message, now),
                    false,
                )
                .await;
        };
        let facts = match Facts::read(&self.client, &request).await {
            Ok(facts) => facts,
            Err(error) => {
                self.issuer.failed(Path::PodCertificate);
                warn!(%error, request = request.label(), "what a certificate depends on cannot be read now");
                return Answer::Later;
            }
        };
        let checked = self.identities.read(|index| check(&request, &facts, index));
        let (grant, key) = match checked {
            Ok(checked) => checked,
            Err(refusal) if refusal.reason == Reason::NotReady => return Answer::Later,
            Err(refusal) if refusal.reason.may_pass() && is_young(&request, now) => return Answer::Later,
            Err(refusal) => {
                info!(request = request.label(), %refusal, "refused a certificate");
                return self
                    .write(
                        object,
                        status::denied(refusal.reason.name(), &refusal.message, now),
                        true,
                    )
                    .await;
            }
        };
        if !self.leadership.holds() {
            return Answer::Later;
        }
        let issued = self
            .issuer
            .issue(Path::PodCertificate, &request.label(), &grant, &key, now);
        match issued {
            Ok(certificate) => self.write(object, status::issued(&certificate, now), false).await,
            Err(IssueError::Sign(error @ (SignError::Certificate(_) | SignError::Time(_)))) => {
                warn!(%error, request = request.label(), "a certificate cannot be made");
                self.write(object, status::failed(&error.to_string(), now), false).await
            }
            Err(error) => {
                warn!(%error, request = request.label(), "a certificate cannot be issued now");
                Answer::Later
            }
        }
    }
}

impl PodCertificates {
    /// Writes the answer, if the request is still the one that was looked at.
    async fn write(&self, mut object: DynamicObject, status: Value, refused: bool) -> Answer {
        let (Some(namespace), Some(name)) = (object.metadata.namespace.clone(), object.metadata.name.clone()) else {
            return Answer::Given;
        };
        if !self.leadership.holds() {
            return Answer::Later;
        }
        object.data["status"] = status;
        object.metadata.managed_fields = None;
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &namespace, &self.resource);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        match api.replace_status(&name, &params, &object).await {
            Ok(_) => {
                if refused {
                    self.issuer.refused(Path::PodCertificate);
                }
                Answer::Given
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Answer::Given,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                debug!(namespace, name, "a request changed before it was answered");
                Answer::Later
            }
            Err(error) => {
                self.issuer.failed(Path::PodCertificate);
                warn!(%error, namespace, name, "the answer to a PodCertificateRequest cannot be written");
                Answer::Later
            }
        }
    }
}

fn is_young(request: &Request, now: Timestamp) -> bool {
    request
        .created
        .is_some_and(|created| now.duration_since(created).as_secs() < PATIENCE)
}
