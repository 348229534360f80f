//! What is sent.

use countersign_identity::{Bundle, Bundles};

use super::proto;
use crate::authority::Certificate;
use crate::grant::Grant;

/// A certificate that was issued.
pub fn x509_svid(grant: &Grant, certificate: &Certificate) -> proto::X509Svid {
    proto::X509Svid {
        spiffe_id: grant.spiffe_id.to_string(),
        chain: certificate.chain.iter().map(|der| der.to_vec()).collect(),
        refresh_at: certificate.refresh_at.as_second(),
        not_after: certificate.not_after.as_second(),
    }
}

/// All bundles.
pub fn bundles(bundles: &Bundles) -> proto::Bundles {
    proto::Bundles {
        own: Some(bundle(bundles.own())),
        federated: bundles.federated().map(bundle).collect(),
    }
}

fn bundle(bundle: &Bundle) -> proto::Bundle {
    proto::Bundle {
        trust_domain: bundle.trust_domain().to_string(),
        jwks: bundle.to_jwks(),
    }
}
