//! Commands: lists of arguments, and scripts.
#![no_main]

use countersign_fuzz::{config_map, scan};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let items: Vec<&str> = text.split('\0').collect();
    let (command, args) = items.split_at(items.len() / 2);
    scan(
        &json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "command": command, "args": args}]}}),
    );
    scan(
        &json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "command": ["sh", "-c", text]}]}}),
    );
    scan(&config_map("start.sh", text));
});
