//! Certificates as PEM (RFC 7468 section 5).

use pem::{EncodeConfig, LineEnding, Pem};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// One certificate as PEM, with lines that end as on Unix.
pub fn certificate(certificate: &CertificateDer<'_>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new("CERTIFICATE", certificate.as_ref()), config)
}

/// The certificates in a text, in their order. Other sections and text between them are passed over (RFC 7468 section 2); an
/// item is an error where a section is damaged, and nothing can be said of what follows it.
pub fn certificates(
    text: &[u8],
) -> impl Iterator<Item = Result<CertificateDer<'static>, rustls_pki_types::pem::Error>> {
    CertificateDer::pem_slice_iter(text)
}
