//! The grants, one file each, and what they have in common: a permit becomes a token.

mod assertion;
mod client_credentials;
mod code;
mod exchange;
mod issue;
mod refresh;
pub mod scope;

pub use code::Authorized;
pub use exchange::family;
pub use issue::{Answer, Issued, Subject};
pub use refresh::kept as kept_refresh;

use countersign_policy::tokens::Grant;

use crate::protocol::Refusal;
use crate::record::Draft;
use crate::service::{Call, Service};

/// `grant_type` of token exchange (RFC 8693 section 2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// `grant_type` of assertions (RFC 7523 section 2.1).
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The grant that a `grant_type` names.
///
/// # Errors
///
/// If it is not offered.
pub fn named(grant_type: &str) -> Result<Grant, Refusal> {
    match grant_type {
        "client_credentials" => Ok(Grant::ClientCredentials),
        "authorization_code" => Ok(Grant::AuthorizationCode),
        "refresh_token" => Ok(Grant::RefreshToken),
        TOKEN_EXCHANGE => Ok(Grant::TokenExchange),
        JWT_BEARER => Ok(Grant::JwtBearer),
        "password" => Err(Refusal::UnsupportedGrant(
            "the password grant is not offered (RFC 9700 section 2.4): users sign in at their identity provider, by the authorization code grant",
        )),
        "implicit" => Err(Refusal::UnsupportedGrant(
            "the implicit grant is not offered (RFC 9700 section 2.1.2): use the authorization code grant with PKCE",
        )),
        _ => Err(Refusal::UnsupportedGrant(
            "the grant is not offered: see grant_types_supported in the metadata",
        )),
    }
}

/// The name of a grant, as it stands in requests and records.
pub fn name(grant: Grant) -> &'static str {
    match grant {
        Grant::ClientCredentials => "client_credentials",
        Grant::TokenExchange => TOKEN_EXCHANGE,
        Grant::JwtBearer => JWT_BEARER,
        Grant::AuthorizationCode => "authorization_code",
        Grant::RefreshToken => "refresh_token",
    }
}

/// Answers a token request (RFC 6749 section 3.2). What it finds out on the way goes into the draft of the record, so that a
/// refusal tells it too.
///
/// # Errors
///
/// If no token is given.
pub async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let grant = named(call.form.needed("grant_type")?)?;
    draft.grant = Some(name(grant));
    match grant {
        Grant::ClientCredentials => client_credentials::answer(service, call, draft).await,
        Grant::TokenExchange => exchange::answer(service, call, draft).await,
        Grant::JwtBearer => assertion::answer(service, call, draft).await,
        Grant::AuthorizationCode => code::answer(service, call, draft).await,
        Grant::RefreshToken => refresh::answer(service, call, draft).await,
    }
}
