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
