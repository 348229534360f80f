//! Clients by their certificates (RFC 8705 section 2). That they hold the keys was shown in the handshake.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::svid::{self, X509Svid};
use countersign_identity::{Bundles, Fingerprint};
use countersign_policy::tokens::Authentication;
use jiff::Timestamp;
use x509_parser::extensions::GeneralName;

use crate::protocol::refusal::ClientError;
use crate::service::Call;

/// The SHA-256 of the client's certificate (RFC 8705 section 3.1), if it showed one.
pub fn thumbprint(call: &Call) -> Option<String> {
    call.certificates.first().map(|certificate| fingerprint(certificate))
}

fn fingerprint(certificate: &[u8]) -> String {
    BASE64URL.encode(Fingerprint::of(certificate).as_bytes())
}

/// The X.509-SVID that the client showed, verified up to the roots of the trust domain.
pub(super) fn svid(call: &Call) -> Result<X509Svid, ClientError> {
    if call.certificates.is_empty() {
        return Err(ClientError::NoCertificate);
    }
    let roots = call.directory.roots.as_ref().ok_or(ClientError::NoKeys)?;
    let bundles = Bundles::new(roots.as_ref().clone());
    let now = Timestamp::from_second(call.now).map_err(|_| ClientError::NoKeys)?;
    svid::verify(&call.certificates, &bundles, &call.directory.withdrawn, now)
        .map_err(|error| ClientError::Certificate(error.to_string()))
}

/// `tls_client_auth` (RFC 8705 section 2.1).
pub(super) fn check_issued(call: &Call, authentication: &Authentication) -> Result<(), ClientError> {
    let svid = svid(call)?;
    let named = match authentication {
        Authentication::TlsSpiffe(id) => svid.id() == id,
        Authentication::TlsDns(name) => has_dns_name(&call.certificates[0], name),
        _ => false,
    };
    if named {
        return Ok(());
    }
    Err(ClientError::Certificate(format!("it is that of {}", svid.id())))
}

fn has_dns_name(certificate: &[u8], name: &str) -> bool {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(certificate) else {
        return false;
    };
    let names = certificate.subject_alternative_name().ok().flatten();
    names.is_some_and(|names| {
        let all = names.value.general_names.iter();
        all.clone()
            .any(|one| matches!(one, GeneralName::DNSName(dns) if dns.eq_ignore_ascii_case(name)))
    })
}

/// `self_signed_tls_client_auth` (RFC 8705 section 2.2): the certificate itself is registered, so nobody vouches for it. Its
/// dates count nevertheless: whoever registered it meant it to end.
pub(super) fn check_self_signed(call: &Call, thumbprints: &BTreeSet<String>) -> Result<(), ClientError> {
    let certificate = call.certificates.first().ok_or(ClientError::NoCertificate)?;
    if !thumbprints.contains(&fingerprint(certificate)) {
        return Err(ClientError::Certificate("its thumbprint is not registered".to_owned()));
    }
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| ClientError::Certificate("it cannot be read".to_owned()))?;
    let validity = parsed.validity();
    if validity.not_before.timestamp() > call.now || validity.not_after.timestamp() < call.now {
        return Err(ClientError::Certificate(
            "it is past its end, or not valid yet".to_owned(),
        ));
    }
    Ok(())
}
