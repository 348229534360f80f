//! What a request asks for. Of its certification request only the public key is taken.

use countersign_identity::SpiffeId;
use jiff::SignedDuration;
use prost_types::value::Kind;
use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject as _;

use super::proto::IstioCertificateRequest;
use super::refusal::Refusal;
use crate::key::{KeyError, LONGEST_REQUEST, PublicKey};

/// The longest PEM that is read, in bytes: that of the longest certification request.
const LONGEST_PEM: usize = LONGEST_REQUEST / 2 * 3;
/// The field of the metadata by which a node's proxy says whose certificate it wants.
pub const IMPERSONATED_IDENTITY: &str = "ImpersonatedIdentity";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The key that is to be certified.
    pub key: PublicKey,
    /// Whose identity is asked for, if it is another's.
    pub on_behalf_of: Option<SpiffeId>,
    /// How long the certificate is to live, if that is said.
    pub lifetime: Option<SignedDuration>,
}

/// Reads a request.
///
/// # Errors
///
/// If it has no certification request that can be read, was not signed by its key, or asks on behalf of what is no name.
pub fn read(request: &IstioCertificateRequest) -> Result<Asked, Refusal> {
    Ok(Asked {
        key: key(&request.csr)?,
        on_behalf_of: on_behalf_of(request)?,
        lifetime: (request.validity_duration > 0).then(|| SignedDuration::from_secs(request.validity_duration)),
    })
}

fn key(pem: &str) -> Result<PublicKey, Refusal> {
    if pem.len() > LONGEST_PEM {
        return Err(KeyError::TooLong.into());
    }
    let mut requests = CertificateSigningRequestDer::pem_slice_iter(pem.as_bytes());
    let (Some(Ok(der)), None) = (requests.next(), requests.next()) else {
        return Err(Refusal::NotPem);
    };
    PublicKey::from_request(&der).map_err(|error| match error {
        KeyError::Unsupported => Refusal::UnsupportedKey,
        other => other.into(),
    })
}

fn on_behalf_of(request: &IstioCertificateRequest) -> Result<Option<SpiffeId>, Refusal> {
    let fields = request.metadata.as_ref().map(|metadata| &metadata.fields);
    let Some(value) = fields.and_then(|fields| fields.get(IMPERSONATED_IDENTITY)) else {
        return Ok(None);
    };
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Ok(None),
        Some(Kind::StringValue(text)) if text.is_empty() => Ok(None),
        Some(Kind::StringValue(text)) => text.parse().map(Some).map_err(|_| Refusal::NotAnIdentity),
        Some(_) => Err(Refusal::NotAnIdentity),
    }
}
