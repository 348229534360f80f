//! The Secret with the authority, read as strictly as the signer reads it, by other means.

use std::collections::BTreeMap;

use countersign_identity::{Fingerprint, pem};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use rcgen::{KeyPair, PublicKeyData as _};
use serde_json::Value;

/// What is kept.
pub struct Kept {
    pub state: Value,
    entries: BTreeMap<String, ByteString>,
}

impl Kept {
    /// Reads it. What does not fit together is a panic.
    pub fn read(secret: &Secret) -> Self {
        assert_eq!(secret.type_.as_deref(), Some("countersign.dev/certificate-authority"));
        let entries = secret.data.clone().unwrap();
        let document: Value = serde_json::from_slice(&entries["state.json"].0).unwrap();
        let kept = Self {
            state: document["state"].clone(),
            entries,
        };
        kept.check();
        kept
    }

    fn check(&self) {
        let active: Vec<&Value> = self.roots().filter(|root| root["state"] == "Active").collect();
        assert!(active.len() <= 1, "{:?}", self.state);
        for root in self.roots() {
            let sha256 = text(&root["sha256"]);
            assert_eq!(self.fingerprint(&format!("root-{sha256}.crt")), sha256);
            if root["origin"] == "Made" && root["state"] != "Retiring" {
                self.key(&format!("root-{sha256}.key"));
            }
        }
        let signing = &self.state["signing"];
        assert_eq!(self.fingerprint("intermediate.crt"), text(&signing["sha256"]));
        assert_eq!(active[0]["sha256"], signing["under"]);
        self.key("intermediate.key");
        self.check_jwt_keys();
    }

    fn check_jwt_keys(&self) {
        let keys = self.state["jwtKeys"].as_array().unwrap();
        let active = keys.iter().filter(|key| key["stage"]["active"].is_object());
        assert_eq!(active.count(), 1, "{:?}", self.state);
        let text = std::str::from_utf8(&self.entries["jwt-keys.json"].0).unwrap();
        for key in keys {
            let id = key["id"].as_str().unwrap();
            assert!(text.contains(&format!("\"kid\":\"{id}\"")), "{text}");
            if key["stage"]["retiring"].is_null() {
                self.key(&format!("jwt-{id}.key"));
            }
        }
    }

    fn fingerprint(&self, entry: &str) -> String {
        let certificate = pem::certificates(&self.entries[entry].0).next().unwrap().unwrap();
        Fingerprint::of(&certificate).to_string()
    }

    fn key(&self, entry: &str) -> Vec<u8> {
        let text = std::str::from_utf8(&self.entries[entry].0).unwrap();
        KeyPair::from_pem(text).unwrap().der_bytes().to_vec()
    }

    /// The private keys, by the lines that only they have.
    pub fn secrets(&self) -> Vec<String> {
        let keys = self
            .entries
            .iter()
            .filter(|(name, _)| name.rsplit('.').next() == Some("key"));
        keys.map(|(_, bytes)| {
            std::str::from_utf8(&bytes.0)
                .unwrap()
                .lines()
                .nth(1)
                .unwrap()
                .to_owned()
        })
        .collect()
    }

    pub fn roots(&self) -> impl Iterator<Item = &Value> {
        self.state["roots"].as_array().unwrap().iter()
    }

    /// The intermediate that signs.
    pub fn signing(&self) -> String {
        text(&self.state["signing"]["sha256"])
    }

    /// The root that it is under.
    pub fn under(&self) -> String {
        text(&self.state["signing"]["under"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
