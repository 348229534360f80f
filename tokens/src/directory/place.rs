//! Where an issuer and its endpoints are.

use url::Url;

/// What can be asked of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endpoint {
    /// RFC 6749 section 3.2.
    Token,
    /// RFC 9126.
    PushedAuthorization,
    /// RFC 6749 section 3.1.
    Authorize,
    /// Where users come back to from the upstream.
    Callback,
    /// RFC 7662.
    Introspect,
    /// RFC 7009.
    Revoke,
    /// OpenID Connect Core 1.0 section 5.3.
    UserInfo,
    /// RFC 7517.
    Jwks,
    /// RFC 8414, and OpenID Connect Discovery 1.0.
    Metadata,
    /// The signed list of revocations, and what was added to it.
    Revocations,
}

impl Endpoint {
    /// All of them but the metadata, which has places of its own.
    const ALL: [Self; 9] = [
        Self::Token,
        Self::PushedAuthorization,
        Self::Authorize,
        Self::Callback,
        Self::Introspect,
        Self::Revoke,
        Self::UserInfo,
        Self::Jwks,
        Self::Revocations,
    ];

    /// Its path below the issuer.
    pub fn path(self) -> &'static str {
        match self {
            Self::Token => "/token",
            Self::PushedAuthorization => "/par",
            Self::Authorize => "/authorize",
            Self::Callback => "/callback",
            Self::Introspect => "/introspect",
            Self::Revoke => "/revoke",
            Self::UserInfo => "/userinfo",
            Self::Jwks => "/jwks",
            Self::Metadata => OPENID,
            Self::Revocations => "/revocations",
        }
    }

    /// What records and metrics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            other => other.path().trim_start_matches('/'),
        }
    }
}

/// OpenID Connect Discovery 1.0 section 4: below the issuer's path.
const OPENID: &str = "/.well-known/openid-configuration";
/// RFC 8414 section 3.1: before the issuer's path.
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Where an issuer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    issuer: String,
    /// The name without a port: the one that clients ask for in the handshake.
    name: String,
    authority: String,
    /// The authority at which clients show certificates, if it is another.
    mutual_tls: Option<String>,
    path: String,
}

impl Place {
    /// Of an issuer identifier (RFC 8414 section 2), and of the host at which clients show certificates, if it is another (RFC 8705
    /// section 5); none if the issuer is no `https` URL.
    pub fn of(issuer: &str, mutual_tls: Option<&str>) -> Option<Self> {
        let url = Url::parse(issuer).ok().filter(|url| url.scheme() == "https")?;
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        Some(Self {
            issuer: issuer.to_owned(),
            name: url.host_str()?.to_owned(),
            authority,
            mutual_tls: mutual_tls.map(str::to_owned),
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The URL of an endpoint.
    pub fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.issuer, endpoint.path())
    }

    /// The URL of an endpoint at the host at which clients show certificates, if it is another.
    pub fn mutual_tls_url(&self, endpoint: Endpoint) -> Option<String> {
        let host = self.mutual_tls.as_ref()?;
        Some(format!("https://{host}{}{}", self.path, endpoint.path()))
    }

    /// Whether a client that asks for this name in the handshake is to be asked for a certificate; none if it is not a name of this
    /// issuer.
    pub fn asks_for_certificate(&self, name: &str) -> Option<bool> {
        let other = self
            .mutual_tls
            .as_deref()
            .map(|host| host.split(':').next().unwrap_or(host));
        if name.eq_ignore_ascii_case(&self.name) {
            Some(other.is_none())
        } else {
            other.filter(|other| name.eq_ignore_ascii_case(other)).map(|_| true)
        }
    }

    /// Which endpoint has this path.
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if path.strip_prefix(OAUTH) == Some(&self.path) {
            return Some(Endpoint::Metadata);
        }
        // Some clients put both names before the path.
        if path.strip_prefix(OPENID) == Some(&self.path) {
            return Some(Endpoint::Metadata);
        }
        let below = path.strip_prefix(&self.path)?;
        if below == OPENID || below == OAUTH {
            return Some(Endpoint::Metadata);
        }
        Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == below)
    }

    /// Whether a `Host` (RFC 9110 section 7.2) is the issuer's. A gateway in front may leave the port out or put it in.
    pub fn is_host(&self, host: &str) -> bool {
        bare(host) == bare(&self.authority)
    }

    /// Whether it is the other one, at which clients show certificates.
    pub fn is_mutual_tls_host(&self, host: &str) -> bool {
        self.mutual_tls
            .as_deref()
            .is_some_and(|other| bare(other) == bare(host))
    }
}

fn bare(host: &str) -> String {
    host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::token("https://a.example", "/token", Some(Endpoint::Token))]
    #[case::below_a_path("https://a.example/one", "/one/token", Some(Endpoint::Token))]
    #[case::another_path("https://a.example/one", "/two/token", None)]
    #[case::no_path_given("https://a.example/one", "/token", None)]
    #[case::longer("https://a.example", "/token/x", None)]
    #[case::case("https://a.example", "/Token", None)]
    #[case::openid(
        "https://a.example/one",
        "/one/.well-known/openid-configuration",
        Some(Endpoint::Metadata)
    )]
    #[case::oauth(
        "https://a.example/one",
        "/.well-known/oauth-authorization-server/one",
        Some(Endpoint::Metadata)
    )]
    #[case::oauth_of_another("https://a.example/one", "/.well-known/oauth-authorization-server", None)]
    fn endpoints_are_below_their_issuer(#[case] issuer: &str, #[case] path: &str, #[case] expected: Option<Endpoint>) {
        assert_eq!(Place::of(issuer, None).unwrap().endpoint(path), expected);
    }

    #[test]
    fn hosts_are_compared_with_their_ports() {
        let place = Place::of("https://a.example:8443", None).unwrap();
        assert!(place.is_host("A.example:8443") && !place.is_host("a.example"));
        let place = Place::of("https://a.example", None).unwrap();
        assert!(place.is_host("a.example:443") && place.is_host("a.example") && !place.is_host("b.example"));
        assert!(Place::of("http://a.example", None).is_none());
    }

    #[test]
    fn certificates_are_asked_for_at_the_host_that_is_for_them() {
        let place = Place::of("https://a.example:8443/one", Some("mtls.a.example:8443")).unwrap();
        assert_eq!(
            place.mutual_tls_url(Endpoint::Token).as_deref(),
            Some("https://mtls.a.example:8443/one/token")
        );
        assert!(place.is_mutual_tls_host("MTLS.a.example:8443") && !place.is_mutual_tls_host("a.example:8443"));
        assert_eq!(place.asks_for_certificate("A.example"), Some(false));
        assert_eq!(place.asks_for_certificate("mtls.a.example"), Some(true));
        assert_eq!(place.asks_for_certificate("b.example"), None);
        let place = Place::of("https://a.example", None).unwrap();
        assert_eq!(place.asks_for_certificate("a.example"), Some(true));
        assert_eq!(place.mutual_tls_url(Endpoint::Token), None);
    }
}
