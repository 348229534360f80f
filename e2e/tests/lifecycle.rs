//! What a testbed leaves behind: `cargo test -p countersign-e2e --test lifecycle -- --ignored`, as root.
#![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const TESTBED: &str = env!("CARGO_BIN_EXE_testbed");

/// A light testbed that runs until it is ended, and its data folder.
fn start() -> (Child, String) {
    let mut child = Command::new(TESTBED)
        .args([
            "run",
            "--light",
            "--",
            "sh",
            "-c",
            "echo $COUNTERSIGN_TESTBED; sleep 1000",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().to_owned())
}

/// Processes, cgroups and files that belong to the testbed with this data folder.
fn remains(data: &str) -> Vec<String> {
    let id = data.rsplit('/').next().unwrap();
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        // A process may end while it is looked at.
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(data) {
            found.push(line);
        }
    }
    let mut tops = vec![Path::new("/sys/fs/cgroup").to_owned()];
    tops.extend(
        std::fs::read_dir("/sys/fs/cgroup")
            .unwrap()
            .flatten()
            .map(|entry| entry.path()),
    );
    let folders = tops
        .into_iter()
        .map(|top| top.join(format!("countersign-{id}")))
        .chain([data.into()]);
    found.extend(
        folders
            .filter(|folder| folder.exists())
            .map(|folder| folder.display().to_string()),
    );
    found
}

fn assert_nothing_remains(data: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while !remains(data).is_empty() {
        assert!(Instant::now() < end, "still there: {:#?}", remains(data));
        sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs root and a minute"]
fn the_exit_code_is_the_commands() {
    let status = Command::new(TESTBED)
        .args(["run", "--light", "--", "sh", "-c", "exit 7"])
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
}

#[test]
#[ignore = "needs root and a minute"]
fn a_killed_parent_leaves_nothing_behind() {
    let (mut child, data) = start();
    assert!(remains(&data).len() > 4, "too little is up: {:?}", remains(&data));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_nothing_remains(&data);
}

#[test]
#[ignore = "needs root and a minute"]
fn two_testbeds_live_side_by_side() {
    let (mut one, first) = start();
    let (mut two, second) = start();
    assert_ne!(first, second);
    one.kill().unwrap();
    one.wait().unwrap();
    assert_nothing_remains(&first);
    assert!(
        two.try_wait().unwrap().is_none() && remains(&second).len() > 4,
        "the second went with the first"
    );
    two.kill().unwrap();
    two.wait().unwrap();
    assert_nothing_remains(&second);
}
