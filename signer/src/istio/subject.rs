//! Whose certificate it is to be, and what that one is granted.

use countersign_identity::SpiffeId;
use jiff::SignedDuration;

use super::profiles::Profile;
use super::refusal::Refusal;
use super::settings::Settings;
use crate::grant::{Grant, Usages};
use countersign_runtime::callers::{Account, Caller, PodView};

/// When certificates are to be renewed if no `ServiceIdentity` says so, in hundredths of their life.
const RENEW_AFTER_PERCENT: u8 = 50;

/// The account of an identity that a caller asks for on behalf of another, if it may ask for others at all.
///
/// # Errors
///
/// If the caller is no node's proxy, or the identity is not that of a service account of this trust domain.
pub fn on_behalf_of(settings: &Settings, caller: &Caller, id: &SpiffeId) -> Result<Account, Refusal> {
    if !settings.is_node_account(&caller.account) {
        return Err(Refusal::NotANodeAccount(caller.account.clone()));
    }
    let foreign = || Refusal::Foreign(id.clone());
    if id.trust_domain() != settings.trust_domain() {
        return Err(foreign());
    }
    let parts: Vec<&str> = id.path().split('/').collect();
    match parts.as_slice() {
        ["", "ns", namespace, "sa", name] => Ok(Account {
            namespace: (*namespace).to_owned(),
            name: (*name).to_owned(),
        }),
        _ => Err(foreign()),
    }
}

/// Whether a workload runs where the node's proxy does.
///
/// # Errors
///
/// If none of the Pods is a live one of that account on that node.
pub fn check_node(account: &Account, node: &str, pods: &[PodView]) -> Result<(), Refusal> {
    if node.is_empty() {
        return Err(Refusal::NoNode);
    }
    let here = |pod: &PodView| pod.live && pod.node == node && pod.account == *account;
    if pods.iter().any(here) {
        return Ok(());
    }
    Err(Refusal::NotOnNode {
        account: account.clone(),
        node: node.to_owned(),
    })
}

/// What an account is granted: its own identity, to serve and to call, for as long as asked and allowed.
///
/// # Errors
///
/// If the life that is asked for is too short.
pub fn grant(
    settings: &Settings,
    account: &Account,
    profile: Option<&Profile>,
    asked: Option<SignedDuration>,
) -> Result<Grant, Refusal> {
    let shortest = settings.shortest();
    if let Some(asked) = asked.filter(|asked| *asked < shortest) {
        return Err(Refusal::TooShort { asked, shortest });
    }
    let longest = profile.map_or(settings.longest(), |profile| profile.lifetime.min(settings.longest()));
    let spiffe_id = SpiffeId::service_account(settings.trust_domain(), &account.namespace, &account.name)
        .map_err(|_| Refusal::Name)?;
    Ok(Grant {
        namespace: account.namespace.clone(),
        service_account: account.name.clone(),
        service_identity: profile.map(|profile| profile.service_identity.clone()),
        spiffe_id,
        key_type: profile.map(|profile| profile.key_type),
        dns_names: Vec::new(),
        usages: Usages {
            server: true,
            client: true,
        },
        lifetime: asked.map_or(longest, |asked| asked.min(longest)),
        renew_after_percent: profile.map_or(RENEW_AFTER_PERCENT, |profile| profile.renew_after_percent),
    })
}
