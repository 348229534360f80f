//! What a token that is to be exchanged shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_identity::subject_token::{self, Expected, SubjectTokenError};
use countersign_identity::{Algorithm, Bundles, Claims, jwt_svid, token};
use countersign_policy::tokens::{Authentication, Client, Federated};
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
    Own(Box<AccessClaims>),
}

/// Finds out what a token shows. Which keys verify it is chosen by who it says that it is of, and by nothing else that it says.
///
/// # Errors
///
/// If nobody here trusts it for anything.
pub async fn examine(service: &Service, call: &Call, name: &'static str, text: &str) -> Result<Evidence, Refusal> {
    if let Some(claims) = own::live(service, call, text).await? {
        return Ok(Evidence::Own(Box::new(claims)));
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
        let clients = call.issuer.clients.values();
        let entries: Vec<(&Arc<Client>, &Federated)> = clients
            .filter(|client| named.is_none_or(|named| named == client.id()))
            .flat_map(|client| of_issuer(client, name).map(move |entry| (client, entry)))
            .collect();
        let Some(claims) = verified(outside, &entries, text, call.now) else {
            continue;
        };
        for (client, _) in entries.iter().filter(|(_, entry)| entry.admits(&claims)) {
            if found.as_ref().is_some_and(|(other, _)| other.id() != client.id()) {
                return None;
            }
            found = Some((Arc::clone(client), claims.clone()));
        }
    }
    let (client, claims) = found?;
    Some(Evidence::Party {
        until: Some(end(&claims)),
        party: Party::Client(client),
    })
}

/// What a client says of tokens of an outside issuer.
fn of_issuer<'a>(client: &'a Client, issuer: &'a str) -> impl Iterator<Item = &'a Federated> {
    let all = match &client.authentication {
        Authentication::Federated(all) => all.as_slice(),
        _ => &[],
    };
    all.iter().filter(move |one| one.issuer == issuer)
}

/// The claims of a token, if its issuer signed it, for one of the audiences. The signature is looked at for the first that
/// fits: for the others it is the same.
fn verified(outside: &Outside, entries: &[(&Arc<Client>, &Federated)], text: &str, now: i64) -> Option<Claims> {
    let audiences: BTreeSet<&str> = entries.iter().map(|(_, entry)| entry.audience.as_str()).collect();
    for audience in audiences {
        let expected = Expected {
            issuer: &outside.issuer,
            audience,
            algorithms: &Algorithm::ALL,
            longest: Some(outside.longest),
        };
        match subject_token::verify(text, &outside.keys, &expected, now) {
            Ok(claims) => return Some(claims),
            Err(SubjectTokenError::Audience) => {}
            Err(_) => return None,
        }
    }
    None
}

/// When a token ends, cut to whole seconds. It was verified, so that it says so.
fn end(claims: &Claims) -> i64 {
    let exp = claims.members().get("exp");
    #[expect(clippy::cast_possible_truncation, reason = "a float beyond the range was refused")]
    let cut = |value: &serde_json::Value| value.as_i64().or_else(|| value.as_f64().map(|float| float as i64));
    exp.and_then(cut).unwrap_or_default()
}
