use proptest::prelude::*;

use super::*;

/// Makes numbered keys.
#[derive(Default)]
struct Numbered(u32);

impl Maker for Numbered {
    type Error = ();

    fn key(&mut self, _: SigningAlgorithm) -> Result<String, ()> {
        self.0 += 1;
        Ok(self.0.to_string())
    }

    fn nonce_key(&mut self) -> Result<String, ()> {
        self.0 += 1;
        Ok(format!("nonce {}", self.0))
    }
}

const DAY: i64 = 86_400;

fn timing() -> Timing {
    Timing::new(30 * DAY, 900)
}

struct Held {
    document: Document,
    maker: Numbered,
    algorithm: SigningAlgorithm,
}

impl Held {
    fn new() -> Self {
        let mut held = Self {
            document: Document::default(),
            maker: Numbered::default(),
            algorithm: SigningAlgorithm::Es256,
        };
        assert!(held.step(0, None), "the first start makes a key");
        held
    }

    fn step(&mut self, now: i64, asked: Option<&str>) -> bool {
        let next = advance(&self.document, self.algorithm, timing(), asked, now, &mut self.maker).unwrap();
        let changed = next.is_some();
        self.document = next.unwrap_or_else(|| self.document.clone());
        changed
    }

    fn signing(&self, now: i64) -> &str {
        &self.document.keys[signing(&self.document.keys, now).unwrap()].private
    }
}

#[test]
fn when_the_key_turns_is_known_before_and_after_the_next_is_published() {
    let mut held = Held::new();
    let until = |held: &Held, now| signs_until(&held.document.keys, 30 * DAY, now);
    assert_eq!(until(&held, 0), Some(30 * DAY));
    assert!(
        held.step(30 * DAY - 60, None),
        "the next is published, later than it should be"
    );
    let next = held.document.keys[1].signs_from;
    assert_eq!(until(&held, 30 * DAY - 60), Some(next));
    assert_eq!(until(&held, next), Some(next + 30 * DAY));
    assert_eq!(signs_until(&[], DAY, 0), None);
}

#[test]
fn a_key_is_published_before_it_signs_and_after() {
    let mut held = Held::new();
    let first = held.signing(0).to_owned();
    assert!(!held.step(DAY, None), "nothing turns before its time");
    let ahead = 30 * DAY - AHEAD;
    assert!(!held.step(ahead - 1, None));
    assert!(held.step(ahead, None));
    assert_eq!(held.document.keys.len(), 2);
    assert_eq!(held.signing(ahead), first, "verifiers do not have the new one yet");
    assert_eq!(held.signing(30 * DAY - 1), first);
    assert_ne!(
        held.signing(30 * DAY),
        first,
        "it signs without anybody having to write it down"
    );
    assert!(held.step(30 * DAY + 60, None), "the old one is marked");
    assert_eq!(held.document.keys.len(), 2, "its tokens live on");
    assert!(!held.step(30 * DAY + 900, None));
    assert!(held.step(30 * DAY + 900 + SKEW, None));
    assert_eq!(held.document.keys.len(), 1);
}

#[test]
fn who_was_away_does_not_sign_with_an_unpublished_key() {
    let mut held = Held::new();
    let first = held.signing(0).to_owned();
    let late = 45 * DAY;
    assert!(held.step(late, None));
    assert_eq!(held.signing(late), first, "late is better than unknown to verifiers");
    assert_ne!(held.signing(late + AHEAD), first);
}

#[test]
fn another_algorithm_turns_the_key_with_overlap() {
    let mut held = Held::new();
    held.algorithm = SigningAlgorithm::EdDsa;
    assert!(held.step(DAY, None));
    assert_eq!(held.document.keys.len(), 2);
    assert!(!held.step(DAY + 1, None), "one is waiting already");
    let at = signing(&held.document.keys, DAY + AHEAD).unwrap();
    assert_eq!(held.document.keys[at].algorithm, Algorithm::EdDSA);
}

#[test]
fn an_emergency_leaves_the_new_key_only() {
    let mut held = Held::new();
    let (first, nonce) = (held.signing(0).to_owned(), held.document.nonce_key.clone());
    assert!(held.step(DAY, Some("stolen")));
    assert_eq!(held.document.keys.len(), 1);
    assert_ne!(held.signing(DAY), first);
    assert_ne!(held.document.nonce_key, nonce);
    assert!(!held.step(DAY + 1, Some("stolen")), "it is done once for each value");
    assert!(held.step(DAY + 2, Some("again")));
}

proptest! {
    /// Whenever whoever looks, and however late: a key signs only when it was published `ahead` before (or it is the first),
    /// and every key whose tokens may live is there.
    #[test]
    fn no_token_is_refused_for_its_key(steps in prop::collection::vec(1_i64..20 * DAY, 1..60)) {
        let mut held = Held::new();
        let mut now = 0;
        let mut signed: Vec<(String, i64)> = Vec::new();
        for step in steps {
            let before = held.document.clone();
            now += step;
            // Whoever signs reads what was written before.
            let at = signing(&before.keys, now).unwrap();
            let key = &before.keys[at];
            prop_assert!(key.made == 0 || now - key.made >= timing().ahead);
            signed.push((key.private.clone(), now));
            held.step(now, None);
            for (private, at) in &signed {
                let there = held.document.keys.iter().any(|key| key.private == *private);
                prop_assert!(there || at + 900 < now, "a token of {at} is refused at {now}");
            }
        }
    }
}
