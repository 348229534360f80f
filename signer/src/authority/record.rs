//! The record of the authority's own certificates.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tracing::info;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Kept, hex};

/// Writes down the roots and intermediates that are there now and were not before: those that were made, and those that were
/// brought. No key is looked at.
pub(super) fn record(before: &Kept, after: &Kept) {
    let known: BTreeSet<&[u8]> = before.certificates().map(|(_, der)| der.as_ref()).collect();
    for (kind, der) in after.certificates() {
        if known.contains(der.as_ref()) {
            continue;
        }
        let Ok((_, read)) = X509Certificate::from_der(der) else {
            continue;
        };
        let time = |seconds: i64| Timestamp::from_second(seconds).ok().map(tracing::field::display);
        info!(
            name: "countersign.authority.issued",
            target: "countersign_signer::issued",
            kind,
            trust_domain = %after.trust_domain(),
            serial = hex(read.raw_serial()),
            sha256 = hex(&Sha256::digest(der)),
            not_before = time(read.validity().not_before.timestamp()),
            not_after = time(read.validity().not_after.timestamp()),
            "took a certificate of the authority into use"
        );
    }
}

#[cfg(test)]
mod tests {
    use countersign_crds::certificate_authority::CertificateAuthoritySpec;

    use super::*;
    use crate::authority::rotation::{Plan, Seen};
    use crate::logged::logged;

    #[test]
    fn each_root_and_each_intermediate_is_written_down_once() {
        let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
        let nothing = Kept::new("cluster.local".parse().unwrap());
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let (kept, _) = nothing.advanced(&plan, &Seen::default(), None, now).unwrap();
        let ((), lines) = logged(|| record(&nothing, &kept));
        let kinds: Vec<_> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["root", "intermediate"]);
        for (line, (_, der)) in lines.iter().zip(kept.certificates()) {
            let (_, read) = X509Certificate::from_der(der).unwrap();
            assert_eq!(line["target"], "countersign_signer::issued");
            assert_eq!(line["trust_domain"], "cluster.local");
            assert_eq!(line["serial"], hex(read.raw_serial()));
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
            assert_eq!(line["sha256"], hex(digest.as_ref()));
            let end = Timestamp::from_second(read.validity().not_after.timestamp()).unwrap();
            assert_eq!(line["not_after"], end.to_string());
        }
        assert_eq!(logged(|| record(&kept, &kept)).1.len(), 0, "they are known");
    }
}
