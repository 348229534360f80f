//! X.509 certificates that live too long (RFC 5280).
//!
//! A certificate is public; that it lives long means that its key does. So this is about certificates that stand for a
//! workload, by what they say and by the name they are kept under. Manifests are full of others: bundles of authorities,
//! the `caBundle` of a webhook, the certificate of an identity provider, that of a server to trust. None of these is
//! refused, however long they live.

use std::ops::Range;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::rule::{Remedy::ServiceIdentity, Rule};

pub(super) static LONG_LIVED: Rule = Rule {
    id: "certificate-long-lived",
    title: "a certificate of a client or server that lives too long",
    remedy: ServiceIdentity,
};

/// Names of certificates of workloads, in lower case and without signs; what ends with one counts too.
const OWN: &[&str] = &[
    "tlscrt",
    "tlscert",
    "tlscertificate",
    "tlspem",
    "clientcertificatedata",
    "clientcertificate",
    "clientcert",
    "clientcrt",
    "clientpem",
    "clientcertpem",
    "clientcertificatepem",
    "servercertificate",
    "servercert",
    "servercrt",
    "serverpem",
    "servingcert",
    "servingcrt",
    "servingcertificate",
    "certpem",
    "svidpem",
];
/// Names of those that issue or are trusted: public by design.
const TRUSTED: &[&str] = &["ca", "cas", "bundle", "issuer", "idp", "saml", "sso", "peer", "known"];
const TRUSTED_STARTS: &[&str] = &["root", "trust", "cacert", "cacrt", "cabundle", "cafile", "caroot"];

/// How a name speaks of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// As one of the workload itself.
    Own,
    /// By the ending of a file.
    File,
    /// As something else, or not at all.
    Other,
}

fn read(name: Option<&str>) -> Name {
    let Some(name) = name else { return Name::Other };
    let name = name.rsplit('/').next().unwrap_or(name);
    let plain: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let trusted =
        |word: String| TRUSTED.contains(&word.as_str()) || TRUSTED_STARTS.iter().any(|start| word.starts_with(start));
    if words(name).any(trusted) {
        return Name::Other;
    }
    if OWN.iter().any(|own| plain.ends_with(own)) {
        return Name::Own;
    }
    let lower = name.to_ascii_lowercase();
    if [".crt", ".cert", ".cer", "_crt", "-crt"]
        .iter()
        .any(|ending| lower.ends_with(ending))
    {
        Name::File
    } else {
        Name::Other
    }
}

/// The words of a name, at its signs and its capitals: `clientCA.crt` has `client`, `ca`, `crt`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for character in name.chars() {
        let starts = character.is_ascii_uppercase() && before.is_ascii_lowercase();
        if !character.is_ascii_alphanumeric() || starts {
            words.push(String::new());
        }
        if let Some(last) = words.last_mut()
            && character.is_ascii_alphanumeric()
        {
            last.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// Whether a certificate under that name would be looked at. Bundles of authorities are large, and there are many.
pub(super) fn is_of_interest(name: Option<&str>) -> bool {
    read(name) != Name::Other
}

/// Judges a certificate by its life. Those of authorities are exempt, and those that are issued by themselves unless
/// their name says that the workload shows them.
pub(super) fn judge(der: &[u8], input: &Input<'_>, span: Range<usize>) -> Option<Hit> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let self_issued = certificate.issuer().as_raw() == certificate.subject().as_raw();
    let own = match read(input.name) {
        Name::Own => true,
        Name::File => !self_issued,
        Name::Other => false,
    };
    if !own || is_authority(&certificate) {
        return None;
    }
    let begin = certificate.validity().not_before.timestamp();
    let end = certificate.validity().not_after.timestamp();
    let seconds = end.saturating_sub(begin);
    if seconds <= input.limits.certificate {
        return None;
    }
    let lifetime = if end >= NO_END {
        Lifetime::Endless
    } else {
        Lifetime::Seconds(seconds)
    };
    let hit = Hit::new(&LONG_LIVED, Tier::Proven, span).living(lifetime);
    Some(if end <= input.now {
        hit.mitigated(Mitigation::Expired)
    } else {
        hit
    })
}

/// 9999-12-31T23:59:59Z says that a certificate has no end that is known (RFC 5280 section 4.1.2.5).
const NO_END: i64 = 253_402_300_799;

fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let may_sign = |usage: x509_parser::certificate::BasicExtension<&x509_parser::extensions::KeyUsage>| {
        usage.value.key_cert_sign()
    };
    certificate.is_ca() || certificate.key_usage().ok().flatten().is_some_and(may_sign)
}
