//! Waivers: what is written in one, and which fields its patterns match.
#![no_main]

use countersign_fuzz::{NOW, SCANNER};
use countersign_scan::{ObjectId, Waiver, Waivers};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const OBJECT: ObjectId<'_> = ObjectId {
    group: "",
    kind: "ConfigMap",
    namespace: "shop",
    name: "app",
};

fuzz_target!(|text: &str| {
    // A waiver that is anything.
    if let Ok(object) = serde_json::from_str(text) {
        drop(Waiver::parse(&object));
    }
    // One whose pattern and end are from the input, and a finding at a place that is from it too.
    let mut parts = text.splitn(3, '\n');
    let (pattern, key, end) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or("a"),
        parts.next(),
    );
    let waiver = json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": {"object": {"kind": "ConfigMap", "name": "app"},
        "rule": "literal-password", "fields": [pattern], "reason": "a test", "expires": end.unwrap_or("2099-01-01T00:00:00Z")}});
    let Ok(waiver) = Waiver::parse(&waiver) else {
        return;
    };
    let expired = waiver.is_expired(NOW);
    let waivers = Waivers::new([waiver], None);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {key: {key: {"password": "hunter2hunter2"}}}});
    for finding in SCANNER
        .scan_json(object.to_string().as_bytes(), NOW)
        .unwrap_or_default()
    {
        let covered = waivers.covers(&OBJECT, &finding, NOW).is_some();
        assert!(!(covered && expired), "a waiver that has ended covers nothing");
    }
});
