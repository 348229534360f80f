//! SPIFFE IDs and trust domains (SPIFFE-ID standard, sections 2.1 and 2.2).

use std::fmt;
use std::str::FromStr;

/// The longest SPIFFE ID, in bytes, that an implementation must accept (SPIFFE-ID standard, section 2.3).
const MAX_ID: usize = 2048;
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
        format!("spiffe://{trust_domain}/ns/{namespace}/sa/{service_account}").parse()
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path, with its leading slash; empty for the ID of the trust domain itself.
    pub fn path(&self) -> &str {
        &self.path
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
        let rest = text.strip_prefix("spiffe://").ok_or(SpiffeIdError::Scheme)?;
        let (domain, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let trust_domain = domain.parse()?;
        for segment in path.split('/').skip(1) {
            if matches!(segment, "" | "." | "..") {
                return Err(SpiffeIdError::Segment);
            }
            if !segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            {
                return Err(SpiffeIdError::PathCharacter);
            }
        }
        Ok(Self {
            trust_domain,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}{}", self.trust_domain, self.path)
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
            ("spiffe:///x", E::NoTrustDomain),
            ("spiffe://Example.com/x", E::TrustDomainCharacter),
            ("spiffe://user@example.com/x", E::TrustDomainCharacter),
            ("spiffe://example.com:8443/x", E::TrustDomainCharacter),
            ("spiffe://example.com/", E::Segment),
            ("spiffe://example.com//x", E::Segment),
            ("spiffe://example.com/a/../b", E::Segment),
            ("spiffe://example.com/a/./b", E::Segment),
            ("spiffe://example.com/a%2Fb", E::PathCharacter),
            ("spiffe://example.com/a?q=1", E::PathCharacter),
            ("spiffe://example.com/a#f", E::PathCharacter),
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
}
