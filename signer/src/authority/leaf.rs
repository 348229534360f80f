//! The certificate of a workload, to the X.509-SVID standard and RFC 5280.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;

use super::{Authority, SKEW, SignError};
use crate::grant::{Grant, SHORTEST};
use crate::key::PublicKey;

/// A serial number: 16 bytes of randomness, which is more than the 64 bits that CAs must have.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Serial([u8; 16]);

impl Serial {
    /// Makes random bytes a serial number: positive, and never shorter than the bytes (RFC 5280, section 4.1.2.2).
    pub fn new(mut random: [u8; 16]) -> Self {
        random[0] = random[0] & 0x7f | 0x40;
        Self(random)
    }

    /// Its bytes, big-endian.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::hex(&self.0))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A certificate that was signed.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The workload's first, then the intermediate and what signed that; no root.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its serial number.
    pub serial: Serial,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When its owner is to ask for the next one.
    pub refresh_at: Timestamp,
}

pub(super) fn sign(
    authority: &Authority,
    grant: &Grant,
    key: &PublicKey,
    serial: Serial,
    now: Timestamp,
) -> Result<Certificate, SignError> {
    // A certificate has whole seconds, and what is told of it must be what it says.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    // A lifetime counts from the certificate's beginning: so do the API server and peers, who refuse what lives too long.
    let not_before = (now - SKEW).max(authority.begins);
    let not_after = (not_before + grant.lifetime).min(authority.ends);
    if now < authority.begins || not_after.duration_since(not_before) < SHORTEST.min(grant.lifetime) {
        return Err(SignError::Ending(authority.ends));
    }
    let params = params(grant, serial, not_before, not_after)?;
    let leaf = params.signed_by(key, &authority.issuer)?;
    let mut chain = vec![CertificateDer::from(leaf)];
    chain.extend(authority.chain.iter().cloned());
    Ok(Certificate {
        chain,
        serial,
        not_before,
        not_after,
        refresh_at: refresh_at(now, not_after, grant.renew_after_percent),
    })
}

fn params(
    grant: &Grant,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<CertificateParams, SignError> {
    let mut params = CertificateParams::default();
    let date = |time: Timestamp| time::OffsetDateTime::from_unix_timestamp(time.as_second());
    params.not_before = date(not_before)?;
    params.not_after = date(not_after)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial.0));
    // An empty subject: the names are in the extension, which is critical then (RFC 5280, section 4.2.1.6).
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = [
        (grant.usages.server, ExtendedKeyUsagePurpose::ServerAuth),
        (grant.usages.client, ExtendedKeyUsagePurpose::ClientAuth),
    ]
    .into_iter()
    .filter_map(|(wanted, usage)| wanted.then_some(usage))
    .collect();
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(grant.spiffe_id.to_string())?)];
    for name in &grant.dns_names {
        params
            .subject_alt_names
            .push(SanType::DnsName(Ia5String::try_from(name.as_str())?));
    }
    Ok(params)
}

/// The renewal point of a life that begins now.
fn refresh_at(now: Timestamp, not_after: Timestamp, percent: u8) -> Timestamp {
    let life = not_after.duration_since(now);
    let part = SignedDuration::from_secs(life.as_secs() / 100 * i64::from(percent.clamp(1, 95)));
    now + part
}

#[cfg(test)]
mod tests;
