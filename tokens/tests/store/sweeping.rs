//! What is past goes away, and nothing else.

use countersign_tokens::store::{Family, Once, Pending, REMEMBERED, Revocation, RevocationKind, Store};
use futures::future::join_all;
use rstest::rstest;

use crate::rig::{Database, ISSUER, Kind, NOW, digest, family, open, rotate, usage};

/// One of each kind, which ends at `end`.
async fn fill(store: &Store, number: u8, end: i64) {
    let name = digest(&number.to_string());
    let text = String::new;
    store.use_once(Once::DpopProof, name, end).await.unwrap();
    store.put_pending(Pending::SignIn, name, text(), end).await.unwrap();
    store.put_code(name, text(), end - REMEMBERED).await.unwrap();
    let family = Family {
        absolute_end: end - REMEMBERED,
        ..family(number)
    };
    store.begin_family(family, None).await.unwrap();
    store.put_token(name, text(), None, end).await.unwrap();
    let revocation = Revocation {
        kind: RevocationKind::Jti,
        issuer: ISSUER.to_owned(),
        value: number.to_string(),
        issued_before: None,
        until: end,
        at: NOW,
    };
    store.revoke(revocation).await.unwrap();
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_is_past_goes_in_small_batches_oldest_first(#[case] kind: Kind) {
    const KINDS: u64 = 6;
    let (_database, store) = open(kind).await;
    for number in 0..10_u8 {
        fill(&store, number, NOW + i64::from(number)).await;
    }
    assert_eq!(store.sweep(NOW - 1, 100).await.unwrap(), 0);
    assert_eq!(store.sweep(NOW + 7, 3).await.unwrap(), 3 * KINDS);
    let live = store.revocations_since(ISSUER.to_owned(), 0, 0, 100).await.unwrap();
    assert_eq!(live.first().unwrap().1.value, "3", "the oldest went first");
    assert_eq!(store.sweep(NOW + 7, 3).await.unwrap(), 3 * KINDS);
    assert_eq!(store.sweep(NOW + 7, 3).await.unwrap(), 2 * KINDS);
    assert_eq!(store.sweep(NOW + 7, 3).await.unwrap(), 0);
    for number in 0..10_u8 {
        let name = digest(&number.to_string());
        let stays = number > 7;
        assert_eq!(store.use_once(Once::DpopProof, name, NOW).await.unwrap(), !stays);
        assert_eq!(store.token(name, 0).await.unwrap().is_some(), stays);
        assert_eq!(
            store.peek_pending(Pending::SignIn, name, 0).await.unwrap().is_some(),
            stays
        );
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_used_token_is_known_as_used_until_its_own_end(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    rotate(&store, usage("first", "second")).await;
    assert_eq!(store.sweep(NOW + 99, 10).await.unwrap(), 0);
    assert!(store.family_of(digest("first"), NOW).await.unwrap().is_some());
    assert_eq!(store.sweep(NOW + 100, 10).await.unwrap(), 1);
    assert!(store.family_of(digest("first"), NOW).await.unwrap().is_none());
    let mut next = usage("second", "third");
    next.now = NOW + 100;
    assert_eq!(rotate(&store, next).await, "rotated");
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_sweep_at_once_without_waiting_for_each_other(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    let many = (0..1000).map(|number| stores[0].use_once(Once::Assertion, digest(&number.to_string()), NOW));
    join_all(many).await;
    let sweeps = stores.iter().cloned().map(|store| {
        tokio::spawn(async move {
            let mut gone = 0;
            loop {
                match store.sweep(NOW, 10).await.unwrap() {
                    0 => return gone,
                    some => gone += some,
                }
            }
        })
    });
    let gone: u64 = join_all(sweeps).await.into_iter().map(Result::unwrap).sum();
    let rest = stores[0].sweep(NOW, 1000).await.unwrap();
    assert_eq!(gone + rest, 1000);
}
