//! Reading a `TokenIssuer`.

use countersign_crds::{TokenIssuerSpec, TokenIssuerStatus};
use countersign_identity::{KeySet, KeySetError};
use serde_json::Value;

use super::{Problem, fields, wire};

/// A `TokenIssuer` as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedIssuer {
    /// Its name.
    pub name: String,
    /// The issuer, or what is wrong with it.
    pub issuer: Result<Issuer, Problem>,
}

/// An issuer that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuer {
    /// What its tokens carry in `iss`.
    pub id: String,
    /// The longest life of its tokens, in seconds, by its own declaration.
    pub longest_token: i64,
    /// The claim that names the client.
    pub client_id_claim: String,
    /// The keys that verify its tokens. Empty while they were not fetched yet.
    pub keys: KeySet,
    source: Option<(String, Option<String>)>,
}

/// Where an issuer's keys are fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySource<'a> {
    /// The `https` URL of a JWK Set.
    pub uri: &'a str,
    /// The certificate authorities that the server is verified with, in PEM, instead of the public ones.
    pub ca_bundle: Option<&'a str>,
}

impl ParsedIssuer {
    /// Where the keys are fetched from, unless they stand in the object itself.
    pub fn fetch(&self) -> Option<KeySource<'_>> {
        let (uri, ca_bundle) = self.issuer.as_ref().ok()?.source.as_ref()?;
        Some(KeySource {
            uri,
            ca_bundle: ca_bundle.as_deref(),
        })
    }
}

/// Reads a `TokenIssuer`. Keys that are fetched are taken from its status, where the operator writes them, so that what
/// a policy means follows from the objects alone.
pub fn token_issuer(name: &str, spec: &Value, status: &Value) -> ParsedIssuer {
    ParsedIssuer {
        name: name.to_owned(),
        issuer: read(spec, status),
    }
}

fn read(spec: &Value, status: &Value) -> Result<Issuer, Problem> {
    let external = wire::<TokenIssuerSpec>(spec)?.external;
    let field = |name: &str| format!("spec.external.{name}");
    let checked = |name: &str, result: Result<(), String>| result.map_err(|message| Problem::new(field(name), message));
    checked("issuer", fields::literal(&external.issuer))?;
    checked("clientIdClaim", fields::claim_name(&external.client_id_claim))?;
    let longest_token = fields::seconds(&external.max_token_lifetime)
        .map_err(|message| Problem::new(field("maxTokenLifetime"), message))?;
    let (keys, source) = match (external.jwks, external.jwks_uri) {
        (Some(json), None) => {
            let keys =
                KeySet::parse(&json).map_err(|error: KeySetError| Problem::new(field("jwks"), error.to_string()))?;
            (keys, None)
        }
        (None, Some(uri)) => {
            if !uri.starts_with("https://") {
                return Err(Problem::new(field("jwksUri"), "must be an https URL"));
            }
            (fetched(status, &uri), Some((uri, external.ca_bundle)))
        }
        _ => {
            return Err(Problem::new(
                "spec.external",
                "give the verification keys by exactly one of jwksUri and jwks",
            ));
        }
    };
    Ok(Issuer {
        id: external.issuer,
        longest_token,
        client_id_claim: external.client_id_claim,
        keys,
        source,
    })
}

/// The keys that were fetched last, if they came from where they are to come from now.
fn fetched(status: &Value, uri: &str) -> KeySet {
    serde_json::from_value::<TokenIssuerStatus>(status.clone())
        .ok()
        .filter(|status| status.jwks_uri.as_deref() == Some(uri))
        .and_then(|status| KeySet::parse(&status.jwks?).ok())
        .unwrap_or_default()
}
