//! Two objects: what was there, and what is to be.
#![no_main]

use countersign_fuzz::{NOW, SCANNER, check};
use countersign_scan::read_json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(middle) = data.iter().position(|byte| *byte == 0) else {
        return;
    };
    let (old, new) = (&data[..middle], &data[middle + 1..]);
    let (Ok(old), Ok(new)) = (read_json(old), read_json(new)) else {
        return;
    };
    let changed = SCANNER.scan_update(&old, &new, NOW);
    check(&changed, None);
    let all = SCANNER.scan(&new, NOW);
    assert!(
        changed.iter().all(|finding| all.contains(finding)),
        "a change finds what the whole does not"
    );
});
