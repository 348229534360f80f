//! For every form: what it finds, and what it must not.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rstest::rstest;

use super::shape::{Part, Shape};
use super::testing::{FOR_TESTS, aws_key, draw, positives, shapes, unsealed};
use super::*;
use crate::finding::{Lifetime, Mitigation, Tier};
use crate::limits::Limits;

const NOW: i64 = 1_800_000_000;
const ROUNDS: u64 = 10;

fn input<'a>(text: &'a str, name: Option<&'a str>, limits: &'a Limits) -> Input<'a> {
    Input {
        text,
        name,
        now: NOW,
        limits,
    }
}

/// All that is found in a text, as the walk finds it.
fn hits(text: &str, name: Option<&str>) -> Vec<Hit> {
    hits_within(text, name, &Limits::default())
}

fn hits_within(text: &str, name: Option<&str>, limits: &Limits) -> Vec<Hit> {
    let input = input(text, name, limits);
    ANCHORS
        .iter()
        .flat_map(|anchor| {
            text.match_indices(anchor.literal)
                .filter_map(|(at, _)| (anchor.find)(&input, at))
                .collect::<Vec<_>>()
        })
        .chain(named(&input))
        .collect()
}

/// What keeps an object out.
fn denied(text: &str, name: Option<&str>) -> Vec<Hit> {
    hits(text, name)
        .into_iter()
        .filter(|hit| hit.mitigation.is_none())
        .collect()
}

fn rounds() -> impl Iterator<Item = StdRng> {
    (0..ROUNDS).map(StdRng::seed_from_u64)
}

/// Ways in which a token stands in a text.
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("\"", "\""),
    ("'", "'"),
    ("TOKEN=", ""),
    ("token: ", "\n"),
    ("https://host.example/path?token=", "&page=1"),
    ("https://user:", "@host.example/"),
    ("Use ", " to sign in, and nothing else."),
    ("{\\\"token\\\":\\\"", "\\\"}"),
    ("first\\n", "\\nthird"),
    ("a%3D", "%26b"),
    ("\\u0026", "\\u003c"),
    ("für „", "“ — ✓"),
    ("(", ")"),
    ("<value>", "</value>"),
    ("--token ", ","),
];

#[test]
fn finds_every_form_in_every_surrounding() {
    for mut rng in rounds() {
        for (rule, tier, token, name) in positives(&mut rng) {
            for (before, after) in AROUND.iter().take(if name.is_some() { 3 } else { AROUND.len() }) {
                let text = format!("{before}{token}{after}");
                let span = before.len()..before.len() + token.len();
                let found = hits(&text, name);
                let hit = found.iter().find(|hit| hit.rule.id == rule);
                assert_eq!(
                    hit.map(|hit| (hit.tier, hit.mitigation, hit.span.clone())),
                    Some((tier, None, span)),
                    "{rule} between {before:?} and {after:?}, beside {name:?}"
                );
            }
        }
    }
}

#[test]
fn has_a_form_for_every_rule() {
    let found: BTreeSet<&str> = positives(&mut StdRng::seed_from_u64(1))
        .into_iter()
        .map(|(rule, ..)| rule)
        .collect();
    let elsewhere = ["aws-secret-key", "google-access-token"];
    let missing: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.id)
        .filter(|id| !found.contains(id) && !elsewhere.contains(id))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn names_each_rule_and_each_literal_once() {
    let mut seen = BTreeMap::<&str, u32>::new();
    let literals = ANCHORS.iter().map(|anchor| anchor.literal);
    for name in RULES.iter().map(|rule| rule.id).chain(literals) {
        *seen.entry(name).or_default() += 1;
    }
    seen.retain(|_, times| *times > 1);
    assert_eq!(seen, BTreeMap::new());
    assert!(
        ANCHORS
            .iter()
            .all(|anchor| anchor.literal.is_ascii() && anchor.literal.len() >= 3)
    );
    assert!(
        RULES.iter().all(|rule| rule.title.starts_with("a ")
            || rule.title.starts_with("an ")
            || rule.title.starts_with("the "))
    );
}

/// Whether more characters of the alphabet can follow on the last part.
fn last_run(shape: &Shape) -> Option<(super::shape::Alphabet, usize, usize)> {
    match shape.parts.last() {
        Some(Part::Run(alphabet, least, most)) => Some((*alphabet, *least, *most)),
        _ => None,
    }
}

/// Other forms of the same literal may have the length that one must not.
fn only_form(literal: &str) -> bool {
    shapes().filter(|(other, _)| *other == literal).count() == 1
}

#[test]
fn leaves_what_is_too_short_or_too_long_or_of_other_characters() {
    for mut rng in rounds() {
        for (literal, shape) in shapes() {
            let token = unsealed(&mut rng, literal, shape);
            if let Some((alphabet, least, most)) = last_run(shape)
                && only_form(literal)
            {
                let run = alphabet
                    .run(&token.bytes().rev().collect::<Vec<_>>(), 0, usize::MAX)
                    .min(most);
                let stem = &token[..token.len() - run];
                for length in [least - 1, most + 1] {
                    let last: String = draw(&mut rng, alphabet, length);
                    let text = format!("{stem}{last}");
                    assert_eq!(denied(&text, None), [], "{literal} with {length} characters at its end");
                }
            }
            let middle = token.find(literal).unwrap() + literal.len();
            if middle < token.len() {
                let text = format!("{}!{}", &token[..middle], &token[middle + 1..]);
                assert_eq!(hits(&text, None), [], "{literal} with another character");
            }
        }
    }
}

#[test]
fn leaves_what_is_glued_to_a_word() {
    for mut rng in rounds() {
        for (literal, shape) in shapes() {
            let token = unsealed(&mut rng, literal, shape);
            for glue in ["x", "_", "7", "Z"] {
                let longer = shape.before.is_some_and(|(_, least, most)| least != most);
                if !longer {
                    assert_eq!(hits(&format!("{glue}{token}"), None), [], "{literal} behind {glue}");
                }
                let whole = match shape.parts.last() {
                    Some(Part::Run(_, least, most)) => least == most,
                    Some(Part::Padding) => false,
                    _ => true,
                };
                if whole && only_form(literal) {
                    assert_eq!(hits(&format!("{token}{glue}"), None), [], "{literal} before {glue}");
                }
            }
        }
    }
}

#[test]
fn only_warns_of_a_checksum_that_does_not_fit() {
    let mut broken = BTreeSet::new();
    for mut rng in rounds() {
        for (rule, tier, token, _) in positives(&mut rng) {
            if tier != Tier::Proven || ANYWAY.contains(&rule) {
                continue;
            }
            // The last but one belongs to the checksum, or to what it is over. The last can have bits that nobody reads.
            let alphanumeric = token.char_indices().rev().filter(|(_, c)| c.is_ascii_alphanumeric());
            let (at, _) = alphanumeric.clone().nth(1).unwrap();
            for other in ["a", "Q", "2"].into_iter().filter(|other| *other != &token[at..=at]) {
                let text = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                let found = hits(&text, None);
                assert!(found.iter().all(|hit| hit.mitigation.is_some()), "{rule} broken");
                if found
                    .iter()
                    .any(|hit| hit.mitigation == Some(Mitigation::Unproven) && hit.tier == Tier::Shaped)
                {
                    broken.insert(rule);
                }
            }
        }
    }
    for rule in [
        "github-token",
        "npm-token",
        "gitlab-token",
        "grafana-token",
        "azure-storage-key",
        "entra-client-secret",
    ] {
        assert!(broken.contains(rule), "{rule} was not found broken");
    }
}

/// What carries something readable rather than a checksum, or whose checksum speaks only for it.
const ANYWAY: &[&str] = &[
    "1password-token",
    "aws-bedrock-key",
    "aws-registry-token",
    "azure-devops-token",
    "azure-redis-key",
    "cloudflare-tunnel-token",
    "elastic-api-key",
    "github-app-token",
    "grafana-cloud-token",
    "jfrog-reference-token",
    "paseto-token",
    "pypi-token",
    "sentry-token",
];

#[test]
fn only_warns_of_a_placeholder() {
    for (literal, shape) in shapes() {
        let fill = |parts: &[Part]| -> String {
            parts
                .iter()
                .map(|part| match *part {
                    Part::Run(alphabet, least, _) => {
                        let typed = ["x", "0", "a", "X", "q", "u", "b"];
                        let typed = typed.into_iter().find(|c| alphabet.run_of(c) == 1).unwrap_or("A");
                        typed.repeat(least)
                    }
                    Part::Is(text) => text.to_owned(),
                    Part::Padding => String::new(),
                })
                .collect()
        };
        let before = shape.before.map_or(0, |(_, least, _)| least);
        let text = format!("{}{literal}{}", "0".repeat(before), fill(shape.parts));
        for hit in hits(&text, None) {
            assert!(hit.mitigation.is_some(), "{literal} is not known as a placeholder");
        }
    }
}

#[test]
fn only_warns_of_what_is_for_tests() {
    for mut rng in rounds() {
        for (literal, shape) in shapes().filter(|(literal, _)| FOR_TESTS.contains(literal)) {
            let found = hits(&unsealed(&mut rng, literal, shape), None);
            assert_eq!(found.len(), 1, "{literal}");
            assert_eq!(found[0].mitigation, Some(Mitigation::Test), "{literal}");
        }
    }
}

#[test]
fn leaves_what_is_public_by_design() {
    for mut rng in rounds() {
        let text = draw(&mut rng, super::shape::BASE62, 99);
        let hex = draw(&mut rng, super::shape::HEX, 32);
        let public = [
            format!("pk_live_{text}"),
            format!("pk_test_{text}"),
            format!("https://{hex}@o1.ingest.sentry.io/2"),
            format!("sb_publishable_{}", &text[..31]),
            format!("phc_{}", &text[..43]),
            format!("sha256:{hex}{hex}"),
            format!("registry.example/image@sha256:{hex}{hex}"),
        ];
        for text in &public {
            assert_eq!(hits(text, None), [], "{}", &text[..8]);
        }
        for name in ["DATADOG_SITE_ID", "SNYK_ORG_ID", "IMAGE_SHA", "CONFIG_CHECKSUM"] {
            assert_eq!(hits(&hex, Some(name)), [], "{name}");
        }
    }
}

#[test]
fn leaves_a_value_under_a_name_that_is_another_one() {
    for mut rng in rounds() {
        for (rule, _, token, name) in positives(&mut rng) {
            let Some(name) = name.filter(|_| rule != "azure-devops-token") else {
                continue;
            };
            let limits = Limits::default();
            assert_eq!(named(&input(&token, Some("colour"), &limits)), None, "{rule}");
            assert_eq!(named(&input(&token, None, &limits)), None, "{rule}");
            assert_eq!(
                named(&input(&token, Some(&format!("{name}_HASH")), &limits)),
                None,
                "{rule}"
            );
        }
    }
}

#[test]
fn reads_a_name_in_any_style() {
    let mut rng = StdRng::seed_from_u64(3);
    let value = draw(&mut rng, super::shape::HEX, 32);
    for name in [
        "DD_API_KEY",
        "datadog.apiKey",
        "X-Datadog-Api-Key",
        "agent.datadog.keys.apiKey",
        "dd-api-key",
    ] {
        let found = hits(&format!(" {value}\n"), Some(name));
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].span, 1..33);
    }
    let long = format!("{}DATADOG_API_KEY", "ü_".repeat(500));
    assert_eq!(hits(&value, Some(&long)).len(), 1);
}

#[test]
fn knows_an_aws_key_by_both_halves() {
    for mut rng in rounds() {
        let (id, secret) = aws_key(&mut rng);
        assert_eq!(denied(&id, None).len(), 1);
        let limits = Limits::default();
        let hit = aws_secret(&input(&secret, None, &limits)).unwrap();
        assert_eq!((hit.tier, hit.mitigation, hit.span), (Tier::Shaped, None, 0..40));

        let example = format!("{}EXAMPLE", &id[..13]);
        assert_eq!(hits(&example, None)[0].mitigation, Some(Mitigation::Test));
        let example = format!("{}EXAMPLEKEY", &secret[..30]);
        assert_eq!(
            aws_secret(&input(&example, None, &limits)).unwrap().mitigation,
            Some(Mitigation::Test)
        );

        let hex = draw(&mut rng, super::shape::HEX, 40);
        let others = [
            hex.clone(),
            hex.to_uppercase(),
            secret[..39].to_owned(),
            format!("{secret}A"),
            secret.replace(|c: char| c.is_ascii_digit(), "x"),
        ];
        for text in &others {
            assert_eq!(aws_secret(&input(text, None, &limits)), None);
        }
        let path = "/usr/share/Java/lib/v1/Component4/Module";
        assert_eq!((path.len(), aws_secret(&input(path, None, &limits))), (40, None));
    }
}

/// A reference token of an Artifactory that ends then.
fn jfrog(end: i64) -> String {
    use base64::Engine as _;
    let secret = draw(&mut StdRng::seed_from_u64(9), super::shape::BASE62, 27);
    base64::engine::general_purpose::STANDARD.encode(format!("reftkn:01:{end:010}:{secret}"))
}

#[rstest]
#[case::never(0, Some((Some(Lifetime::Endless), None)))]
#[case::within(NOW + 3600, None)]
#[case::at_the_limit(NOW + 86_400, None)]
#[case::beyond(NOW + 86_401, Some((Some(Lifetime::Seconds(86_401)), None)))]
#[case::now(NOW, Some((None, Some(Mitigation::Expired))))]
#[case::over(NOW - 5, Some((None, Some(Mitigation::Expired))))]
fn weighs_a_token_by_its_end(#[case] end: i64, #[case] expected: Option<(Option<Lifetime>, Option<Mitigation>)>) {
    let found = hits(&jfrog(end), None);
    assert_eq!(found.first().map(|hit| (hit.lifetime, hit.mitigation)), expected);
    assert!(found.iter().all(|hit| hit.tier == Tier::Proven));
}

#[test]
fn allows_an_hour_to_google_unless_the_limit_is_shorter() {
    let mut rng = StdRng::seed_from_u64(4);
    let (literal, shape) = shapes().find(|(literal, _)| *literal == "ya29.").unwrap();
    let token = unsealed(&mut rng, literal, shape);
    assert_eq!(hits(&token, None), []);
    let limits = Limits {
        token: 900,
        ..Limits::default()
    };
    assert_eq!(hits_within(&token, None, &limits)[0].rule.id, "google-access-token");
}

#[test]
fn takes_no_longer_for_a_long_text() {
    let rng = &mut StdRng::seed_from_u64(5);
    let tail = draw(rng, super::shape::BASE64URL, 1_000_000);
    for anchor in ANCHORS {
        let text = format!("{tail}{}{tail}", anchor.literal);
        let limits = Limits::default();
        // Each look is bounded by what a token can be: ten thousand of them do not read ten gigabytes.
        for _ in 0..10_000 {
            std::hint::black_box((anchor.find)(&input(&text, None, &limits), tail.len()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn never_panics(
        before in ".{0,40}",
        after in "[A-Za-z0-9+/=_.:~%\\\\é✓-]{0,120}",
        rest in ".{0,20}",
        name in proptest::option::of(".{0,30}"),
        now in any::<i64>(),
    ) {
        let limits = Limits::default();
        for anchor in ANCHORS {
            let text = format!("{before}{}{after}{rest}", anchor.literal);
            let input = Input { text: &text, name: name.as_deref(), now, limits: &limits };
            for (at, _) in text.match_indices(anchor.literal) {
                if let Some(hit) = (anchor.find)(&input, at) {
                    prop_assert!(text.get(hit.span.clone()).is_some());
                    prop_assert!(hit.span.contains(&at));
                }
            }
        }
        let limits = Limits::default();
        let input = Input { text: &after, name: name.as_deref(), now, limits: &limits };
        named(&input);
        aws_secret(&input);
    }
}
