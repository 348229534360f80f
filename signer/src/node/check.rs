//! Whether a workload is one that an agent may ask for.

use super::Refusal;
use super::proto::Workload;
use countersign_runtime::callers::{Account, PodView};

/// The longest name of an object, in bytes.
const LONGEST_NAME: usize = 253;

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
/// If a part of its name is missing, or cannot be one: the API server is asked by it.
pub fn named(workload: Option<&Workload>) -> Result<&Workload, Refusal> {
    workload
        .filter(|named| {
            [&named.namespace, &named.name, &named.uid]
                .into_iter()
                .all(|part| is_name(part))
        })
        .ok_or(Refusal::NoWorkload)
}

/// Whether a text has the form of a name or UID in Kubernetes, so that in a path it is one part and never another one.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(letter);
    text.len() <= LONGEST_NAME
        && ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.bytes().all(|byte| letter(byte) || matches!(byte, b'-' | b'.'))
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("shop", "cart-1.2", true)]
    #[case::no_namespace("", "cart", false)]
    #[case::no_name("shop", "", false)]
    #[case::another_place("shop", "../secrets/key", false)]
    #[case::the_place_above("shop", "..", false)]
    #[case::another_kind("shop/secrets", "key", false)]
    #[case::a_query("shop", "cart?watch=true", false)]
    #[case::encoded("shop", "cart%2f1", false)]
    #[case::upper_case("shop", "Cart", false)]
    #[case::too_long("shop", &"a".repeat(254), false)]
    fn a_pod_is_asked_for_by_what_can_be_its_name(#[case] namespace: &str, #[case] name: &str, #[case] good: bool) {
        let workload = Workload {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: "11111111-2222-4333-8444-555555555555".to_owned(),
        };
        assert_eq!(named(Some(&workload)).is_ok(), good);
        let odd = Workload {
            uid: "a b".to_owned(),
            ..workload
        };
        assert_eq!(named(Some(&odd)), Err(Refusal::NoWorkload));
    }
}
