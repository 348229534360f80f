//! Certification requests, good and bad: extra names, a CA's flag, usages, weak keys, damage, size.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, RsaKeySize, SanType,
};

/// A key of 2048 bits, which is too weak. One for all, since it takes long.
static WEAK: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    key.serialize_der()
});

/// What is done to a request after it was signed.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Cut(prop::sample::Index),
    /// A bit of what is signed is flipped.
    Flip(prop::sample::Index, u8),
    Append(u8),
    Megabyte,
}

/// A request, and what is in it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub der: Vec<u8>,
    /// Its public key.
    pub key: Vec<u8>,
    uris: Vec<String>,
    names: Vec<String>,
    /// Whether it asks for nothing that no workload gets.
    modest: bool,
    right_key: bool,
    whole: bool,
}

impl Asked {
    /// Whether its key can be had a certificate for.
    pub fn has_good_key(&self) -> bool {
        self.right_key && self.whole
    }

    /// Whether it asks for the identity of an account and no more.
    pub fn is_exactly(&self, namespace: &str, account: &str) -> bool {
        let host = format!("{account}.{namespace}.svc");
        self.modest
            && self.uris == [format!("spiffe://example.org/ns/{namespace}/sa/{account}")]
            && self.names.iter().all(|name| *name == host)
    }

    pub fn pem(&self) -> Vec<u8> {
        let text = BASE64_STANDARD.encode(&self.der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n").into_bytes()
    }
}

/// What a request asks for that no workload gets.
#[derive(Clone, Copy, Debug)]
enum Greed {
    None,
    Authority,
    SigningKey,
    CodeSigning,
    AnyUsage,
    Subject,
    Address,
    UnknownExtension,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        20 => Just(Damage::None),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        2 => (any::<prop::sample::Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => any::<u8>().prop_map(Damage::Append),
        1 => Just(Damage::Megabyte),
    ]
}

fn greed() -> impl Strategy<Value = Greed> {
    prop_oneof![
        16 => Just(Greed::None),
        1 => Just(Greed::Authority),
        1 => Just(Greed::SigningKey),
        1 => Just(Greed::CodeSigning),
        1 => Just(Greed::AnyUsage),
        1 => Just(Greed::Subject),
        1 => Just(Greed::Address),
        1 => Just(Greed::UnknownExtension),
    ]
}

/// Requests, most of which name one account and no other.
pub fn asked(namespace: &str, account: &str) -> impl Strategy<Value = Asked> + use<> {
    let own = format!("{account}.{namespace}.svc");
    let uris = prop_oneof![
        3 => Just(vec![(namespace.to_owned(), account.to_owned())]),
        1 => prop::collection::vec(("shop|bank", "api|admin"), 0..3),
    ];
    let names = prop_oneof![
        3 => prop::collection::vec(Just(own), 0..2),
        1 => prop::collection::vec("(api|admin)\\.(shop|bank)\\.svc", 0..2),
    ];
    let key = prop_oneof![16 => Just(0u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)];
    (uris, names, greed(), key, damage()).prop_map(|(uris, names, greed, key, damage)| {
        let uris = uris
            .into_iter()
            .map(|(namespace, account)| format!("spiffe://example.org/ns/{namespace}/sa/{account}"))
            .collect();
        build(uris, names, greed, key, &damage)
    })
}

fn build(uris: Vec<String>, names: Vec<String>, greed: Greed, key: u8, damage: &Damage) -> Asked {
    let uri = |uri: &String| SanType::URI(uri.clone().try_into().unwrap());
    let dns = |name: &String| SanType::DnsName(name.clone().try_into().unwrap());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = uris.iter().map(uri).chain(names.iter().map(dns)).collect();
    match greed {
        Greed::None => {}
        Greed::Authority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        Greed::SigningKey => params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
        Greed::CodeSigning => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
        Greed::AnyUsage => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
        Greed::Subject => params
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters"),
        Greed::Address => params.subject_alt_names.push(SanType::IpAddress([10, 0, 0, 1].into())),
        Greed::UnknownExtension => {
            params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0])];
        }
    }
    let pair = match key {
        0 => KeyPair::generate(),
        1 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
        2 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        _ => KeyPair::try_from(WEAK.as_slice()),
    }
    .unwrap();
    let mut der = params.serialize_request(&pair).unwrap().der().to_vec();
    match damage {
        Damage::None => {}
        Damage::Cut(at) => der.truncate(at.index(der.len())),
        // The header of the whole, and what comes after the signed part, may be written in more than one way.
        Damage::Flip(at, bit) => {
            let signed = der.len() - 90;
            der[4 + at.index(signed - 4)] ^= 1 << bit;
        }
        Damage::Append(byte) => der.push(*byte),
        Damage::Megabyte => der.resize((1 << 20) + 1, 0),
    }
    Asked {
        der,
        key: pair.subject_public_key_info(),
        uris,
        names,
        modest: matches!(greed, Greed::None),
        right_key: key == 0,
        whole: matches!(damage, Damage::None),
    }
}
