//! Certificates that are no longer to be trusted, although they have not expired.

use std::collections::BTreeSet;

use crate::fingerprint::Fingerprint;

/// A list of certificates that were withdrawn: leaves, intermediates or roots. SPIFFE has no revocation: roots are withdrawn by
/// taking them out of the bundle, and leaves by letting them expire. This is for an intermediate in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withdrawn {
    fingerprints: BTreeSet<Fingerprint>,
    serials: BTreeSet<Vec<u8>>,
}

impl Withdrawn {
    /// Adds the certificate with this hash.
    pub fn add_fingerprint(&mut self, fingerprint: Fingerprint) {
        self.fingerprints.insert(fingerprint);
    }

    /// Adds all certificates with this serial number, whoever issued them. Its bytes are big-endian; zeros in front do not count.
    pub fn add_serial(&mut self, serial: &[u8]) {
        self.serials.insert(significant(serial).to_vec());
    }

    /// Whether a certificate is on the list.
    pub(super) fn has(&self, fingerprint: Fingerprint, serial: &[u8]) -> bool {
        self.fingerprints.contains(&fingerprint) || self.serials.contains(significant(serial))
    }
}

impl FromIterator<Fingerprint> for Withdrawn {
    fn from_iter<I: IntoIterator<Item = Fingerprint>>(fingerprints: I) -> Self {
        Self {
            fingerprints: fingerprints.into_iter().collect(),
            serials: BTreeSet::new(),
        }
    }
}

fn significant(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    serial.get(zeros..).unwrap_or_default()
}
