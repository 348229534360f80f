//! Reading a `TokenClient`.

use std::collections::BTreeSet;

use countersign_crds::TokenClientSpec;
use countersign_crds::token_client::{Binding as WireBinding, Grant as WireGrant};
use serde_json::Value;

use super::{Authentication, Binding, Client, Grant, authentication, granted, uri};
use crate::model::Sensitivity;
use crate::parse::{Field, Problem, fields, wire};
use crate::tier;
use crate::world::ObjectName;

/// Reads a `TokenClient`. What it names at its issuer is for [`check`](super::check) to look at.
///
/// # Errors
///
/// All that is wrong with it, field by field.
pub fn client(object: ObjectName, spec: &Value) -> Result<Client, Vec<Problem>> {
    let spec: TokenClientSpec = wire(spec).map_err(|problem| vec![problem])?;
    let TokenClientSpec {
        issuer,
        authentication,
        grants,
        redirect_uris,
        audiences,
        token_lifetime,
        binding,
        require_pushed_authorization_requests: require_par,
    } = spec;
    let mut problems = Vec::new();
    let mut field = Field::new("spec", &mut problems);
    field.check(".issuer", fields::object_name(&issuer));
    let authentication = authentication::read(authentication, &issuer, &mut field.below(".authentication"));
    let grants: BTreeSet<Grant> = grants.into_iter().map(grant).collect();
    if let Some(authentication) = &authentication {
        check_grants(&grants, authentication, &mut field);
    }
    let public = authentication == Some(Authentication::Public);
    for (at, text) in redirect_uris.iter().enumerate() {
        field.check(&format!(".redirectUris[{at}]"), uri::redirect(text, public));
    }
    check_flow(&grants, redirect_uris.is_empty(), require_par, &mut field);
    let audiences = granted::audiences(audiences, &mut field);
    let lifetime = token_lifetime.and_then(|text| field.read(".tokenLifetime", lifetime(&text)));
    match authentication {
        Some(authentication) if problems.is_empty() => Ok(Client {
            object,
            issuer,
            authentication,
            grants,
            redirect_uris: redirect_uris.into_iter().collect(),
            audiences,
            lifetime,
            binding: match binding {
                WireBinding::Optional => Binding::Optional,
                WireBinding::Required => Binding::Required,
                WireBinding::Dpop => Binding::Dpop,
            },
            require_par,
        }),
        _ => Err(problems),
    }
}

/// Whether a client that proves itself so may ask so.
fn check_grants(grants: &BTreeSet<Grant>, authentication: &Authentication, field: &mut Field<'_>) {
    let with_a_user = [Grant::AuthorizationCode, Grant::RefreshToken];
    match authentication {
        Authentication::Public => {
            for grant in grants.iter().filter(|grant| !with_a_user.contains(grant)) {
                field.problem(
                    ".grants",
                    format!(
                        "{} is for clients that prove themselves; a public one can only use AuthorizationCode and RefreshToken, so \
                         give authentication.privateKeyJwt or mutualTls instead",
                        grant.name()
                    ),
                );
            }
        }
        Authentication::Federated(_) => {
            for grant in grants.iter().filter(|grant| **grant != Grant::TokenExchange) {
                field.problem(
                    ".grants",
                    format!(
                        "{} is not for clients with authentication.federated, whose tokens are exchanged: write TokenExchange alone",
                        grant.name()
                    ),
                );
            }
        }
        Authentication::PrivateKeyJwt { .. } => {}
        Authentication::TlsSpiffe(_)
        | Authentication::TlsDns(_)
        | Authentication::SelfSignedTls(_)
        | Authentication::Secret(_) => {
            if grants.contains(&Grant::JwtBearer) {
                field.problem(
                    ".grants",
                    "JWTBearer needs keys that verify the client's assertions: give authentication.privateKeyJwt",
                );
            }
        }
    }
}

/// Whether what belongs to the authorization code is given with it.
fn check_flow(grants: &BTreeSet<Grant>, nowhere: bool, require_par: bool, field: &mut Field<'_>) {
    if grants.is_empty() {
        field.problem(
            ".grants",
            "name at least one way to ask for tokens, such as ClientCredentials",
        );
    }
    let code = grants.contains(&Grant::AuthorizationCode);
    if code && nowhere {
        field.problem(
            ".redirectUris",
            "grant AuthorizationCode needs them: name each URL that users may be sent back to",
        );
    }
    if !code && !nowhere {
        field.problem(
            ".redirectUris",
            "are for grant AuthorizationCode alone: add it to spec.grants, or leave them out",
        );
    }
    if !code && grants.contains(&Grant::RefreshToken) {
        field.problem(
            ".grants",
            "RefreshToken goes with AuthorizationCode, since nothing else gives refresh tokens: add it, or leave RefreshToken out",
        );
    }
    if !code && require_par {
        field.problem(
            ".requirePushedAuthorizationRequests",
            "is for grant AuthorizationCode alone: add it to spec.grants, or leave this out",
        );
    }
}

/// No audience allows more than the least sensitive ones do.
fn lifetime(text: &str) -> Result<i64, String> {
    let longest = tier::longest_token(Sensitivity::Public);
    match fields::seconds(text)? {
        seconds if seconds > longest => Err(format!(
            "`{text}` is longer than any audience allows, which is 24h at most"
        )),
        seconds => Ok(seconds),
    }
}

fn grant(wire: WireGrant) -> Grant {
    match wire {
        WireGrant::ClientCredentials => Grant::ClientCredentials,
        WireGrant::TokenExchange => Grant::TokenExchange,
        WireGrant::JwtBearer => Grant::JwtBearer,
        WireGrant::AuthorizationCode => Grant::AuthorizationCode,
        WireGrant::RefreshToken => Grant::RefreshToken,
    }
}
