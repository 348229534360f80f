//! Objects that are made to be slow, and the largest that an API server takes.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// etcd takes requests up to 1.5 MiB, the API server takes bodies up to 3 MiB.
const LARGEST: usize = 3 << 20;

/// Names, and one object for each.
pub fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let values = [
        ("3 MiB prose", prose()),
        ("3 MiB random", random(LARGEST)),
        ("3 MiB base64", BASE64_STANDARD.encode(random(LARGEST * 3 / 4))),
        ("3 MiB colons", "://".repeat(LARGEST / 3)),
        ("3 MiB eyJ", "eyJ".repeat(LARGEST / 3)),
        ("3 MiB armour", "-----BEGIN ".repeat(LARGEST / 11)),
        ("3 MiB lines", "password=$(x)\n".repeat(LARGEST / 15)),
        ("3 MiB assignments", "password=".repeat(LARGEST / 9)),
        ("gzip bomb", BASE64_STANDARD.encode(gzip(&vec![b'a'; 1 << 30]))),
        ("nested 20 times", nested(20)),
    ];
    let mut objects: Vec<(&str, Vec<u8>)> = values.map(|(name, value)| (name, config_map(&value))).into();
    let items: Vec<Value> = (0..LARGEST / 8)
        .map(|number| json!(format!("{:x}", number & 0xffff)))
        .collect();
    objects.push((
        "3 MiB of short strings",
        json!({"kind": "Thing", "apiVersion": "x/v1", "spec": items})
            .to_string()
            .into_bytes(),
    ));
    objects.push(("100 levels", deep(100)));
    objects
}

fn config_map(value: &str) -> Vec<u8> {
    let object =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": {"file": value}});
    object.to_string().into_bytes()
}

fn prose() -> String {
    "the quick token jumps over the lazy secret, and no password is set here. ".repeat(LARGEST / 73)
}

fn random(length: usize) -> String {
    let mut rng = StdRng::seed_from_u64(3);
    (0..length).map(|_| char::from(rng.random_range(b' '..=b'~'))).collect()
}

#[expect(clippy::expect_used, reason = "memory takes what is written")]
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// base64 of gzip of base64 of gzip …
fn nested(times: usize) -> String {
    let start = "no credential, but who knows".repeat(1000);
    (0..times).fold(start, |text, _| BASE64_STANDARD.encode(gzip(text.as_bytes())))
}

/// As deep as is read.
fn deep(levels: usize) -> Vec<u8> {
    let spec = (0..levels).fold(json!("end"), |inner, _| json!({ "password": inner }));
    json!({"apiVersion": "x/v1", "kind": "Thing", "spec": spec})
        .to_string()
        .into_bytes()
}
