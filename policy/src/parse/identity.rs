//! Reading a `ServiceIdentity`.

mod names;

use std::collections::BTreeSet;

use countersign_crds::ServiceIdentitySpec;
use countersign_crds::service_identity::{
    CertificateProfile as WireProfile, Delivery, KeyAlgorithm, MeshPrincipals, Usage,
};
use countersign_identity::{SpiffeId, TrustDomain};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Problem, fields, wire};
use crate::tokens::{Tokens, read_tokens};
use crate::world::ObjectName;

/// The shortest and the longest life that a certificate may be asked to have, in seconds. Kubernetes grants a Pod's
/// certificate nothing shorter.
const DURATIONS: (i64, i64) = (3600, 2160 * 3600);

/// A `ServiceIdentity` as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedIdentity {
    /// Its name.
    pub name: ObjectName,
    /// Since when it exists.
    pub created: Timestamp,
    /// The service account that it names, as far as that could be read: also one that is wrong elsewhere holds it, so
    /// that a mistake does not hand the service account over to another.
    pub service_account: Option<String>,
    /// The service in Consul that it names, as far as that could be read.
    pub consul_service: Option<String>,
    /// What it says, or all that is wrong with it.
    pub identity: Result<Identity, Vec<Problem>>,
}

/// A `ServiceIdentity` that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The service account that it stands for.
    pub service_account: String,
    /// What its certificates are like.
    pub certificate: CertificateProfile,
    /// The ways by which certificates may be handed out.
    pub delivery: BTreeSet<Delivery>,
    /// The Secret for [`Delivery::Secret`], in its own namespace. There is one if, and only if, that is a way.
    pub secret_name: Option<String>,
    /// What its tokens may be for, and the scopes for each, by the name of the `TokenIssuer`.
    pub tokens: Tokens,
    spiffe_path: Option<String>,
}

/// What a workload's certificates are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateProfile {
    /// How long one is valid at most.
    pub duration: SignedDuration,
    /// When a new one is to be asked for, as a part of the lifetime in percent: from 1 to 95.
    pub renew_after_percent: u8,
    /// The kind of key.
    pub key_algorithm: KeyAlgorithm,
    /// Names of Services of its own namespace, and of no other.
    pub dns_names: BTreeSet<String>,
    /// What one may be used for. Never empty.
    pub usages: BTreeSet<Usage>,
}

impl ParsedIdentity {
    /// The SPIFFE ID by which meshes know the workload: that of its service account.
    ///
    /// # Errors
    ///
    /// If the object was not understood, or its names do not fit into a SPIFFE ID.
    pub fn spiffe_id(&self, trust_domain: &TrustDomain) -> Result<SpiffeId, Vec<Problem>> {
        let identity = self.identity.as_ref().map_err(Clone::clone)?;
        SpiffeId::service_account(trust_domain, &self.name.namespace, &identity.service_account)
            .map_err(|error| vec![Problem::new("spec.serviceAccountName", error.to_string())])
    }

    /// By what the meshes know the workload as a caller. `consul_held` is whether the service in Consul is its own.
    ///
    /// # Errors
    ///
    /// If the object was not understood, or its names do not fit into a SPIFFE ID.
    pub fn mesh_principals(
        &self,
        trust_domain: &TrustDomain,
        consul_held: bool,
    ) -> Result<MeshPrincipals, Vec<Problem>> {
        Ok(MeshPrincipals {
            istio: self.spiffe_id(trust_domain)?.principal(),
            consul: self.consul_service.clone().filter(|_| consul_held),
        })
    }

    /// The SPIFFE ID in the certificates that the workload is issued by any way but Istio's CA API: that of
    /// `spec.spiffePath`, or else that of its service account.
    ///
    /// # Errors
    ///
    /// If the object was not understood, or its names do not fit into a SPIFFE ID.
    pub fn svid_id(&self, trust_domain: &TrustDomain) -> Result<SpiffeId, Vec<Problem>> {
        let identity = self.identity.as_ref().map_err(Clone::clone)?;
        let Some(path) = &identity.spiffe_path else {
            return self.spiffe_id(trust_domain);
        };
        spiffe_id(trust_domain.as_str(), path).map_err(|message| vec![Problem::new("spec.spiffePath", message)])
    }
}

/// Reads a `ServiceIdentity` that exists since `created`.
pub fn service_identity(name: ObjectName, spec: &Value, created: Timestamp) -> ParsedIdentity {
    let identity = wire::<ServiceIdentitySpec>(spec)
        .map_err(|problem| vec![problem])
        .and_then(|spec| read(&name.namespace, spec));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    ParsedIdentity {
        name,
        created,
        service_account: text(&spec["serviceAccountName"]),
        consul_service: text(&spec["mesh"]["consulService"]),
        identity,
    }
}

fn read(namespace: &str, spec: ServiceIdentitySpec) -> Result<Identity, Vec<Problem>> {
    let ServiceIdentitySpec {
        service_account_name: service_account,
        spiffe_path,
        mesh,
        certificate,
        delivery,
        secret_name,
        tokens,
    } = spec;
    let mut problems = Vec::new();
    let mut check = |field: &str, result: Result<(), String>| {
        problems.extend(result.err().map(|message| Problem::new(field, message)));
    };
    check("spec.serviceAccountName", fields::object_name(&service_account));
    if let Some(path) = &spiffe_path {
        check("spec.spiffePath", own_path(namespace, &service_account, path));
    }
    if let Some(mesh) = &mesh {
        check("spec.mesh.consulService", names::in_consul(&mesh.consul_service));
    }
    let by_secret = delivery.contains(&Delivery::Secret);
    check(
        "spec.secretName",
        match &secret_name {
            Some(name) if by_secret => fields::object_name(name),
            Some(_) => {
                Err("goes with delivery Secret only: add it to spec.delivery, or leave secretName out".to_owned())
            }
            None if by_secret => Err("is required with delivery Secret".to_owned()),
            None => Ok(()),
        },
    );
    let certificate = profile(namespace, certificate, &mut problems);
    let tokens = read_tokens(tokens, &mut problems);
    match certificate {
        Some(certificate) if problems.is_empty() => Ok(Identity {
            service_account,
            certificate,
            delivery: delivery.into_iter().collect(),
            secret_name,
            tokens,
            spiffe_path,
        }),
        _ => Err(problems),
    }
}

/// Reads what certificates are like. None if there is a problem with it.
fn profile(namespace: &str, wire: WireProfile, problems: &mut Vec<Problem>) -> Option<CertificateProfile> {
    let before = problems.len();
    let mut wrong = |field: &str, message: String| {
        problems.push(Problem::new(format!("spec.certificate.{field}"), message));
    };
    let seconds = fields::seconds(&wire.duration).and_then(|seconds| {
        let (shortest, longest) = DURATIONS;
        if (shortest..=longest).contains(&seconds) {
            return Ok(seconds);
        }
        Err(format!("`{}` is not from 1h to 2160h", wire.duration))
    });
    let duration = seconds.unwrap_or_else(|message| {
        wrong("duration", message);
        0
    });
    let percent = u8::try_from(wire.renew_after_percent)
        .ok()
        .filter(|percent| (1..=95).contains(percent));
    if percent.is_none() {
        wrong(
            "renewAfterPercent",
            format!("{} is not from 1 to 95", wire.renew_after_percent),
        );
    }
    for (at, name) in wire.dns_names.iter().enumerate() {
        if let Err(message) = names::of_service(namespace, name) {
            wrong(&format!("dnsNames[{at}]"), message);
        }
    }
    if wire.usages.is_empty() {
        wrong("usages", "must name ServerAuth, ClientAuth or both".to_owned());
    }
    (problems.len() == before).then_some(CertificateProfile {
        duration: SignedDuration::from_secs(duration),
        renew_after_percent: percent?,
        key_algorithm: wire.key_algorithm,
        dns_names: wire.dns_names.into_iter().collect(),
        usages: wire.usages.into_iter().collect(),
    })
}

/// Whether a path is one that the workload may have: within its namespace's prefix, and not another service account's.
fn own_path(namespace: &str, service_account: &str, path: &str) -> Result<(), String> {
    // With any trust domain: this is about the path.
    spiffe_id("any", path)?;
    let prefix = format!("/ns/{namespace}/");
    let rest = path
        .strip_prefix(&prefix)
        .ok_or_else(|| format!("`{path}` is not within the namespace's own prefix, `{prefix}`"))?;
    let mut segments = rest.split('/');
    if segments.next() == Some("sa") && segments.next() != Some(service_account) {
        return Err(format!(
            "`{path}` is for another service account: below `{prefix}sa/` only `{service_account}` is this one's own"
        ));
    }
    Ok(())
}

fn spiffe_id(trust_domain: &str, path: &str) -> Result<SpiffeId, String> {
    if !path.starts_with('/') {
        return Err(format!("`{path}` does not begin with a slash"));
    }
    format!("spiffe://{trust_domain}{path}")
        .parse::<SpiffeId>()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
