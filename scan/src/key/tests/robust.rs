//! No text and no bytes make a detector panic, point outside of the text, or take long.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::NOW;
use crate::hit::{Anchor, Hit, Input};
use crate::key::{self, testing};
use crate::limits::Limits;

const NAMES: [Option<&str>; 4] = [None, Some("tls.crt"), Some("PrivateKey"), Some("unseal_key")];

fn input<'a>(text: &'a str, name: Option<&'a str>, limits: &'a Limits) -> Input<'a> {
    Input {
        text,
        name,
        now: NOW,
        limits,
    }
}

/// Everything that is found of a text, by every detector of this module.
fn hits(text: &str, name: Option<&str>) -> Vec<Hit> {
    let limits = Limits::default();
    let input = input(text, name, &limits);
    let anchored = key::ANCHORS.iter().flat_map(|anchor| {
        let places = text.match_indices(anchor.literal);
        places
            .filter_map(|(at, _)| (anchor.find)(&input, at))
            .collect::<Vec<_>>()
    });
    anchored.chain(key::named(&input)).chain(key::whole(&input)).collect()
}

/// What is made for tests, of all weights.
fn material() -> Vec<String> {
    let mut rng = StdRng::seed_from_u64(11);
    let positives = testing::positives(&mut rng, NOW).into_iter().map(|(.., text, _)| text);
    let doubtful = testing::doubtful(&mut rng, NOW).into_iter().map(|(.., text, _)| text);
    let negatives = testing::negatives(&mut rng, NOW).into_iter().map(|(_, text, _)| text);
    positives.chain(doubtful).chain(negatives).collect()
}

/// A change of a text: at a place, so much is taken out and this is put in.
type Change = (prop::sample::Index, usize, String);

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let inserted = prop_oneof![
        Just(String::new()),
        Just("é".to_owned()),
        Just("-----".to_owned()),
        Just("\\n".to_owned()),
        Just("=".to_owned()),
        Just("🔑".to_owned()),
        "\\PC{0,5}",
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0..20usize, inserted), 0..6)
}

fn changed(text: &str, changes: &[Change]) -> String {
    changes.iter().fold(text.to_owned(), |text, (at, taken, put)| {
        let start = text.floor_char_boundary(at.index(text.len() + 1));
        let end = text.floor_char_boundary((start + taken).min(text.len())).max(start);
        format!("{}{put}{}", &text[..start], &text[end..])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn changed_texts_are_read_without_harm(changes in changes(), cut in any::<prop::sample::Index>()) {
        for (at, text) in material().iter().enumerate() {
            let mut text = changed(text, &changes);
            if at % 3 == 0 {
                text.truncate(text.floor_char_boundary(cut.index(text.len() + 1)));
            }
            for hit in hits(&text, NAMES[at % NAMES.len()]) {
                prop_assert!(text.get(hit.span.clone()).is_some_and(|value| !value.is_empty()), "{:?}", hit);
            }
        }
    }

    #[test]
    fn changed_bytes_are_read_without_harm(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let limits = Limits::default();
        let all = material();
        for (at, mut bytes) in all.iter().filter_map(|text| STANDARD.decode(text).ok()).enumerate() {
            for (place, value) in &flips {
                // Lengths stand at the front.
                let place = place.index(bytes.len().min(40));
                bytes[place] = *value;
            }
            if at % 3 == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            for name in NAMES {
                key::in_bytes(&bytes, &input("", name, &limits));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let limits = Limits::default();
        for start in [&[][..], &[0x30, 0x82], &[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], &[0x95, 1, 0, 4], b"openssh-key-v1\0"] {
            key::in_bytes(&[start, &bytes].concat(), &input("", Some("tls.crt"), &limits));
        }
        hits(&String::from_utf8_lossy(&bytes), Some("key"));
        key::canonical(&bytes);
    }

    #[test]
    fn anchors_among_anything_are_read_without_harm(parts in prop::collection::vec((0..key::ANCHORS.len(), "\\PC{0,30}"), 0..6)) {
        let text: String = parts.iter().flat_map(|(anchor, rest)| [key::ANCHORS[*anchor].literal, rest]).collect();
        for hit in hits(&text, Some("tls.crt")) {
            prop_assert!(text.get(hit.span).is_some());
        }
        key::canonical(text.as_bytes());
    }
}

/// What takes time in proportion to the square of a text's length takes minutes here.
#[test]
fn a_text_of_nothing_but_starts_is_read_in_time() {
    const SIZE: usize = 128 << 10;
    let limits = Limits::default();
    let fillers = [
        "",
        "A",
        "=",
        " ",
        "\n",
        "\\n",
        "é",
        "-----",
        "&",
        "?a=",
        "PRIVATE KEY-----",
        "PRIVATE KEY-----\nMIIE",
        "9&",
        ".A.A",
        "CERTIFICATE-----\n",
        "3: ssh-rsa\nEncryption: none\nPrivate-Lines: 9\n",
        "totp/?secret=",
        "-----END",
        "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=",
        "BQUklWQVRFIEtFWS0tLS0tCg",
        "1700000000&",
        "A\nRWRTYw==\n",
    ];
    for anchor in key::ANCHORS {
        for filler in fillers {
            let unit = format!("{}{filler}", anchor.literal);
            let text = unit.repeat(SIZE / unit.len());
            let input = input(&text, Some("tls.crt"), &limits);
            let present = key::ANCHORS.iter().filter(|other| unit.contains(other.literal));
            let found = |anchor: &Anchor| {
                let places = text.match_indices(anchor.literal);
                places.filter_map(|(at, _)| (anchor.find)(&input, at)).count()
            };
            let took = timed(|| present.map(found).sum());
            assert!(
                took < Duration::from_secs(5),
                "{:?} with {filler:?} took {took:?}",
                anchor.literal
            );
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test that something takes little time has to read a clock"
)]
fn timed(work: impl FnOnce() -> usize) -> Duration {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed()
}
