use countersign_crds::certificate_authority::{CertificateAuthoritySpec, Phase};
use jiff::SignedDuration;
use rstest::rstest;

use super::history::Counter;
use super::*;
use crate::authority::SKEW;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn plan() -> Plan {
    Plan::new(&CertificateAuthoritySpec::default()).unwrap()
}

fn start() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

struct World {
    state: State,
    plan: Plan,
    seen: Seen,
    now: Timestamp,
    maker: Counter,
}

impl World {
    fn begin() -> Self {
        let mut world = Self {
            state: State::default(),
            plan: plan(),
            seen: Seen::default(),
            now: start(),
            maker: Counter::default(),
        };
        assert_eq!(world.go(0).len(), 3);
        world
    }

    /// Lets hours pass, and takes the steps that are due then.
    fn go(&mut self, later: i64) -> Vec<&'static str> {
        self.now = after(self.now, hours(later));
        let steps = advance(&mut self.state, &self.plan, &self.seen, self.now, &mut self.maker).unwrap();
        steps.iter().map(Step::name).collect()
    }

    fn publish(&mut self) {
        self.seen.published = self.state.bundle();
    }

    fn signs(&self) -> String {
        self.state.signing.as_ref().unwrap().sha256.clone()
    }

    fn bring(&mut self, intermediate: &str, under: &str, roots: &[&str]) {
        let ends = after(self.now, hours(2000));
        let made = |name: &str| Made {
            sha256: name.to_owned(),
            ends,
        };
        self.plan.source = Source::Brought;
        self.seen.offer = Some(Offer {
            intermediate: made(intermediate),
            begins: before(self.now, SKEW),
            under: under.to_owned(),
            roots: roots.iter().map(|root| made(root)).collect(),
        });
    }
}

#[test]
fn the_first_start_waits_for_nobody() {
    let mut world = World::begin();
    assert_eq!(world.state.phase(world.now), Phase::Steady);
    assert_eq!(world.go(0), [""; 0], "once is enough");
    let next = next(&world.state, &world.plan, &world.seen, world.now).unwrap();
    assert_eq!(
        (next.at, next.what),
        (after(start(), hours(360)), "make a new intermediate")
    );
}

#[test]
fn an_intermediate_is_replaced_at_half_of_its_life() {
    let mut world = World::begin();
    world.publish();
    assert_eq!(world.go(359), ["note-published"]);
    assert_eq!(world.go(1), ["make-intermediate"]);
    assert_eq!(world.state.roots.len(), 1);
    assert_eq!(world.state.roots[0].last_end, Some(after(world.now, hours(720))));
}

#[test]
fn a_root_is_distributed_then_used_then_the_old_one_is_withdrawn() {
    let mut world = World::begin();
    world.seen.asked.root = Some("please".to_owned());
    assert_eq!(world.go(1), ["make-root"]);
    assert_eq!(world.state.phase(world.now), Phase::RootPublished);
    assert_eq!(world.go(100), [""; 0], "no bundle holds it yet");
    world.publish();
    assert_eq!(world.go(0), ["note-published", "note-published"]);
    assert_eq!(world.go(23), [""; 0], "consumers may be behind");
    let before = world.signs();
    assert_eq!(world.go(1), ["use-root", "make-intermediate"]);
    assert_ne!(world.signs(), before);
    assert_eq!(world.state.phase(world.now), Phase::RootInUse);
    let old_end = world.state.roots[0].last_end.unwrap();
    assert_eq!(old_end, after(start(), hours(720)));
    world.now = old_end;
    assert_eq!(world.go(0), ["make-intermediate"]);
    assert_eq!(world.state.phase(world.now), Phase::RootRetiring);
    assert_eq!(world.go(23), [""; 0]);
    assert_eq!(world.go(1), ["withdraw-root"]);
    assert_eq!(world.state.phase(world.now), Phase::Steady);
    assert_eq!(world.state.roots.len(), 1);
}

#[test]
fn a_root_is_used_when_the_proxies_of_a_mesh_have_had_their_next_certificates() {
    let mut world = World::begin();
    world.plan = world.plan.with_mesh(hours(30)).unwrap();
    world.seen.asked.root = Some("please".to_owned());
    world.go(1);
    world.publish();
    world.go(0);
    let used = Next {
        at: after(world.now, hours(30)),
        what: "use the new root",
    };
    assert_eq!(next(&world.state, &world.plan, &world.seen, world.now), Some(used));
    assert_eq!(world.go(29), [""; 0], "a proxy may have a certificate from before");
    assert_eq!(world.go(1), ["use-root", "make-intermediate"]);
}

#[test]
fn a_root_lives_long_enough_for_a_mesh() {
    let mut spec = CertificateAuthoritySpec {
        propagation: "1h".to_owned(),
        ..CertificateAuthoritySpec::default()
    };
    "3h".clone_into(&mut spec.intermediate.duration);
    "32h".clone_into(&mut spec.root.duration);
    let with = |mesh| Plan::new(&spec).unwrap().with_mesh(hours(mesh)).map(drop);
    assert_eq!(with(24), Ok(()));
    assert_eq!(with(25), Err(PlanError::ShortRootForMesh(hours(25))));
}

#[test]
fn another_intermediate_takes_the_place_of_one_that_is_revoked() {
    let mut world = World::begin();
    let (revoked, root) = (world.signs(), world.state.signing.as_ref().unwrap().under.clone());
    world.plan.revoked.insert(revoked.clone());
    assert_eq!(world.go(1), ["revoke-intermediate", "make-intermediate"]);
    assert_ne!(world.signs(), revoked);
    assert_eq!(world.state.signing.as_ref().unwrap().under, root);
    assert_eq!(world.go(1), [""; 0]);
}

#[test]
fn nothing_signs_after_what_was_brought_is_revoked_until_another_is_brought() {
    let mut world = World::begin();
    world.state = State::default();
    world.bring("i1", "r1", &["r1"]);
    world.go(0);
    world.plan.revoked.insert("i1".to_owned());
    assert_eq!(world.go(0), ["revoke-intermediate"]);
    assert_eq!(world.state.signing, None);
    assert_eq!(world.go(1), [""; 0], "it is still the one that is brought");
    world.bring("i2", "r1", &["r1"]);
    assert_eq!(world.go(0), ["adopt-intermediate"]);
}

#[test]
fn what_is_revoked_is_named_by_its_sha256() {
    let spec = CertificateAuthoritySpec {
        revoked_intermediates: vec!["AB:CD".to_owned()],
        ..CertificateAuthoritySpec::default()
    };
    assert_eq!(Plan::new(&spec), Err(PlanError::Revoked("AB:CD".to_owned())));
}

#[test]
fn the_next_root_comes_well_before_the_end() {
    let mut world = World::begin();
    world.publish();
    let due = world.plan.root_due(start(), after(start(), world.plan.root));
    assert_eq!(
        after(due, hours(2 * 720 + 2 * 24 + 8760)),
        after(start(), world.plan.root)
    );
    world.now = due;
    assert!(world.go(0).contains(&"make-root"));
}

#[test]
fn a_rotation_is_asked_for_once_per_value() {
    let mut world = World::begin();
    world.seen.asked.intermediate = Some("1".to_owned());
    assert_eq!(world.go(0), ["make-intermediate"]);
    assert_eq!(world.go(0), [""; 0]);
    world.seen.asked.intermediate = None;
    assert_eq!(world.go(0), [""; 0]);
    world.seen.asked.intermediate = Some("2".to_owned());
    world.seen.asked.root = Some("1".to_owned());
    assert_eq!(world.go(0), ["make-root", "make-intermediate"]);
    // A second request waits for the first: it is for one more root.
    world.seen.asked.root = Some("2".to_owned());
    assert_eq!(world.go(0), [""; 0]);
    world.publish();
    world.go(0);
    assert_eq!(world.go(24), ["use-root", "make-root", "make-intermediate"]);
}

#[test]
fn who_asks_for_ever_more_roots_waits() {
    let mut world = World::begin();
    for round in 0..100 {
        world.seen.asked.root = Some(round.to_string());
        world.publish();
        world.go(24);
        assert!(world.state.roots.len() <= MOST_ROOTS);
    }
    assert_eq!(world.state.roots.len(), MOST_ROOTS);
}

#[test]
fn a_new_intermediate_must_last_longer_than_the_one_before() {
    let mut world = World::begin();
    // Nothing is ever published, so the root cannot be replaced.
    let root_ends = world.state.roots[0].ends;
    let mut made = 0;
    while world.now < root_ends {
        made += world
            .go(100)
            .iter()
            .filter(|step| **step == "make-intermediate")
            .count();
    }
    assert!((200..300).contains(&made), "{made}");
    world.go(24);
    assert_eq!(
        world.state.phase(world.now),
        Phase::Steady,
        "the next root was used at once"
    );
}

#[test]
fn what_was_slept_through_begins_anew() {
    let mut world = World::begin();
    let steps = world.go(100_000);
    assert_eq!(steps, ["make-root", "use-root", "withdraw-root", "make-intermediate"]);
}

#[test]
fn what_is_brought_at_the_start_signs_at_once() {
    let mut world = World::begin();
    world.state = State::default();
    world.bring("i1", "r1", &["r1", "r2"]);
    assert_eq!(world.go(0), ["take-root", "take-root", "adopt-intermediate"]);
    assert_eq!(world.go(0), [""; 0]);
}

#[test]
fn what_was_made_just_now_waits_for_clocks_that_are_behind() {
    let mut world = World::begin();
    world.state = State::default();
    world.bring("i1", "r1", &["r1"]);
    world.seen.offer.as_mut().unwrap().begins = world.now;
    assert_eq!(
        world.go(0),
        ["take-root", "adopt-intermediate"],
        "there is nothing else"
    );
    world.bring("i2", "r1", &["r1"]);
    world.seen.offer.as_mut().unwrap().begins = world.now;
    assert_eq!(world.go(0), [""; 0]);
    let next = next(&world.state, &world.plan, &world.seen, world.now).unwrap();
    assert_eq!(next.at, after(world.now, SKEW));
    world.now = next.at;
    assert_eq!(world.go(0), ["adopt-intermediate"]);
}

#[test]
fn the_root_of_what_is_brought_is_distributed_before_it_signs() {
    let mut world = World::begin();
    world.bring("i1", "r1", &["r1"]);
    assert_eq!(world.go(0), ["take-root"]);
    let before = world.signs();
    world.publish();
    world.go(0);
    assert_eq!(world.go(23), [""; 0]);
    assert_eq!(world.signs(), before);
    assert_eq!(world.go(1), ["adopt-intermediate"]);
    assert_eq!(world.signs(), "i1");
    // The next one is under the same root.
    world.bring("i2", "r1", &["r1"]);
    assert_eq!(world.go(1), ["adopt-intermediate"]);
    // And back to what the signer makes.
    world.plan.source = Source::Made;
    assert_eq!(world.go(0), ["make-root"]);
    world.publish();
    world.go(0);
    assert_eq!(world.go(24), ["use-root", "make-intermediate"]);
}

#[test]
fn a_root_that_is_brought_again_is_not_withdrawn() {
    let mut world = World::begin();
    world.bring("i1", "r1", &["r1"]);
    world.go(0);
    world.publish();
    world.go(0);
    world.go(24);
    world.bring("i2", "r2", &["r1", "r2"]);
    assert_eq!(world.go(0), ["take-root"]);
    world.publish();
    world.go(0);
    assert_eq!(world.go(24), ["adopt-intermediate", "take-root"]);
    let state = |world: &World, root: &str| world.state.root(root).map(|root| root.state);
    assert_eq!(
        state(&world, "r1"),
        Some(RootState::Published),
        "it is to be trusted still"
    );
    world.bring("i2", "r2", &["r2"]);
    assert_eq!(world.go(0), ["retire-root"], "what it signed may be valid still");
    assert_eq!(state(&world, "r1"), Some(RootState::Retiring));
}

#[test]
fn what_is_brought_no_more_leaves_the_old_in_use() {
    let mut world = World::begin();
    world.bring("i1", "r1", &["r1"]);
    world.go(0);
    world.seen.offer = None;
    let before = (world.signs(), world.state.bundle());
    assert_eq!(world.go(24), [""; 0]);
    assert_eq!((world.signs(), world.state.bundle()), before);
}

#[rstest]
#[case("87600h", "720h", "24h", Ok(()))]
#[case("9h", "3h", "1h", Ok(()))]
#[case("8h59m", "3h", "1h", Err(PlanError::ShortRoot))]
#[case("100h", "2h", "1h", Err(PlanError::ShortIntermediate))]
#[case("100h", "3h", "0s", Err(PlanError::NoPropagation))]
#[case("x", "3h", "1h", Err(PlanError::Duration("root.duration")))]
#[case("99999999999h", "3h", "1h", Err(PlanError::Duration("root.duration")))]
#[case("100h", "-3h", "1h", Err(PlanError::Duration("intermediate.duration")))]
fn a_plan_leaves_time_for_all_steps(
    #[case] root: &str,
    #[case] intermediate: &str,
    #[case] propagation: &str,
    #[case] expected: Result<(), PlanError>,
) {
    let mut spec = CertificateAuthoritySpec {
        propagation: propagation.to_owned(),
        ..CertificateAuthoritySpec::default()
    };
    spec.root.duration = root.to_owned();
    spec.intermediate.duration = intermediate.to_owned();
    assert_eq!(Plan::new(&spec).map(|_| ()), expected);
}
