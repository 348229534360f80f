//! The outside OpenID provider at which users sign in (OpenID Connect Core 1.0). Towards it, this service is a client: with
//! discovery, PKCE, `state` and `nonce` of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::jws::JwsError;
use countersign_identity::subject_token::{self, Expected, SubjectTokenError};
use countersign_identity::token::CLOCK_SKEW;
use countersign_identity::{Algorithm, KeySet, pkce};
use countersign_policy::tokens::Upstream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use crate::clients::ASSERTION_TYPE;
use crate::keys::{Ring, SigningKey};
use crate::remote::{Guard, fetch_text};

/// How long metadata and keys are kept, in seconds.
const FRESH: i64 = 600;
/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;

/// Why a user could not be signed in. No text quotes a token or a code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Its metadata cannot be had.
    #[error("the metadata of the upstream cannot be fetched: check spec.managed.upstream.issuer")]
    Metadata,
    /// Its metadata is of another.
    #[error("the metadata of the upstream names another issuer (OpenID Connect Discovery 1.0 section 4.3)")]
    OtherIssuer,
    /// Its keys cannot be had.
    #[error("the keys of the upstream cannot be fetched")]
    Keys,
    /// Its secret is not there.
    #[error("the secret for the upstream is missing: see spec.managed.upstream.clientSecretName")]
    NoSecret,
    /// It did not give tokens for the code.
    #[error("the upstream did not take the code: {0}")]
    Exchange(&'static str),
    /// What it gave is not valid.
    #[error("the upstream's ID token is not valid: {0}")]
    IdToken(&'static str),
}

/// What of the metadata is used (OpenID Connect Discovery 1.0 section 3).
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    /// RFC 9207 section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Clone)]
struct Known {
    metadata: Metadata,
    keys: Arc<KeySet>,
    at: i64,
}

/// The secrets that this service has at upstreams, by the names of their Secrets.
pub type Secrets = BTreeMap<String, Zeroizing<String>>;

/// Its issuer identifier, and the authorities that its server is verified with: what was fetched with some is not believed with
/// others.
type Place = (String, Option<String>);
/// What was fetched from there; locked while it is fetched.
type Fetched = Arc<Mutex<Option<Known>>>;

/// The upstreams of all issuers.
#[derive(Clone)]
pub struct Upstreams {
    guard: Guard,
    known: Arc<Mutex<BTreeMap<Place, Fetched>>>,
    secrets: Arc<arc_swap::ArcSwap<Secrets>>,
}

/// What a sign-in is begun with.
pub struct SignIn<'a> {
    /// Where users come back to.
    pub callback: &'a str,
    /// Names the sign-in.
    pub state: &'a str,
    /// Comes back in the ID token.
    pub nonce: &'a str,
    /// What PKCE is done with.
    pub verifier: &'a str,
    /// What is handed on of the client's request (OpenID Connect Core 1.0 section 3.1.2.1).
    pub hints: &'a [(String, String)],
    /// How long ago the user may have signed in, in seconds, if the client asked for that (`max_age`).
    pub max_age: Option<u32>,
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What the upstream calls the user.
    pub subject: String,
    /// When the user signed in, in seconds since 1970; none if the upstream did not say it.
    pub auth_time: Option<i64>,
}

#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

impl Upstreams {
    /// Reached by this, with these secrets.
    pub fn new(guard: Guard, secrets: Arc<arc_swap::ArcSwap<Secrets>>) -> Self {
        Self {
            guard,
            known: Arc::default(),
            secrets,
        }
    }

    /// Takes other secrets into use.
    pub fn set_secrets(&self, secrets: Secrets) {
        self.secrets.store(Arc::new(secrets));
    }

    async fn known(&self, upstream: &Upstream, now: i64, anew: bool) -> Result<Known, UpstreamError> {
        let place = (upstream.issuer.clone(), upstream.ca_bundle.clone());
        // One that does not answer keeps nobody waiting but those who sign in there.
        let kept = Arc::clone(self.known.lock().await.entry(place).or_default());
        let mut kept = kept.lock().await;
        if let Some(known) = kept.as_ref().filter(|known| !anew && now < known.at + FRESH) {
            return Ok(known.clone());
        }
        let ca = upstream.ca_bundle.as_deref();
        let url = format!(
            "{}/.well-known/openid-configuration",
            upstream.issuer.trim_end_matches('/')
        );
        let text = fetch_text(&self.guard, &url, ca)
            .await
            .map_err(|_| UpstreamError::Metadata)?;
        let metadata: Metadata = serde_json::from_str(&text).map_err(|_| UpstreamError::Metadata)?;
        if metadata.issuer != upstream.issuer {
            return Err(UpstreamError::OtherIssuer);
        }
        let text = fetch_text(&self.guard, &metadata.jwks_uri, ca)
            .await
            .map_err(|_| UpstreamError::Keys)?;
        let keys = Arc::new(KeySet::parse(&text).map_err(|_| UpstreamError::Keys)?);
        let known = Known {
            metadata,
            keys,
            at: now,
        };
        *kept = Some(known.clone());
        Ok(known)
    }

    /// Where a user is sent to sign in.
    ///
    /// # Errors
    ///
    /// If the upstream's metadata cannot be had.
    pub async fn authorization_url(
        &self,
        upstream: &Upstream,
        with: &SignIn<'_>,
        now: i64,
    ) -> Result<Url, UpstreamError> {
        let known = self.known(upstream, now, false).await?;
        let mut url = Url::parse(&known.metadata.authorization_endpoint).map_err(|_| UpstreamError::Metadata)?;
        // A browser is sent there with what the sign-in is known by.
        if url.scheme() != "https" {
            return Err(UpstreamError::Metadata);
        }
        let scope: Vec<&str> = std::iter::once("openid")
            .chain(upstream.scopes.iter().map(String::as_str))
            .collect();
        let challenge = pkce::challenge(with.verifier).map_err(|_| UpstreamError::Metadata)?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &upstream.client_id)
            .append_pair("redirect_uri", with.callback)
            .append_pair("scope", &scope.join(" "))
            .append_pair("state", with.state)
            .append_pair("nonce", with.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(with.hints);
        Ok(url)
    }

    /// Checks who answered (RFC 9207 section 2.4): a code of another server must not be sent to this one.
    ///
    /// # Errors
    ///
    /// If it was another, or did not say who it is although it always does.
    pub async fn check_issuer(&self, upstream: &Upstream, iss: Option<&str>, now: i64) -> Result<(), UpstreamError> {
        let known = self.known(upstream, now, false).await?;
        match iss {
            Some(iss) if iss == upstream.issuer => Ok(()),
            None if !known.metadata.authorization_response_iss_parameter_supported => Ok(()),
            _ => Err(UpstreamError::OtherIssuer),
        }
    }

    /// Who signed in: by the code that the user came back with.
    ///
    /// # Errors
    ///
    /// If the upstream does not take the code, or what it says of the user is not valid.
    pub async fn user(
        &self,
        upstream: &Upstream,
        with: &SignIn<'_>,
        code: &str,
        ring: &Ring,
        jti: &str,
        now: i64,
    ) -> Result<User, UpstreamError> {
        let known = self.known(upstream, now, false).await?;
        let mut form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", with.callback.to_owned()),
            ("code_verifier", with.verifier.to_owned()),
            ("client_id", upstream.client_id.clone()),
        ];
        let client = self
            .guard
            .client(&known.metadata.token_endpoint, upstream.ca_bundle.as_deref())
            .map_err(|_| UpstreamError::Exchange("its token endpoint is not at a place that may be reached"))?;
        let mut request = client.post(&known.metadata.token_endpoint);
        if let Some(name) = &upstream.secret_name {
            let secrets = self.secrets.load();
            let secret = secrets.get(name).ok_or(UpstreamError::NoSecret)?;
            let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(&upstream.client_id), Some(encode(secret)));
        } else {
            let key = ring
                .signing(now)
                .ok_or(UpstreamError::Exchange("there is no key to prove this service with"))?;
            form.push(("client_assertion_type", ASSERTION_TYPE.to_owned()));
            form.push(("client_assertion", assertion(key, upstream, jti, now)?));
        }
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form)
            .finish();
        let answer = exchange(request, body).await?;
        self.verify(upstream, &answer.id_token, with, known, now).await
    }

    async fn verify(
        &self,
        upstream: &Upstream,
        id_token: &str,
        with: &SignIn<'_>,
        known: Known,
        now: i64,
    ) -> Result<User, UpstreamError> {
        let expected = Expected {
            issuer: &upstream.issuer,
            audience: &upstream.client_id,
            algorithms: &Algorithm::ALL,
            longest: None,
        };
        let mut verified = subject_token::verify(id_token, &known.keys, &expected, now);
        if matches!(verified, Err(SubjectTokenError::Jws(JwsError::NoKey))) {
            let anew = self.known(upstream, now, true).await?;
            verified = subject_token::verify(id_token, &anew.keys, &expected, now);
        }
        let claims = verified.map_err(|error| match error {
            SubjectTokenError::Audience => UpstreamError::IdToken("it is for another client"),
            _ => UpstreamError::IdToken("its signature, issuer or time"),
        })?;
        let text = |name: &str| claims.members().get(name).and_then(serde_json::Value::as_str);
        // With more audiences, it must say for which of them it was issued (OpenID Connect Core 1.0 section 3.1.3.7).
        let several = claims
            .members()
            .get("aud")
            .is_some_and(|aud| aud.as_array().is_some_and(|all| all.len() > 1));
        if (several || text("azp").is_some()) && text("azp") != Some(&upstream.client_id) {
            return Err(UpstreamError::IdToken("it is for another client"));
        }
        if text("nonce") != Some(with.nonce) {
            return Err(UpstreamError::IdToken("it is of another sign-in"));
        }
        let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= 255);
        let time = |name: &str| claims.members().get(name).and_then(serde_json::Value::as_i64);
        // Section 3.1.3.7: who asked for a fresh sign-in is not given an old one.
        let oldest = with.max_age.map(|age| now - i64::from(age) - CLOCK_SKEW);
        if oldest.is_some_and(|oldest| time("auth_time").is_none_or(|at| at < oldest)) {
            return Err(UpstreamError::IdToken(
                "the user signed in longer ago than max_age allows",
            ));
        }
        Ok(User {
            subject: subject.ok_or(UpstreamError::IdToken("it names no user"))?.to_owned(),
            // One that the upstream does not say is not made up: the user may have signed in days ago.
            auth_time: time("auth_time").map(|at| at.min(now)),
        })
    }
}

/// How this service proves itself without a shared secret: the upstream reads its keys where every API does.
fn assertion(key: &SigningKey, upstream: &Upstream, jti: &str, now: i64) -> Result<String, UpstreamError> {
    let claims = json!({
        "iss": upstream.client_id, "sub": upstream.client_id, "aud": upstream.issuer, "jti": jti, "iat": now, "exp": now + 60,
    });
    key.sign("JWT", &claims.to_string())
        .map_err(|_| UpstreamError::Exchange("no assertion could be signed"))
}

async fn exchange(request: reqwest::RequestBuilder, body: String) -> Result<Answer, UpstreamError> {
    let sent = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .body(body)
        .send()
        .await;
    let mut response = sent.map_err(|_| UpstreamError::Exchange("its token endpoint does not answer"))?;
    if !response.status().is_success() {
        return Err(UpstreamError::Exchange("its token endpoint refuses"));
    }
    let mut text = Zeroizing::new(Vec::new());
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|_| UpstreamError::Exchange("its answer broke off"))?
    {
        if text.len() + chunk.len() > LARGEST {
            return Err(UpstreamError::Exchange("its answer is too large"));
        }
        text.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&text).map_err(|_| UpstreamError::Exchange("its answer has no ID token"))
}

/// A random text for `state`, `nonce` and the like.
pub fn random_text(bytes: &[u8; 32]) -> String {
    BASE64URL.encode(bytes)
}
