//! What a token that is to be exchanged shows.

use std::sync::Arc;

use countersign_identity::{Bundles, Claims, jwt_svid, token};
use countersign_policy::tokens::{Authentication, Client};
use jiff::Timestamp;

use crate::callers::CallerError;
use crate::directory::{Outside, Party};
use crate::mint::AccessClaims;
use crate::own;
use crate::protocol::Refusal;
use crate::protocol::refusal::GrantError;
use crate::service::{Call, Service};

/// What a token shows.
pub enum Evidence {
    /// Who sends it.
    Party {
        /// Who.
        party: Party,
        /// When the token ends, if it says so: what comes of it ends no later.
        until: Option<i64>,
    },
    /// It is a token that this issuer gave.
    Own(AccessClaims),
}

/// Finds out what a token shows. Which keys verify it is chosen by who it says that it is of, and by nothing else that it says.
///
/// # Errors
///
/// If nobody here trusts it for anything.
pub async fn examine(service: &Service, call: &Call, name: &'static str, text: &str) -> Result<Evidence, Refusal> {
    if let Some(claims) = own::live(service, call, text).await? {
        return Ok(Evidence::Own(claims));
    }
    let wrong = GrantError::Token(name);
    let claimed = token::claimed_issuer(text).ok();
    if claimed.as_deref() == Some(call.issuer_id()) {
        return Err(wrong.into());
    }
    let outside: Vec<_> = call
        .directory
        .outside
        .iter()
        .filter(|(_, outside)| Some(&outside.issuer) == claimed.as_ref())
        .collect();
    if !outside.is_empty() {
        return federated(call, &outside, text).ok_or_else(|| wrong.into());
    }
    if let Some(workload) = svid(call, text) {
        return Ok(workload);
    }
    let account = service
        .workloads
        .of(text, call.issuer_id())
        .await
        .map_err(|error| match error {
            CallerError::Refused => Refusal::from(wrong),
            CallerError::Unreachable => Refusal::Unavailable("the API server, which knows service account tokens,"),
        })?;
    let workload = call
        .directory
        .workload(&account.namespace, &account.name)
        .ok_or(GrantError::NoIdentity)?;
    Ok(Evidence::Party {
        party: Party::Workload(Arc::clone(workload)),
        until: None,
    })
}

/// A workload by its JWT-SVID, for this issuer.
fn svid(call: &Call, text: &str) -> Option<Evidence> {
    let bundles = Bundles::new(call.directory.roots.as_ref()?.as_ref().clone());
    let now = Timestamp::from_second(call.now).ok()?;
    let svid = jwt_svid::verify(text, call.issuer_id(), &bundles, now).ok()?;
    let workload = call.directory.workload_called(&svid.id().to_string())?;
    Some(Evidence::Party {
        party: Party::Workload(Arc::clone(workload)),
        until: Some(svid.expires().as_second()),
    })
}

/// The one client that the token of an outside issuer stands for. If it could be two, it is none.
fn federated(call: &Call, outside: &[(&String, &Outside)], text: &str) -> Option<Evidence> {
    let named = call.form.one("client_id").ok()?;
    let mut found: Option<(Arc<Client>, Claims)> = None;
    for (name, outside) in outside {
        let Ok(claims) = token::verify(text, &outside.issuer, &outside.keys, call.now) else {
            continue;
        };
        for client in call.issuer.clients.values() {
            if named.is_some_and(|named| named != client.id()) || !stands_for(client, name, &claims) {
                continue;
            }
            if found.as_ref().is_some_and(|(other, _)| other.id() != client.id()) {
                return None;
            }
            found = Some((Arc::clone(client), claims.clone()));
        }
    }
    let (client, claims) = found?;
    Some(Evidence::Party {
        until: claims.members().get("exp").and_then(serde_json::Value::as_i64),
        party: Party::Client(client),
    })
}

fn stands_for(client: &Client, issuer: &str, claims: &Claims) -> bool {
    let Authentication::Federated(all) = &client.authentication else {
        return false;
    };
    all.iter().any(|one| {
        one.issuer == issuer
            && !one.claims.is_empty()
            && claims.has("aud", &one.audience)
            && one.claims.iter().all(|(name, value)| claims.has(name, value))
    })
}
