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
    authority: String,
    path: String,
}

impl Place {
    /// Of an issuer identifier (RFC 8414 section 2); none if it is no `https` URL.
    pub fn of(issuer: &str) -> Option<Self> {
        let url = Url::parse(issuer).ok().filter(|url| url.scheme() == "https")?;
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        Some(Self {
            issuer: issuer.to_owned(),
            authority,
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The URL of an endpoint.
    pub fn url(&self, endpoint: Endpoint) -> String {
        format!("{}{}", self.issuer, endpoint.path())
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
        let bare = |text: &str| text.strip_suffix(":443").unwrap_or(text).to_ascii_lowercase();
        bare(host) == bare(&self.authority)
    }
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
        assert_eq!(Place::of(issuer).unwrap().endpoint(path), expected);
    }

    #[test]
    fn hosts_are_compared_with_their_ports() {
        let place = Place::of("https://a.example:8443").unwrap();
        assert!(place.is_host("A.example:8443") && !place.is_host("a.example"));
        let place = Place::of("https://a.example").unwrap();
        assert!(place.is_host("a.example:443") && place.is_host("a.example") && !place.is_host("b.example"));
        assert!(Place::of("http://a.example").is_none());
    }
}
