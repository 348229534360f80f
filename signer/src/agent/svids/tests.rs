use std::collections::VecDeque;

use jiff::SignedDuration;
use rcgen::PublicKeyData as _;
use tokio::time::Instant;

use super::*;
use crate::agent::signer::Certificate;
use crate::agent::tokens::Token;
use crate::key::PublicKey;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A signer that says what it was told to say, and then signs. Its certificates live for an hour.
struct Scripted {
    clock: Clock,
    says: Mutex<VecDeque<Result<Option<KeyType>, Failure>>>,
    asked: Mutex<Vec<(Timestamp, KeyType)>>,
}

impl Signer for Arc<Scripted> {
    async fn certify(&self, pod: &LocalPod, request: Vec<u8>) -> Result<Answer, Failure> {
        let now = (self.clock)();
        let key = PublicKey::from_request(&request).unwrap();
        self.asked.lock().unwrap().push((now, key.key_type()));
        match self.says.lock().unwrap().pop_front() {
            Some(Err(failure)) => Err(failure),
            Some(Ok(Some(key_type))) => Ok(Answer::OtherKey(key_type)),
            Some(Ok(None)) | None => Ok(Answer::Certificate(Certificate {
                spiffe_id: format!("spiffe://cluster.local/{}", pod.uid),
                // Not a certificate: what matters here is which key it is for.
                chain: vec![key.der_bytes().to_vec().into()],
                refresh_at: now + MINUTE * 30,
                not_after: now + MINUTE * 60,
            })),
        }
    }

    async fn token(&self, _: &LocalPod, _: Vec<String>) -> Result<Token, Failure> {
        Err(Failure::Unavailable("no tokens here".to_owned()))
    }
}

/// A clock that goes with the paused one of the runtime.
fn clock() -> Clock {
    let began = countersign_runtime::clock::instant();
    let zero = Timestamp::from_second(1_800_000_000).unwrap();
    Arc::new(move || {
        let passed = SignedDuration::try_from(countersign_runtime::clock::instant().duration_since(began)).unwrap();
        zero + passed
    })
}

struct Bench {
    signer: Arc<Scripted>,
    svids: Svids<Arc<Scripted>>,
    clock: Clock,
    began: Instant,
}

impl Bench {
    fn new(says: impl IntoIterator<Item = Result<Option<KeyType>, Failure>>) -> Self {
        let clock = clock();
        let signer = Arc::new(Scripted {
            clock: Arc::clone(&clock),
            says: Mutex::new(says.into_iter().collect()),
            asked: Mutex::default(),
        });
        Self {
            svids: Svids::new(Arc::clone(&signer), Arc::clone(&clock), AgentMetrics::default()),
            signer,
            clock,
            began: countersign_runtime::clock::instant(),
        }
    }

    fn asked(&self) -> usize {
        self.signer.asked.lock().unwrap().len()
    }

    /// Whole minutes since the beginning.
    fn minutes(&self) -> u64 {
        countersign_runtime::clock::instant()
            .duration_since(self.began)
            .as_secs()
            / 60
    }
}

fn pod(uid: &str) -> Arc<LocalPod> {
    Arc::new(LocalPod {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
        uid: uid.to_owned(),
        ended: false,
    })
}

async fn next_held(states: &mut watch::Receiver<State>) -> Arc<Svid> {
    states.changed().await.unwrap();
    match &*states.borrow_and_update() {
        State::Held(svid) => Arc::clone(svid),
        other => panic!("{other:?}"),
    }
}

fn down() -> Result<Option<KeyType>, Failure> {
    Err(Failure::Unavailable("down".to_owned()))
}

fn refused() -> Result<Option<KeyType>, Failure> {
    Err(Failure::Refused("no ServiceIdentity".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn one_is_made_at_the_first_ask_and_shared() {
    let bench = Bench::new([]);
    assert_eq!(bench.asked(), 0);
    let mut first = bench.svids.of(&pod("u1"));
    let svid = next_held(&mut first).await;
    let second = bench.svids.of(&pod("u1"));
    assert!(matches!(&*second.borrow(), State::Held(same) if Arc::ptr_eq(same, &svid)));
    assert_eq!(bench.asked(), 1);
    let other = next_held(&mut bench.svids.of(&pod("u2"))).await;
    assert_eq!(other.spiffe_id, "spiffe://cluster.local/u2");
    assert_ne!(other.key_der, svid.key_der);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_its_point_with_a_new_key_for_72_hours() {
    let bench = Bench::new([]);
    let mut states = bench.svids.of(&pod("u1"));
    let mut before = next_held(&mut states).await;
    for renewal in 1..=144 {
        let after = next_held(&mut states).await;
        assert_eq!(bench.minutes(), renewal * 30);
        assert!((bench.clock)() < before.not_after, "without a gap");
        assert_ne!(after.key_der, before.key_der);
        before = after;
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_is_of_the_kind_that_the_signer_wants_also_next_time() {
    let bench = Bench::new([Ok(Some(KeyType::EcdsaP384))]);
    let mut states = bench.svids.of(&pod("u1"));
    let svid = next_held(&mut states).await;
    let key = KeyPair::try_from(svid.key_der.as_slice()).unwrap();
    assert_eq!(key.algorithm(), &rcgen::PKCS_ECDSA_P384_SHA384);
    assert_eq!(
        svid.chain[0].as_ref(),
        key.der_bytes(),
        "it is the key that was certified"
    );
    assert!(svid.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    next_held(&mut states).await;
    let kinds: Vec<_> = bench
        .signer
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, kind)| *kind)
        .collect();
    assert_eq!(kinds, [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP384]);
}

#[tokio::test(start_paused = true)]
async fn without_the_signer_the_old_one_is_served_until_it_ends() {
    let bench = Bench::new(std::iter::once(Ok(None)).chain((0..500).map(|_| down())));
    let mut states = bench.svids.of(&pod("u1"));
    let svid = next_held(&mut states).await;
    states.changed().await.unwrap();
    assert!(matches!(*states.borrow_and_update(), State::Unavailable(_)));
    assert_eq!((bench.clock)(), svid.not_after, "not before, and not after");
    let asked = bench.asked();
    assert!(
        (30..500).contains(&asked),
        "it was tried all the time, but not all too often: {asked}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_recovers() {
    let bench = Bench::new([Ok(None), down(), down(), down()]);
    let mut states = bench.svids.of(&pod("u1"));
    let before = next_held(&mut states).await;
    let after = next_held(&mut states).await;
    assert!((bench.clock)() < before.not_after);
    assert!(after.not_after > before.not_after);
    assert_eq!(bench.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_identity_any_more_loses_what_there_was() {
    let bench = Bench::new([Ok(None), refused()]);
    let mut states = bench.svids.of(&pod("u1"));
    next_held(&mut states).await;
    states.changed().await.unwrap();
    assert!(matches!(&*states.borrow_and_update(), State::Refused(why) if why == "no ServiceIdentity"));
    assert_eq!(bench.minutes(), 30);
    next_held(&mut states).await;
}

#[tokio::test(start_paused = true)]
async fn who_lost_it_and_asks_no_more_is_forgotten_too() {
    let bench = Bench::new([Ok(None), refused(), refused(), refused()]);
    let mut states = bench.svids.of(&pod("u1"));
    next_held(&mut states).await;
    states.changed().await.unwrap();
    drop(states);
    sleep(Duration::from_mins(3)).await;
    assert_eq!(bench.svids.len(), 0);
}

/// Otherwise a Pod that asks once would be asked for until it ends.
#[tokio::test(start_paused = true)]
async fn who_is_refused_and_asks_no_more_is_forgotten() {
    let bench = Bench::new([refused(), refused(), refused()]);
    let mut states = bench.svids.of(&pod("u1"));
    states.changed().await.unwrap();
    assert_eq!(bench.svids.len(), 1);
    // It is not asked again at once for whoever comes next.
    assert!(matches!(*bench.svids.of(&pod("u1")).borrow(), State::Refused(_)));
    drop(states);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((bench.svids.len(), bench.asked()), (0, 1));
    let mut states = bench.svids.of(&pod("u1"));
    states.changed().await.unwrap();
    assert_eq!(bench.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_gone_is_forgotten_and_its_streams_end() {
    let bench = Bench::new([]);
    let mut gone = bench.svids.of(&pod("u1"));
    let mut stays = bench.svids.of(&pod("u2"));
    next_held(&mut gone).await;
    next_held(&mut stays).await;
    bench.svids.retain(&HashSet::from(["u2".to_owned()]));
    assert!(gone.changed().await.is_err());
    assert_eq!(bench.svids.len(), 1);
    sleep(Duration::from_mins(65)).await;
    assert_eq!(bench.asked(), 2 + 2, "only the other is renewed");
}

#[test]
fn the_key_is_not_shown() {
    let svid = Svid {
        spiffe_id: "spiffe://cluster.local/x".to_owned(),
        chain: Vec::new(),
        key_der: Zeroizing::new(vec![42; 4]),
        key_pem: Zeroizing::new("a secret".to_owned()),
        refresh_at: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::UNIX_EPOCH,
    };
    let shown = format!("{svid:?}");
    assert!(!shown.contains("42") && !shown.contains("secret"), "{shown}");
}
