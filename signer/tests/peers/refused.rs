//! What must be refused, and by whom: certificates that no signer of ours makes, made here with an authority of its own.

use anyhow::{Result, bail};
use countersign_identity::bundle::Root;
use countersign_identity::svid::{self, LeafRule, SvidError, Withdrawn};
use countersign_identity::{Bundle, Bundles, Fingerprint};
use countersign_runtime::clock;
use countersign_signer::issue::Path;
use countersign_signer::key::KeyType;
use countersign_signer::pem;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rstest::rstest;
use rustls::pki_types::CertificateDer;

use crate::issued::{DOMAIN, NAME, Profile, Signer, Svid, write_roots};
use crate::programs::{peer, run};
use crate::tls::handshake;

const ID: &str = "spiffe://example.org/ns/shop/sa/web";

/// A chain, and what its verifiers know.
struct Shown {
    svid: Svid,
    roots: Vec<CertificateDer<'static>>,
    withdrawn: Withdrawn,
    now: Timestamp,
}

/// What is to be made wrong.
#[derive(Default)]
struct Recipe {
    leaf: Option<fn(&mut CertificateParams)>,
    intermediate: Option<fn(&mut CertificateParams)>,
}

fn uri(id: &str) -> SanType {
    SanType::URI(id.to_owned().try_into().unwrap())
}

fn at(time: Timestamp) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap()
}

fn authority(name: &str, id: &str, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![uri(id)];
    params.use_authority_key_identifier_extension = true;
    params.not_before = at(now - SignedDuration::from_hours(2));
    params.not_after = at(now + SignedDuration::from_hours(24));
    params
}

impl Recipe {
    fn make(self) -> Shown {
        let now = clock::now();
        let domain = "spiffe://example.org";
        let root = CertifiedIssuer::self_signed(authority("root", domain, now), KeyPair::generate().unwrap()).unwrap();
        let mut params = authority("intermediate", domain, now);
        if let Some(change) = self.intermediate {
            change(&mut params);
        }
        let intermediate = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &root).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![uri(ID)];
        params.not_before = at(now - SignedDuration::from_mins(2));
        params.not_after = at(now + SignedDuration::from_hours(1));
        if let Some(change) = self.leaf {
            change(&mut params);
        }
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &intermediate).unwrap();
        Shown {
            svid: Svid {
                id: ID.to_owned(),
                chain: vec![leaf.der().clone(), intermediate.der().clone()],
                key,
            },
            roots: vec![root.der().clone()],
            withdrawn: Withdrawn::default(),
            now,
        }
    }
}

impl Shown {
    fn to_identity(&self) -> Result<()> {
        let mut bundle = Bundle::new(DOMAIN.parse().unwrap());
        for root in &self.roots {
            bundle.add_root(Root::read(root.clone())?);
        }
        svid::verify(&self.svid.chain, &Bundles::new(bundle), &self.withdrawn, self.now)?;
        Ok(())
    }

    /// As a client of rustls.
    fn to_rustls(&self) -> Result<()> {
        let signer = Signer::new();
        // Its own authority says who the server is.
        let mut server = signer.svid("api").party(&self.roots, self.now);
        if server.roots.is_empty() {
            bail!("rustls wants a root");
        }
        let client = self.svid.party(&signer.roots(), self.now);
        server.chain.truncate(2);
        handshake(client.calls()?, server.serves()?, NAME)?;
        Ok(())
    }

    fn to_go_spiffe(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let roots = write_roots(folder.path(), "own", &self.roots);
        let chain = folder.path().join("chain.pem");
        std::fs::write(&chain, pem::certificates(&self.svid.chain))?;
        let said = run(
            peer("peers"),
            ["verify", DOMAIN, roots.to_str().unwrap(), chain.to_str().unwrap()],
        )?;
        assert_eq!(said, self.svid.id);
        Ok(())
    }
}

fn good() -> Shown {
    Recipe::default().make()
}

/// Signed by a foreign authority, for a workload of its own.
fn foreign() -> Shown {
    let other = Signer::of(
        "other.example",
        countersign_crds::certificate_authority::CaKeyAlgorithm::EcdsaP256,
    );
    Shown {
        svid: other.svid("web"),
        ..good()
    }
}

/// Signed by our authority, for a workload that is not ours to name.
fn foreign_name() -> Shown {
    let leaf: fn(&mut CertificateParams) =
        |leaf| leaf.subject_alt_names = vec![uri("spiffe://other.example/ns/shop/sa/web")];
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

fn expired_intermediate() -> Shown {
    let intermediate: fn(&mut CertificateParams) =
        |params| params.not_after = at(clock::now() - SignedDuration::from_secs(5));
    Recipe {
        intermediate: Some(intermediate),
        ..Recipe::default()
    }
    .make()
}

fn expired_leaf() -> Shown {
    let leaf: fn(&mut CertificateParams) = |params| params.not_after = at(clock::now() - SignedDuration::from_secs(5));
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

/// As a rotation withdraws it: another has taken its place in the bundle.
fn withdrawn_root() -> Shown {
    Shown {
        roots: Signer::new().roots(),
        ..good()
    }
}

/// As it is withdrawn where it cannot be taken out of a bundle.
fn revoked_root() -> Shown {
    let mut shown = good();
    shown.withdrawn.add_fingerprint(Fingerprint::of(&shown.roots[0]));
    shown
}

fn revoked_intermediate() -> Shown {
    let mut shown = good();
    shown.withdrawn.add_fingerprint(Fingerprint::of(&shown.svid.chain[1]));
    shown
}

fn two_uris() -> Shown {
    let leaf: fn(&mut CertificateParams) = |leaf| {
        leaf.subject_alt_names
            .push(uri("spiffe://example.org/ns/shop/sa/admin"));
    };
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

fn no_uri() -> Shown {
    let leaf: fn(&mut CertificateParams) =
        |leaf| leaf.subject_alt_names = vec![SanType::DnsName("web.shop.svc".to_owned().try_into().unwrap())];
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

fn ca_leaf() -> Shown {
    let leaf: fn(&mut CertificateParams) = |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

fn signing_leaf() -> Shown {
    let leaf: fn(&mut CertificateParams) = |leaf| leaf.key_usages.push(KeyUsagePurpose::KeyCertSign);
    Recipe {
        leaf: Some(leaf),
        ..Recipe::default()
    }
    .make()
}

#[test]
fn what_is_right_is_accepted_by_all() {
    let shown = good();
    shown.to_identity().unwrap();
    shown.to_rustls().unwrap();
    shown.to_go_spiffe().unwrap();
}

/// The standard wants both usages or none (X509-SVID, section 4.4). Peers that know TLS only go by the one there is.
#[test]
fn a_certificate_for_one_usage_is_no_svid_to_the_letter() {
    let signer = Signer::new();
    let verified = |profile| {
        let svid = signer.issue("api", Path::PodCertificate, KeyType::EcdsaP256, profile);
        let bundles = Bundles::new(signer.kept.bundle());
        svid::verify(&svid.chain, &bundles, &Withdrawn::default(), signer.now).map(drop)
    };
    for profile in [Profile::Both, Profile::Names, Profile::NoUsage] {
        verified(profile).unwrap();
    }
    for profile in [Profile::Server, Profile::Client] {
        assert_eq!(verified(profile), Err(SvidError::Leaf(LeafRule::ExtendedKeyUsage)));
    }
}

/// rustls knows nothing of SPIFFE, and go-spiffe of no revocation: what they cannot know is not asked of them.
#[rstest]
#[case::foreign(foreign(), "foreign", Some("UnknownIssuer"), Some("no X.509 bundle"))]
#[case::foreign_name(foreign_name(), "foreign", None, Some("no X.509 bundle"))]
#[case::expired_intermediate(expired_intermediate(), "expired", Some("expired"), Some("expired"))]
#[case::expired_leaf(expired_leaf(), "expired", Some("expired"), Some("expired"))]
#[case::withdrawn_root(withdrawn_root(), "no chain", Some("UnknownIssuer"), Some("unknown authority"))]
#[case::revoked_root(revoked_root(), "withdrawn", None, None)]
#[case::revoked_intermediate(revoked_intermediate(), "withdrawn", None, None)]
#[case::two_uris(two_uris(), "2 URIs", None, Some("more than one URI"))]
#[case::no_uri(no_uri(), "no URI", None, Some("no URI"))]
#[case::ca_leaf(ca_leaf(), "CA certificate", Some("CaUsedAsEndEntity"), Some("CA flag"))]
#[case::signing_leaf(signing_leaf(), "keyCertSign", None, Some("KeyCertSign"))]
fn what_is_wrong_is_refused(
    #[case] shown: Shown,
    #[case] identity: &str,
    #[case] rustls: Option<&str>,
    #[case] go_spiffe: Option<&str>,
) {
    let refused = |who: &str, result: Result<()>, says: &str| {
        let said = result.unwrap_err().to_string();
        assert!(said.contains(says), "{who}: {said}");
    };
    refused("identity", shown.to_identity(), identity);
    if let Some(says) = rustls {
        refused("rustls", shown.to_rustls(), says);
    }
    if let Some(says) = go_spiffe {
        refused("go-spiffe", shown.to_go_spiffe(), says);
    }
}
