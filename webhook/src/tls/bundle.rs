//! The `caBundle` of a webhook's configuration, which all replicas write to.

use countersign_identity::pem;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::authority::ORGANIZATION;

/// How many authorities of replicas are kept. More than replicas that can run; fewer than replicas that crash in a day.
const LIMIT: usize = 32;

/// The authorities in a bundle. What is no certificate is left out.
pub fn authorities(bundle: &[u8]) -> Vec<CertificateDer<'static>> {
    pem::certificates(bundle).filter_map(Result::ok).collect()
}

/// What a bundle should be: what is in it, without what has ended and without what this replica published before, and with
/// `own`. The order stays, so that replicas do not undo each other's writes.
pub fn merged(bundle: &[u8], own: &[CertificateDer<'static>], replica: &str, now: Timestamp) -> Vec<u8> {
    let mut kept: Vec<(CertificateDer<'static>, Facts)> = authorities(bundle)
        .into_iter()
        .filter_map(|certificate| {
            let facts = Facts::of(&certificate)?;
            let is_own = own.contains(&certificate);
            let replaced = facts.replica.as_deref() == Some(replica) && !is_own;
            (facts.ends > now.as_second() && !replaced).then_some((certificate, facts))
        })
        .collect();
    for certificate in own {
        if let Some(facts) = Facts::of(certificate)
            && !kept.iter().any(|(there, _)| there == certificate)
        {
            kept.push((certificate.clone(), facts));
        }
    }
    drop_oldest(&mut kept, own);
    kept.iter()
        .map(|(certificate, _)| pem::certificate(certificate))
        .collect::<String>()
        .into_bytes()
}

fn drop_oldest(kept: &mut Vec<(CertificateDer<'static>, Facts)>, own: &[CertificateDer<'static>]) {
    let is_of_others =
        |certificate: &CertificateDer<'static>, facts: &Facts| facts.replica.is_some() && !own.contains(certificate);
    let mut ends: Vec<i64> = kept
        .iter()
        .filter(|(certificate, facts)| is_of_others(certificate, facts))
        .map(|(_, facts)| facts.ends)
        .collect();
    ends.sort_unstable();
    let Some(last) = ends
        .len()
        .checked_sub(LIMIT + 1)
        .and_then(|index| ends.get(index))
        .copied()
    else {
        return;
    };
    kept.retain(|(certificate, facts)| !is_of_others(certificate, facts) || facts.ends > last);
}

/// What matters of an authority.
struct Facts {
    /// In seconds since 1970.
    ends: i64,
    /// Whose it is, if a replica of the webhook made it.
    replica: Option<String>,
}

impl Facts {
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let subject = parsed.subject();
        let ours = subject
            .iter_organization()
            .any(|organization| organization.as_str() == Ok(ORGANIZATION));
        let name = subject.iter_common_name().find_map(|name| name.as_str().ok());
        Some(Self {
            ends: parsed.validity().not_after.timestamp(),
            replica: name.filter(|_| ours).map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests;
