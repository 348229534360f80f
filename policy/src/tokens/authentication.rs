//! Reading how a client proves that it is itself.

use std::collections::BTreeSet;

use countersign_crds::token_client::{
    AssertionAudience, Authentication as Wire, ClientSecret, FederatedToken, MutualTls, PrivateKeyJwt, PublicClient,
};
use countersign_identity::{KeySet, SpiffeId};

use super::{Authentication, Federated, SecretHash, granted, secret, uri};
use crate::parse::{Field, fields};

/// Claims that are checked by themselves, or that no two tokens share.
const OWN_CLAIMS: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// Reads `spec.authentication` of a client of the `TokenIssuer` `issuer`. None if there is a problem with it.
pub(super) fn read(wire: Wire, issuer: &str, field: &mut Field<'_>) -> Option<Authentication> {
    let Wire {
        private_key_jwt,
        mutual_tls,
        client_secret,
        public,
        federated,
    } = wire;
    match (private_key_jwt, mutual_tls, client_secret, public, federated.as_slice()) {
        (Some(keys), None, None, None, []) => private_key(keys, &mut field.below(".privateKeyJwt")),
        (None, Some(tls), None, None, []) => certificate(tls, &mut field.below(".mutualTls")),
        (None, None, Some(secrets), None, []) => shared(secrets, &mut field.below(".clientSecret")),
        (None, None, None, Some(PublicClient {}), []) => Some(Authentication::Public),
        (None, None, None, None, [_, ..]) => Some(foreign(federated, issuer, field)),
        _ => {
            field.problem(
                "",
                "give exactly one of privateKeyJwt, mutualTls, clientSecret, public and federated",
            );
            None
        }
    }
}

fn private_key(wire: PrivateKeyJwt, field: &mut Field<'_>) -> Option<Authentication> {
    let PrivateKeyJwt {
        jwks,
        jwks_uri,
        ca_bundle,
        assertion_audience,
    } = wire;
    let issuer_alone = assertion_audience == AssertionAudience::Issuer;
    match (jwks, jwks_uri) {
        (Some(json), None) => {
            if ca_bundle.is_some() {
                field.problem(
                    ".caBundle",
                    "is for fetching jwksUri; with inline jwks nothing is fetched",
                );
                return None;
            }
            let keys = KeySet::parse(&json).map_err(|error| error.to_string());
            Some(Authentication::PrivateKeyJwt {
                keys: Some(field.read(".jwks", keys)?),
                jwks_uri: None,
                ca_bundle: None,
                issuer_alone,
            })
        }
        (None, Some(uri)) => {
            field.read(".jwksUri", uri::https(&uri))?;
            Some(Authentication::PrivateKeyJwt {
                keys: None,
                jwks_uri: Some(uri),
                ca_bundle,
                issuer_alone,
            })
        }
        _ => {
            field.problem("", "give the client's keys by exactly one of jwksUri and jwks");
            None
        }
    }
}

fn certificate(wire: MutualTls, field: &mut Field<'_>) -> Option<Authentication> {
    let MutualTls {
        spiffe_id,
        dns_name,
        thumbprints,
    } = wire;
    match (spiffe_id, dns_name, thumbprints.as_slice()) {
        (Some(text), None, []) => field.read(".spiffeId", spiffe(&text)).map(Authentication::TlsSpiffe),
        (None, Some(name), []) => {
            field.read(".dnsName", dns(&name))?;
            Some(Authentication::TlsDns(name))
        }
        (None, None, [_, ..]) => {
            for (at, text) in thumbprints.iter().enumerate() {
                field.check(&format!(".thumbprints[{at}]"), thumbprint(text));
            }
            Some(Authentication::SelfSignedTls(thumbprints.into_iter().collect()))
        }
        _ => {
            field.problem("", "give exactly one of spiffeId, dnsName and thumbprints");
            None
        }
    }
}

fn spiffe(text: &str) -> Result<SpiffeId, String> {
    let id: SpiffeId = text.parse().map_err(|error| format!("`{text}`: {error}"))?;
    if id.has_path() {
        Ok(id)
    } else {
        Err(format!(
            "`{text}` is a whole trust domain; name the one workload in it that is meant"
        ))
    }
}

fn dns(name: &str) -> Result<(), String> {
    if name.contains('*') {
        return Err(format!(
            "`{name}` is a wildcard; write out the name in the client's certificate"
        ));
    }
    let labels: Vec<&str> = name.split('.').collect();
    // Whatever ends in a number is an address to those who connect (URL standard, section 3.5).
    let address = labels
        .last()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() > 253 || address || !labels.iter().all(|label| fields::is_label(label)) {
        return Err(format!("`{name}` is not a DNS name in lower case"));
    }
    Ok(())
}

/// The base64url SHA-256 of a certificate (RFC 8705 section 3.1). 43 characters have two bits more than 32 bytes, which
/// must be zero: there is one way to write a hash.
fn thumbprint(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.len() == 43 && text.bytes().all(allowed) && text.ends_with(|c| "AEIMQUYcgkosw048".contains(c)) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a base64url SHA-256 without padding; write what \
         `openssl x509 -outform DER | openssl dgst -sha256 -binary | basenc --base64url` prints, without its `=`"
    ))
}

fn shared(wire: ClientSecret, field: &mut Field<'_>) -> Option<Authentication> {
    if wire.hashes.is_empty() {
        field.problem(".hashes", "give at least one hash of a secret");
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut hashes = Vec::new();
    for (at, entry) in wire.hashes.into_iter().enumerate() {
        field.check(&format!(".hashes[{at}].hash"), secret::hash(&entry.hash));
        if !seen.insert(entry.hash.clone()) {
            field.problem(
                &format!(".hashes[{at}].hash"),
                "stands here twice; give each secret one end",
            );
        }
        hashes.push(SecretHash {
            hash: entry.hash,
            not_after: entry.not_after.0.as_second(),
        });
    }
    Some(Authentication::Secret(hashes))
}

fn foreign(wire: Vec<FederatedToken>, own: &str, field: &mut Field<'_>) -> Authentication {
    let mut read = Vec::new();
    for (at, token) in wire.into_iter().enumerate() {
        let mut field = field.below(&format!(".federated[{at}]"));
        let FederatedToken {
            token_issuer: issuer,
            audience,
            claims,
        } = token;
        field.check(".tokenIssuer", fields::object_name(&issuer));
        if issuer == own {
            field.problem(
                ".tokenIssuer",
                "is the client's own issuer; name an external one, whose tokens are exchanged for tokens of this one",
            );
        }
        field.check(".audience", granted::audience(&audience));
        if claims.is_empty() {
            field.problem(
                ".claims",
                "name at least one claim, such as sub: without any, all tokens of the issuer would be the client's",
            );
        }
        for (name, value) in &claims {
            let at = format!(".claims[{name}]");
            if OWN_CLAIMS.contains(&name.as_str()) {
                field.problem(
                    &at,
                    "does not tell one client from another; name what does, such as sub",
                );
            }
            field.check(&at, fields::claim_name(name));
            field.check(&at, fields::literal(value));
        }
        read.push(Federated {
            issuer,
            audience,
            claims,
        });
    }
    Authentication::Federated(read)
}
