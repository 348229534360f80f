//! Goldens: each file in `tests/golden` holds objects, and below `# Output` what they are compiled to, status included.
//!
//! `UPDATE_GOLDEN=1 cargo test -p countersign-policy --test golden` writes the outputs anew: read the diff.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests want to fail at once")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_crds::ApiAuthPolicyStatus;
use countersign_identity::testing::SigningKey;
use countersign_policy::conditions::{Applied, policy_status};
use countersign_policy::object::Owner;
use countersign_policy::world::{GatewayFacts, HttpRouteFacts, NamespaceFacts, PodFacts, ServiceFacts};
use countersign_policy::{MapWorld, MeshSettings, ObjectName, evaluate, parse};
use serde_json::{Value, json};

const OUTPUT: &str = "# Output\n";
/// Stands for a key set that is made at run time.
const KEYS: &str = "KEYS";

fn documents(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

fn text(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn add(world: &mut MapWorld, object: &Value, keys: &str) {
    let name = ObjectName::new(text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    let meta_labels = labels(&object["metadata"]["labels"]);
    let spec = &object["spec"];
    match object["kind"].as_str().unwrap() {
        "Namespace" => {
            world.namespaces.insert(name.name, NamespaceFacts::read(&meta_labels));
        }
        "Service" => {
            world.services.insert(name, ServiceFacts::read(&meta_labels, spec));
        }
        "Gateway" => {
            world.gateways.insert(name, GatewayFacts::read(spec));
        }
        "HTTPRoute" => {
            let facts = HttpRouteFacts::read(&name.namespace, spec);
            world.http_routes.insert(name, facts);
        }
        "Pod" => {
            let annotations = labels(&object["metadata"]["annotations"]);
            world.pods.insert(name, PodFacts::read(meta_labels, &annotations));
        }
        "ServiceIdentity" => {
            world.service_identities.insert(
                name.clone(),
                parse::service_identity(name, spec, jiff::Timestamp::UNIX_EPOCH),
            );
        }
        "TokenIssuer" => {
            let mut spec = spec.clone();
            if spec["external"]["jwks"] == KEYS {
                spec["external"]["jwks"] = json!(keys);
            }
            let mut status = object["status"].clone();
            if status["jwks"] == KEYS {
                status["jwks"] = json!(keys);
            }
            world
                .token_issuers
                .insert(name.name.clone(), parse::token_issuer(&name.name, &spec, &status));
        }
        "ApiAuthPolicy" => {
            world.policies.insert(name.clone(), parse::policy(name, spec));
        }
        other => panic!("goldens have no {other}"),
    }
}

fn render(input: &str) -> String {
    let key = SigningKey::generate("k1", jsonwebtoken::Algorithm::ES256);
    let keys = countersign_identity::KeySet::parse(&SigningKey::jwks(&[&key]))
        .unwrap()
        .to_json();
    let mut world = MapWorld::default();
    for object in documents(input) {
        add(&mut world, &object, &keys);
    }
    let mesh = MeshSettings {
        trust_domain: "cluster.local".parse().unwrap(),
        root_namespace: "istio-system".to_owned(),
    };
    let mut output = String::new();
    for name in world.policies.keys() {
        let evaluation = evaluate(name, &world, &mesh).unwrap();
        let owner = Owner {
            name: &name.name,
            uid: "uid",
        };
        for object in &evaluation.desired {
            let mut manifest = object.manifest(&owner);
            // What ties an object to its policy is the same for all, and has a test of its own.
            let metadata = manifest["metadata"].as_object_mut().unwrap();
            metadata.remove("labels");
            metadata.remove("ownerReferences");
            metadata["annotations"]
                .as_object_mut()
                .unwrap()
                .remove("countersign.dev/policy");
            metadata.retain(|_, value| *value != json!({}));
            output.push_str(&serde_saphyr::to_string(&manifest).unwrap());
            output.push_str("---\n");
        }
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let status = policy_status(
            &evaluation.report,
            &Applied::Current,
            1,
            &ApiAuthPolicyStatus::default(),
            now,
        );
        let mut status = serde_json::to_value(status).unwrap();
        for condition in status["conditions"].as_array_mut().unwrap() {
            condition
                .as_object_mut()
                .unwrap()
                .retain(|name, _| !matches!(name.as_str(), "lastTransitionTime" | "observedGeneration"));
        }
        let keep = if evaluation.keep_refusals {
            json!({ "keepRefusals": true })
        } else {
            json!({})
        };
        let mut last = json!({ "policy": name.to_string(), "status": status });
        last.as_object_mut().unwrap().extend(keep.as_object().unwrap().clone());
        output.push_str(&serde_saphyr::to_string(&last).unwrap());
        output.push_str("---\n");
    }
    output
        .trim_end_matches("---\n")
        .replace(&keys.replace('\\', "\\\\").replace('"', "\\\""), KEYS)
        .replace(&keys, KEYS)
}

fn goldens() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_golden_is_current() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut stale = Vec::new();
    for file in goldens() {
        let golden = fs::read_to_string(&file).unwrap();
        let (input, expected) = golden.split_once(OUTPUT).unwrap_or((&golden, ""));
        let actual = render(input);
        if update {
            fs::write(&file, format!("{}\n{OUTPUT}{actual}", input.trim_end())).unwrap();
        } else if documents(expected) != documents(&actual) {
            stale.push(format!("{}:\n{actual}", file.display()));
        }
    }
    assert!(
        stale.is_empty(),
        "goldens differ; what is compiled now:\n{}",
        stale.join("\n")
    );
}
