//! What callers send, read: nothing here waits, and of what is sent nothing says who sends it.

use std::collections::BTreeSet;

use countersign_identity::{Bundles, jwt_svid};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
use jiff::Timestamp;
use prost::Name as _;
use tonic::metadata::MetadataMap;

use super::claims;
use super::proto::{JwtsvidRequest, ValidateJwtsvidRequest, ValidateJwtsvidResponse};
use super::refusal::{Reason, Refusal};

/// The metadata that every call of the Workload API has (SPIFFE Workload Endpoint standard, section 5): what is made to send
/// requests for others does not send it.
const HEADER: &str = "workload.spiffe.io";
/// How many names one request for secrets may have.
const MOST_NAMES: usize = 64;

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidRequest, message)
}

/// Whether a call of the Workload API has the metadata that it must have.
///
/// # Errors
///
/// If it has not.
pub fn check_header(metadata: &MetadataMap) -> Result<(), Refusal> {
    if metadata.get(HEADER).is_some_and(|value| value == "true") {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::NoHeader,
        format!("the metadata `{HEADER}: true` is missing: use a SPIFFE library, or send it"),
    ))
}

/// Whom a JWT-SVID is asked for, each once.
///
/// # Errors
///
/// If for nobody, or for a name that is empty.
pub fn audiences(request: &JwtsvidRequest) -> Result<BTreeSet<String>, Refusal> {
    let audiences: BTreeSet<String> = request.audience.iter().cloned().collect();
    if audiences.is_empty() || audiences.contains("") {
        return Err(invalid("an audience must be given, and none may be empty"));
    }
    Ok(audiences)
}

/// Whether a JWT-SVID is asked for that names `own`, which is who the workload is.
///
/// # Errors
///
/// If it is to name another.
pub fn check_id(request: &JwtsvidRequest, own: &str) -> Result<(), Refusal> {
    if request.spiffe_id.is_empty() || request.spiffe_id == own {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::NotEntitled,
        format!("this workload is {own} and nobody else"),
    ))
}

/// Whether there is something to validate.
///
/// # Errors
///
/// If not.
pub fn check_validation(request: &ValidateJwtsvidRequest) -> Result<(), Refusal> {
    if request.audience.is_empty() || request.svid.is_empty() {
        return Err(invalid("audience and svid must be given"));
    }
    Ok(())
}

/// Validates a JWT-SVID for whoever asks.
///
/// # Errors
///
/// If it does not hold.
pub fn validate(
    request: &ValidateJwtsvidRequest,
    bundles: &Bundles,
    now: Timestamp,
) -> Result<ValidateJwtsvidResponse, Refusal> {
    let valid = jwt_svid::verify(&request.svid, &request.audience, bundles, now);
    let valid =
        valid.map_err(|error| Refusal::new(Reason::InvalidToken, format!("the token does not hold: {error}")))?;
    Ok(ValidateJwtsvidResponse {
        spiffe_id: valid.id().to_string(),
        claims: Some(claims::structure(valid.claims().members())),
    })
}

/// The names of the secrets that are asked for, each once.
///
/// # Errors
///
/// If something other than secrets is asked for, or too much.
pub fn names(request: &DiscoveryRequest) -> Result<Vec<String>, Refusal> {
    let own = Secret::type_url();
    if !request.type_url.is_empty() && request.type_url != own {
        return Err(invalid(format!("only {own} is served here")));
    }
    if request.resource_names.len() > MOST_NAMES {
        return Err(invalid(format!("a request may name {MOST_NAMES} secrets at most")));
    }
    let mut names = request.resource_names.clone();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether a request answers to what is no longer the last that was sent: another follows.
pub fn is_late(request: &DiscoveryRequest, last: u64) -> bool {
    !request.response_nonce.is_empty() && request.response_nonce != last.to_string()
}
