//! What a workload is given: every field of its certificate but the key.

use countersign_identity::SpiffeId;
use jiff::SignedDuration;

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
    /// Further names, as a DNS client would know it.
    pub dns_names: Vec<String>,
    /// What for.
    pub usages: Usages,
    /// How long the certificate lives.
    pub lifetime: SignedDuration,
    /// When it is to be renewed, as a part of its life in hundredths.
    pub renew_after_percent: u8,
}
