//! Reading what a managed issuer gives.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::TokenIssuerSpec;
use countersign_crds::token_issuer::{
    ManagedAudience, ManagedIssuer as Wire, Refresh as WireRefresh, SigningAlgorithm as WireAlgorithm, TokenFormat,
    Upstream as WireUpstream,
};
use serde_json::Value;

use super::{Audience, Format, ManagedIssuer, OPENID_SCOPES, Refresh, SigningAlgorithm, Upstream, granted, uri};
use crate::parse::{Field, Problem, fields, wire};
use crate::tier;

/// How long a key may sign, in seconds.
const ROTATION: (i64, i64) = (3600, 8760 * 3600);
/// How long refresh tokens may go on, in seconds.
const REFRESH: (i64, i64) = (60, 8760 * 3600);
/// How long a refresh token that was replaced may be shown again, in seconds.
const LONGEST_GRACE: i64 = 60;

/// Reads the `TokenIssuer` of this name, which must have `managed`.
///
/// # Errors
///
/// All that is wrong with it, field by field.
pub fn managed_issuer(name: &str, spec: &Value) -> Result<ManagedIssuer, Vec<Problem>> {
    let spec: TokenIssuerSpec = wire(spec).map_err(|problem| vec![problem])?;
    match spec {
        TokenIssuerSpec {
            external: None,
            managed: Some(managed),
        } => read(name, managed),
        TokenIssuerSpec {
            external: Some(_),
            managed: None,
        } => Err(vec![Problem::new(
            "spec.managed",
            "the token service answers for issuers with managed alone; this one is external",
        )]),
        _ => Err(vec![Problem::new("spec", "give exactly one of external and managed")]),
    }
}

pub(crate) fn read(name: &str, managed: Wire) -> Result<ManagedIssuer, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut field = Field::new("spec.managed", &mut problems);
    let Wire {
        issuer,
        mutual_tls_host,
        audiences,
        signing,
        refresh,
        upstream,
    } = managed;
    field.check(".issuer", uri::issuer(&issuer));
    if let Some(host) = &mutual_tls_host {
        field.check(".mutualTlsHost", uri::other_host(host, &issuer));
    }
    let audiences = read_audiences(audiences, &mut field);
    let rotate_every =
        fields::seconds(&signing.rotate_every).and_then(|seconds| within(seconds, ROTATION, "1h to 8760h"));
    let rotate_every = field.read(".signing.rotateEvery", rotate_every);
    let refresh = read_refresh(&refresh, &mut field.below(".refresh"));
    let upstream = upstream.map(|upstream| read_upstream(upstream, &mut field.below(".upstream")));
    match (rotate_every, refresh) {
        (Some(rotate_every), Some(refresh)) if problems.is_empty() => Ok(ManagedIssuer {
            name: name.to_owned(),
            issuer,
            mutual_tls_host,
            audiences,
            algorithm: algorithm(signing.algorithm),
            rotate_every,
            refresh,
            upstream,
        }),
        _ => Err(problems),
    }
}

fn read_audiences(wire: Vec<ManagedAudience>, field: &mut Field<'_>) -> BTreeMap<String, Audience> {
    if wire.is_empty() {
        field.problem(".audiences", "name at least one API that tokens are for");
    }
    let mut read = BTreeMap::new();
    for (at, audience) in wire.into_iter().enumerate() {
        let mut field = field.below(&format!(".audiences[{at}]"));
        let ManagedAudience {
            audience: name,
            sensitivity,
            scopes,
            namespaces,
            token_format,
            token_lifetime,
            introspected_by,
        } = audience;
        field.check(".audience", granted::audience(&name));
        let scopes = granted::scopes(&scopes, &mut field);
        if let Some(scope) = OPENID_SCOPES.into_iter().find(|scope| scopes.contains(*scope)) {
            field.problem(
                ".scopes",
                format!("`{scope}` is a scope of OpenID Connect, which every application may ask for and no API has; leave it out"),
            );
        }
        let namespaces = namespaces.map(|wire| read_namespaces(wire, &mut field));
        let longest = tier::longest_token(sensitivity);
        let lifetime = token_lifetime.map_or(Ok(longest), |text| match fields::seconds(&text)? {
            seconds if seconds > longest => Err(format!(
                "`{text}` is longer than {sensitivity:?} allows, which is {} minutes; shorten it, or leave it out",
                longest / 60
            )),
            seconds => Ok(seconds),
        });
        let lifetime = field.read(".tokenLifetime", lifetime).unwrap_or_default();
        if read.contains_key(&name) {
            field.problem(
                ".audience",
                format!("`{name}` stands here twice; put all of it into one entry"),
            );
        }
        if let Some(wrong) = introspected_by.iter().find(|who| !who.contains('/')) {
            field.problem(
                ".introspectedBy",
                format!("`{wrong}` is neither a TokenClient, as <namespace>/<name>, nor a SPIFFE ID"),
            );
        }
        let format = match token_format {
            TokenFormat::Jwt => Format::Jwt,
            TokenFormat::Opaque => Format::Opaque,
        };
        let audience = Audience {
            sensitivity,
            scopes,
            namespaces,
            format,
            lifetime,
            introspected_by: introspected_by.into_iter().collect(),
        };
        read.insert(name, audience);
    }
    read
}

fn read_namespaces(wire: Vec<String>, field: &mut Field<'_>) -> BTreeSet<String> {
    if wire.is_empty() {
        field.problem(
            ".namespaces",
            "name at least one, or leave the list out, which stands for all",
        );
    }
    for (at, name) in wire.iter().enumerate() {
        if !fields::is_label(name) {
            field.problem(
                &format!(".namespaces[{at}]"),
                format!("`{name}` is not the name of a namespace"),
            );
        }
    }
    wire.into_iter().collect()
}

/// Reads how long refresh tokens go on. None if there is a problem with it.
fn read_refresh(wire: &WireRefresh, field: &mut Field<'_>) -> Option<Refresh> {
    let read = |text| fields::seconds(text).and_then(|seconds| within(seconds, REFRESH, "1m to 8760h"));
    let absolute = field.read(".absoluteLifetime", read(&wire.absolute_lifetime));
    let idle = field.read(".idleLifetime", read(&wire.idle_lifetime));
    let grace = fields::duration(&wire.grace).and_then(|seconds| within(seconds, (0, LONGEST_GRACE), "0s to 60s"));
    let grace = field.read(".grace", grace);
    let (absolute, idle, grace) = (absolute?, idle?, grace?);
    if idle > absolute {
        field.problem(
            ".idleLifetime",
            format!(
                "`{}` is longer than absoluteLifetime, `{}`, after which no refresh token counts",
                wire.idle_lifetime, wire.absolute_lifetime
            ),
        );
    }
    Some(Refresh { absolute, idle, grace })
}

fn read_upstream(wire: WireUpstream, field: &mut Field<'_>) -> Upstream {
    let WireUpstream {
        issuer,
        client_id,
        client_secret_name,
        ca_bundle,
        scopes,
    } = wire;
    // Providers' identifiers may end with a slash, and are taken as they are.
    let checked = uri::https(&issuer).and_then(|url| match url.query() {
        Some(_) => Err(format!("`{issuer}` has a query, which an issuer identifier has not")),
        None => Ok(()),
    });
    field.check(".issuer", checked);
    if client_id.is_empty() || client_id.chars().any(char::is_control) {
        field.problem(
            ".clientId",
            "must be the client_id that the provider gave to the token service",
        );
    }
    if let Some(name) = &client_secret_name {
        field.check(".clientSecretName", fields::object_name(name));
    }
    let scopes: BTreeSet<String> = granted::scopes(&scopes, field);
    Upstream {
        issuer,
        client_id,
        secret_name: client_secret_name,
        ca_bundle,
        scopes,
    }
}

fn within(seconds: i64, (least, most): (i64, i64), words: &str) -> Result<i64, String> {
    if (least..=most).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(format!("must be from {words}"))
    }
}

fn algorithm(wire: WireAlgorithm) -> SigningAlgorithm {
    match wire {
        WireAlgorithm::Es256 => SigningAlgorithm::Es256,
        WireAlgorithm::EdDsa => SigningAlgorithm::EdDsa,
        WireAlgorithm::Rs256 => SigningAlgorithm::Rs256,
        WireAlgorithm::Ps256 => SigningAlgorithm::Ps256,
    }
}
