//! Helm keeps each release as a Secret or a ConfigMap: base64 of base64 of gzip of JSON. What was given and what was
//! rendered is judged; the chart's own templates and defaults are not what runs.

use super::decode::{self, Inflated};
use super::engine::{Context, Engine};
use super::place::Place;
use crate::carrier;
use crate::tree::Node;

/// Whether an object holds a release.
pub(super) fn is_release(node: &Node<'_>) -> bool {
    let kind = node.get("type").and_then(Node::as_str);
    let owner = node.at(&["metadata", "labels", "owner"]).and_then(Node::as_str);
    let release = node.at(&["data", "release"]).is_some();
    kind.is_some_and(|kind| kind.starts_with("helm.sh/release")) || (owner == Some("helm") && release)
}

impl Engine<'_> {
    /// The data of a release.
    pub fn release(&mut self, place: &Place<'_>, data: &Node<'_>, context: Context) {
        for (key, value) in data.members() {
            let here = place.key(key);
            if let Some(text) = value.as_str() {
                self.encoded_release(&here, text, context);
            }
        }
    }

    /// Takes off one layer of base64 after the other, until the compressed JSON is there.
    fn encoded_release(&mut self, place: &Place<'_>, text: &str, context: Context) {
        let Some(bytes) = decode::base64(text) else {
            return self.text(place, None, text, context);
        };
        let here = place.read("base64");
        let context = context.after_decoding();
        if let Some(inner) = decode::as_text(&bytes) {
            if self.spend(inner.as_bytes(), &here, context) {
                self.encoded_release(&here, inner, context);
            }
            return;
        }
        match decode::gzip(&bytes, decode::STREAM_CAP.min(self.left())) {
            Inflated::Bytes(json) => self.release_json(&here.read("gzip"), &json, context.after_decoding()),
            Inflated::TooLarge => self.give_up(&bytes, &here, context),
            Inflated::Broken => {}
        }
    }

    fn release_json(&mut self, place: &Place<'_>, json: &[u8], context: Context) {
        if !self.spend(json, place, context) {
            return;
        }
        let Ok(release) = serde_json::from_slice::<Node<'_>>(json) else {
            // Nobody knows what is in it.
            return self.give_up(json, place, context);
        };
        let place = place.read("json");
        if let Some(config) = release.get("config") {
            self.node(&place.key("config"), config, None, context);
        }
        if let Some(manifest) = release.get("manifest").and_then(Node::as_str) {
            self.manifest(&place.key("manifest"), manifest, context);
        }
        let hooks = place.key("hooks");
        for (index, hook) in release.get("hooks").map_or(&[][..], Node::items).iter().enumerate() {
            if let Some(manifest) = hook.get("manifest").and_then(Node::as_str) {
                let here = hooks.index(index);
                self.manifest(&here.key("manifest"), manifest, context);
            }
        }
    }

    fn manifest(&mut self, place: &Place<'_>, text: &str, context: Context) {
        match carrier::manifest(text) {
            Some(documents) => self.documents(&place.read("yaml"), &documents, context.after_reading()),
            None => self.text(place, Some("manifest.yaml"), text, context),
        }
    }
}
