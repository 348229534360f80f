//! Names of Services: in DNS, and in Consul.

use super::fields::is_label;

/// The cluster's own DNS domain.
const CLUSTER_DOMAIN: &str = "cluster.local";

/// The name of a service in Consul. It is found by DNS there, and an asterisk is everybody.
pub(super) fn in_consul(name: &str) -> Result<(), String> {
    if is_label(name) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is not the name of a service in Consul: up to 63 lower-case letters, digits and hyphens, with a letter or \
         digit at both ends"
    ))
}

/// A DNS name of a Service in the namespace, or of a Pod of a headless one there.
pub(super) fn of_service(namespace: &str, name: &str) -> Result<(), String> {
    if name.contains('*') {
        return Err(format!("`{name}` is a wildcard; write out each name that is meant"));
    }
    let labels: Vec<&str> = name.split('.').collect();
    // Whatever ends in a number is an address to those who connect (URL standard, section 3.5).
    if name.contains(':')
        || labels
            .last()
            .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(format!(
            "`{name}` is an address, or reads like one; only names of Services can be given"
        ));
    }
    if name.len() > 253 || !labels.iter().all(|label| is_label(label)) {
        return Err(format!("`{name}` is not a DNS name in lower case"));
    }
    // Shorter forms are names that clients in other namespaces mean their own Services by, or that mean somebody else on the
    // Internet: a namespace may be called like a top-level domain.
    let service = name
        .strip_suffix(&format!(".svc.{CLUSTER_DOMAIN}"))
        .or_else(|| name.strip_suffix(".svc"));
    let labels: Vec<&str> = service.map(|service| service.split('.').collect()).unwrap_or_default();
    match labels.as_slice() {
        [_service, home] | [_, _service, home] if *home == namespace => Ok(()),
        _ => Err(format!(
            "`{name}` is not the name of a Service of namespace `{namespace}`; write <service>.{namespace}.svc or \
             <service>.{namespace}.svc.{CLUSTER_DOMAIN}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_namespaces_own_services_pass() {
        for name in [
            "web.shop.svc",
            "web.shop.svc.cluster.local",
            "web-0.web.shop.svc",
            "web-0.web.shop.svc.cluster.local",
        ] {
            assert_eq!(of_service("shop", name), Ok(()), "{name}");
        }
    }

    #[test]
    fn other_names_do_not() {
        for name in [
            "",
            "web",
            "web.shop",
            "web-0.web.shop",
            "*.shop",
            "*.web.shop.svc",
            "web.bank",
            "web.bank.svc",
            "web.bank.svc.cluster.local",
            "web.shop.svc.cluster.local.",
            "web.shop.svc.cluster.example",
            "web.shop.pod.cluster.local",
            "shop.svc",
            "shop.svc.cluster.local",
            "a.web-0.web.shop.svc",
            "a.web-0.web.shop",
            "example.com",
            "Web.shop",
            "web..shop",
            "-web.shop",
            "web_1.shop",
            "10.0.0.1",
            "1",
            "::1",
            "web shop",
            &format!("{}.shop", "a".repeat(64)),
        ] {
            assert!(of_service("shop", name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_namespace_that_is_called_like_a_part_of_names_gets_no_foreign_ones() {
        assert_eq!(of_service("svc", "web.svc.svc"), Ok(()));
        assert_eq!(of_service("local", "web.local.svc.cluster.local"), Ok(()));
        assert_eq!(of_service("7", "web.7.svc"), Ok(()));
        for (namespace, name) in [
            ("svc", "web.svc"),
            ("svc", "web.bank.svc"),
            ("local", "web.bank.svc.cluster.local"),
            ("cluster", "web.cluster.local"),
            ("7", "web.7"),
            ("dev", "partner.dev"),
            ("dev", "api.partner.dev"),
            ("io", "kubernetes.io"),
        ] {
            assert!(of_service(namespace, name).is_err(), "{name} in {namespace}");
        }
    }
}
