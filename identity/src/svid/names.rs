//! What leaf and signing certificates have in common.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::OID_X509_EXT_BASIC_CONSTRAINTS;

use crate::spiffe::{SpiffeId, SpiffeIdError};

/// Why a certificate has no SPIFFE ID that can be told.
pub(super) enum UriError {
    /// The extension cannot be read, or is there twice.
    Form,
    /// It has this many URIs.
    Several(usize),
    /// The one URI is no SPIFFE ID.
    SpiffeId(SpiffeIdError),
}

/// The SPIFFE ID of a certificate, if it has a URI.
pub(super) fn spiffe_id(certificate: &X509Certificate<'_>) -> Result<Option<SpiffeId>, UriError> {
    let Some(names) = certificate.subject_alternative_name().map_err(|_| UriError::Form)? else {
        return Ok(None);
    };
    let mut uris = Vec::new();
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            // It may be a URI for somebody else.
            GeneralName::Invalid(..) => return Err(UriError::Form),
            _ => {}
        }
    }
    match uris[..] {
        [] => Ok(None),
        [uri] => uri.parse().map(Some).map_err(UriError::SpiffeId),
        _ => Err(UriError::Several(uris.len())),
    }
}

/// Whether a certificate is that of a CA; nothing if its basic constraints cannot be read.
pub(super) fn is_ca(certificate: &X509Certificate<'_>) -> Option<bool> {
    let extension = certificate.get_extension_unique(&OID_X509_EXT_BASIC_CONSTRAINTS).ok()?;
    match extension.map(X509Extension::parsed_extension) {
        None => Some(false),
        Some(ParsedExtension::BasicConstraints(constraints)) => Some(constraints.ca),
        Some(_) => None,
    }
}
