//! The API of Countersign as its users write it: one kind per file, wire types and CEL rules, nothing else.
//!
//! What a policy *means* lives in `countersign-policy`; that crate's parser is the only reader of these types, save
//! `CredentialWaiver`, which `countersign-scan` reads, and what is for the signer alone.

pub mod api_auth_policy;
pub mod certificate_authority;
pub mod credential_waiver;
pub mod federated_trust_domain;
pub mod manifest;
pub mod service_identity;
pub mod token_client;
pub mod token_issuer;
pub mod token_revocation;

pub use api_auth_policy::{ApiAuthPolicy, ApiAuthPolicySpec, ApiAuthPolicyStatus};
pub use certificate_authority::{
    CertificateAuthority, CertificateAuthoritySpec, CertificateAuthorityStatus, ROTATE_INTERMEDIATE_ANNOTATION,
    ROTATE_ROOT_ANNOTATION,
};
pub use credential_waiver::{CredentialWaiver, CredentialWaiverSpec, CredentialWaiverStatus};
pub use federated_trust_domain::{FederatedTrustDomain, FederatedTrustDomainSpec, FederatedTrustDomainStatus};
pub use service_identity::{ServiceIdentity, ServiceIdentitySpec, ServiceIdentityStatus};
pub use token_client::{TokenClient, TokenClientSpec, TokenClientStatus};
pub use token_issuer::{ROTATE_KEYS_ANNOTATION, TokenIssuer, TokenIssuerSpec, TokenIssuerStatus};
pub use token_revocation::{TokenRevocation, TokenRevocationSpec, TokenRevocationStatus};

/// The API group of every kind of Countersign.
pub const GROUP: &str = "countersign.dev";
/// The version in which the kinds are served and stored.
pub const VERSION: &str = "v1alpha1";
/// The namespace label that sets the least sensitivity that a policy in the namespace may declare.
pub const MINIMUM_SENSITIVITY_LABEL: &str = "countersign.dev/minimum-sensitivity";
