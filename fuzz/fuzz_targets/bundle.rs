//! SPIFFE bundles and PEM: what is read can be written, and is read again as it was.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use countersign_fuzz::chain::CHAIN;
use countersign_identity::jwt_svid::verify;
use countersign_identity::{Bundle, Bundles, TrustDomain};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fn domain() -> TrustDomain {
    "example.com".parse().expect("a trust domain")
}

fuzz_target!(|data: &[u8]| {
    let mut of_pem = Bundle::new(domain());
    if of_pem.add_pem(data).is_err() {
        assert_eq!(of_pem, Bundle::new(domain()), "it is read as a whole or not at all");
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // The word ROOT stands for a certificate, which no change of bytes would lead to.
    let text = &text.replace("ROOT", &BASE64_STANDARD.encode(&CHAIN[2]));
    for text in [text.to_owned(), format!("{{\"keys\":[{text}]}}")] {
        let Ok(received) = Bundle::from_jwks(domain(), &text) else {
            continue;
        };
        let bundle = received.bundle;
        let again = Bundle::from_jwks(domain(), &bundle.to_jwks()).expect("a bundle");
        assert_eq!(again.bundle, bundle);
        assert!(again.passed_over.is_empty(), "{:?}", again.passed_over);
        let mut roots = Bundle::new(domain());
        let count = roots.add_pem(bundle.to_pem().as_bytes());
        assert_eq!(count, Ok(bundle.roots().count()));
    }
    let now = Timestamp::from_second(countersign_fuzz::NOW).expect("a time");
    assert!(
        verify(text, "a", &Bundles::new(Bundle::new(domain())), now).is_err(),
        "there is no key"
    );
});
