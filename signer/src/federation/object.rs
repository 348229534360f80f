//! What a `FederatedTrustDomain` asks for.

use countersign_crds::FederatedTrustDomainSpec;
use countersign_crds::federated_trust_domain::FederatedTrustDomainStatus;
use countersign_identity::TrustDomain;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::core::DynamicObject;

/// The longest name of a trust domain that has room in the name of a ConfigMap's entry.
const LONGEST_DOMAIN: usize = 230;

/// What is to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Whose bundle it is.
    pub domain: TrustDomain,
    /// Where from.
    pub url: String,
    /// The authorities, in PEM, that the endpoint is verified with instead of the public ones.
    pub ca_bundle: Option<String>,
    /// How often, if not as the bundle itself asks for.
    pub refresh: Option<SignedDuration>,
}

/// A `FederatedTrustDomain`, as it was seen last.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its generation.
    pub generation: Option<i64>,
    /// When it was made.
    pub created: Timestamp,
    /// What it was told last.
    pub status: Option<FederatedTrustDomainStatus>,
    /// What it asks for, or why that cannot be done.
    pub wanted: Result<Wanted, String>,
}

impl Seen {
    /// Reads an object.
    pub fn read(object: &DynamicObject) -> Self {
        let created = object.metadata.creation_timestamp.as_ref();
        Self {
            name: object.name_any(),
            uid: object.uid().unwrap_or_default(),
            generation: object.metadata.generation,
            created: created.map_or(Timestamp::MAX, |created| created.0),
            status: serde_json::from_value(object.data["status"].clone()).ok(),
            wanted: wanted(object),
        }
    }
}

fn wanted(object: &DynamicObject) -> Result<Wanted, String> {
    let spec: FederatedTrustDomainSpec =
        serde_json::from_value(object.data["spec"].clone()).map_err(|error| format!("spec: {error}"))?;
    let domain: TrustDomain = spec
        .trust_domain
        .parse()
        .map_err(|error| format!("spec.trustDomain: {error}"))?;
    if domain.as_str().len() > LONGEST_DOMAIN {
        return Err(format!(
            "spec.trustDomain: longer than {LONGEST_DOMAIN} bytes, for which a ConfigMap has no room"
        ));
    }
    let url = spec.bundle_endpoint.url;
    let is_https = reqwest::Url::parse(&url).is_ok_and(|url| url.scheme() == "https" && url.username().is_empty());
    if !is_https {
        return Err("spec.bundleEndpoint.url: not an https URL without a user name".to_owned());
    }
    let refresh = spec
        .refresh
        .map(|text| {
            text.parse()
                .map_err(|_| "spec.refresh: not a duration such as 5m".to_owned())
        })
        .transpose()?;
    Ok(Wanted {
        domain,
        url,
        ca_bundle: spec.bundle_endpoint.ca_bundle,
        refresh,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: &Value) -> Seen {
        let object = json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "FederatedTrustDomain",
            "metadata": {"name": "partner", "uid": "u1", "generation": 3, "creationTimestamp": "2026-11-24T12:00:00Z"},
            "spec": spec, "status": {"sequence": 7},
        });
        Seen::read(&serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_is_asked_for_is_read() {
        let seen = read(&json!({
            "trustDomain": "example.com", "refresh": "10m",
            "bundleEndpoint": {"url": "https://example.com/bundle", "caBundle": "pem"},
        }));
        let wanted = seen.wanted.unwrap();
        assert_eq!(wanted.domain.as_str(), "example.com");
        assert_eq!(wanted.refresh, Some(SignedDuration::from_mins(10)));
        assert_eq!(wanted.ca_bundle.as_deref(), Some("pem"));
        assert_eq!((seen.generation, seen.status.unwrap().sequence), (Some(3), Some(7)));
    }

    #[rstest]
    #[case(json!({"trustDomain": "Example", "bundleEndpoint": {"url": "https://a"}}), "spec.trustDomain")]
    #[case(json!({"trustDomain": "a".repeat(231), "bundleEndpoint": {"url": "https://a"}}), "no room")]
    #[case(json!({"trustDomain": "a", "bundleEndpoint": {"url": "http://a"}}), "https")]
    #[case(json!({"trustDomain": "a", "bundleEndpoint": {"url": "https://user:hunter2@a"}}), "user name")]
    #[case(json!({"trustDomain": "a", "bundleEndpoint": {"url": "https://a"}, "refresh": "soon"}), "spec.refresh")]
    #[case(json!({"trustDomain": "a"}), "spec: ")]
    fn what_cannot_be_done_is_said(#[case] spec: Value, #[case] part: &str) {
        let why = read(&spec).wanted.unwrap_err();
        assert!(why.contains(part) && !why.contains("hunter2"), "{why}");
    }
}
