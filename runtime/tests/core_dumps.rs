//! What a process that holds keys leaves behind when it crashes: nothing.
#![allow(clippy::unwrap_used, reason = "test code: a panic is how a test fails")]

use countersign_runtime::process::forbid_core_dumps;
use nix::sys::prctl::get_dumpable;

fn core_limit() -> String {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    line.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ")
}

/// In a process of its own: it holds for all of it.
#[test]
fn a_process_can_forbid_its_core_dumps() {
    assert!(get_dumpable().unwrap(), "else nothing is shown");
    forbid_core_dumps().unwrap();
    assert!(!get_dumpable().unwrap());
    assert_eq!(core_limit(), "0 0");
}
