//! Whether a request is granted: a function of the request and the facts.

use super::names::check_content;
use super::{Facts, Request, Requester};
use crate::grant::Grant;
use crate::identities::Index;
use crate::issue::Path;
use crate::key::{KeyError, KeyType, PublicKey};
use crate::refusal::{Reason, Refusal};

/// What a request is granted, and for which key.
///
/// # Errors
///
/// If whoever asks is not a workload that lives, or asks for anything but its own identity.
pub fn check(request: &Request, facts: &Facts, index: &Index) -> Result<(Grant, PublicKey), Refusal> {
    let requester = request.requester().ok_or_else(|| {
        Refusal::new(
            Reason::RequesterMismatch,
            "only a workload gets its identity: ask with the token of a service account that is bound to a Pod",
        )
    })?;
    check_workload(request, &requester, facts)?;
    let (namespace, account) = (&requester.namespace, &requester.service_account);
    let grant = index.grant(namespace, account, Path::CertificateSigningRequest, request.duration)?;
    if let Some(asked) = request.duration.filter(|asked| *asked > grant.lifetime) {
        let message = format!(
            "spec.expirationSeconds is {}, and this workload's certificates live for {} s at most: ask for no more",
            asked.as_secs(),
            grant.lifetime.as_secs()
        );
        return Err(Refusal::new(Reason::InvalidDuration, message));
    }
    let invalid = |error: KeyError| Refusal::new(Reason::InvalidRequest, error.to_string());
    let der = request.der().ok_or_else(|| {
        let message = "spec.request is not one CERTIFICATE REQUEST in PEM, or it is too long";
        Refusal::new(Reason::InvalidRequest, message)
    })?;
    let key = PublicKey::from_request(&der).map_err(|error| match error {
        KeyError::Unsupported => unsupported(&grant),
        error => invalid(error),
    })?;
    grant.admits(&key)?;
    check_usages(request, &grant, key.key_type())?;
    check_content(&der, &grant, key.key_type())?;
    Ok((grant, key))
}

fn unsupported(grant: &Grant) -> Refusal {
    let wanted = grant
        .key_type
        .map(|wanted| format!(": use {}", wanted.name()))
        .unwrap_or_default();
    Refusal::new(Reason::UnsupportedKeyType, format!("{}{wanted}", KeyError::Unsupported))
}

fn check_workload(request: &Request, requester: &Requester, facts: &Facts) -> Result<(), Refusal> {
    let refuse = |reason, message: String| Err(Refusal::new(reason, message));
    let name = &requester.pod_name;
    let Some(pod) = &facts.pod else {
        let message = format!("there is no Pod {name} in namespace {}", requester.namespace);
        return refuse(Reason::PodNotFound, message);
    };
    if pod.object.uid != requester.pod_uid {
        let message = format!("the Pod {name} is another one by now: the token is of one that is gone");
        return refuse(Reason::PodReplaced, message);
    }
    if pod.ended || pod.object.deleting {
        let message = format!("the Pod {name} has ended or is being deleted, and needs no certificate");
        return refuse(Reason::PodEnded, message);
    }
    if pod.service_account != requester.service_account {
        let message = format!("the Pod {name} does not run as {}", requester.service_account);
        return refuse(Reason::ServiceAccountMismatch, message);
    }
    match &facts.service_account {
        Some(account) if account.uid == request.user_uid && !account.uid.is_empty() && !account.deleting => Ok(()),
        _ => {
            let message = format!(
                "the service account {} is gone, or another one has its name: restart the Pod",
                requester.service_account
            );
            refuse(Reason::ServiceAccountMismatch, message)
        }
    }
}

/// The usages of Kubernetes' request: what a TLS peer needs, within the profile.
fn check_usages(request: &Request, grant: &Grant, key_type: KeyType) -> Result<(), Refusal> {
    let has = |usage: &str| request.usages.iter().any(|asked| asked == usage);
    let allowed = |usage: &str| match usage {
        "digital signature" => true,
        "key encipherment" => is_rsa(key_type),
        "client auth" => grant.usages.client,
        "server auth" => grant.usages.server,
        _ => false,
    };
    if let Some(usage) = request.usages.iter().find(|usage| !allowed(usage)) {
        let message = format!("the usage {usage:?} is not one that this workload's certificates have: leave it out");
        return Err(Refusal::new(Reason::UsagesNotAllowed, message));
    }
    if !has("digital signature") || !(has("client auth") || has("server auth")) {
        let message = "ask for digital signature, and client auth or server auth or both";
        return Err(Refusal::new(Reason::UsagesNotAllowed, message));
    }
    Ok(())
}

pub(super) fn is_rsa(key_type: KeyType) -> bool {
    matches!(key_type, KeyType::Rsa3072 | KeyType::Rsa4096)
}

#[cfg(test)]
mod tests;
