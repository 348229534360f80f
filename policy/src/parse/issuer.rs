//! Reading a `TokenIssuer`.

use std::collections::BTreeSet;

use countersign_crds::token_issuer::{ExternalIssuer, ManagedIssuer as WireManaged};
use countersign_crds::{TokenIssuerSpec, TokenIssuerStatus};
use countersign_identity::{KeySet, KeySetError};
use serde_json::Value;

use super::{Problem, fields, wire};
use crate::tokens::{Format, ManagedIssuer, read_managed};

/// A `TokenIssuer` as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedIssuer {
    /// Its name.
    pub name: String,
    /// Whether Countersign's token service answers for it, also if something is wrong with it. That service writes its status,
    /// and nothing is fetched.
    pub managed: bool,
    /// The issuer, or all that is wrong with it.
    pub issuer: Result<Issuer, Vec<Problem>>,
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
    /// The keys that verify its tokens. Empty while they were not fetched or made yet.
    pub keys: KeySet,
    /// What it gives, if it is a managed one.
    pub managed: Option<Box<ManagedIssuer>>,
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

impl Issuer {
    /// The longest life of its tokens for some audiences, in seconds. A managed issuer has one for each audience, and gives
    /// no tokens for audiences that it does not have.
    pub fn longest_for(&self, audiences: &BTreeSet<String>) -> i64 {
        let Some(managed) = &self.managed else {
            return self.longest_token;
        };
        let lifetimes = audiences
            .iter()
            .filter_map(|name| Some(managed.audiences.get(name)?.lifetime));
        lifetimes.max().unwrap_or(self.longest_token)
    }

    /// Why no proxy can verify its tokens for an audience, and what to do; none if it can. What an issuer outside gives is not
    /// known here.
    pub fn unverifiable(&self, audience: &str) -> Option<String> {
        let managed = self.managed.as_ref()?;
        match managed.audiences.get(audience).map(|given| given.format) {
            Some(Format::Jwt) => None,
            Some(Format::Opaque) => Some(format!(
                "gives opaque tokens for `{audience}`, which proxies cannot verify; set tokenFormat: JWT there, or leave this \
                 audience out and have the API itself ask what a token is worth (RFC 7662)"
            )),
            None => Some(format!(
                "gives no tokens for `{audience}`; add it to spec.managed.audiences there, or name an audience that is there"
            )),
        }
    }
}

/// Reads a `TokenIssuer`. Keys that are fetched are taken from its status, where the operator writes them, so that what
/// a policy means follows from the objects alone. So are those of a managed issuer, which the token service writes there.
pub fn token_issuer(name: &str, spec: &Value, status: &Value) -> ParsedIssuer {
    ParsedIssuer {
        name: name.to_owned(),
        managed: !spec["managed"].is_null(),
        issuer: read(name, spec, status),
    }
}

fn read(name: &str, spec: &Value, status: &Value) -> Result<Issuer, Vec<Problem>> {
    let spec: TokenIssuerSpec = wire(spec).map_err(|problem| vec![problem])?;
    match (spec.external, spec.managed) {
        (Some(external), None) => read_external(external, status).map_err(|problem| vec![problem]),
        (None, Some(managed)) => read_own(name, managed, status),
        _ => Err(vec![Problem::new("spec", "give exactly one of external and managed")]),
    }
}

fn read_own(name: &str, managed: WireManaged, status: &Value) -> Result<Issuer, Vec<Problem>> {
    let managed = read_managed(name, managed)?;
    Ok(Issuer {
        id: managed.issuer.clone(),
        longest_token: managed.longest_token(),
        client_id_claim: "client_id".to_owned(),
        keys: published(status, &managed.issuer),
        managed: Some(Box::new(managed)),
        source: None,
    })
}

fn read_external(external: ExternalIssuer, status: &Value) -> Result<Issuer, Problem> {
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
        managed: None,
        source,
    })
}

/// The keys that were fetched last, if they came from where they are to come from now.
fn fetched(status: &Value, uri: &str) -> KeySet {
    keys(status, |status| status.jwks_uri.as_deref() == Some(uri))
}

/// The keys that the token service publishes, if it wrote the status, and for the issuer as it is now: what the operator
/// fetched while the issuer was an external one does not count.
fn published(status: &Value, issuer: &str) -> KeySet {
    keys(status, |status| {
        status.issuer.as_deref() == Some(issuer) && !status.keys.is_empty()
    })
}

fn keys(status: &Value, fits: impl Fn(&TokenIssuerStatus) -> bool) -> KeySet {
    serde_json::from_value::<TokenIssuerStatus>(status.clone())
        .ok()
        .filter(fits)
        .and_then(|status| KeySet::parse(&status.jwks?).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use countersign_identity::testing::SigningKey;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn managed(status: &Value) -> ParsedIssuer {
        let spec = json!({"managed": {
            "issuer": "https://tokens.example",
            "audiences": [{"audience": "a", "sensitivity": "Public"}, {"audience": "b", "sensitivity": "Internal"}, {"audience": "c"}],
        }});
        token_issuer("shop", &spec, status)
    }

    /// The status as the token service writes it.
    fn written() -> Value {
        let jwks = SigningKey::jwks(&[&SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256)]);
        json!({
            "issuer": "https://tokens.example", "jwks": jwks,
            "keys": [{"kid": "k1", "algorithm": "ES256", "state": "Signing", "signsUntil": "2026-01-01T00:00:00Z"}],
        })
    }

    #[test]
    fn a_managed_issuer_is_one_like_any_other() {
        let parsed = managed(&written());
        let issuer = parsed.issuer.clone().unwrap();
        assert!(parsed.managed);
        assert_eq!(parsed.fetch(), None, "the token service writes its keys");
        assert_eq!(issuer.id, "https://tokens.example");
        assert_eq!(issuer.client_id_claim, "client_id");
        assert_eq!(issuer.longest_token, 24 * 3600);
        assert_eq!(issuer.keys.len(), 1);
    }

    #[rstest]
    #[case::one(&["b"], 3600)]
    #[case::the_longest(&["b", "c"], 3600)]
    #[case::one_that_is_not_there(&["c", "x"], 900)]
    #[case::none_that_is_there(&["x"], 24 * 3600)]
    fn its_tokens_live_as_long_as_their_audience_allows(#[case] audiences: &[&str], #[case] longest: i64) {
        let issuer = managed(&Value::Null).issuer.unwrap();
        let audiences = audiences.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(issuer.longest_for(&audiences), longest);
    }

    #[test]
    fn what_no_proxy_can_verify_is_said_of_managed_issuers_alone() {
        let spec = json!({"managed": {"issuer": "https://tokens.example", "audiences": [
            {"audience": "a"}, {"audience": "b", "tokenFormat": "Opaque"},
        ]}});
        let issuer = token_issuer("shop", &spec, &Value::Null).issuer.unwrap();
        assert_eq!(issuer.unverifiable("a"), None);
        assert!(issuer.unverifiable("b").unwrap().contains("opaque tokens for `b`"));
        assert!(issuer.unverifiable("x").unwrap().contains("no tokens for `x`"));
        let external = json!({"external": {"issuer": "a", "jwksUri": "https://a", "maxTokenLifetime": "1m"}});
        let external = token_issuer("corp", &external, &Value::Null).issuer.unwrap();
        assert_eq!(external.unverifiable("x"), None, "what it gives is not known here");
    }

    #[rstest]
    #[case::nothing_yet(|status: &mut Value| *status = Value::Null)]
    #[case::of_another_identifier(|status: &mut Value| status["issuer"] = json!("https://old.example"))]
    #[case::fetched_while_it_was_external(|status: &mut Value| drop(status.as_object_mut().unwrap().remove("keys")))]
    #[case::unreadable(|status: &mut Value| status["jwks"] = json!("{}"))]
    fn keys_that_the_token_service_did_not_write_for_it_do_not_count(#[case] change: fn(&mut Value)) {
        let mut status = written();
        change(&mut status);
        assert!(managed(&status).issuer.unwrap().keys.is_empty());
    }

    #[test]
    fn one_that_is_wrong_is_a_managed_one_all_the_same() {
        let parsed = token_issuer("shop", &json!({"managed": {"issuer": "http://a"}}), &Value::Null);
        assert!(parsed.managed);
        assert!(parsed.issuer.is_err());
        let external = json!({"external": {"issuer": "a", "jwksUri": "https://a", "maxTokenLifetime": "1m"}});
        assert!(!token_issuer("corp", &external, &Value::Null).managed);
    }
}
