//! How a request says who asks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_identity::token::claimed_issuer;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::service::Call;

/// RFC 7523 section 2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a request presents.
pub enum Presented {
    /// `client_secret_basic` (RFC 6749 section 2.3.1).
    Basic {
        /// The client.
        id: String,
        /// Its secret.
        secret: Zeroizing<String>,
    },
    /// `client_secret_post` (RFC 6749 section 2.3.1).
    Post {
        /// The client.
        id: String,
        /// Its secret.
        secret: Zeroizing<String>,
    },
    /// `private_key_jwt` (RFC 7523 section 2.2).
    Assertion {
        /// The client, as the assertion says; nothing of it is verified yet.
        id: String,
        /// The assertion.
        assertion: Zeroizing<String>,
    },
    /// A name alone, with a certificate or without.
    Named(String),
    /// Nothing.
    Nothing,
}

impl Presented {
    /// What a request presents.
    ///
    /// # Errors
    ///
    /// If it presents more than one thing (RFC 6749 section 2.3), or something that cannot be read.
    pub fn of(call: &Call) -> Result<Self, Refusal> {
        let form = &call.form;
        let id = form.one("client_id")?;
        let basic = basic(call)?;
        let secret = form.one("client_secret")?;
        let assertion = form.one("client_assertion")?;
        let kind = form.one("client_assertion_type")?;
        let ways = [basic.is_some(), secret.is_some(), assertion.is_some() || kind.is_some()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            return Err(ClientError::Several.into());
        }
        if let Some((named, secret)) = basic {
            if id.is_some_and(|id| id != named) {
                return Err(ClientError::Several.into());
            }
            return Ok(Self::Basic { id: named, secret });
        }
        if assertion.is_some() || kind.is_some() {
            if kind != Some(ASSERTION_TYPE) {
                return Err(ClientError::AssertionType.into());
            }
            return Self::assertion(form.needed("client_assertion")?, id);
        }
        Ok(match (id, secret) {
            (Some(id), Some(secret)) => Self::Post {
                id: id.to_owned(),
                secret: Zeroizing::new(secret.to_owned()),
            },
            (None, Some(_)) => return Err(ClientError::None.into()),
            (Some(id), None) => Self::Named(id.to_owned()),
            (None, None) => Self::Nothing,
        })
    }

    fn assertion(assertion: &str, id: Option<&str>) -> Result<Self, Refusal> {
        let claimed = claimed_issuer(assertion).map_err(|_| ClientError::Unknown)?;
        if id.is_some_and(|id| id != claimed) {
            return Err(ClientError::Unknown.into());
        }
        Ok(Self::Assertion {
            id: claimed,
            assertion: Zeroizing::new(assertion.to_owned()),
        })
    }

    /// The client that it names.
    pub fn client_id(&self) -> Option<&str> {
        match self {
            Self::Basic { id, .. } | Self::Post { id, .. } | Self::Assertion { id, .. } | Self::Named(id) => Some(id),
            Self::Nothing => None,
        }
    }
}

/// Both halves are encoded as in a form before they are joined (RFC 6749 section 2.3.1).
fn basic(call: &Call) -> Result<Option<(String, Zeroizing<String>)>, Refusal> {
    const WRONG: Refusal = Refusal::Malformed("the Authorization header is none of HTTP Basic authentication");
    let mut headers = call.headers.get_all(AUTHORIZATION).iter();
    let header = match (headers.next(), headers.next()) {
        (None, _) => return Ok(None),
        (Some(header), None) => header.to_str().map_err(|_| WRONG)?,
        _ => return Err(ClientError::Several.into()),
    };
    let (scheme, credentials) = header.split_once(' ').ok_or(WRONG)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(WRONG);
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).map_err(|_| WRONG)?);
    let text = std::str::from_utf8(&decoded).map_err(|_| WRONG)?;
    let (id, secret) = text.split_once(':').ok_or(WRONG)?;
    let decode = |part: &str| {
        let pair = format!("x={part}");
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    Ok(Some((decode(id), Zeroizing::new(decode(secret)))))
}
