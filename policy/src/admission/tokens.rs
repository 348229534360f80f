//! What is said of those who get tokens of a managed issuer, and of the issuer for their sake.

use countersign_identity::TrustDomain;

use super::effects::shorten;
use super::{Change, Verdict, texts};
use crate::parse::{ParsedIdentity, summary};
use crate::tokens::{
    Authentication, Client, ManagedIssuer, Revoked, check, check_revocation, check_workload,
    revocation as read_revocation, secrets, workload_of,
};
use crate::world::{MapWorld, ObjectName, World};

/// What stands under the name of an issuer.
enum Found<'a> {
    /// A managed issuer.
    Managed(&'a ManagedIssuer),
    /// An outside one, of which nobody here can give or revoke tokens.
    External,
    /// Nothing, or nothing that is understood: it may still come.
    NotYet(String),
}

fn find<'a>(name: &str, world: &'a MapWorld) -> Found<'a> {
    let Some(parsed) = world.token_issuer(name) else {
        return Found::NotYet(format!(
            "TokenIssuer `{name}` does not exist; create it, or name one that does"
        ));
    };
    match &parsed.issuer {
        Ok(issuer) => issuer.managed.as_deref().map_or(Found::External, Found::Managed),
        Err(problems) => Found::NotYet(format!("TokenIssuer `{name}` is not understood: {}", summary(problems))),
    }
}

fn external(field: &str, name: &str) -> String {
    format!(
        "{field}: TokenIssuer `{name}` is an outside one, whose tokens Countersign does not give; name one with managed"
    )
}

/// What is said of a `TokenClient`.
pub(super) fn client(name: &ObjectName, after: &MapWorld, now: i64) -> Verdict {
    let mut verdict = Verdict::default();
    let client = match after.token_clients.get(name) {
        Some(Ok(client)) => client,
        Some(Err(problems)) => {
            verdict.refusals = texts(problems);
            return verdict;
        }
        None => return verdict,
    };
    match find(&client.issuer, after) {
        Found::Managed(issuer) => verdict.refusals.extend(texts(&check(client, issuer))),
        Found::External => verdict.refusals.push(external("spec.issuer", &client.issuer)),
        Found::NotYet(why) => verdict.warnings.push(format!(
            "the client gets no token until this is mended: spec.issuer: {why}"
        )),
    }
    let (ended, too_far): (Vec<_>, Vec<_>) = secrets(client, now)
        .into_iter()
        .partition(|problem| problem.field.ends_with(".hashes"));
    verdict.refusals.extend(texts(&too_far));
    verdict.warnings.extend(texts(&ended));
    outside(client, after, &mut verdict);
    verdict
}

/// What is said of the outside issuers whose tokens stand for a client.
fn outside(client: &Client, after: &MapWorld, verdict: &mut Verdict) {
    let Authentication::Federated(federated) = &client.authentication else {
        return;
    };
    for (at, token) in federated.iter().enumerate() {
        let field = format!("spec.authentication.federated[{at}].tokenIssuer");
        match find(&token.issuer, after) {
            Found::External => {}
            Found::Managed(_) => verdict.refusals.push(format!(
                "{field}: TokenIssuer `{}` is a managed one; make the client one of its TokenClients, or name an outside issuer",
                token.issuer
            )),
            Found::NotYet(why) => verdict
                .warnings
                .push(format!("its tokens do not count until this is mended: {field}: {why}")),
        }
    }
}

/// What is said of the tokens that a workload may ask for.
pub(super) fn workload(identity: &ParsedIdentity, after: &MapWorld, domain: &TrustDomain, verdict: &mut Verdict) {
    let Ok(workload) = workload_of(identity, domain) else {
        return;
    };
    for name in workload.tokens.keys() {
        let field = format!("spec.tokens[{name}]");
        match find(name, after) {
            Found::Managed(issuer) => verdict.refusals.extend(texts(&check_workload(&workload, issuer))),
            Found::External => verdict.refusals.push(external(&field, name)),
            Found::NotYet(why) => verdict.warnings.push(format!(
                "the workload gets none of its tokens until this is mended: {field}: {why}"
            )),
        }
    }
}

/// What is said of a `TokenRevocation`.
pub(super) fn revocation(change: &Change<'_>, after: &MapWorld, now: i64) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(object) = change.new else { return verdict };
    let revocation = match read_revocation(&change.name.name, &object["spec"]) {
        Ok(revocation) => revocation,
        Err(problems) => {
            verdict.refusals = texts(&problems);
            return verdict;
        }
    };
    verdict.refusals.extend(texts(&check_revocation(&revocation, now)));
    match find(&revocation.issuer, after) {
        Found::Managed(issuer) => {
            let longest = match revocation.revoked {
                Revoked::Family(_) => issuer.refresh.absolute,
                _ => issuer.longest_token(),
            };
            if revocation.until.saturating_sub(now) < longest {
                verdict.warnings.push(format!(
                    "spec.until: tokens of TokenIssuer `{}` may live for {longest} s, and those that are still alive at that time \
                     count again; give a later time",
                    issuer.name
                ));
            }
        }
        Found::External => verdict.refusals.push(format!(
            "spec.issuer: TokenIssuer `{}` is an outside one, which revokes its tokens itself; name one with managed",
            revocation.issuer
        )),
        Found::NotYet(why) => verdict
            .warnings
            .push(format!("nothing is revoked until this is mended: spec.issuer: {why}")),
    }
    verdict
}

/// Another managed issuer with the same identifier: tokens of one would be taken for those of the other.
pub(super) fn twin(name: &str, after: &MapWorld) -> Option<String> {
    let Found::Managed(own) = find(name, after) else {
        return None;
    };
    let twin = after
        .token_issuers
        .values()
        .filter_map(|parsed| parsed.issuer.as_ref().ok()?.managed.as_deref())
        .find(|other| other.issuer == own.issuer && other.name != name)?;
    Some(format!(
        "spec.managed.issuer: `{}` is TokenIssuer `{}` already; give each its own path or host",
        own.issuer, twin.name
    ))
}

/// The clients that get no tokens any more, once their issuer is as it is in `after`.
pub(super) fn clients_left(issuer: &str, before: &MapWorld, after: &MapWorld) -> Vec<String> {
    let served = |client: &Client, world| match find(issuer, world) {
        Found::Managed(issuer) => Some(check(client, issuer))
            .filter(|problems| !problems.is_empty())
            .map(|problems| summary(&problems)),
        Found::External => Some(format!("TokenIssuer `{issuer}` is an outside one")),
        Found::NotYet(why) => Some(why),
    };
    let clients = after.token_clients.values().filter_map(|client| client.as_ref().ok());
    let mut warnings: Vec<String> = clients
        .filter(|client| client.issuer == issuer && served(client, before).is_none())
        .filter_map(|client| Some((client, served(client, after)?)))
        .map(|(client, why)| format!("TokenClient `{}` will get no tokens any more: {why}", client.object))
        .collect();
    shorten(&mut warnings);
    warnings
}
