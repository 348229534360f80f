//! SPIFFE IDs and trust domains (SPIFFE-ID standard, section 2).
//!
//! Section 2.1 says that a trust domain is lower-case; section 2.4 says that scheme and trust domain are read without regard
//! to case. Here only the one spelling of section 2.1 is taken, as go-spiffe and SPIRE do: then two IDs are the same exactly
//! if their texts are, for those too who compare texts (proxies, policies, audit logs).

use std::fmt;
use std::str::FromStr;

/// The longest SPIFFE ID, in bytes, that an implementation must accept (SPIFFE-ID standard, section 2.3). Longer ones should
/// not be made, and are refused.
const MAX_ID: usize = 2048;
const SCHEME: &str = "spiffe://";
/// The longest trust domain name, in bytes: it is the host of a URI.
const MAX_TRUST_DOMAIN: usize = 255;

/// Why a text is not a SPIFFE ID or a trust domain.
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum SpiffeIdError {
    /// It does not begin with `spiffe://`.
    #[error("a SPIFFE ID begins with spiffe://")]
    Scheme,
    /// There is no trust domain.
    #[error("the trust domain is empty")]
    NoTrustDomain,
    /// The trust domain has a character that is not allowed.
    #[error("a trust domain holds lower-case letters, digits, dots, dashes and underscores only")]
    TrustDomainCharacter,
    /// The path has a segment that is empty, `.` or `..`, or it ends with a slash.
    #[error("a path segment of a SPIFFE ID is neither empty nor a dot segment")]
    Segment,
    /// The path has a character that is not allowed.
    #[error("a path segment holds letters, digits, dots, dashes and underscores only")]
    PathCharacter,
    /// It is too long.
    #[error("a SPIFFE ID is at most {MAX_ID} bytes long, its trust domain at most {MAX_TRUST_DOMAIN}")]
    TooLong,
}

/// The name of a trust domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

impl TrustDomain {
    /// The name, as in a SPIFFE ID.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SPIFFE ID of the trust domain itself, which has no path: what a signing certificate carries (X509-SVID standard,
    /// section 3.2).
    pub fn id(&self) -> SpiffeId {
        SpiffeId {
            trust_domain: self.clone(),
            path: String::new(),
        }
    }
}

impl FromStr for TrustDomain {
    type Err = SpiffeIdError;

    fn from_str(name: &str) -> Result<Self, SpiffeIdError> {
        if name.is_empty() {
            return Err(SpiffeIdError::NoTrustDomain);
        }
        if name.len() > MAX_TRUST_DOMAIN {
            return Err(SpiffeIdError::TooLong);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        if !name.chars().all(allowed) {
            return Err(SpiffeIdError::TrustDomainCharacter);
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SPIFFE ID: a trust domain and a path within it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    path: String,
}

impl SpiffeId {
    /// The identity of a Kubernetes service account, in the form that service meshes use.
    ///
    /// # Errors
    ///
    /// If a name holds what a SPIFFE ID cannot.
    pub fn service_account(
        trust_domain: &TrustDomain,
        namespace: &str,
        service_account: &str,
    ) -> Result<Self, SpiffeIdError> {
        Self::from_segments(trust_domain, &["ns", namespace, "sa", service_account])
    }

    /// The identity with these path segments. A segment with a slash in it is refused, so that a name cannot become two.
    ///
    /// # Errors
    ///
    /// If a segment is not one, or all of them are too long.
    pub fn from_segments(trust_domain: &TrustDomain, segments: &[&str]) -> Result<Self, SpiffeIdError> {
        let mut path = String::new();
        for segment in segments {
            check_segment(segment)?;
            path.push('/');
            path.push_str(segment);
        }
        let id = Self {
            trust_domain: trust_domain.clone(),
            path,
        };
        let length = SCHEME.len() + id.trust_domain.0.len() + id.path.len();
        if length > MAX_ID {
            Err(SpiffeIdError::TooLong)
        } else {
            Ok(id)
        }
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path, with its leading slash; empty for the ID of the trust domain itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it names a workload. An ID without a path names the trust domain and whoever signs for it (X509-SVID standard,
    /// sections 3.1 and 3.2).
    pub fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// The ID without its scheme, as Istio writes a principal.
    pub fn principal(&self) -> String {
        format!("{}{}", self.trust_domain, self.path)
    }
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAX_ID {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let trust_domain = domain.parse()?;
        for segment in path.split('/').skip(1) {
            check_segment(segment)?;
        }
        Ok(Self {
            trust_domain,
            path: path.to_owned(),
        })
    }
}

fn check_segment(segment: &str) -> Result<(), SpiffeIdError> {
    if matches!(segment, "" | "." | "..") {
        return Err(SpiffeIdError::Segment);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if segment.chars().all(allowed) {
        Ok(())
    } else {
        Err(SpiffeIdError::PathCharacter)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.trust_domain, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_examples_are_read() {
        for text in [
            "spiffe://staging.example.com/payments/mysql",
            "spiffe://staging.example.com/payments/web-fe",
            "spiffe://k8s-west.example.com/ns/staging/sa/default",
            "spiffe://example.com/9eebccd2-12bf-40a6-b262-65fe0487d453",
            "spiffe://example.com",
            // No DNS names, but trust domains (section 2.1).
            "spiffe://127.0.0.1/a",
            "spiffe://trust_domain_name.example.com/A.b-C_9",
            "spiffe://..-_/...",
        ] {
            assert_eq!(text.parse::<SpiffeId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        use SpiffeIdError as E;
        for (text, error) in [
            ("https://example.com/x", E::Scheme),
            ("SPIFFE://example.com/x", E::Scheme),
            ("", E::Scheme),
            ("spiffe:", E::Scheme),
            ("spiffe:/example.com/x", E::Scheme),
            ("spiffe:example.com/x", E::Scheme),
            ("192.168.2.2:6688", E::Scheme),
            (" spiffe://example.com/x", E::Scheme),
            ("spiffe://", E::NoTrustDomain),
            ("spiffe:///x", E::NoTrustDomain),
            ("spiffe://Example.com/x", E::TrustDomainCharacter),
            ("spiffe://user@example.com/x", E::TrustDomainCharacter),
            ("spiffe://example.com:8443/x", E::TrustDomainCharacter),
            ("spiffe://example.com:/x", E::TrustDomainCharacter),
            ("spiffe://[::1]/x", E::TrustDomainCharacter),
            ("spiffe://ex%61mple.com/x", E::TrustDomainCharacter),
            ("spiffe://exämple.com/x", E::TrustDomainCharacter),
            ("spiffe://example.com?q=1", E::TrustDomainCharacter),
            ("spiffe://example.com#f", E::TrustDomainCharacter),
            ("spiffe://example.com/", E::Segment),
            ("spiffe://example.com/x/", E::Segment),
            ("spiffe://example.com/.", E::Segment),
            ("spiffe://example.com/..", E::Segment),
            ("spiffe://example.com//x", E::Segment),
            ("spiffe://example.com/a/../b", E::Segment),
            ("spiffe://example.com/a/./b", E::Segment),
            ("spiffe://example.com/a%2Fb", E::PathCharacter),
            ("spiffe://example.com/a?q=1", E::PathCharacter),
            ("spiffe://example.com/a#f", E::PathCharacter),
            ("spiffe://example.com/a:b", E::PathCharacter),
            ("spiffe://example.com/a@b", E::PathCharacter),
            ("spiffe://example.com/a b", E::PathCharacter),
            ("spiffe://example.com/a\n", E::PathCharacter),
            ("spiffe://example.com/a\0", E::PathCharacter),
            ("spiffe://example.com/ä", E::PathCharacter),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text}");
        }
        assert_eq!(
            format!("spiffe://a/{}", "b".repeat(2048)).parse::<SpiffeId>(),
            Err(E::TooLong)
        );
        assert_eq!(
            format!("spiffe://{}/b", "a".repeat(256)).parse::<SpiffeId>(),
            Err(E::TooLong)
        );
    }

    #[test]
    fn the_longest_id_is_taken() {
        let domain = "a".repeat(255);
        let text = format!("spiffe://{domain}/{}", "b".repeat(2048 - 9 - 255 - 1));
        assert_eq!(text.len(), 2048);
        assert!(text.parse::<SpiffeId>().is_ok());
        let domain: TrustDomain = domain.parse().unwrap();
        assert!(SpiffeId::from_segments(&domain, &[&"b".repeat(2048 - 9 - 255 - 1)]).is_ok());
        assert_eq!(
            SpiffeId::from_segments(&domain, &[&"b".repeat(2048 - 9 - 255)]),
            Err(SpiffeIdError::TooLong)
        );
    }

    #[test]
    fn a_name_cannot_bring_a_path_of_its_own() {
        let domain: TrustDomain = "example.com".parse().unwrap();
        assert_eq!(
            SpiffeId::service_account(&domain, "a/sa/admin", "b"),
            Err(SpiffeIdError::PathCharacter)
        );
        assert_eq!(
            SpiffeId::service_account(&domain, "..", "b"),
            Err(SpiffeIdError::Segment)
        );
        assert_eq!(SpiffeId::service_account(&domain, "a", ""), Err(SpiffeIdError::Segment));
    }

    #[test]
    fn only_an_id_with_a_path_names_a_workload() {
        let domain: TrustDomain = "example.com".parse().unwrap();
        assert_eq!(domain.id().to_string(), "spiffe://example.com");
        assert!(!domain.id().has_path());
        assert!(SpiffeId::from_segments(&domain, &["a"]).unwrap().has_path());
    }
}
