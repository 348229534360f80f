//! SPIFFE IDs and trust domains: what is taken is written as it was, and is nothing but allowed characters.
#![no_main]

use countersign_identity::{SpiffeId, TrustDomain};
use libfuzzer_sys::fuzz_target;

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"./-_".contains(&byte)
}

fn check(text: &str) {
    if let Ok(id) = text.parse::<SpiffeId>() {
        assert_eq!(id.to_string(), text, "an ID has one spelling");
        assert!(text.len() <= 2048 && text["spiffe://".len()..].bytes().all(is_allowed));
        assert_eq!(id.principal(), text["spiffe://".len()..]);
        let segments: Vec<&str> = id.path().split('/').skip(1).collect();
        assert!(segments.iter().all(|segment| !["", ".", ".."].contains(segment)));
        assert_eq!(SpiffeId::from_segments(id.trust_domain(), &segments).as_ref(), Ok(&id));
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    check(text);
    check(&format!("spiffe://{text}"));
    check(&format!("spiffe://example.com/{text}"));
    if let Ok(domain) = text.parse::<TrustDomain>() {
        assert_eq!(domain.as_str(), text);
        assert_eq!(domain.id().to_string().parse().as_ref(), Ok(&domain.id()));
    }
    let domain: TrustDomain = "example.com".parse().expect("a trust domain");
    let (namespace, account) = text.split_once('|').unwrap_or((text, "default"));
    if let Ok(id) = SpiffeId::service_account(&domain, namespace, account) {
        assert_eq!(id.path(), format!("/ns/{namespace}/sa/{account}"));
        assert_eq!(id.path().split('/').count(), 5, "a name brings no path of its own");
    }
});
