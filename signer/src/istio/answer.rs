//! The answer, in the form that Istio's proxies read: one certificate for each text but the last, which holds every root.

use rustls::pki_types::CertificateDer;

use super::proto::IstioCertificateResponse;
use crate::pem::certificates;

/// Leaf and intermediates, each by itself, then all roots in one text. pilot-agent and ztunnel take the last text for their
/// trust, all certificates of it, so that both roots are trusted while one takes over from the other.
pub fn answer(chain: &[CertificateDer<'_>], roots: &[CertificateDer<'_>]) -> IstioCertificateResponse {
    let mut cert_chain: Vec<String> = chain.chunks(1).map(certificates).collect();
    cert_chain.push(certificates(roots));
    IstioCertificateResponse { cert_chain }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn the_last_text_holds_every_root() {
        let der = |byte| CertificateDer::from(vec![byte; 40]);
        let answer = answer(&[der(1), der(2)], &[der(3), der(4)]);
        let read: Vec<Vec<_>> = answer
            .cert_chain
            .iter()
            .map(|text| {
                CertificateDer::pem_slice_iter(text.as_bytes())
                    .map(Result::unwrap)
                    .collect()
            })
            .collect();
        assert_eq!(read, [vec![der(1)], vec![der(2)], vec![der(3), der(4)]]);
    }
}
