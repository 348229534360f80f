//! Certificates: bytes in the place of a leaf, of an intermediate and of a root; and a chain that is good, with bytes changed.
#![no_main]

use countersign_fuzz::chain::CHAIN;
use countersign_fuzz::choice;
use countersign_identity::bundle::Root;
use countersign_identity::svid::{Withdrawn, check_leaf, check_signing, verify};
use countersign_identity::{Bundle, Bundles};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn bundles(root: &[u8]) -> Option<Bundles> {
    let mut bundle = Bundle::new("example.com".parse().expect("a trust domain"));
    bundle.add_root(Root::read(root.to_vec().into()).ok()?);
    let again = Bundle::from_jwks(bundle.trust_domain().clone(), &bundle.to_jwks());
    assert_eq!(again.map(|received| received.bundle).as_ref(), Ok(&bundle));
    Some(Bundles::new(bundle))
}

fn verified(leaf: &[u8], intermediate: &[u8], root: &[u8]) -> bool {
    let now = Timestamp::from_second(countersign_fuzz::NOW).expect("a time");
    let Some(bundles) = bundles(root) else {
        return false;
    };
    let chain = [leaf.to_vec().into(), intermediate.to_vec().into()];
    let verified = verify(&chain, &bundles, &Withdrawn::default(), now);
    if let Ok(svid) = &verified {
        assert_eq!(svid.id().trust_domain(), bundles.own().trust_domain());
        assert_eq!(check_leaf(leaf).as_ref(), Ok(svid.id()));
    }
    verified.is_ok()
}

/// Replaces a byte of a good certificate for each three of the input: two for where, one for what.
fn changed(certificate: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = certificate.to_vec();
    for change in changes.chunks_exact(3) {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    bytes
}

fuzz_target!(|data: &[u8]| {
    let [leaf, intermediate, root] = &*CHAIN;
    let Some((chosen, bytes)) = choice(data) else {
        return;
    };
    let certificate = match chosen % 4 {
        0 => bytes.to_vec(),
        which => changed(&CHAIN[which - 1], bytes),
    };
    if let Ok(id) = check_leaf(&certificate) {
        assert!(id.has_path());
        assert!(check_signing(&certificate).is_err(), "it cannot be both");
    }
    if let Ok(Some(id)) = check_signing(&certificate) {
        assert!(!id.has_path());
    }
    assert!(
        !verified(&certificate, intermediate, root) || &certificate == leaf,
        "it was not signed"
    );
    assert!(
        !verified(leaf, &certificate, root) || &certificate == intermediate,
        "it was not signed"
    );
    // What is trusted may be signed by nobody, so a change of a root can go unseen; not so that of its key.
    verified(leaf, intermediate, &certificate);
});
