//! Keys that clients publish (RFC 7517): fetched, kept, and never from a place that only this service can reach.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use countersign_identity::{KeySet, KeySetError};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};
use tokio::sync::Mutex;
use url::{Host, Url};

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest key set that is read, in bytes.
const LARGEST: usize = 64 << 10;
/// How long keys are kept before they are fetched again, in seconds.
const FRESH: i64 = 300;
/// How long keys are used when they cannot be fetched again, in seconds.
const STALE: i64 = 3600;
/// How soon a key that is not known makes them be fetched again, in seconds.
const AGAIN: i64 = 15;
/// How soon after a failure the next try comes, in seconds.
const RETRY: i64 = 10;

/// Why keys cannot be had. The texts name nothing that differs from one try to the next: they end up in a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The URL is none that is fetched.
    #[error("the URL must be https, without user and password")]
    Url,
    /// It leads into the cluster or its neighbourhood.
    #[error(
        "its host is, or resolves to, a private address: if that is meant, allow its network by tokens.allowedNetworks of the chart (--allowed-network)"
    )]
    Private,
    /// The authorities cannot be read.
    #[error("caBundle holds no certificate that can be read: it must be PEM")]
    CaBundle,
    /// No good answer.
    #[error(
        "it cannot be fetched: check the address and its certificate, and that network policies let the token service there"
    )]
    Unreachable,
    /// A bad answer.
    #[error("it answers with status {0}")]
    Status(u16),
    /// Too large an answer.
    #[error("it answers with more than {LARGEST} bytes")]
    TooLarge,
    /// No keys in it.
    #[error("its answer: {0}")]
    Keys(#[from] KeySetError),
}

/// Which networks may be reached although they are private.
#[derive(Clone, Debug, Default)]
pub struct Networks(Arc<[ipnet::IpNet]>);

impl Networks {
    /// These.
    pub fn new(allowed: Vec<ipnet::IpNet>) -> Self {
        Self(allowed.into())
    }

    /// Whether an address may be reached: it is one of the Internet, or was allowed.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

/// Whether an address is one of the Internet: in none of the special-purpose registries (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a, b, c) == (192, 0, 0)
                || (a, b, c) == (192, 88, 99)
                || (a == 198 && (b == 18 || b == 19));
            !special
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                let [a, b, ..] = v6.segments();
                // 2000::/3 is what is given out; of it, these are not for hosts, or carry an IPv4 address.
                let inside = a & 0xe000 == 0x2000;
                let special = (a == 0x2001 && b < 0x0200) || (a == 0x2001 && b == 0x0db8) || a == 0x2002 || a == 0x3fff;
                inside && !special
            }
        },
    }
}

/// Resolves names, and leaves out what may not be reached: so the address that was looked at is the one that is connected to.
struct Guarded(Networks);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> = found.filter(|address| networks.admits(address.ip())).collect();
            if good.is_empty() {
                return Err(RemoteError::Private.into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

/// Makes clients for places that users name.
#[derive(Clone)]
pub struct Guard {
    networks: Networks,
    public: Option<Client>,
}

impl Guard {
    /// Reaches the Internet, and these networks.
    pub fn new(networks: Networks) -> Self {
        let public = builder(&networks).build().ok();
        Self { networks, public }
    }

    /// A client for a URL, whose server is verified with these authorities, in PEM, or with the public ones.
    ///
    /// # Errors
    ///
    /// If the URL may not be reached, or the authorities cannot be read.
    pub fn client(&self, url: &str, ca_bundle: Option<&str>) -> Result<Client, RemoteError> {
        let parsed = Url::parse(url).map_err(|_| RemoteError::Url)?;
        if parsed.scheme() != "https" || !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(RemoteError::Url);
        }
        // A resolver is not asked about these.
        let literal = match parsed.host().ok_or(RemoteError::Url)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !self.networks.admits(address)) {
            return Err(RemoteError::Private);
        }
        let Some(bundle) = ca_bundle else {
            return self.public.clone().ok_or(RemoteError::Unreachable);
        };
        let roots = Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|_| RemoteError::CaBundle)?;
        if roots.is_empty() {
            return Err(RemoteError::CaBundle);
        }
        builder(&self.networks)
            .tls_certs_only(roots)
            .build()
            .map_err(|_| RemoteError::CaBundle)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this binary makes its HTTP clients, with limits"
)]
fn builder(networks: &Networks) -> ClientBuilder {
    Client::builder()
        .timeout(PATIENCE)
        .https_only(true)
        // A redirect could lead anywhere.
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Arc::new(Guarded(networks.clone())))
}

/// What was fetched of a URL.
#[derive(Clone, Default)]
struct Kept {
    keys: Option<(Arc<KeySet>, i64)>,
    failed: Option<(RemoteError, i64)>,
}

/// Keys that clients publish.
#[derive(Clone)]
pub struct RemoteKeys {
    guard: Guard,
    kept: Arc<Mutex<BTreeMap<(String, Option<String>), Arc<Mutex<Kept>>>>>,
}

impl RemoteKeys {
    /// Fetched by this.
    pub fn new(guard: Guard) -> Self {
        Self {
            guard,
            kept: Arc::default(),
        }
    }

    /// The keys at a URL: those that were fetched a while ago, or else those that are fetched now. Requests that wait for the
    /// same URL wait for one fetch.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub async fn get(&self, url: &str, ca_bundle: Option<&str>, now: i64) -> Result<Arc<KeySet>, RemoteError> {
        self.within(url, ca_bundle, now, FRESH).await
    }

    /// The same, when a signature names a key that is not among them. It asks again, but not for each such signature.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub async fn again(&self, url: &str, ca_bundle: Option<&str>, now: i64) -> Result<Arc<KeySet>, RemoteError> {
        self.within(url, ca_bundle, now, AGAIN).await
    }

    /// Why the keys at a URL could not be had when they were asked for last; none if they could, or nobody asked yet.
    pub async fn problem(&self, url: &str, ca_bundle: Option<&str>) -> Option<RemoteError> {
        let place = (url.to_owned(), ca_bundle.map(str::to_owned));
        let kept = self.kept.lock().await.get(&place).map(Arc::clone)?;
        let kept = kept.lock().await;
        kept.failed.as_ref().map(|(error, _)| error.clone())
    }

    async fn within(&self, url: &str, ca_bundle: Option<&str>, now: i64, age: i64) -> Result<Arc<KeySet>, RemoteError> {
        let place = (url.to_owned(), ca_bundle.map(str::to_owned));
        let kept = Arc::clone(self.kept.lock().await.entry(place).or_default());
        let mut kept = kept.lock().await;
        if let Some((keys, _)) = kept.keys.as_ref().filter(|(_, at)| now < at + age) {
            return Ok(Arc::clone(keys));
        }
        let failed = kept.failed.as_ref().filter(|(_, at)| now < at + RETRY);
        let error = match failed {
            Some((error, _)) => error.clone(),
            None => match self.fetch(url, ca_bundle).await {
                Ok(keys) => {
                    let keys = Arc::new(keys);
                    *kept = Kept {
                        keys: Some((Arc::clone(&keys), now)),
                        failed: None,
                    };
                    return Ok(keys);
                }
                Err(error) => {
                    tracing::warn!(%url, %error, "the keys of a client cannot be fetched");
                    kept.failed = Some((error.clone(), now));
                    error
                }
            },
        };
        match &kept.keys {
            Some((keys, at)) if now < at + STALE => Ok(Arc::clone(keys)),
            _ => Err(error),
        }
    }

    async fn fetch(&self, url: &str, ca_bundle: Option<&str>) -> Result<KeySet, RemoteError> {
        let text = fetch_text(&self.guard, url, ca_bundle).await?;
        Ok(KeySet::parse(&text)?)
    }
}

/// Fetches a document, as far as it is read.
///
/// # Errors
///
/// If there is none.
pub async fn fetch_text(guard: &Guard, url: &str, ca_bundle: Option<&str>) -> Result<String, RemoteError> {
    let client = guard.client(url, ca_bundle)?;
    let mut response = client
        .get(url)
        .header("accept", "application/json")
        .send()
        .await
        .map_err(|error| {
            let private = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .any(|error| matches!(error.downcast_ref(), Some(RemoteError::Private)));
            if private {
                RemoteError::Private
            } else {
                RemoteError::Unreachable
            }
        })?;
    if !response.status().is_success() {
        return Err(RemoteError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| RemoteError::Unreachable)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(RemoteError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| RemoteError::Keys(KeySetError::Malformed))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("93.184.216.34", true)]
    #[case("10.0.0.1", false)]
    #[case("127.0.0.1", false)]
    #[case("169.254.169.254", false)]
    #[case("100.64.0.1", false)]
    #[case("0.0.0.0", false)]
    #[case("192.168.1.1", false)]
    #[case("172.16.0.1", false)]
    #[case("198.18.0.1", false)]
    #[case("255.255.255.255", false)]
    #[case("2606:2800:220:1::1", true)]
    #[case("::1", false)]
    #[case("fd00::1", false)]
    #[case("fe80::1", false)]
    #[case("::ffff:10.0.0.1", false)]
    #[case("64:ff9b::a00:1", false)]
    #[case("2002:a00:1::", false)]
    fn only_the_internet_is_reached(#[case] address: &str, #[case] public: bool) {
        assert_eq!(Networks::default().admits(address.parse().unwrap()), public);
    }

    #[rstest]
    #[case("http://partner.example/jwks", RemoteError::Url)]
    #[case("https://user:pass@partner.example/jwks", RemoteError::Url)]
    #[case("file:///etc/passwd", RemoteError::Url)]
    #[case("https://127.0.0.1/jwks", RemoteError::Private)]
    #[case("https://[::1]/jwks", RemoteError::Private)]
    #[case("https://2130706433/jwks", RemoteError::Private)]
    #[case("https://0x7f.1/jwks", RemoteError::Private)]
    fn what_leads_inside_is_not_fetched(#[case] url: &str, #[case] expected: RemoteError) {
        let guard = Guard::new(Networks::default());
        assert_eq!(guard.client(url, None).unwrap_err(), expected);
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_fetched() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let guard = Guard::new(Networks::default());
        let error = fetch_text(&guard, "https://localhost:1/jwks", None).await.unwrap_err();
        assert_eq!(error, RemoteError::Private);
        let guard = Guard::new(Networks::new(vec![
            "127.0.0.0/8".parse().unwrap(),
            "::1/128".parse().unwrap(),
        ]));
        let error = fetch_text(&guard, "https://localhost:1/jwks", None).await.unwrap_err();
        assert_eq!(error, RemoteError::Unreachable);
    }
}
