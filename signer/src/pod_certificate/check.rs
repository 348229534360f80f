//! Whether a request is granted: a function of the request and the facts.

use super::{Facts, Named, ObjectFact, PodFact, Request};
use crate::grant::Grant;
use crate::identities::Index;
use crate::issue::Path;
use crate::key::{KeyError, PublicKey};
use crate::refusal::{Reason, Refusal};

/// What a request is granted, and for which key.
///
/// # Errors
///
/// If the Pod, its service account or its node are not those that the request names, and live, or the workload has no such
/// identity, or the key is not one for it.
pub fn check(request: &Request, facts: &Facts, index: &Index) -> Result<(Grant, PublicKey), Refusal> {
    if let Some(unknown) = request.annotations.first() {
        return Err(Refusal::new(
            Reason::UnknownAnnotation,
            format!(
                "{unknown} has no meaning for this signer: remove it from userAnnotations of the podCertificate volume"
            ),
        ));
    }
    let pod = facts.pod.as_ref().ok_or_else(|| {
        let message = format!(
            "there is no Pod {} in namespace {}",
            request.pod.name, request.namespace
        );
        Refusal::new(Reason::PodNotFound, message)
    })?;
    check_pod(request, pod)?;
    check_object(
        &request.service_account,
        "service account",
        facts.service_account.as_ref(),
        Reason::ServiceAccountMismatch,
    )?;
    check_object(&request.node, "node", facts.node.as_ref(), Reason::NodeMismatch)?;
    // From here on only what the API server says of the Pod counts.
    let longest = Some(request.longest);
    let grant = index.grant(&request.namespace, &pod.service_account, Path::PodCertificate, longest)?;
    let key = request.public_key().map_err(|error| refuse_key(error, &grant))?;
    grant.admits(&key)?;
    Ok((grant, key))
}

fn check_pod(request: &Request, pod: &PodFact) -> Result<(), Refusal> {
    let name = &request.pod.name;
    if pod.object.uid.is_empty() || pod.object.uid != request.pod.uid {
        let message = format!("the Pod {name} is another one by now: its uid is not that of the request");
        return Err(Refusal::new(Reason::PodReplaced, message));
    }
    if pod.ended || pod.object.deleting {
        let message = format!("the Pod {name} has ended or is being deleted, and needs no certificate");
        return Err(Refusal::new(Reason::PodEnded, message));
    }
    if pod.service_account.is_empty() || pod.service_account != request.service_account.name {
        let message = format!(
            "the Pod {name} does not run as the service account {}",
            request.service_account.name
        );
        return Err(Refusal::new(Reason::ServiceAccountMismatch, message));
    }
    if pod.node.is_empty() || pod.node != request.node.name {
        let message = format!("the Pod {name} does not run on the node {}", request.node.name);
        return Err(Refusal::new(Reason::NodeMismatch, message));
    }
    Ok(())
}

fn check_object(named: &Named, kind: &str, object: Option<&ObjectFact>, reason: Reason) -> Result<(), Refusal> {
    let name = &named.name;
    let wrong = match object {
        None => "does not exist",
        Some(object) if object.uid.is_empty() || object.uid != named.uid => {
            "is another one by now: its uid is not that of the request; restart the Pod"
        }
        Some(object) if object.deleting => "is being deleted",
        Some(_) => return Ok(()),
    };
    Err(Refusal::new(reason, format!("the {kind} {name} {wrong}")))
}

fn refuse_key(error: KeyError, grant: &Grant) -> Refusal {
    match (error, grant.key_type) {
        (KeyError::Unsupported, Some(wanted)) => {
            Refusal::new(Reason::UnsupportedKeyType, format!("{error}: use {}", wanted.name()))
        }
        (KeyError::Unsupported, None) => Refusal::new(Reason::UnsupportedKeyType, error.to_string()),
        _ => Refusal::new(Reason::InvalidRequest, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
