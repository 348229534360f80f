//! Three days of two workloads that talk mutual TLS all the time, while leaves, intermediates and roots are replaced: no
//! handshake fails. The clock is the test's; certificates, rotation and handshakes are real.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    dead_code,
    reason = "test code: a panic is how a test fails; each user of the support takes its part"
)]

#[path = "peers/tls.rs"]
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_crds::certificate_authority::{CertificateAuthoritySpec, RootState};
use countersign_identity::svid::{self, Withdrawn};
use countersign_identity::{Bundle, Bundles, TrustDomain, pem};
use countersign_signer::authority::brought::Brought;
use countersign_signer::authority::rotation::{Plan, Seen, Source};
use countersign_signer::authority::{Authority, Certificate, Kept, SKEW};
use countersign_signer::books::Ledger;
use countersign_signer::grant::{Grant, SHORTEST, Usages};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::PublicKey;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _,
};
use rstest::rstest;
use rustls::pki_types::PrivateKeyDer;
use tls::{Held, Party, handshake};

const HOURS: i64 = 72;
/// How long consumers get to load a root.
const PROPAGATION: SignedDuration = SignedDuration::from_hours(1);
/// How late a bundle is written after a root came or went.
const PUBLISHED_LATE: SignedDuration = SignedDuration::from_mins(5);
/// How far the replica that signs may be behind the one that leads.
const REPLICA_LATE: SignedDuration = SignedDuration::from_mins(3);

/// When what happens.
const ASK_ROOT: i64 = 20;
const BRING: i64 = 44;
const BRING_NEXT: i64 = 50;
const MAKE_AGAIN: i64 = 56;

fn start() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// A mistake that a rotation must not make, to see that the test would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// An old root leaves the bundles when the next one is used.
    WithdrawnEarly,
    /// A root is used before all have loaded it.
    UsedEarly,
}

/// Something over time: what it was at a moment is what it became last before that.
struct Past<T>(Vec<(Timestamp, T)>);

impl<T: Clone> Past<T> {
    fn at(&self, time: Timestamp) -> T {
        let known = self.0.iter().rev().find(|(since, _)| *since <= time);
        // At the beginning there is nothing to be behind of.
        known.unwrap_or(&self.0[0]).1.clone()
    }
}

/// An authority outside, whose intermediates are brought.
struct Offline(CertifiedIssuer<'static, KeyPair>);

impl Offline {
    fn new(now: Timestamp) -> Self {
        let params = authority("offline root", now, hours(1000));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A fresh intermediate, as cert-manager makes it: it begins the second it is made.
    fn brings(&self, now: Timestamp) -> Brought {
        let key = KeyPair::generate().unwrap();
        let params = authority("offline intermediate", now, hours(100));
        let intermediate = params.signed_by(&key, &self.0).unwrap();
        let entries: BTreeMap<String, ByteString> = [
            ("tls.crt", pem::certificate(intermediate.der())),
            ("tls.key", key.serialize_pem()),
            ("ca.crt", pem::certificate(self.0.der())),
        ]
        .map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes())))
        .into();
        Brought::read(&domain(), &entries, &Withdrawn::default(), now).unwrap()
    }
}

fn authority(name: &str, now: Timestamp, life: SignedDuration) -> CertificateParams {
    let at = |time: Timestamp| time::OffsetDateTime::from_unix_timestamp(time.as_second()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at(now);
    params.not_after = at(now + life);
    params
}

/// The signer, and the place where it publishes its roots.
struct World {
    mistake: Mistake,
    now: Timestamp,
    plan: Plan,
    seen: Seen,
    brought: Option<Brought>,
    kept: Kept,
    authorities: Past<Arc<Authority>>,
    bundles: Past<Arc<Bundle>>,
    steps: BTreeMap<&'static str, usize>,
    /// Whether a step was taken in this minute.
    stepped: bool,
}

impl World {
    fn new(mistake: Mistake) -> Self {
        let mut spec = CertificateAuthoritySpec {
            propagation: "1h".to_owned(),
            ..CertificateAuthoritySpec::default()
        };
        "30h".clone_into(&mut spec.root.duration);
        "6h".clone_into(&mut spec.intermediate.duration);
        let mut world = Self {
            mistake,
            now: start(),
            plan: Plan::new(&spec).unwrap(),
            seen: Seen::default(),
            brought: None,
            kept: Kept::new(domain()),
            authorities: Past(Vec::new()),
            bundles: Past(Vec::new()),
            steps: BTreeMap::new(),
            stepped: false,
        };
        if mistake == Mistake::UsedEarly {
            world.plan.propagation = SignedDuration::from_secs(1);
        }
        world.advance();
        world
    }

    /// Takes the steps that are due, and publishes.
    fn advance(&mut self) {
        let last = self.bundles.0.last().map(|(_, bundle)| fingerprints(bundle));
        self.seen.published = last.clone().unwrap_or_default();
        let (kept, steps) = self
            .kept
            .advanced(&self.plan, &self.seen, self.brought.as_ref(), self.now)
            .unwrap();
        for step in &steps {
            *self.steps.entry(step).or_default() += 1;
        }
        self.kept = kept;
        self.stepped = !steps.is_empty();
        if !steps.is_empty() {
            let authority = Arc::new(self.kept.authority().unwrap());
            self.authorities.0.push((self.now, authority));
        }
        let bundle = self.to_publish();
        if last.as_ref() != Some(&fingerprints(&bundle)) {
            // What is written now is not seen as written before the next look, but may be read from now on.
            let at = if last.is_none() {
                self.now
            } else {
                self.now + PUBLISHED_LATE
            };
            if self
                .bundles
                .0
                .last()
                .is_none_or(|(_, pending)| fingerprints(pending) != fingerprints(&bundle))
            {
                self.bundles.0.push((at, Arc::new(bundle)));
            }
        }
    }

    fn to_publish(&self) -> Bundle {
        let mut bundle = self.kept.bundle();
        if self.mistake == Mistake::WithdrawnEarly {
            let retiring = self
                .kept
                .state()
                .roots
                .iter()
                .filter(|root| root.state == RootState::Retiring);
            for root in retiring {
                let there: Vec<_> = bundle
                    .roots()
                    .map(countersign_identity::bundle::Root::fingerprint)
                    .collect();
                for fingerprint in there {
                    if fingerprint.to_string() == root.sha256 {
                        bundle.remove_root(fingerprint);
                    }
                }
            }
        }
        bundle
    }

    /// Lets a minute pass.
    fn minute(&mut self, offline: &Offline) {
        self.now += SignedDuration::from_mins(1);
        self.stepped = false;
        let passed = self.now.duration_since(start());
        if passed == hours(ASK_ROOT) {
            self.seen.asked.root = Some("now".to_owned());
        }
        if passed == hours(BRING) || passed == hours(BRING_NEXT) {
            let brought = offline.brings(self.now);
            self.plan.source = Source::Brought;
            self.seen.offer = Some(brought.offer().clone());
            self.brought = Some(brought);
        }
        if passed == hours(MAKE_AGAIN) {
            self.plan.source = Source::Made;
            self.seen.offer = None;
            self.brought = None;
        }
        // A bundle that is on its way is not there yet.
        if self.bundles.0.last().is_some_and(|(at, _)| *at > self.now) {
            return;
        }
        self.advance();
    }
}

fn fingerprints(bundle: &Bundle) -> BTreeSet<String> {
    bundle.roots().map(|root| root.fingerprint().to_string()).collect()
}

/// A workload: it renews when it is told to, and loads bundles late.
struct Peer {
    name: &'static str,
    current: Option<(Certificate, KeyPair)>,
    bundle: Arc<Bundle>,
    loaded: Timestamp,
    renewed: usize,
}

impl Peer {
    fn new(name: &'static str, world: &World) -> Self {
        Self {
            name,
            current: None,
            bundle: world.bundles.at(world.now),
            loaded: world.now,
            renewed: 0,
        }
    }

    fn id(&self) -> String {
        format!("spiffe://example.org/ns/shop/sa/{}", self.name)
    }

    fn host(&self) -> String {
        format!("{}.shop.svc", self.name)
    }

    /// Renews by a clock of its own, and loads the bundle as it was a while ago.
    fn live(&mut self, world: &World, clock: Timestamp, habit: Habit) {
        self.loaded = self.loaded.max(world.now - habit.loads_late);
        self.bundle = world.bundles.at(self.loaded);
        if self
            .current
            .as_ref()
            .is_none_or(|(current, _)| clock >= current.refresh_at)
        {
            let current = Current::default();
            current.set(Some(world.authorities.at(world.now - habit.replica_late)));
            let issuer = Issuer::new(current, Arc::new(IssueMetrics::default()), Arc::new(Ledger::default()));
            let key = KeyPair::generate().unwrap();
            let public = PublicKey::from_info(&key.subject_public_key_info()).unwrap();
            let certificate = issuer.issue(Path::WorkloadApi, self.name, &self.grant(), &public, world.now);
            self.current = Some((certificate.unwrap(), key));
            self.renewed += 1;
        }
    }

    fn grant(&self) -> Grant {
        Grant {
            namespace: "shop".to_owned(),
            service_account: self.name.to_owned(),
            service_identity: None,
            spiffe_id: self.id().parse().unwrap(),
            key_type: None,
            dns_names: vec![self.host()],
            usages: Usages {
                server: true,
                client: true,
            },
            lifetime: SHORTEST,
            renew_after_percent: 50,
        }
    }

    fn party(&self, clock: Timestamp) -> Party {
        let (certificate, key) = self.current.as_ref().unwrap();
        Party {
            chain: certificate.chain.clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            roots: self.bundle.roots().map(|root| root.certificate().clone()).collect(),
            clock: Held(clock),
        }
    }

    /// Calls another one: rustls at both ends, and each holds the other's certificate to the SPIFFE standards too.
    fn calls(&self, server: &Self, clock: Timestamp, server_clock: Timestamp) -> Result<(), String> {
        let (ours, theirs) = (self.party(clock), server.party(server_clock));
        let (client, serving) = (ours.calls().unwrap(), theirs.serves().unwrap());
        handshake(client, serving, &server.host()).map_err(|error| error.to_string())?;
        for (judge, clock, shown, id) in [
            (self, clock, &theirs.chain, server.id()),
            (server, server_clock, &ours.chain, self.id()),
        ] {
            let bundles = Bundles::new((*judge.bundle).clone());
            let verified = svid::verify(shown, &bundles, &Withdrawn::default(), clock);
            let verified = verified.map_err(|error| error.to_string())?;
            assert_eq!(verified.id().to_string(), id);
        }
        Ok(())
    }
}

/// How far a peer's clock is off, how late it loads bundles, and how far the replica of the signer that it asks is behind.
#[derive(Clone, Copy)]
struct Habit {
    skew: SignedDuration,
    loads_late: SignedDuration,
    replica_late: SignedDuration,
}

/// The habits of two peers, others every hour. One of them, whose number comes first, loads bundles at once.
fn habits(hour: i64) -> (usize, [Habit; 2]) {
    let quick = |skew| Habit {
        skew,
        loads_late: SignedDuration::ZERO,
        replica_late: SignedDuration::ZERO,
    };
    let slow = |skew| Habit {
        skew,
        loads_late: PROPAGATION,
        replica_late: REPLICA_LATE,
    };
    match hour % 4 {
        0 => (0, [quick(SKEW), slow(-SKEW)]),
        1 => (1, [slow(SKEW), quick(-SKEW)]),
        2 => (0, [quick(SignedDuration::ZERO), slow(-SKEW)]),
        _ => (1, [slow(-SKEW), quick(-SKEW / 2)]),
    }
}

/// Three days. Gives the handshakes that were made, what failed first, and the steps that were taken.
fn three_days(mistake: Mistake) -> (usize, Option<String>, BTreeMap<&'static str, usize>) {
    let mut world = World::new(mistake);
    let offline = Offline::new(start());
    let mut peers = ["api", "web"].map(|name| Peer::new(name, &world));
    let (mut made, mut renewed) = (0, 0);
    while world.now.duration_since(start()) < hours(HOURS) {
        world.minute(&offline);
        let passed = world.now.duration_since(start());
        let (quick, habits) = habits(passed.as_hours());
        // When a step is taken a Pod starts, and asks the replica that leads: nothing has had time to settle.
        if world.stepped {
            peers[quick].current = None;
        }
        let clocks = habits.map(|habit| world.now + habit.skew);
        for ((peer, habit), clock) in peers.iter_mut().zip(habits).zip(clocks) {
            peer.live(&world, clock, habit);
        }
        let [api, web] = &peers;
        for result in [
            api.calls(web, clocks[0], clocks[1]),
            web.calls(api, clocks[1], clocks[0]),
        ] {
            made += 1;
            if let Err(error) = result {
                return (made, Some(format!("after {passed}: {error}")), world.steps);
            }
        }
        renewed = api.renewed + web.renewed;
    }
    assert!(renewed > 250, "{renewed} leaves");
    (made, None, world.steps)
}

#[test]
fn no_handshake_fails_in_three_days_of_rotations() {
    let (made, failed, steps) = three_days(Mistake::None);
    assert_eq!(failed, None, "{steps:?}");
    assert_eq!(made, 2 * 60 * 72);
    // Else it would be about nothing.
    let taken = |step: &str| steps.get(step).copied().unwrap_or_default();
    assert!(taken("make-intermediate") >= 15, "{steps:?}");
    assert!(
        taken("use-root") >= 4,
        "by schedule, as asked, and after what was brought: {steps:?}"
    );
    assert!(taken("withdraw-root") >= 3, "{steps:?}");
    assert_eq!(taken("adopt-intermediate"), 2, "{steps:?}");
}

#[rstest]
#[case(Mistake::WithdrawnEarly)]
#[case(Mistake::UsedEarly)]
fn a_rotation_that_hurries_is_noticed(#[case] mistake: Mistake) {
    let (_, failed, steps) = three_days(mistake);
    assert!(failed.is_some(), "{steps:?}");
}
