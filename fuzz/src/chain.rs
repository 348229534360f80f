//! A chain of certificates that is good, and the same in each run: its keys come from seeds.

use std::sync::LazyLock;

use aws_lc_rs::signature::Ed25519KeyPair;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::{Duration, OffsetDateTime};

/// In DER: a leaf, the intermediate that signed it, and the root that signed that, of the trust domain example.com.
pub static CHAIN: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let [root_key, intermediate_key, leaf_key] = [1, 2, 3].map(key);
    let (root, intermediate) = (authority("root"), authority("intermediate"));
    let root_certificate = root.self_signed(&root_key).expect("a root");
    let root = Issuer::new(root, root_key);
    let intermediate_certificate = intermediate
        .signed_by(&intermediate_key, &root)
        .expect("an intermediate");
    let intermediate = Issuer::new(intermediate, intermediate_key);
    let mut leaf = params("leaf", "spiffe://example.com/ns/shop/sa/cart");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    leaf.is_ca = IsCa::ExplicitNoCa;
    let leaf = leaf.signed_by(&leaf_key, &intermediate).expect("a leaf");
    [leaf, intermediate_certificate, root_certificate].map(|certificate| certificate.der().to_vec())
});

/// A key that is the same in each run.
pub fn key(seed: u8) -> KeyPair {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
    KeyPair::try_from(pair.to_pkcs8v1().expect("PKCS#8").as_ref()).expect("a key")
}

fn params(name: &str, id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::URI(id.to_owned().try_into().expect("ASCII"))];
    let now = OffsetDateTime::from_unix_timestamp(crate::NOW).expect("a time");
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::hours(1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name, "spiffe://example.com");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}
