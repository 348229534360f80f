//! What is published, and as what.

use std::collections::{BTreeMap, BTreeSet};

use countersign_identity::{Bundle, TrustDomain};
use k8s_openapi::api::core::v1::ConfigMap;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

/// The name by which Pods ask for these roots.
pub const SIGNER_NAME: &str = "countersign.dev/spiffe";
/// The label by which a namespace asks for the ConfigMap, with the value `enabled`.
pub const BUNDLE_LABEL: &str = "countersign.dev/trust-bundle";
/// The label that tells whose roots an object holds. It marks ConfigMaps that are the signer's.
pub const TRUST_DOMAIN_LABEL: &str = "countersign.dev/trust-domain";
/// The name of the ConfigMaps.
pub const CONFIG_MAP: &str = "countersign-trust-bundle";

/// Where Istio's proxies look for the roots, in the ConfigMap that `global.trustBundleName` of Istio's charts names.
const ISTIO_ENTRY: &str = "root-cert.pem";

const MANAGED: (&str, &str) = ("app.kubernetes.io/managed-by", "countersign-signer");
/// The longest value of a label.
const LONGEST_LABEL: usize = 63;

/// What is published of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    trust_domain: TrustDomain,
    pem: String,
    jwks: String,
    /// The roots in it.
    pub(super) roots: BTreeSet<String>,
    /// The keys of JWT-SVIDs in it.
    pub(super) jwt_keys: BTreeSet<String>,
}

/// The name of the `ClusterTrustBundle` of a trust domain. It begins with the signer's name, as the API server demands; an
/// underscore, which a trust domain may have and an object's name may not, becomes a dash.
pub fn bundle_name(trust_domain: &TrustDomain) -> String {
    let domain = trust_domain.as_str().replace('_', "-");
    format!("{}:{domain}", SIGNER_NAME.replace('/', ":"))
}

/// The roots of a bundle, as TLS libraries take them; none before it is known.
pub fn certificates(bundle: Option<&Bundle>) -> Vec<CertificateDer<'static>> {
    let roots = bundle.into_iter().flat_map(Bundle::roots);
    roots.map(|root| root.certificate().clone()).collect()
}

impl Content {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self {
            trust_domain: bundle.trust_domain().clone(),
            pem: bundle.to_pem(),
            jwks: bundle.to_jwks(),
            roots: bundle.roots().map(|root| root.fingerprint().to_string()).collect(),
            jwt_keys: bundle
                .jwt_keys()
                .filter_map(|key| key.id())
                .map(str::to_owned)
                .collect(),
        }
    }

    fn labels(&self) -> BTreeMap<&str, &str> {
        let domain = self.trust_domain.as_str();
        // Of a longer one the end, which tells domains apart least badly, would not be a valid value for sure.
        let domain = domain.get(..LONGEST_LABEL).unwrap_or(domain);
        let domain = domain.trim_matches(|character: char| !character.is_ascii_alphanumeric());
        BTreeMap::from([MANAGED, (TRUST_DOMAIN_LABEL, domain)])
    }

    fn data(&self) -> BTreeMap<&str, &str> {
        BTreeMap::from([
            ("ca.crt", self.pem.as_str()),
            (ISTIO_ENTRY, self.pem.as_str()),
            ("bundle.json", self.jwks.as_str()),
        ])
    }

    pub(super) fn config_map(&self, namespace: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIG_MAP, "namespace": namespace, "labels": self.labels()},
            "data": self.data(),
        })
    }

    pub(super) fn cluster_trust_bundle(&self, api_version: &str) -> Value {
        json!({
            "apiVersion": api_version,
            "kind": "ClusterTrustBundle",
            "metadata": {"name": bundle_name(&self.trust_domain), "labels": self.labels()},
            "spec": {"signerName": SIGNER_NAME, "trustBundle": self.pem},
        })
    }

    /// Whether a ConfigMap has all of this. What others added is theirs.
    pub(super) fn is_in_config_map(&self, there: &ConfigMap) -> bool {
        let data = there.data.as_ref();
        let has = |(key, value): (&str, &str)| data.and_then(|data| data.get(key)).map(String::as_str) == Some(value);
        self.data().into_iter().all(has) && self.has_labels(there.metadata.labels.as_ref())
    }

    /// Whether a `ClusterTrustBundle` has all of this.
    pub(super) fn is_in_bundle(&self, labels: Option<&BTreeMap<String, String>>, data: &Value) -> bool {
        let spec = &data["spec"];
        spec["trustBundle"] == self.pem && spec["signerName"] == SIGNER_NAME && self.has_labels(labels)
    }

    fn has_labels(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        let has =
            |(key, value): (&str, &str)| labels.and_then(|labels| labels.get(key)).map(String::as_str) == Some(value);
        self.labels().into_iter().all(has)
    }
}

/// Whether a ConfigMap is the signer's: it wrote this label, or nobody did.
pub(super) fn is_ours(there: &ConfigMap) -> bool {
    let labels = there.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(MANAGED.0)).map(String::as_str) == Some(MANAGED.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(domain: &str) -> Content {
        let mut content = Content::of(&Bundle::new(domain.parse().unwrap()));
        content.pem = "roots".to_owned();
        content
    }

    #[test]
    fn the_name_begins_with_the_signer() {
        let name = |domain: &str| bundle_name(&domain.parse().unwrap());
        assert_eq!(name("cluster.local"), "countersign.dev:spiffe:cluster.local");
        assert_eq!(name("a_b"), "countersign.dev:spiffe:a-b");
    }

    #[test]
    fn what_somebody_edited_is_seen() {
        let content = content("example.org");
        let whole: ConfigMap = serde_json::from_value(content.config_map("shop")).unwrap();
        assert!(content.is_in_config_map(&whole) && is_ours(&whole));
        let mut more = whole.clone();
        more.data.as_mut().unwrap().insert("mine".to_owned(), String::new());
        assert!(content.is_in_config_map(&more), "what others add is theirs");
        let mut edited = whole.clone();
        edited
            .data
            .as_mut()
            .unwrap()
            .insert("ca.crt".to_owned(), "mine".to_owned());
        assert!(!content.is_in_config_map(&edited));
        let mut bare = whole;
        bare.metadata.labels = None;
        assert!(!content.is_in_config_map(&bare) && !is_ours(&bare));
        let mut bundle = content.cluster_trust_bundle("certificates.k8s.io/v1");
        let labels: BTreeMap<String, String> = serde_json::from_value(bundle["metadata"]["labels"].clone()).unwrap();
        assert!(content.is_in_bundle(Some(&labels), &bundle));
        assert!(!content.is_in_bundle(None, &bundle));
        bundle["spec"]["trustBundle"] = "mine".into();
        assert!(!content.is_in_bundle(Some(&labels), &bundle));
    }

    #[test]
    fn a_label_has_room_for_the_domain() {
        let long = format!("{}-{}", "a".repeat(62), "b".repeat(40));
        let content = content(&long);
        assert_eq!(content.labels()[TRUST_DOMAIN_LABEL], "a".repeat(62));
    }
}
