//! Certificates as the signer issues them, through its own gate.

use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, OnceLock};

use countersign_crds::certificate_authority::{CaKeyAlgorithm, CertificateAuthoritySpec};
use countersign_identity::TrustDomain;
use countersign_runtime::clock;
use countersign_signer::authority::Kept;
use countersign_signer::authority::rotation::{Plan, Seen};
use countersign_signer::books::Ledger;
use countersign_signer::grant::{Grant, Usages};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::{KeyType, PublicKey};
use countersign_signer::pem;
use jiff::{SignedDuration, Timestamp};
use rcgen::{KeyPair, PublicKeyData as _, RsaKeySize};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::{Held, Party};

pub const DOMAIN: &str = "example.org";
pub const NAME: &str = "api.shop.svc";

/// All kinds of keys.
pub const KEY_TYPES: [KeyType; 6] = [
    KeyType::EcdsaP256,
    KeyType::EcdsaP384,
    KeyType::EcdsaP521,
    KeyType::Ed25519,
    KeyType::Rsa3072,
    KeyType::Rsa4096,
];

/// What a `ServiceIdentity` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Both,
    Server,
    Client,
    Names,
    NoUsage,
}

pub const PROFILES: [Profile; 5] = [
    Profile::Both,
    Profile::Server,
    Profile::Client,
    Profile::Names,
    Profile::NoUsage,
];

/// All ways to a certificate.
pub const PATHS: [Path; 6] = [
    Path::PodCertificate,
    Path::CertificateSigningRequest,
    Path::IstioCa,
    Path::WorkloadApi,
    Path::Secret,
    Path::Serving,
];

/// A signer after its first start.
pub struct Signer {
    pub kept: Kept,
    pub now: Timestamp,
    issuer: Issuer,
}

/// What a workload has.
pub struct Svid {
    pub id: String,
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
}

impl Signer {
    pub fn new() -> Self {
        Self::of(DOMAIN, CaKeyAlgorithm::EcdsaP256)
    }

    pub fn of(domain: &str, key_algorithm: CaKeyAlgorithm) -> Self {
        let now = clock::now();
        let spec = CertificateAuthoritySpec {
            key_algorithm,
            ..CertificateAuthoritySpec::default()
        };
        let domain: TrustDomain = domain.parse().unwrap();
        let plan = Plan::new(&spec).unwrap();
        let (kept, _) = Kept::new(domain).advanced(&plan, &Seen::default(), None, now).unwrap();
        let current = Current::default();
        current.set(Some(Arc::new(kept.authority().unwrap())));
        let issuer = Issuer::new(current, Arc::new(IssueMetrics::default()), Arc::new(Ledger::default()));
        Self { kept, now, issuer }
    }

    pub fn roots(&self) -> Vec<CertificateDer<'static>> {
        self.kept
            .bundle()
            .roots()
            .map(|root| root.certificate().clone())
            .collect()
    }

    /// Issues to a service account, with a key made here.
    pub fn issue(&self, account: &str, path: Path, key_type: KeyType, profile: Profile) -> Svid {
        let key = generate(key_type);
        let public = PublicKey::from_info(&key.subject_public_key_info()).unwrap();
        let grant = self.grant(account, key_type, profile);
        let issued = self.issuer.issue(path, "a test", &grant, &public, self.now).unwrap();
        Svid {
            id: grant.spiffe_id.to_string(),
            chain: issued.chain,
            key,
        }
    }

    /// With the defaults, and a DNS name.
    pub fn svid(&self, account: &str) -> Svid {
        self.issue(account, Path::PodCertificate, KeyType::EcdsaP256, Profile::Names)
    }

    fn grant(&self, account: &str, key_type: KeyType, profile: Profile) -> Grant {
        let bundle = self.kept.bundle();
        let dns_names = match profile {
            Profile::Names => vec![
                NAME.to_owned(),
                "api.shop.svc.cluster.local".to_owned(),
                "api".to_owned(),
            ],
            _ => Vec::new(),
        };
        Grant {
            namespace: "shop".to_owned(),
            service_account: account.to_owned(),
            service_identity: None,
            spiffe_id: format!("spiffe://{}/ns/shop/sa/{account}", bundle.trust_domain())
                .parse()
                .unwrap(),
            key_type: Some(key_type),
            dns_names,
            usages: Usages {
                server: !matches!(profile, Profile::Client | Profile::NoUsage),
                client: !matches!(profile, Profile::Server | Profile::NoUsage),
            },
            lifetime: SignedDuration::from_hours(24),
            renew_after_percent: 50,
        }
    }
}

impl Svid {
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub fn party(&self, roots: &[CertificateDer<'static>], now: Timestamp) -> Party {
        Party {
            chain: self.chain.clone(),
            key: self.key_der(),
            roots: roots.to_vec(),
            clock: Held(now),
        }
    }

    /// Writes it as files, as a volume holds them.
    pub fn write(&self, folder: &FilePath, name: &str) -> Files {
        let file = |what: &str, text: &str| {
            let path = folder.join(format!("{name}-{what}.pem"));
            std::fs::write(&path, text).unwrap();
            path
        };
        Files {
            chain: file("chain", &pem::certificates(&self.chain)),
            leaf: file("leaf", &pem::certificates(&self.chain[..1])),
            intermediates: file("intermediates", &pem::certificates(&self.chain[1..])),
            key: file("key", &self.key.serialize_pem()),
        }
    }
}

/// Where the parts of an SVID are.
pub struct Files {
    pub chain: PathBuf,
    pub leaf: PathBuf,
    pub intermediates: PathBuf,
    pub key: PathBuf,
}

/// Writes roots as a file.
pub fn write_roots(folder: &FilePath, name: &str, roots: &[CertificateDer<'static>]) -> PathBuf {
    let path = folder.join(format!("{name}-roots.pem"));
    std::fs::write(&path, pem::certificates(roots)).unwrap();
    path
}

/// A key. RSA keys take long, so there is one of each size.
pub fn generate(key_type: KeyType) -> KeyPair {
    static RSA: [OnceLock<Vec<u8>>; 2] = [OnceLock::new(), OnceLock::new()];
    let rsa = |at: usize, size| {
        let made = || KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        KeyPair::try_from(RSA[at].get_or_init(|| made().serialize_der()).as_slice())
    };
    match key_type {
        KeyType::EcdsaP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeyType::EcdsaP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeyType::EcdsaP521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
        KeyType::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        KeyType::Rsa3072 => rsa(0, RsaKeySize::_3072),
        KeyType::Rsa4096 => rsa(1, RsaKeySize::_4096),
    }
    .unwrap()
}
