use countersign_scan::{FingerprintKey, Lifetime, Location, Step, Tier, rules};

use super::*;

fn finding(pointer: &str) -> Finding {
    Finding {
        location: Location {
            pointer: pointer.to_owned(),
            steps: vec![Step::Read("base64")],
        },
        rule: rules()[0],
        tier: Tier::Proven,
        mitigation: None,
        lifetime: Some(Lifetime::Endless),
        fingerprint: FingerprintKey::new([1; 32]).fingerprint(pointer.as_bytes()),
    }
}

const OBJECT: ObjectId<'static> = ObjectId {
    group: "apps",
    kind: "Deployment",
    namespace: "shop",
    name: "api",
};

#[test]
fn a_refusal_says_where_what_and_what_instead() {
    let finding = finding("/spec/a");
    let text = refusal(&OBJECT, [&finding].into_iter());
    for part in [
        "Deployment shop/api",
        "/spec/a → base64",
        finding.rule.title,
        "proven",
        "without an end",
        &finding.rule.remedy.to_string(),
        finding.rule.id,
        &finding.fingerprint.to_string(),
        "CredentialWaiver",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_refusal_stays_short() {
    let long = format!("/{}", "ü".repeat(5000));
    let many: Vec<_> = (0..100).map(|index| finding(&format!("{long}{index}"))).collect();
    let text = refusal(&OBJECT, many.iter());
    assert!(text.starts_with("100 credentials"), "{text}");
    assert!(text.contains("and 90 more"));
    assert!(text.len() < 12 * 1200, "{} bytes", text.len());
}

#[test]
fn warnings_arrive_whole() {
    for length in 0..300 {
        for letter in ["a", "ü", "語", "🔑"] {
            let finding = finding(&format!("/{}", letter.repeat(length)));
            let warnings = warnings([&finding].into_iter());
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].len() <= WARNING_LIMIT, "{} bytes", warnings[0].len());
            assert!(warnings[0].contains(finding.rule.id), "{}", warnings[0]);
        }
    }
}

#[test]
fn warnings_are_not_too_many() {
    let many: Vec<_> = (0..100).map(|index| finding(&format!("/{index}"))).collect();
    let warnings = warnings(many.iter());
    assert_eq!(warnings.len(), 21);
    assert!(warnings[20].contains("80 more"));
}

#[test]
fn objects_without_name_or_namespace_are_named_as_far_as_they_can_be() {
    let named = |namespace, name| {
        super::name(&ObjectId {
            namespace,
            name,
            ..OBJECT
        })
    };
    assert_eq!(named("", "x"), "Deployment x");
    assert_eq!(named("shop", ""), "Deployment in shop");
    assert_eq!(named("", ""), "Deployment");
}
