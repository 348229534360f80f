//! Fetches a bundle from its endpoint, whose certificate is verified as that of any web server (SPIFFE Federation standard,
//! section 5.2.1, `https_web`).

use std::time::Duration;

use reqwest::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response, StatusCode};

use crate::problem::Problem;

/// How long a fetch may take, redirects included.
pub const LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;
/// The longest tag that is kept.
const LONGEST_TAG: usize = 256;
/// How many redirects are followed, on the same host.
const REDIRECTS: usize = 3;

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where from.
    pub url: String,
    /// The authorities, in PEM, that the endpoint is verified with instead of the public ones.
    pub ca_bundle: Option<String>,
    /// What is there already.
    pub etag: Option<String>,
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This. It was not looked at.
    Body {
        /// The text.
        text: String,
        /// What the endpoint calls it.
        etag: Option<String>,
    },
    /// What is there already is current.
    Unchanged,
}

/// Why a bundle could not be fetched. The texts say nothing that differs from one try to the next, because they end up in a
/// status, and a status is written when it changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The authorities cannot be read.
    #[error("spec.bundleEndpoint.caBundle holds no certificate that can be read: it must be PEM")]
    CaBundle,
    /// No client can be made.
    #[error("no TLS client could be made: the image holds no public certificate authorities, or caBundle is not valid")]
    Client,
    /// No connection.
    #[error("{0} cannot be reached: check the address, and that network policies let the signer there")]
    Connect(String),
    /// Another's certificate, or one that nobody knows.
    #[error(
        "the certificate of {0} is not trusted, or is for another name: check the address, and name the authority of the \
         endpoint in spec.bundleEndpoint.caBundle if it is not a public one"
    )]
    Untrusted(String),
    /// Too slow.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// It sends elsewhere.
    #[error(
        "{0} redirects to another host, or too often: put the address that it names into spec.bundleEndpoint.url if you trust it"
    )]
    Redirect(String),
    /// A bad answer.
    #[error("{url} answered with status {status}")]
    Status {
        /// Where from.
        url: String,
        /// The answer's status.
        status: u16,
    },
    /// Too large an answer.
    #[error("{0} answered with more than {LARGEST} bytes, which is no bundle")]
    TooLarge(String),
    /// Not text.
    #[error("{0} answered with something that is not UTF-8 text")]
    NotText(String),
    /// The answer broke off.
    #[error("the answer of {0} broke off")]
    Broken(String),
}

impl From<FetchError> for Problem {
    fn from(error: FetchError) -> Self {
        let reason = match &error {
            FetchError::CaBundle | FetchError::Client => "Invalid",
            FetchError::Connect(_) | FetchError::Timeout(_) | FetchError::Broken(_) => "Unreachable",
            FetchError::Untrusted(_) => "EndpointNotTrusted",
            FetchError::Redirect(_) | FetchError::Status { .. } | FetchError::TooLarge(_) | FetchError::NotText(_) => {
                "FetchFailed"
            }
        };
        Self::new(reason, error.to_string())
    }
}

/// Fetches bundles.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// For endpoints with certificates of public authorities. None if the image has none.
    public: Option<Client>,
    limit: Duration,
}

impl Fetcher {
    /// One that gives each fetch so much time.
    pub fn new(limit: Duration) -> Self {
        Self {
            public: builder(limit).build().ok(),
            limit,
        }
    }

    /// Fetches a bundle. What is in it is not looked at.
    ///
    /// # Errors
    ///
    /// If there is no answer, or none that could be a bundle.
    pub async fn fetch(&self, request: &Request) -> Result<Answer, FetchError> {
        let client = match &request.ca_bundle {
            Some(bundle) => private(bundle, self.limit)?,
            None => self.public.clone().ok_or(FetchError::Client)?,
        };
        let mut asking = client.get(&request.url).header(ACCEPT, "application/json");
        if let Some(etag) = &request.etag {
            asking = asking.header(IF_NONE_MATCH, etag);
        }
        let url = || request.url.clone();
        let response = asking.send().await.map_err(|error| classify(&error, url()))?;
        match response.status() {
            StatusCode::OK => read(response, url()).await,
            StatusCode::NOT_MODIFIED if request.etag.is_some() => Ok(Answer::Unchanged),
            status => Err(FetchError::Status {
                url: url(),
                status: status.as_u16(),
            }),
        }
    }
}

async fn read(mut response: Response, url: String) -> Result<Answer, FetchError> {
    let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
    let etag = etag.filter(|tag| tag.len() <= LONGEST_TAG).map(str::to_owned);
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => break,
            Err(error) => return Err(classify(&error, url)),
        }
        if body.len() > LARGEST {
            return Err(FetchError::TooLarge(url));
        }
    }
    let text = String::from_utf8(body).map_err(|_| FetchError::NotText(url))?;
    Ok(Answer::Body { text, etag })
}

fn classify(error: &reqwest::Error, url: String) -> FetchError {
    if is_certificate(error) {
        FetchError::Untrusted(url)
    } else if error.is_timeout() {
        FetchError::Timeout(url)
    } else if error.is_redirect() {
        FetchError::Redirect(url)
    } else if error.is_connect() {
        FetchError::Connect(url)
    } else {
        FetchError::Broken(url)
    }
}

/// Whether the endpoint's certificate was refused.
fn is_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
        return true;
    }
    // An `io::Error` passes over what it holds: it names that one's source as its own.
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    held.is_some_and(|held| is_certificate(held)) || error.source().is_some_and(is_certificate)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that makes HTTP clients, with limits"
)]
fn builder(limit: Duration) -> ClientBuilder {
    let redirects = Policy::custom(|attempt| {
        let asked = attempt.previous().first().map(reqwest::Url::origin);
        if asked == Some(attempt.url().origin()) && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.error("a redirect to another host, or too many")
        }
    });
    Client::builder()
        .https_only(true)
        .timeout(limit)
        .redirect(redirects)
        .no_proxy()
        .user_agent(concat!("countersign-signer/", env!("CARGO_PKG_VERSION")))
}

fn private(bundle: &str, limit: Duration) -> Result<Client, FetchError> {
    let authorities = Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|_| FetchError::CaBundle)?;
    if authorities.is_empty() {
        return Err(FetchError::CaBundle);
    }
    builder(limit)
        .tls_certs_only(authorities)
        .build()
        .map_err(|_| FetchError::Client)
}
