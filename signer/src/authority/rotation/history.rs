//! Long histories with a held clock: signers that crash, lag and compete, bundles that are written late, consumers that are
//! behind. At every moment each certificate that is valid must be trusted by each consumer.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::authority::SKEW;

/// Makes names, each once.
#[derive(Debug, Default)]
pub(super) struct Counter {
    made: usize,
}

impl Counter {
    fn next(&mut self, what: &str, ends: Timestamp) -> Made {
        self.made += 1;
        Made {
            sha256: format!("{what}{}", self.made),
            ends,
        }
    }
}

impl Maker for Counter {
    type Error = Infallible;

    fn make_root(&mut self, _: Timestamp, ends: Timestamp) -> Result<Made, Infallible> {
        Ok(self.next("root", ends))
    }

    fn make_intermediate(&mut self, _: &str, _: Timestamp, ends: Timestamp) -> Result<Made, Infallible> {
        Ok(self.next("intermediate", ends))
    }

    fn take_root(&mut self, _: &Made) -> Result<(), Infallible> {
        Ok(())
    }

    fn adopt(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What happens, and how much time passes before it, in minutes.
#[derive(Clone, Debug)]
enum Event {
    /// A signer reads what is kept. There are two.
    Read(usize),
    /// It decides by what it read last, and writes. If it is to crash, it does so before the write.
    Write { signer: usize, crashes: bool },
    /// A place for bundles is written, from what is kept.
    Publish(usize),
    /// A workload gets a certificate from a signer, which signs by what it read last.
    Sign { signer: usize, hours: i64 },
    /// Somebody asks for a new root.
    AskRoot,
    /// Somebody asks for a new intermediate.
    AskIntermediate,
    /// An intermediate is brought, with a new root or the last one.
    Bring { new_root: bool, hours: i64 },
    /// The intermediate that signs is revoked.
    Revoke,
    /// The signer is to make them again.
    MakeAgain,
}

const PLACES: usize = 2;

/// When a root came into a place, and when it left.
type Presence = BTreeMap<String, (Timestamp, Option<Timestamp>)>;

struct History {
    plan: Plan,
    now: Timestamp,
    kept: (usize, State),
    read: [(usize, State); 2],
    places: [Presence; PLACES],
    /// For each place, what it held at the last successful write.
    held: [BTreeSet<String>; PLACES],
    /// Certificates: the root, the end.
    leaves: Vec<(String, Timestamp)>,
    /// By root, when the last certificate under it ends.
    last: BTreeMap<String, Timestamp>,
    /// Roots that were used at once, since nothing valid signed: consumers learn of them as soon as they can.
    at_once: BTreeSet<String>,
    seen: Seen,
    asked: usize,
    maker: Counter,
    /// Intermediates that ever signed.
    signed_with: BTreeSet<String>,
}

impl History {
    fn new(plan: Plan) -> Self {
        Self {
            plan,
            now: "2026-11-24T12:00:00Z".parse().unwrap(),
            kept: (0, State::default()),
            read: [(0, State::default()), (0, State::default())],
            places: [Presence::new(), Presence::new()],
            held: [BTreeSet::new(), BTreeSet::new()],
            leaves: Vec::new(),
            last: BTreeMap::new(),
            at_once: BTreeSet::new(),
            seen: Seen::default(),
            asked: 0,
            maker: Counter::default(),
            signed_with: BTreeSet::new(),
        }
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Read(signer) => self.read[signer] = self.kept.clone(),
            Event::Write { signer, crashes } => self.write(signer, crashes),
            Event::Publish(place) => self.publish(place),
            Event::Sign { signer, hours } => self.sign(signer, hours),
            Event::AskRoot => {
                self.asked += 1;
                self.seen.asked.root = Some(self.asked.to_string());
            }
            Event::AskIntermediate => {
                self.asked += 1;
                self.seen.asked.intermediate = Some(self.asked.to_string());
            }
            Event::Bring { new_root, hours } => self.bring(new_root, hours),
            Event::Revoke => self.revoke(),
            Event::MakeAgain => self.plan.source = Source::Made,
        }
    }

    fn write(&mut self, signer: usize, crashes: bool) {
        let (version, mut state) = self.read[signer].clone();
        let [first, second] = &self.held;
        let everywhere: BTreeSet<String> = first.intersection(second).cloned().collect();
        self.seen.published = everywhere;
        let is_revoked = |signing: &Intermediate| self.plan.revoked.contains(&signing.sha256);
        let was_alive = state.is_alive(self.now) && !state.signing.as_ref().is_some_and(is_revoked);
        // One that has ended is not offered.
        let now = self.now;
        self.seen.offer = self.seen.offer.take().filter(|offer| now < offer.intermediate.ends);
        let steps = advance(&mut state, &self.plan, &self.seen, self.now, &mut self.maker).unwrap();
        let conflict = version != self.kept.0;
        if crashes || conflict || steps.is_empty() {
            return;
        }
        for step in &steps {
            let (Step::Use(root) | Step::Adopt(Offer { under: root, .. })) = step else {
                continue;
            };
            if !was_alive {
                self.at_once.insert(root.clone());
            }
        }
        if let Some(signing) = &state.signing
            && self.kept.1.signing.as_ref() != Some(signing)
            && signing.origin == Origin::Made
        {
            assert!(
                self.signed_with.insert(signing.sha256.clone()),
                "an intermediate came back"
            );
        }
        let active = state
            .roots
            .iter()
            .filter(|root| root.state == RootState::Active)
            .count();
        assert!(active <= 1, "{state:?}");
        assert!(!state.signing.as_ref().is_some_and(is_revoked), "{state:?}");
        self.kept = (version + 1, state.clone());
        self.read[signer] = (version + 1, state);
    }

    fn publish(&mut self, place: usize) {
        let bundle = self.kept.1.bundle();
        for root in &bundle {
            let presence = self.places[place].entry(root.clone()).or_insert((self.now, None));
            assert_eq!(presence.1, None, "a root came back after it was withdrawn");
        }
        for (root, presence) in &mut self.places[place] {
            if !bundle.contains(root) {
                // Those whose clocks are behind hold the last certificate for valid still.
                let ran_out = self.last.get(root).map(|last| after(*last, self.plan.propagation));
                assert!(ran_out <= Some(self.now), "{root} left before {ran_out:?}");
                presence.1 = presence.1.or(Some(self.now));
            }
        }
        self.held[place] = bundle;
    }

    fn sign(&mut self, signer: usize, hours: i64) {
        let Some(signing) = &self.read[signer].1.signing else {
            return;
        };
        let ends = after(self.now, SignedDuration::from_hours(hours)).min(signing.ends);
        if ends > self.now {
            let last = self.last.entry(signing.under.clone()).or_insert(ends);
            *last = ends.max(*last);
            self.leaves.push((signing.under.clone(), ends));
        }
    }

    /// What is under it counts no more, so nobody has to trust it.
    fn revoke(&mut self) {
        if let Some(signing) = &self.kept.1.signing {
            self.plan.revoked.insert(signing.sha256.clone());
        }
    }

    fn bring(&mut self, new_root: bool, hours: i64) {
        let ends = after(self.now, SignedDuration::from_hours(hours));
        let last = self.seen.offer.as_ref().and_then(|offer| offer.roots.last().cloned());
        let root = match last {
            Some(root) if !new_root && self.kept.1.root(&root.sha256).is_some() => root,
            _ => self
                .maker
                .next("brought-root", after(self.now, SignedDuration::from_hours(100_000))),
        };
        self.plan.source = Source::Brought;
        self.seen.offer = Some(Offer {
            intermediate: self.maker.next("brought", ends),
            begins: before(self.now, SKEW),
            under: root.sha256.clone(),
            roots: vec![root],
        });
    }

    /// Each certificate that is valid is trusted by each consumer, be it up to `propagation` behind, or a proxy that is told the
    /// roots with its next certificate.
    fn check(&mut self) {
        let (now, behind) = (self.now, self.plan.propagation.max(self.plan.mesh));
        self.leaves.retain(|(_, ends)| now < *ends);
        for (root, ends) in &self.leaves {
            let at_once = self.at_once.contains(root);
            for place in &self.places {
                let presence = place.get(root);
                let loaded = |came: Timestamp| at_once || after(came, behind) <= now;
                let trusted = match presence {
                    Some((came, left)) => loaded(*came) && left.is_none(),
                    None => at_once,
                };
                assert!(
                    trusted,
                    "{root}: a certificate until {ends} is not trusted at {now}: {presence:?}"
                );
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..2usize).prop_map(Event::Read),
        12 => (0..2usize, prop::bool::weighted(0.3)).prop_map(|(signer, crashes)| Event::Write { signer, crashes }),
        8 => (0..PLACES).prop_map(Event::Publish),
        8 => (0..2usize, 1..48i64).prop_map(|(signer, hours)| Event::Sign { signer, hours }),
        1 => Just(Event::AskRoot),
        1 => Just(Event::AskIntermediate),
        1 => (any::<bool>(), 48..2000i64).prop_map(|(new_root, hours)| Event::Bring { new_root, hours }),
        1 => Just(Event::Revoke),
        1 => Just(Event::MakeAgain),
    ]
}

fn plans() -> impl Strategy<Value = Plan> {
    (3..400i64, 1..60i64, 0..25i64, 0..2000i64).prop_map(|(intermediate, propagation, mesh, more)| Plan {
        source: Source::Made,
        algorithm: countersign_crds::certificate_authority::CaKeyAlgorithm::EcdsaP256,
        root: SignedDuration::from_hours(2 * intermediate + 2 * propagation + propagation.max(mesh) + more),
        intermediate: SignedDuration::from_hours(intermediate),
        propagation: SignedDuration::from_hours(propagation),
        mesh: SignedDuration::from_hours(mesh),
        revoked: BTreeSet::new(),
    })
}

/// The ordinary life of a signer: at each hour it reads, decides, writes, publishes and signs.
fn an_hour(history: &mut History) {
    history.now = after(history.now, SignedDuration::from_hours(1));
    for event in [
        Event::Read(0),
        Event::Write {
            signer: 0,
            crashes: false,
        },
        Event::Publish(0),
        Event::Publish(1),
    ] {
        history.happens(&event);
    }
    history.happens(&Event::Sign { signer: 0, hours: 24 });
    history.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_certificate_ever_loses_its_root(
        plan in plans(),
        events in prop::collection::vec((0..2000i64, event()), 1..600),
    ) {
        let mut history = History::new(plan);
        for (minutes, event) in &events {
            history.now = after(history.now, SignedDuration::from_mins(*minutes));
            history.happens(event);
            history.check();
        }
    }

    #[test]
    fn there_is_always_something_that_signs(plan in plans(), hours in 2000..8000usize) {
        let mut history = History::new(plan.clone());
        for hour in 0..hours {
            an_hour(&mut history);
            let signing = history.kept.1.signing.as_ref().expect("something signs");
            let left = signing.ends.duration_since(history.now);
            // Half an intermediate, but for the hour that passes between two looks.
            prop_assert!(left * 2 >= plan.intermediate - SignedDuration::from_hours(2), "hour {}: {} left", hour, left);
        }
        prop_assert_eq!(history.at_once.len(), 1, "it began once");
    }
}
