//! Any bytes for an object, as the API server might send it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match serde_json::from_slice(data) {
        Ok(object) => drop(countersign_fuzz::scan(&object)),
        // What is no JSON for one reader must not be for another.
        Err(_) => assert!(
            countersign_fuzz::SCANNER
                .scan_json(data, countersign_fuzz::NOW)
                .is_err()
        ),
    }
});
