//! SPIFFE IDs, held against another implementation.
#![allow(clippy::unwrap_used, reason = "tests want to fail at once")]

use countersign_identity::{SpiffeId, TrustDomain};
use proptest::prelude::*;

/// Texts that are, or almost are, SPIFFE IDs.
fn almost() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![
        8 => Just("spiffe://".to_owned()),
        1 => "[sS][pP][iI][fF][fF][eE]://",
        1 => prop_oneof![Just("spiffe:/"), Just("spiffe:"), Just("https://"), Just(""), Just("spiffe:///")].prop_map(str::to_owned),
    ];
    let domain = prop_oneof![
        6 => "[a-z0-9._-]{1,20}",
        1 => "[a-zA-Z0-9._:@%\\[\\]-]{0,12}",
        1 => "[a-z]{250,260}",
    ];
    let segment = prop_oneof![
        8 => "[a-zA-Z0-9._-]{1,12}",
        1 => prop_oneof![Just("."), Just(".."), Just(""), Just("..."), Just("%41"), Just("a?b"), Just("a#b")].prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => "[a-z]{400,600}",
    ];
    (scheme, domain, prop::collection::vec(segment, 0..5)).prop_map(|(scheme, domain, segments)| {
        segments
            .into_iter()
            .fold(format!("{scheme}{domain}"), |text, segment| text + "/" + &segment)
    })
}

/// Whether a text is spelled in the one way that is taken here: the other implementation takes scheme and trust domain in any
/// case (SPIFFE-ID standard, section 2.4) and texts of any length (section 2.3). That is on purpose: see `spiffe.rs`.
fn is_plain(text: &str) -> bool {
    let domain = text
        .strip_prefix("spiffe://")
        .map(|rest| rest.split('/').next().unwrap_or_default());
    text.len() <= 2048 && domain.is_some_and(|domain| !domain.bytes().any(|byte| byte.is_ascii_uppercase()))
}

fn compare(text: &str) -> Result<(), TestCaseError> {
    let ours = text.parse::<SpiffeId>();
    let theirs = spiffe::SpiffeId::new(text);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            prop_assert_eq!(ours.to_string(), theirs.to_string());
            prop_assert_eq!(ours.path(), theirs.path());
            prop_assert_eq!(ours.trust_domain().as_str(), theirs.trust_domain_name());
        }
        (Ok(_), Err(error)) => prop_assert!(false, "only we take {:?}: {}", text, error),
        (Err(error), Ok(_)) => prop_assert!(!is_plain(text), "only they take {:?}: {}", text, error),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_take_the_same(text in almost()) {
        compare(&text)?;
    }

    #[test]
    fn both_take_the_same_of_anything(text in "\\PC{0,40}") {
        compare(&text)?;
        compare(&format!("spiffe://{text}"))?;
        compare(&format!("spiffe://example.com/{text}"))?;
    }

    #[test]
    fn what_is_taken_is_written_as_it_was(text in almost()) {
        if let Ok(id) = text.parse::<SpiffeId>() {
            prop_assert_eq!(id.to_string(), text);
            prop_assert_eq!(id.has_path(), id != id.trust_domain().id());
        }
    }

    #[test]
    fn what_is_made_of_segments_is_read_as_them(
        domain in "[a-z0-9._-]{1,255}",
        segments in prop::collection::vec("\\PC{0,8}|[a-zA-Z0-9._-]{1,30}", 0..6),
    ) {
        let domain: TrustDomain = domain.parse().unwrap();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if let Ok(id) = SpiffeId::from_segments(&domain, &segments) {
            prop_assert_eq!(&id.to_string().parse::<SpiffeId>().unwrap(), &id);
            prop_assert_eq!(id.path().split('/').skip(1).collect::<Vec<_>>(), segments);
        }
    }

    #[test]
    fn both_take_the_same_trust_domains(name in "[a-z0-9._-]{0,260}|[^:]{0,20}") {
        prop_assume!(!name.contains(':'), "they take a SPIFFE ID in the place of a name too");
        let ours = name.parse::<TrustDomain>();
        let theirs = spiffe::TrustDomain::new(&name);
        match theirs {
            Ok(theirs) if name == theirs.as_str() => prop_assert_eq!(ours.map(|ours| ours.to_string()), Ok(name)),
            _ => prop_assert!(ours.is_err()),
        }
    }
}
