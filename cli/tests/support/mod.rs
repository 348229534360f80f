//! Runs the binary on files that are made here, with credentials that are made here.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tempfile::TempDir;

/// A directory to scan.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the directories that it is in.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Runs `countersign` here.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs `countersign` here with something on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("KUBECONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who names no `-` ends without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What `-o json` says of paths, and the exit code.
    pub fn findings(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let run = self.run(&[&["scan", "-o", "json"], arguments].concat());
        (run.code, run.findings())
    }
}

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub fn findings(&self) -> Vec<Value> {
        let report: Value = serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        report["findings"].as_array().unwrap().clone()
    }
}

/// A password that was never used anywhere.
pub fn password(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let alphabet = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    (0..24)
        .map(|_| char::from(alphabet[random.random_range(..alphabet.len())]))
        .collect()
}

/// A GitHub token that was never issued, with the checksum that makes it one: the CRC-32 of its random part in base 62.
pub fn github_token(seed: u64) -> String {
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut random = StdRng::seed_from_u64(seed);
    let body: String = (0..30)
        .map(|_| char::from(alphabet[random.random_range(..alphabet.len())]))
        .collect();
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut checksum = [b'0'; 6];
    for digit in checksum.iter_mut().rev() {
        *digit = alphabet[(rest % 62) as usize];
        rest /= 62;
    }
    format!("ghp_{body}{}", std::str::from_utf8(&checksum).unwrap())
}

/// A Deployment with a literal password, on line 12, in column 18.
pub fn deployment(password: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: payments, namespace: shop}}
spec:
  selector: {{matchLabels: {{app: payments}}}}
  template:
    metadata: {{labels: {{app: payments}}}}
    spec:
      containers:
      - name: app
        image: registry.local/payments:1
        env: [{{name: DB_PASSWORD, value: \"{password}\"}}]
"
    )
}

/// A manifest without any credential.
pub const CLEAN: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: payments}\nspec: {ports: [{port: 80}]}\n";
