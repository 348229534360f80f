//! What a workload is given: every field of its certificate but the key.

use countersign_identity::SpiffeId;
use jiff::SignedDuration;

use crate::key::{KeyType, PublicKey};
use crate::refusal::{Reason, Refusal};

/// The shortest life of a certificate: the API server takes none that is shorter for a Pod.
pub const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// What a certificate may be used for (RFC 5280, section 4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usages {
    /// As a server.
    pub server: bool,
    /// As a client.
    pub client: bool,
}

/// What a workload is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The namespace of the workload.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// The `ServiceIdentity` that says so, unless the mesh gives every service account an identity.
    pub service_identity: Option<String>,
    /// Who it is: the one URI in the certificate.
    pub spiffe_id: SpiffeId,
    /// The kind of key that the certificate is for; any kind, if nothing says which.
    pub key_type: Option<KeyType>,
    /// Further names, as a DNS client would know it.
    pub dns_names: Vec<String>,
    /// What for.
    pub usages: Usages,
    /// How long the certificate lives, from its beginning, which is a little before it is made.
    pub lifetime: SignedDuration,
    /// When it is to be renewed, as a part of its life in hundredths.
    pub renew_after_percent: u8,
}

impl Grant {
    /// Whether the certificate may be for a key.
    ///
    /// # Errors
    ///
    /// If it is of another kind. The message names the one to use.
    pub fn admits(&self, key: &PublicKey) -> Result<(), Refusal> {
        let has = key.key_type();
        match self.key_type {
            Some(wanted) if wanted != has => Err(Refusal::new(
                Reason::UnsupportedKeyType,
                format!(
                    "the key is {}; this workload's certificates are for {}: use that",
                    has.name(),
                    wanted.name()
                ),
            )),
            _ => Ok(()),
        }
    }
}
