use countersign_crds::certificate_authority::{CaKeyAlgorithm, CertificateAuthoritySpec};
use jiff::SignedDuration;

use super::*;
use crate::authority::Serial;
use crate::authority::kept::Kept;
use crate::authority::make::{self, Profile};
use crate::authority::rotation::{Plan, Seen, after};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn later(hours: i64) -> Timestamp {
    after(now(), SignedDuration::from_hours(hours))
}

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

struct Offline {
    key: CaKey,
    root: CertificateDer<'static>,
}

fn profile(trust_domain: &TrustDomain, serial: u8, hours: i64) -> Profile<'_> {
    Profile {
        trust_domain,
        serial: Serial::new([serial; 16]),
        now: now(),
        ends: later(hours),
    }
}

impl Offline {
    fn new(serial: u8) -> Self {
        let key = CaKey::generate(CaKeyAlgorithm::EcdsaP384).unwrap();
        let root = make::root(&profile(&domain(), serial, 9000), &key).unwrap();
        Self { key, root }
    }

    fn brings(&self, trust_domain: &str, hours: i64) -> BTreeMap<String, ByteString> {
        let key = CaKey::generate(CaKeyAlgorithm::EcdsaP256).unwrap();
        let trust_domain = trust_domain.parse().unwrap();
        let profile = profile(&trust_domain, 9, hours);
        let intermediate = make::intermediate(&profile, &key, &self.root, &self.key).unwrap();
        entries(
            &pem::certificate(&intermediate),
            &key.to_pem(),
            &pem::certificate(&self.root),
        )
    }
}

fn entries(chain: &str, key: &str, roots: &str) -> BTreeMap<String, ByteString> {
    [("tls.crt", chain), ("tls.key", key), ("ca.crt", roots)]
        .map(|(name, text)| (name.to_owned(), ByteString(text.as_bytes().to_vec())))
        .into()
}

fn text(entries: &BTreeMap<String, ByteString>, name: &str) -> String {
    String::from_utf8(entries[name].0.clone()).unwrap()
}

#[test]
fn what_is_brought_signs() {
    let offline = Offline::new(1);
    let entries = offline.brings("example.org", 100);
    let brought = Brought::read(&domain(), &entries, &Withdrawn::default(), now()).unwrap();
    assert_eq!(brought.offer().intermediate.ends, later(100));
    let mut spec = CertificateAuthoritySpec::default();
    spec.intermediate.secret_name = Some("from-vault".to_owned());
    let plan = Plan::new(&spec).unwrap();
    let seen = Seen {
        offer: Some(brought.offer().clone()),
        ..Seen::default()
    };
    let (kept, steps) = Kept::new(domain())
        .advanced(&plan, &seen, Some(&brought), now())
        .unwrap();
    assert_eq!(
        steps,
        [
            "take-root",
            "adopt-intermediate",
            "make-jwt-key",
            "use-jwt-key",
            "number-bundle"
        ]
    );
    let kept = Kept::read(&domain(), &kept.write()).unwrap();
    assert_eq!(kept.authority().unwrap().ends(), later(100));
    assert!(kept.root_keys.is_empty());
    assert_eq!(kept.bundle().roots().next().unwrap().certificate(), &offline.root);
}

#[test]
fn a_root_in_the_chain_is_not_sent() {
    let offline = Offline::new(1);
    let mut entries = offline.brings("example.org", 100);
    let chain = text(&entries, "tls.crt") + &pem::certificate(&offline.root);
    entries.insert("tls.crt".to_owned(), ByteString(chain.into_bytes()));
    assert_eq!(
        Brought::read(&domain(), &entries, &Withdrawn::default(), now())
            .unwrap()
            .chain()
            .len(),
        1
    );
}

#[test]
fn the_root_is_found_among_others() {
    let (old, new) = (Offline::new(1), Offline::new(2));
    let mut entries = new.brings("example.org", 100);
    let roots = pem::certificate(&old.root) + &pem::certificate(&new.root);
    entries.insert("ca.crt".to_owned(), ByteString(roots.into_bytes()));
    let brought = Brought::read(&domain(), &entries, &Withdrawn::default(), now()).unwrap();
    assert_eq!(brought.offer().under, Fingerprint::of(&new.root).to_string());
    assert_eq!(brought.offer().roots.len(), 2);
}

#[test]
fn what_is_revoked_is_not_used() {
    let offline = Offline::new(1);
    let entries = offline.brings("example.org", 100);
    let brought = Brought::read(&domain(), &entries, &Withdrawn::default(), now()).unwrap();
    let revoked = Fingerprint::of(&brought.chain()[0]);
    let error = Brought::read(&domain(), &entries, &[revoked].into_iter().collect(), now()).unwrap_err();
    assert!(
        matches!(error, BroughtError::Revoked(named) if named == revoked),
        "{error}"
    );
}

#[test]
fn what_cannot_be_used_says_why() {
    let (offline, other) = (Offline::new(1), Offline::new(2));
    let good = offline.brings("example.org", 100);
    let (chain, key, roots) = (text(&good, "tls.crt"), text(&good, "tls.key"), text(&good, "ca.crt"));
    let other_key = CaKey::generate(CaKeyAlgorithm::EcdsaP256).unwrap().to_pem();
    let leaf = {
        let pair = KeyPair::generate().unwrap();
        CertificateParams::default().self_signed(&pair).unwrap()
    };
    let cases = [
        (entries(&chain, &other_key, &roots), now(), "does not belong"),
        (entries(&chain, "x", &roots), now(), "tls.key"),
        (entries("", &key, &roots), now(), "tls.crt"),
        (entries(&chain, &key, "nothing"), now(), "has 0 certificates"),
        (
            entries(&chain, &key, &pem::certificate(leaf.der())),
            now(),
            "ca.crt: certificate 0",
        ),
        (
            entries(&pem::certificate(leaf.der()), &key, &roots),
            now(),
            "may not sign others",
        ),
        (
            entries(&chain, &key, &pem::certificate(&other.root)),
            now(),
            "not accepted",
        ),
        (offline.brings("example.com", 100), now(), "not accepted"),
        (good.clone(), later(100), "renew it"),
        (good.clone(), later(-1), "renew it"),
    ];
    for (entries, now, expected) in cases {
        let error = Brought::read(&domain(), &entries, &Withdrawn::default(), now)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("PRIVATE KEY-----"), "{error}");
    }
    for name in ["tls.crt", "tls.key", "ca.crt"] {
        let mut without = good.clone();
        without.remove(name);
        let error = Brought::read(&domain(), &without, &Withdrawn::default(), now()).unwrap_err();
        assert!(
            matches!(error, BroughtError::Missing(missing) if missing == name),
            "{error}"
        );
    }
}
