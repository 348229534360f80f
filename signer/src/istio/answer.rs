//! The answer, in the form that Istio's proxies read: one certificate for each text but the last, which holds every root.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;

use super::proto::IstioCertificateResponse;

/// Leaf and intermediates, each by itself, then all roots in one text. pilot-agent and ztunnel take the last text for their
/// trust, all certificates of it, so that both roots are trusted while one takes over from the other.
pub fn answer(chain: &[CertificateDer<'_>], roots: &[CertificateDer<'_>]) -> IstioCertificateResponse {
    let mut cert_chain: Vec<String> = chain.iter().map(|der| pem(der)).collect();
    cert_chain.push(roots.iter().map(|der| pem(der)).collect());
    IstioCertificateResponse { cert_chain }
}

/// A certificate in PEM (RFC 7468).
fn pem(der: &[u8]) -> String {
    const LINE: usize = 64;
    let text = BASE64_STANDARD.encode(der);
    let mut pem = String::with_capacity(text.len() + text.len() / LINE + 64);
    pem.push_str("-----BEGIN CERTIFICATE-----\n");
    for at in (0..text.len()).step_by(LINE) {
        pem.push_str(text.get(at..text.len().min(at + LINE)).unwrap_or_default());
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for length in [1, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[0]).collect();
            let read = CertificateDer::from_pem_slice(pem(&der).as_bytes()).unwrap();
            assert_eq!(read.as_ref(), der);
        }
    }

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
