//! The ConfigMap, in the signer's namespace, that the last good bundles are kept in. All replicas follow it.

use std::collections::BTreeMap;

use countersign_identity::{Bundle, TrustDomain};
use k8s_openapi::api::core::v1::ConfigMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::accept::Stored;
use crate::bundle::federated_entry;

/// Its name.
pub const CONFIG_MAP: &str = "countersign-federation";

/// How much all bundles may hold together, in bytes. They stand in each ConfigMap that workloads have the roots from, beside
/// the own roots, and a ConfigMap holds a megabyte.
const ROOM: usize = 384 * 1024;

/// There is no room for one more bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bundles of all foreign trust domains together would have more than {ROOM} bytes, for which a ConfigMap has no room: \
     delete a FederatedTrustDomain that is not needed, or ask the owners to take old keys out of their bundles"
)]
pub struct FullError;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    trust_domain: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    bundle: Value,
}

/// The last good bundles by their trust domains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keeping(BTreeMap<TrustDomain, Stored>);

impl Keeping {
    /// Reads the ConfigMap. What cannot be read, or is for the own trust domain, is left out: it is fetched again.
    pub fn read(own: &TrustDomain, config_map: &ConfigMap) -> Self {
        let entries = config_map.data.iter().flatten();
        let read = |(name, text): (&String, &String)| {
            let (domain, stored) = read(text)?;
            (domain != *own && *name == federated_entry(&domain, "json")).then_some((domain, stored))
        };
        Self(entries.filter_map(read).collect())
    }

    /// The entries of the ConfigMap.
    pub fn write(&self) -> BTreeMap<String, String> {
        let entry = |(domain, stored): (&TrustDomain, &Stored)| {
            let document = Document {
                trust_domain: domain.to_string(),
                url: stored.url.clone(),
                etag: stored.etag.clone(),
                bundle: serde_json::from_str(&stored.bundle.to_jwks()).ok()?,
            };
            let text = serde_json::to_string(&document).ok()?;
            Some((federated_entry(domain, "json"), text))
        };
        self.0.iter().filter_map(entry).collect()
    }

    /// What is kept of a trust domain.
    pub fn get(&self, domain: &TrustDomain) -> Option<&Stored> {
        self.0.get(domain)
    }

    /// Keeps a bundle in the place of the one before.
    ///
    /// # Errors
    ///
    /// If there is no room. Then the one before stays.
    pub fn put(&mut self, stored: Stored) -> Result<(), FullError> {
        let domain = stored.bundle.trust_domain().clone();
        let others = self.0.iter().filter(|(other, _)| **other != domain);
        let size: usize = others.map(|(_, other)| other.bundle.to_jwks().len()).sum();
        if size + stored.bundle.to_jwks().len() > ROOM {
            return Err(FullError);
        }
        self.0.insert(domain, stored);
        Ok(())
    }

    /// Forgets all but these.
    pub fn retain(&mut self, is_wanted: impl Fn(&TrustDomain) -> bool) {
        self.0.retain(|domain, _| is_wanted(domain));
    }

    /// The bundles.
    pub fn bundles(&self) -> BTreeMap<TrustDomain, Bundle> {
        let bundle = |(domain, stored): (&TrustDomain, &Stored)| (domain.clone(), stored.bundle.clone());
        self.0.iter().map(bundle).collect()
    }
}

fn read(text: &str) -> Option<(TrustDomain, Stored)> {
    let document: Document = serde_json::from_str(text).ok()?;
    let domain: TrustDomain = document.trust_domain.parse().ok()?;
    let received = Bundle::from_jwks(domain.clone(), &document.bundle.to_string()).ok()?;
    let stored = Stored {
        url: document.url,
        etag: document.etag,
        bundle: received.bundle,
    };
    Some((domain, stored))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, IsCa, KeyPair};

    use super::*;

    fn stored(domain: &str, padding: usize) -> Stored {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0; padding]);
        params.custom_extensions.push(extension);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut bundle = Bundle::new(domain.parse().unwrap());
        bundle.add_pem(certificate.pem().as_bytes()).unwrap();
        bundle.sequence = Some(3);
        Stored {
            url: "https://example.com".to_owned(),
            etag: Some("\"a\"".to_owned()),
            bundle,
        }
    }

    fn config_map(keeping: &Keeping) -> ConfigMap {
        ConfigMap {
            data: Some(keeping.write()),
            ..ConfigMap::default()
        }
    }

    #[test]
    fn what_is_kept_is_read() {
        let own: TrustDomain = "example.org".parse().unwrap();
        let mut keeping = Keeping::default();
        for domain in ["example.com", "_", "ca"] {
            keeping.put(stored(domain, 0)).unwrap();
        }
        let mut there = config_map(&keeping);
        assert_eq!(Keeping::read(&own, &there), keeping);
        // For ourselves nobody else speaks.
        assert_eq!(Keeping::read(&"ca".parse().unwrap(), &there).bundles().len(), 2);
        let data = there.data.as_mut().unwrap();
        let text = data["federated.ca.json"].clone();
        data.insert("federated.example.com.json".to_owned(), text);
        data.insert("federated._.json".to_owned(), "no JSON".to_owned());
        data.insert("more".to_owned(), String::new());
        let read = Keeping::read(&own, &there);
        assert_eq!(read.bundles().len(), 1, "{read:?}");
    }

    #[test]
    fn what_has_no_room_is_not_kept() {
        let mut keeping = Keeping::default();
        // Each is 80 kB in base64.
        for domain in ["a", "b", "c", "d"] {
            keeping.put(stored(domain, 60_000)).unwrap();
        }
        let before = keeping.clone();
        assert_eq!(keeping.put(stored("e", 60_000)), Err(FullError));
        assert_eq!(keeping, before);
        keeping.put(stored("d", 59_000)).unwrap();
        keeping.retain(|domain| domain.as_str() != "a");
        keeping.put(stored("e", 60_000)).unwrap();
        assert_eq!(keeping.bundles().len(), 4);
    }
}
