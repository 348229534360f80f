//! Fetches issuers' verification keys: the only HTTP client of the operator beside the API server's.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder};

/// How long a fetch may take, redirects included.
const LIMIT: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const LARGEST: usize = 64 * 1024;
/// How many redirects are followed. They stay on https.
const REDIRECTS: usize = 3;

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where from.
    pub uri: String,
    /// The authorities, in PEM, that the server is verified with instead of the public ones.
    pub ca_bundle: Option<String>,
}

/// Why keys could not be fetched. The texts say nothing that differs from one try to the next, because they end up in
/// a status, and a status is written when it changes.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The authorities cannot be read.
    #[error("caBundle holds no certificate that can be read")]
    CaBundle,
    /// No client can be made.
    #[error("no TLS client could be made: the image holds no public certificate authorities, or caBundle is not valid")]
    Client,
    /// No connection, or an untrusted one.
    #[error("{0} cannot be reached, or its certificate is not trusted")]
    Connect(String),
    /// Too slow.
    #[error("{0} did not answer within {seconds} seconds", seconds = LIMIT.as_secs())]
    Timeout(String),
    /// A bad answer.
    #[error("{uri} answered with status {status}")]
    Status {
        /// Where from.
        uri: String,
        /// The answer's status.
        status: u16,
    },
    /// Too large an answer.
    #[error("{0} answered with more than {LARGEST} bytes")]
    TooLarge(String),
    /// Not text.
    #[error("{0} answered with something that is not UTF-8 text")]
    NotText(String),
    /// The answer broke off, or redirects went round or away from https.
    #[error("the answer of {0} could not be read")]
    Broken(String),
}

/// Fetches keys.
#[derive(Debug)]
pub struct Fetcher {
    /// For servers with certificates of public authorities. None if the image has none.
    public: Option<Client>,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            public: builder().build().ok(),
        }
    }
}

impl Fetcher {
    /// Fetches a key set. What is in it is not looked at.
    pub async fn fetch(&self, wanted: &Wanted) -> Result<String, FetchError> {
        let client = match &wanted.ca_bundle {
            Some(bundle) => private(bundle)?,
            None => self.public.clone().ok_or(FetchError::Client)?,
        };
        let uri = || wanted.uri.clone();
        let classify = |error: reqwest::Error| match error {
            error if error.is_timeout() => FetchError::Timeout(uri()),
            error if error.is_connect() => FetchError::Connect(uri()),
            _ => FetchError::Broken(uri()),
        };
        let mut response = client
            .get(&wanted.uri)
            .header("accept", "application/json")
            .send()
            .await
            .map_err(classify)?;
        if !response.status().is_success() {
            return Err(FetchError::Status {
                uri: uri(),
                status: response.status().as_u16(),
            });
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(classify)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST {
                return Err(FetchError::TooLarge(uri()));
            }
        }
        String::from_utf8(body).map_err(|_| FetchError::NotText(uri()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that makes HTTP clients, with limits"
)]
fn builder() -> ClientBuilder {
    let redirects = Policy::custom(|attempt| {
        if attempt.previous().len() > REDIRECTS || attempt.url().scheme() != "https" {
            attempt.error("too many redirects, or one away from https")
        } else {
            attempt.follow()
        }
    });
    Client::builder()
        .https_only(true)
        .timeout(LIMIT)
        .redirect(redirects)
        .no_proxy()
        .user_agent(crate::USER_AGENT)
}

fn private(bundle: &str) -> Result<Client, FetchError> {
    let authorities = Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|_| FetchError::CaBundle)?;
    if authorities.is_empty() {
        return Err(FetchError::CaBundle);
    }
    builder()
        .tls_certs_only(authorities)
        .build()
        .map_err(|_| FetchError::Client)
}
