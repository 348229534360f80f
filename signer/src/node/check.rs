//! Whether a workload is one that an agent may ask for.

use super::Refusal;
use super::proto::Workload;
use countersign_runtime::callers::{Account, PodView};

/// Whether whoever asks is an agent. Gives its node.
///
/// # Errors
///
/// If it runs as another service account, or on no node.
pub fn agent<'a>(expected: &Account, pod: &'a PodView) -> Result<&'a str, Refusal> {
    if pod.account != *expected {
        return Err(Refusal::NotTheAgent(pod.account.clone()));
    }
    if pod.node.is_empty() {
        return Err(Refusal::NoNode);
    }
    Ok(&pod.node)
}

/// The Pod that a request names.
///
/// # Errors
///
/// If a part of its name is missing.
pub fn named(workload: Option<&Workload>) -> Result<&Workload, Refusal> {
    workload
        .filter(|named| !(named.namespace.is_empty() || named.name.is_empty() || named.uid.is_empty()))
        .ok_or(Refusal::NoWorkload)
}

/// Whether the Pod of that name is the one that is named, lives, and runs on the agent's node. Gives its service account.
///
/// # Errors
///
/// If one of these does not hold.
pub fn workload<'a>(named: &Workload, node: &str, pod: Option<&'a PodView>) -> Result<&'a Account, Refusal> {
    let pod = pod.ok_or(Refusal::Gone)?;
    if pod.uid != named.uid || pod.name != named.name || pod.account.namespace != named.namespace {
        return Err(Refusal::Gone);
    }
    if node.is_empty() || pod.node != node {
        return Err(Refusal::OtherNode);
    }
    if !pod.live {
        return Err(Refusal::Ended);
    }
    Ok(&pod.account)
}
