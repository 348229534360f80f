use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rstest::rstest;

use super::*;

fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default()
        .serialize_request(key)
        .unwrap()
        .der()
        .to_vec()
}

#[rstest]
#[case(&rcgen::PKCS_ECDSA_P256_SHA256, KeyType::EcdsaP256)]
#[case(&rcgen::PKCS_ECDSA_P384_SHA384, KeyType::EcdsaP384)]
#[case(&rcgen::PKCS_ECDSA_P521_SHA512, KeyType::EcdsaP521)]
#[case(&rcgen::PKCS_ED25519, KeyType::Ed25519)]
fn the_key_of_a_request_is_taken(#[case] algorithm: &'static SignatureAlgorithm, #[case] expected: KeyType) {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let key = PublicKey::from_request(&request(&pair)).unwrap();
    assert_eq!(key.key_type(), expected);
    assert_eq!(key.subject_public_key_info(), pair.subject_public_key_info());
}

#[rstest]
#[case(rcgen::RsaKeySize::_2048, Err(KeyError::Unsupported))]
#[case(rcgen::RsaKeySize::_3072, Ok(KeyType::Rsa3072))]
#[case(rcgen::RsaKeySize::_4096, Ok(KeyType::Rsa4096))]
fn rsa_must_be_strong(#[case] size: rcgen::RsaKeySize, #[case] expected: Result<KeyType, KeyError>) {
    let pair = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
    let key = PublicKey::from_request(&request(&pair));
    assert_eq!(key.map(|key| key.key_type()), expected);
}

#[test]
fn a_request_that_another_key_signed_is_refused() {
    let mut der = request(&KeyPair::generate().unwrap());
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_eq!(PublicKey::from_request(&der).unwrap_err(), KeyError::Signature);
}

#[test]
fn what_is_cut_or_too_long_is_refused() {
    let der = request(&KeyPair::generate().unwrap());
    for end in 0..der.len() {
        assert!(PublicKey::from_request(&der[..end]).is_err(), "{end}");
    }
    let longer = [&der[..], &[0]].concat();
    assert_eq!(PublicKey::from_request(&longer).unwrap_err(), KeyError::Unreadable);
    let huge = vec![0x30; 1 << 20];
    assert_eq!(PublicKey::from_request(&huge).unwrap_err(), KeyError::TooLong);
}
