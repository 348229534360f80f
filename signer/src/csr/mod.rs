//! `CertificateSigningRequest`: a driver on a node, or a workload itself, asks with the workload's own token.
//!
//! The approver admits exactly what the signer would issue, and nothing else; the signer checks all of it again, so that an
//! approval by hand opens nothing.

mod check;
mod facts;
mod names;
mod request;

use std::sync::Arc;

use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use check::check;
pub use facts::Facts;
pub use request::{Request, Requester};

use crate::authority::SignError;
use crate::grant::Grant;
use crate::identities::Identities;
use crate::issue::{IssueError, Issuer, Path};
use crate::key::PublicKey;
use crate::pem;
use crate::refusal::{Reason, Refusal};
use crate::requests::{self, Answer, Answerer};

/// The name by which this signer is asked.
pub const SIGNER_NAME: &str = "countersign.dev/spiffe-csr";

const FIELD_MANAGER: &str = "countersign.dev/signer";
/// How long a request waits for an identity that may be on its way, in seconds.
const PATIENCE: i64 = 10;

/// Approves or denies, and signs, until `stop`, while this replica leads.
pub async fn run(
    client: Client,
    identities: Identities,
    issuer: Issuer,
    leadership: Leadership,
    stop: CancellationToken,
) {
    let resource = ApiResource::erase::<CertificateSigningRequest>(&());
    let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let config = watcher::Config::default().fields(&format!("spec.signerName={SIGNER_NAME}"));
    let answerer = Arc::new(SigningRequests {
        api: api.clone(),
        client,
        identities,
        issuer,
        leadership: leadership.clone(),
    });
    requests::serve(api, config, answerer, leadership, stop).await;
}

struct SigningRequests {
    api: Api<DynamicObject>,
    client: Client,
    identities: Identities,
    issuer: Issuer,
    leadership: Leadership,
}

/// What is written to a request.
enum Verdict {
    /// To `approval`: whether it is approved.
    Approval(&'static str, String, String),
    /// To `status`: it is approved, and cannot be signed.
    Failed(String, String),
    /// To `status`: the chain.
    Certificate(String),
}

impl Answerer for SigningRequests {
    fn waits(&self, request: &DynamicObject) -> bool {
        let status = &request.data["status"];
        let signed = status["certificate"]
            .as_str()
            .is_some_and(|certificate| !certificate.is_empty());
        let ended = has(status, "Denied") || has(status, "Failed");
        request.data["spec"]["signerName"] == SIGNER_NAME && !signed && !ended
    }

    async fn answer(&self, object: DynamicObject) -> Answer {
        let now = clock::now();
        let approved = has(&object.data["status"], "Approved");
        let (label, checked) = if let Ok(request) = Request::read(&object) {
            (request.label(), self.check(&request, now).await)
        } else {
            let refusal = Refusal::new(
                Reason::InvalidRequest,
                "it cannot be read as a CertificateSigningRequest",
            );
            (object.metadata.name.clone().unwrap_or_default(), Some(Err(refusal)))
        };
        let Some(checked) = checked else {
            return Answer::Later;
        };
        let verdict = match checked {
            Err(refusal) => {
                info!(request = label, %refusal, "refused a certificate");
                let reason = refusal.reason.name().to_owned();
                if approved {
                    Verdict::Failed(reason, refusal.message)
                } else {
                    Verdict::Approval("Denied", reason, refusal.message)
                }
            }
            Ok(_) if !approved => {
                let message = "the workload asks for its own identity, and no more".to_owned();
                Verdict::Approval("Approved", "OwnIdentity".to_owned(), message)
            }
            Ok((grant, key)) => match self.sign(&label, &grant, &key, now) {
                Some(verdict) => verdict,
                None => return Answer::Later,
            },
        };
        self.write(object, verdict, now).await
    }
}

impl SigningRequests {
    /// What is granted; none if that cannot be told now.
    async fn check(&self, request: &Request, now: Timestamp) -> Option<Result<(Grant, PublicKey), Refusal>> {
        let facts = match Facts::read(&self.client, request).await {
            Ok(facts) => facts,
            Err(error) => {
                self.issuer.failed(Path::CertificateSigningRequest);
                warn!(%error, request = request.label(), "what a certificate depends on cannot be read now");
                return None;
            }
        };
        let checked = self.identities.read(|index| check(request, &facts, index));
        let young = request
            .created
            .is_some_and(|created| now.duration_since(created).as_secs() < PATIENCE);
        match &checked {
            Err(refusal) if refusal.reason == Reason::NotReady => None,
            Err(refusal) if refusal.reason.may_pass() && young => None,
            _ => Some(checked),
        }
    }

    /// The certificate; none if it cannot be issued now.
    fn sign(&self, label: &str, grant: &Grant, key: &PublicKey, now: Timestamp) -> Option<Verdict> {
        if !self.leadership.holds() {
            return None;
        }
        match self
            .issuer
            .issue(Path::CertificateSigningRequest, label, grant, key, now)
        {
            Ok(certificate) => Some(Verdict::Certificate(pem::certificates(&certificate.chain))),
            Err(IssueError::Sign(error @ (SignError::Certificate(_) | SignError::Time(_)))) => {
                warn!(%error, request = label, "a certificate cannot be made");
                Some(Verdict::Failed("CannotBeSigned".to_owned(), error.to_string()))
            }
            Err(error) => {
                warn!(%error, request = label, "a certificate cannot be issued now");
                None
            }
        }
    }

    /// Writes the verdict, if the request is still the one that was looked at.
    async fn write(&self, mut object: DynamicObject, verdict: Verdict, now: Timestamp) -> Answer {
        let name = object.metadata.name.clone().unwrap_or_default();
        if !self.leadership.holds() {
            return Answer::Later;
        }
        object.metadata.managed_fields = None;
        let refused = matches!(verdict, Verdict::Failed(..) | Verdict::Approval("Denied", ..));
        let subresource = enter(&mut object.data, verdict, now);
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        match self.api.replace_subresource(subresource, &name, &params, &object).await {
            Ok(_) => {
                if refused {
                    self.issuer.refused(Path::CertificateSigningRequest);
                }
                Answer::Given
            }
            Err(kube::Error::Api(status)) if status.code == 404 => Answer::Given,
            Err(kube::Error::Api(status)) if status.code == 409 => {
                debug!(name, "a request changed before it was answered");
                Answer::Later
            }
            Err(error) => {
                self.issuer.failed(Path::CertificateSigningRequest);
                warn!(%error, name, "the answer to a CertificateSigningRequest cannot be written");
                Answer::Later
            }
        }
    }
}

/// Puts a verdict into a request. Returns the subresource to write.
fn enter(data: &mut Value, verdict: Verdict, now: Timestamp) -> &'static str {
    let condition = |kind: &str, reason: String, message: String| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": Time(now), "lastTransitionTime": Time(now),
        })
    };
    if !data["status"].is_object() {
        data["status"] = json!({});
    }
    let status = &mut data["status"];
    let (subresource, condition) = match verdict {
        Verdict::Approval(kind, reason, message) => ("approval", condition(kind, reason, message)),
        Verdict::Failed(reason, message) => ("status", condition("Failed", reason, message)),
        Verdict::Certificate(chain) => {
            status["certificate"] = json!(ByteString(chain.into_bytes()));
            return "status";
        }
    };
    match status["conditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => status["conditions"] = json!([condition]),
    }
    subresource
}

fn has(status: &Value, kind: &str) -> bool {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == kind)
}
