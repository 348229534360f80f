//! What a token says: RFC 9068 JWTs, and handles for APIs that ask back.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use countersign_identity::Claims;
use countersign_policy::tokens::OPENID;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::Facts;

/// The claims of an access token (RFC 9068 section 2.2). Also what is kept of one that is a handle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// On whose behalf: a client's or a workload's own name, or `user:` and the name that the upstream gives a user. No client
    /// and no workload is called so, so that none can pass for a user (RFC 9700 section 4.15).
    pub sub: String,
    /// The one API that it is for.
    pub aud: String,
    /// Who asked for it.
    pub client_id: String,
    /// What may be done there, with spaces between (RFC 6749 section 3.3), and `openid` if it says at this service who signed in;
    /// absent if nothing is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// Its identifier.
    pub jti: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When the user signed in, in seconds since 1970 (RFC 9068 section 2.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// What it was issued together with: the refresh family, by which it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The key that it is bound to (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// Who acts on the subject's behalf (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
}

impl AccessClaims {
    /// From claims that were verified; none if they are not those of an access token.
    pub fn read(claims: &Claims) -> Option<Self> {
        serde_json::from_value(Value::Object(claims.members().clone())).ok()
    }

    /// Whether it has this scope.
    pub fn has(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|one| one == scope)
    }

    /// What it can be revoked by.
    pub fn facts(&self) -> Facts {
        Facts {
            jti: self.jti.clone(),
            subject: self.sub.clone(),
            client: self.client_id.clone(),
            family: self.sid.clone(),
            issued: self.iat,
        }
    }
}

/// The key that a token is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Confirmation {
    /// The thumbprint of a DPoP key (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Key(String),
    /// The thumbprint of a certificate (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(String),
}

impl Confirmation {
    /// What answers and API calls name the token's type.
    pub fn token_type(this: Option<&Self>) -> &'static str {
        match this {
            Some(Self::Key(_)) => "DPoP",
            // RFC 8705 section 3: certificate-bound tokens are bearer tokens to the scheme.
            Some(Self::Certificate(_)) | None => "Bearer",
        }
    }

    /// The thumbprint, with what it is of, as one text.
    pub fn text(&self) -> String {
        match self {
            Self::Key(thumbprint) => format!("jkt:{thumbprint}"),
            Self::Certificate(thumbprint) => format!("x5t#S256:{thumbprint}"),
        }
    }

    /// The thumbprint.
    pub fn thumbprint(&self) -> &str {
        match self {
            Self::Key(thumbprint) | Self::Certificate(thumbprint) => thumbprint,
        }
    }
}

/// Scopes as one text, with `openid` in front of those of an API if it was asked for.
pub fn scope(openid: bool, scopes: &BTreeSet<String>) -> String {
    let openid = openid.then_some(OPENID);
    let all: Vec<&str> = openid.into_iter().chain(scopes.iter().map(String::as_str)).collect();
    all.join(" ")
}

/// What handles, codes and refresh tokens look like: a name by which scanners of leaked secrets can find them, and 256 random
/// bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handle {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An authorization code.
    Code,
}

impl Handle {
    /// A handle from random bytes.
    pub fn text(self, random: &[u8; 32]) -> String {
        let prefix = match self {
            Self::Access => "csa_",
            Self::Refresh => "csr_",
            Self::Code => "csc_",
        };
        format!("{prefix}{}", BASE64URL.encode(random))
    }
}

/// The claims of an ID token (OpenID Connect Core 1.0 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdClaims {
    /// The issuer.
    pub iss: String,
    /// The user.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// When the user signed in, in seconds since 1970; none if the upstream did not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// What the client sent with its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}
