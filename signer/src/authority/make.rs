//! Makes the certificates of roots and intermediates, to the X509-SVID standard and RFC 5280.

use countersign_identity::TrustDomain;
use jiff::Timestamp;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose, SanType,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;

use super::ca_key::CaKey;
use super::leaf::Serial;
use super::{SKEW, SignError};

/// The longest common name (RFC 5280, appendix A.1: `ub-common-name`). That of an organization is as long.
const LONGEST_NAME: usize = 64;

/// What a root and an intermediate have in common.
pub struct Profile<'a> {
    /// Whose authority it is.
    pub trust_domain: &'a TrustDomain,
    /// The serial number.
    pub serial: Serial,
    /// When it is made.
    pub now: Timestamp,
    /// Until when it is valid.
    pub ends: Timestamp,
}

/// Makes a root.
///
/// # Errors
///
/// If a time or a name is one that no certificate can have.
pub fn root(profile: &Profile<'_>, key: &CaKey) -> Result<CertificateDer<'static>, SignError> {
    // One intermediate may be in between, and no more.
    let params = params(profile, "root", 1)?;
    Ok(params.self_signed(key)?.der().clone())
}

/// Makes an intermediate under a root.
///
/// # Errors
///
/// If a time or a name is one that no certificate can have.
pub fn intermediate(
    profile: &Profile<'_>,
    key: &CaKey,
    root: &CertificateDer<'_>,
    root_key: &CaKey,
) -> Result<CertificateDer<'static>, SignError> {
    let params = params(profile, "intermediate", 0)?;
    let issuer = Issuer::from_ca_cert_der(root, root_key)?;
    Ok(params.signed_by(key, &issuer)?.der().clone())
}

/// No name constraints: those for URIs, which SPIFFE would need, are refused by rustls.
fn params(profile: &Profile<'_>, what: &str, path_length: u8) -> Result<CertificateParams, SignError> {
    let mut params = CertificateParams::default();
    let date = |time: Timestamp| time::OffsetDateTime::from_unix_timestamp(time.as_second());
    params.not_before = date(super::rotation::before(profile.now, SKEW))?;
    params.not_after = date(profile.ends)?;
    params.serial_number = Some(SerialNumber::from_slice(profile.serial.as_bytes()));
    params.distinguished_name = subject(profile, what);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    let id = profile.trust_domain.id().to_string();
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(id)?)];
    Ok(params)
}

/// Each certificate has a subject of its own, so that those who look for an issuer by its name find one.
fn subject(profile: &Profile<'_>, what: &str) -> DistinguishedName {
    let serial = profile.serial.to_string();
    let name = format!("countersign {what} {serial}");
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, shortened(profile.trust_domain.as_str()));
    subject.push(DnType::CommonName, shortened(&name));
    subject
}

/// A trust domain may be longer than a name. All of it stands in the URI.
fn shortened(name: &str) -> &str {
    name.get(..LONGEST_NAME).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use countersign_crds::certificate_authority::CaKeyAlgorithm;
    use countersign_identity::svid::check_signing;
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::*;

    #[test]
    fn both_are_signing_certificates_of_the_trust_domain() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let trust_domain: TrustDomain = format!("{}.example", "a".repeat(100)).parse().unwrap();
        let profile = |serial: u8| Profile {
            trust_domain: &trust_domain,
            serial: Serial::new([serial; 16]),
            now,
            ends: "2060-01-01T00:00:00Z".parse().unwrap(),
        };
        let root_key = CaKey::generate(CaKeyAlgorithm::EcdsaP384).unwrap();
        let key = CaKey::generate(CaKeyAlgorithm::EcdsaP256).unwrap();
        let root = root(&profile(1), &root_key).unwrap();
        let intermediate = intermediate(&profile(2), &key, &root, &root_key).unwrap();
        for certificate in [&root, &intermediate] {
            assert_eq!(check_signing(certificate).unwrap(), Some(trust_domain.id()));
        }
        let (_, root) = X509Certificate::from_der(&root).unwrap();
        let (_, intermediate) = X509Certificate::from_der(&intermediate).unwrap();
        root.verify_signature(None).unwrap();
        intermediate.verify_signature(Some(root.public_key())).unwrap();
        assert_eq!(intermediate.issuer(), root.subject());
        assert_ne!(intermediate.subject(), root.subject());
        for (certificate, length) in [(&root, 1), (&intermediate, 0)] {
            let constraints = certificate.basic_constraints().unwrap().unwrap();
            assert!(constraints.critical && constraints.value.ca);
            assert_eq!(constraints.value.path_len_constraint, Some(length));
            let usage = certificate.key_usage().unwrap().unwrap();
            assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
            assert_eq!(usage.value.flags.count_ones(), 2);
            assert!(certificate.name_constraints().unwrap().is_none());
            assert_eq!(certificate.validity().not_before.timestamp(), (now - SKEW).as_second());
            assert_eq!(certificate.raw_serial().len(), 16);
            let name = |text: &str| text.chars().count() <= LONGEST_NAME;
            assert!(
                certificate
                    .subject()
                    .iter_common_name()
                    .all(|it| name(it.as_str().unwrap()))
            );
            assert!(
                certificate
                    .subject()
                    .iter_organization()
                    .all(|it| name(it.as_str().unwrap()))
            );
        }
    }
}
