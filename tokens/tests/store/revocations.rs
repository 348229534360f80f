//! Revocations, and those who follow them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign_tokens::store::{Facts, Revocation, RevocationKind, Store};
use rstest::rstest;

use crate::rig::{Database, ISSUER, Kind, NOW, digest, family, open, rotate, usage};

const WRITERS: usize = 8;
/// How many entries each writer makes.
const EACH: usize = 25;

fn jti(value: &str) -> Revocation {
    Revocation {
        kind: RevocationKind::Jti,
        issuer: ISSUER.to_owned(),
        value: value.to_owned(),
        issued_before: None,
        until: NOW + 60,
        at: NOW,
    }
}

async fn since(store: &Store, sequence: u64) -> Vec<(u64, Revocation)> {
    store
        .revocations_since(ISSUER.to_owned(), sequence, NOW - 1, 1000)
        .await
        .unwrap()
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn revocations_come_in_order_and_until_they_are_past(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let subject = Revocation {
        kind: RevocationKind::Subject,
        issued_before: Some(NOW),
        until: NOW + 90,
        ..jti("alice")
    };
    let elsewhere = Revocation {
        issuer: "https://other.example".to_owned(),
        ..jti("one")
    };
    assert_eq!(store.revoke(jti("one")).await.unwrap(), 1);
    assert_eq!(store.revoke(subject.clone()).await.unwrap(), 2);
    assert_eq!(store.revoke(elsewhere.clone()).await.unwrap(), 1);
    assert_eq!(since(&store, 0).await, [(1, jti("one")), (2, subject.clone())]);
    assert_eq!(since(&store, 1).await, [(2, subject.clone())]);
    assert_eq!(since(&store, 2).await, []);
    let first = store.revocations_since(ISSUER.to_owned(), 0, NOW, 1).await.unwrap();
    assert_eq!(first, [(1, jti("one"))]);
    let live = |now| store.revocations_since(ISSUER.to_owned(), 0, now, 1000);
    assert_eq!(live(NOW).await.unwrap(), [(1, jti("one")), (2, subject.clone())]);
    assert_eq!(live(NOW + 60).await.unwrap(), [(2, subject)]);
    assert_eq!(live(NOW + 90).await.unwrap(), []);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_is_revoked_again_is_extended_and_never_narrowed(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let before = |time: Option<i64>, until| Revocation {
        kind: RevocationKind::Client,
        issued_before: time,
        until,
        ..jti("shop/web")
    };
    let revoke = |revocation| store.revoke(revocation);
    assert_eq!(revoke(before(Some(NOW), NOW + 60)).await.unwrap(), 1);
    assert_eq!(revoke(before(Some(NOW), NOW + 60)).await.unwrap(), 1);
    assert_eq!(revoke(before(Some(NOW - 9), NOW + 50)).await.unwrap(), 1);
    assert_eq!(revoke(before(Some(NOW + 5), NOW + 50)).await.unwrap(), 2);
    assert_eq!(since(&store, 1).await, [(2, before(Some(NOW + 5), NOW + 60))]);
    assert_eq!(revoke(before(None, NOW)).await.unwrap(), 3);
    assert_eq!(revoke(before(Some(NOW + 99), NOW)).await.unwrap(), 3);
    assert_eq!(since(&store, 0).await, [(3, before(None, NOW + 60))]);
}

#[rstest]
#[case::jti(RevocationKind::Jti, "one")]
#[case::subject(RevocationKind::Subject, "alice")]
#[case::client(RevocationKind::Client, "shop/web")]
#[case::family(RevocationKind::Family, "family")]
#[case::all(RevocationKind::IssuedBefore, "")]
#[tokio::test]
async fn a_token_is_revoked_by_whatever_names_it(
    #[values(Kind::Memory, Kind::Sqlite, Kind::Postgres)] database: Kind,
    #[case] kind: RevocationKind,
    #[case] value: &str,
) {
    let (_database, store) = open(database).await;
    let token = Facts {
        jti: "one".to_owned(),
        subject: "alice".to_owned(),
        client: "shop/web".to_owned(),
        family: Some("family".to_owned()),
        issued: NOW - 5,
    };
    let newer = Facts {
        issued: NOW,
        ..token.clone()
    };
    let ask = |issuer: &str, facts: &Facts, now| store.is_revoked(issuer.to_owned(), facts.clone(), now);
    // The same value of another kind names another thing.
    let other = if kind == RevocationKind::Jti {
        RevocationKind::Subject
    } else {
        RevocationKind::Jti
    };
    let of = |kind| Revocation {
        kind,
        issued_before: Some(NOW),
        ..jti(value)
    };
    store.revoke(of(other)).await.unwrap();
    assert!(!ask(ISSUER, &token, NOW).await.unwrap());
    store.revoke(of(kind)).await.unwrap();
    assert!(ask(ISSUER, &token, NOW).await.unwrap());
    assert!(!ask(ISSUER, &newer, NOW).await.unwrap());
    assert!(!ask(ISSUER, &token, NOW + 60).await.unwrap());
    assert!(!ask("https://other.example", &token, NOW).await.unwrap());
    let whatever_its_age = Revocation {
        issued_before: None,
        ..of(kind)
    };
    store.revoke(whatever_its_age).await.unwrap();
    assert!(ask(ISSUER, &newer, NOW).await.unwrap());
}

/// Readers that follow while writers write: each must see every entry, and in order. Some writers revoke by the reuse of a
/// token, in a longer transaction.
#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_follows_misses_none(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    let over = Arc::new(AtomicBool::new(false));
    let followers = stores
        .iter()
        .map(|store| tokio::spawn(follow(store.clone(), Arc::clone(&over))));
    let followers: Vec<_> = followers.collect();
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(stores[writer % stores.len()].clone(), writer)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    over.store(true, Ordering::SeqCst);
    for follower in followers {
        assert_eq!(follower.await.unwrap().len(), WRITERS * EACH);
    }
}

async fn write(store: Store, writer: usize) {
    reuse(&store, u8::try_from(writer).unwrap()).await;
    for number in 1..EACH {
        store.revoke(jti(&format!("{writer}-{number}"))).await.unwrap();
    }
}

async fn reuse(store: &Store, number: u8) {
    let token = format!("token of {number}");
    store.begin_family(family(number), Some(digest(&token))).await.unwrap();
    rotate(store, usage(&token, &format!("next of {number}"))).await;
    let mut again = usage(&token, "other");
    again.proof_key = None;
    assert_eq!(rotate(store, again).await, "reused");
}

async fn follow(store: Store, over: Arc<AtomicBool>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut last = 0;
    loop {
        let over = over.load(Ordering::SeqCst);
        let news = store.revocations_since(ISSUER.to_owned(), last, NOW, 7).await.unwrap();
        if over && news.is_empty() {
            return seen;
        }
        for (sequence, revocation) in news {
            assert!(sequence > last);
            last = sequence;
            assert!(seen.insert(revocation.value), "nothing comes twice");
        }
    }
}
