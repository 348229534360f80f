//! What a Pod has, as Envoy's secrets.

use countersign_identity::{Bundle, TrustDomain};
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::{DataSource, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::spiffe_cert_validator_config::TrustDomain as Trusted;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, Secret, SpiffeCertValidatorConfig, TlsCertificate,
};
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::refusal::{Reason, Refusal};
use super::svids::Svid;
use super::updates::View;
use crate::pem;

/// The Pod's own SVID, whatever its name is.
pub const DEFAULT: &str = "default";
/// The bundle of the own trust domain.
pub const ROOTCA: &str = "ROOTCA";
/// All bundles, each for its own trust domain.
pub const ALL: &str = "ALL";
/// The extension of Envoy that verifies by trust domain.
const VALIDATOR: &str = "envoy.tls.cert_validator.spiffe";
/// As much of a name as is repeated to whoever asked for it.
const SHOWN: usize = 256;

/// Whether one of the names may be that of an SVID. Without any name all secrets are meant.
pub fn want_svid(names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| !is_bundle(name))
}

fn is_bundle(name: &str) -> bool {
    matches!(name, ROOTCA | ALL) || trust_domain(name).is_some()
}

/// The trust domain that is named by its SPIFFE ID.
fn trust_domain(name: &str) -> Option<TrustDomain> {
    name.strip_prefix("spiffe://")?.parse().ok()
}

/// The secrets of these names, each under the name that was asked for.
///
/// # Errors
///
/// If there is one that the Pod does not have.
pub fn secrets(names: &[String], view: &View) -> Result<Vec<Any>, Refusal> {
    let every: Vec<String> = if names.is_empty() { all_names(view) } else { Vec::new() };
    names
        .iter()
        .chain(&every)
        .map(|name| {
            let r#type = secret(name, view).ok_or_else(|| not_entitled(name))?;
            Ok(any(&Secret {
                name: name.clone(),
                r#type: Some(r#type),
            }))
        })
        .collect()
}

fn all_names(view: &View) -> Vec<String> {
    let id = |bundle: &Bundle| bundle.trust_domain().id().to_string();
    let svids = view.svid.iter().map(|svid| svid.spiffe_id.clone());
    let bundles = std::iter::once(view.bundles.own()).chain(view.bundles.federated());
    svids.chain(bundles.map(id)).collect()
}

fn secret(name: &str, view: &View) -> Option<Type> {
    let bundles = &view.bundles;
    match name {
        ROOTCA => return Some(validation([bundles.own()])),
        ALL => return Some(validation(std::iter::once(bundles.own()).chain(bundles.federated()))),
        _ => {}
    }
    if let Some(trust_domain) = trust_domain(name) {
        return Some(validation([bundles.of(&trust_domain)?]));
    }
    let svid = view.svid.as_ref()?;
    (name == DEFAULT || name == svid.spiffe_id).then(|| certificate(svid))
}

fn certificate(svid: &Svid) -> Type {
    Type::TlsCertificate(TlsCertificate {
        certificate_chain: Some(inline(pem::certificates(&svid.chain).into_bytes())),
        private_key: Some(inline(svid.key_pem.as_bytes().to_vec())),
        ..TlsCertificate::default()
    })
}

/// Verifies SVIDs, each with the bundle of its own trust domain: plain roots would let one trust domain make the identities
/// of another.
fn validation<'a>(bundles: impl IntoIterator<Item = &'a Bundle>) -> Type {
    let trusted = bundles.into_iter().map(|bundle| Trusted {
        name: bundle.trust_domain().to_string(),
        trust_bundle: Some(inline(bundle.to_pem().into_bytes())),
        ..Trusted::default()
    });
    let config = SpiffeCertValidatorConfig {
        trust_domains: trusted.collect(),
        trust_bundles: None,
    };
    Type::ValidationContext(CertificateValidationContext {
        custom_validator_config: Some(TypedExtensionConfig {
            name: VALIDATOR.to_owned(),
            typed_config: Some(any(&config)),
        }),
        ..CertificateValidationContext::default()
    })
}

fn inline(bytes: Vec<u8>) -> DataSource {
    DataSource {
        specifier: Some(Specifier::InlineBytes(bytes)),
        ..DataSource::default()
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

fn not_entitled(name: &str) -> Refusal {
    let shown: String = name.chars().take(SHOWN).collect();
    Refusal::new(
        Reason::NotEntitled,
        format!(
            "there is no secret {shown:?} for this workload: ask for {DEFAULT} or its SPIFFE ID, and for {ROOTCA}, {ALL} or \
             spiffe://<trust domain>"
        ),
    )
}

#[cfg(test)]
mod tests;
