use std::collections::BTreeMap;
use std::convert::Infallible;

use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn start() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn plan(propagation_hours: i64) -> Plan {
    Plan {
        propagation: SignedDuration::from_hours(propagation_hours),
        ..Plan::new(&CertificateAuthoritySpec::default()).unwrap()
    }
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

struct World {
    keys: Vec<JwtKey>,
    published: BTreeSet<String>,
    made: usize,
    now: Timestamp,
}

impl World {
    fn begin() -> Self {
        let mut world = Self {
            keys: Vec::new(),
            published: BTreeSet::new(),
            made: 0,
            now: start(),
        };
        assert_eq!(world.go(SignedDuration::ZERO), ["make-jwt-key", "use-jwt-key"]);
        world
    }

    fn go(&mut self, later: SignedDuration) -> Vec<&'static str> {
        self.now = after(self.now, later);
        let make = || {
            self.made += 1;
            Ok::<_, Infallible>(format!("k{}", self.made))
        };
        let steps = advance(&mut self.keys, &plan(24), &self.published, self.now, make).unwrap();
        steps.iter().map(JwtStep::name).collect()
    }

    fn publish(&mut self) {
        self.published = self.keys.iter().map(|key| key.id.clone()).collect();
    }
}

#[test]
fn a_key_is_distributed_then_used_then_the_old_one_is_withdrawn() {
    let mut world = World::begin();
    world.publish();
    assert_eq!(world.go(days(29)), [""; 0]);
    let next = times(&world.keys, &plan(24)).into_iter().min().unwrap();
    assert_eq!(next, (after(start(), days(30)), "make a new key for JWT-SVIDs"));
    assert_eq!(world.go(days(1)), ["make-jwt-key"]);
    assert_eq!(world.go(days(1)), [""; 0], "no bundle holds it yet");
    world.publish();
    assert_eq!(world.go(days(1)), ["note-jwt-key-published"]);
    assert_eq!(
        world.go(SignedDuration::from_hours(23)),
        [""; 0],
        "consumers may be behind"
    );
    assert_eq!(world.go(SignedDuration::from_hours(1)), ["use-jwt-key"]);
    let Stage::Retiring { ends } = world.keys[0].stage else {
        panic!("the old one is in use: {:?}", world.keys);
    };
    // 30 days, a tenth of them, and three propagations.
    assert_eq!(ends, after(start(), days(36)));
    assert!(!world.keys[0].needs_key() && world.keys[1].needs_key());
    let left = after(ends, days(1)).duration_since(world.now);
    assert_eq!(world.go(left - SignedDuration::from_secs(1)), [""; 0]);
    assert_eq!(world.go(SignedDuration::from_secs(1)), ["withdraw-jwt-key"]);
    assert_eq!(world.keys.len(), 1);
}

#[test]
fn what_was_slept_through_begins_anew() {
    let mut world = World::begin();
    world.go(days(30));
    assert_eq!(
        world.go(days(400)),
        ["use-jwt-key", "withdraw-jwt-key"],
        "nothing signed any more, so nobody is waited for"
    );
}

#[derive(Clone, Debug)]
enum Event {
    /// A signer reads what is kept. There are two.
    Read(usize),
    /// It decides by what it read last, and writes. If it is to crash, it does so before the write.
    Write { signer: usize, crashes: bool },
    /// A place for bundles is written, from what is kept.
    Publish(usize),
    /// A workload gets a token from a signer, which signs by what it read last.
    Sign { signer: usize, minutes: i64 },
}

const PLACES: usize = 2;

struct History {
    plan: Plan,
    now: Timestamp,
    kept: (usize, Vec<JwtKey>),
    read: [(usize, Vec<JwtKey>); 2],
    /// For each place, when a key came into it and when it left.
    places: [BTreeMap<String, (Timestamp, Option<Timestamp>)>; PLACES],
    /// What each place held at its last write.
    held: [BTreeSet<String>; PLACES],
    /// The key and the end of each token.
    tokens: Vec<(String, Timestamp)>,
    /// Keys that were used at once, since nothing valid signed.
    at_once: BTreeSet<String>,
    made: usize,
}

impl History {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            now: start(),
            kept: (0, Vec::new()),
            read: [(0, Vec::new()), (0, Vec::new())],
            places: Default::default(),
            held: Default::default(),
            tokens: Vec::new(),
            at_once: BTreeSet::new(),
            made: 0,
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Read(signer) => self.read[signer] = self.kept.clone(),
            Event::Write { signer, crashes } => self.write(signer, crashes),
            Event::Publish(place) => self.publish(place),
            Event::Sign { signer, minutes } => self.sign(signer, minutes),
        }
    }

    fn signing(keys: &[JwtKey]) -> Option<(&str, Timestamp)> {
        let mut active = keys.iter().filter_map(|key| match key.stage {
            Stage::Active { ends, .. } => Some((key.id.as_str(), ends)),
            _ => None,
        });
        let first = active.next();
        assert_eq!(active.next(), None, "two keys sign");
        first
    }

    fn write(&mut self, signer: usize, crashes: bool) {
        let (version, mut keys) = self.read[signer].clone();
        let everywhere = &self.held[0] & &self.held[1];
        let was_alive = Self::signing(&keys).is_some_and(|(_, ends)| self.now < ends);
        let make = || {
            self.made += 1;
            Ok::<_, Infallible>(format!("k{}", self.made))
        };
        let steps = advance(&mut keys, &self.plan, &everywhere, self.now, make).unwrap();
        if crashes || version != self.kept.0 || steps.is_empty() {
            return;
        }
        for step in &steps {
            if let JwtStep::Use(id) = step
                && !was_alive
            {
                self.at_once.insert(id.clone());
            }
        }
        assert!(keys.len() <= 4, "{keys:?}");
        self.kept = (version + 1, keys.clone());
        self.read[signer] = (version + 1, keys);
    }

    fn publish(&mut self, place: usize) {
        let bundle: BTreeSet<String> = self.kept.1.iter().map(|key| key.id.clone()).collect();
        for id in &bundle {
            let (_, left) = self.places[place].entry(id.clone()).or_insert((self.now, None));
            assert_eq!(*left, None, "a key came back after it was withdrawn");
        }
        for (id, (_, left)) in &mut self.places[place] {
            if !bundle.contains(id) {
                left.get_or_insert(self.now);
            }
        }
        self.held[place] = bundle;
    }

    fn sign(&mut self, signer: usize, minutes: i64) {
        let expires = after(self.now, SignedDuration::from_mins(minutes));
        if let Some((id, ends)) = Self::signing(&self.read[signer].1)
            && expires <= ends
        {
            self.tokens.push((id.to_owned(), expires));
        }
    }

    /// Each token that is valid is verified with each bundle that was there `propagation` ago, and with each since.
    fn check(&mut self) {
        let (now, propagation) = (self.now, self.plan.propagation);
        // Those whose clocks are behind hold it for valid for longer.
        self.tokens.retain(|(_, ends)| now < after(*ends, propagation));
        for (id, ends) in &self.tokens {
            let at_once = self.at_once.contains(id);
            for place in &self.places {
                let verified = match place.get(id) {
                    Some((came, left)) => (at_once || after(*came, propagation) <= now) && left.is_none(),
                    None => at_once,
                };
                assert!(verified, "{id}: a token until {ends} is not verified at {now}");
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..2usize).prop_map(Event::Read),
        12 => (0..2usize, prop::bool::weighted(0.3)).prop_map(|(signer, crashes)| Event::Write { signer, crashes }),
        8 => (0..PLACES).prop_map(Event::Publish),
        8 => (0..2usize, 1..=60i64).prop_map(|(signer, minutes)| Event::Sign { signer, minutes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_token_ever_loses_its_key(
        propagation in 1..2000i64,
        events in prop::collection::vec((0..4000i64, event()), 1..600),
    ) {
        let mut history = History::new(plan(propagation));
        for (minutes, event) in &events {
            history.now = after(history.now, SignedDuration::from_mins(*minutes));
            history.happens(event);
            history.check();
        }
    }

    #[test]
    fn there_is_always_a_key_that_signs_longer_than_a_token_lives(propagation in 1..2000i64) {
        let mut history = History::new(plan(propagation));
        // A signer that looks twice a day, for a thousand days.
        for _ in 0..2000 {
            history.now = after(history.now, SignedDuration::from_hours(12));
            for event in [Event::Read(0), Event::Write { signer: 0, crashes: false }, Event::Publish(0), Event::Publish(1)] {
                history.happens(&event);
            }
            let (_, ends) = History::signing(&history.kept.1).expect("something signs");
            prop_assert!(after(history.now, SignedDuration::from_hours(12 + 1)) < ends);
            history.happens(&Event::Sign { signer: 0, minutes: 60 });
            history.check();
        }
        prop_assert_eq!(history.at_once.len(), 1, "it began once");
        prop_assert!(history.made > 4, "it was replaced: {}", history.made);
    }
}
