//! A text of any form: every literal that detectors look for, and what looks closer there.
#![no_main]

use countersign_fuzz::{NOW, SCANNER, check, config_map, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    check(&SCANNER.scan_text(text, None, NOW), None);
    scan(&config_map("text", text));
});
