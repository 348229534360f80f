//! Many at once, on several replicas.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_tokens::store::{Once, Pending, Redeemed, Store, Use};
use futures::future::join_all;
use rstest::rstest;
use tokio::sync::Barrier;

use crate::rig::{Database, Kind, NOW, digest, family, rotate, usage};

const MANY: usize = 100;

/// Does the same thing a hundred times at once, and counts the answers.
async fn at_once<T, F>(stores: &[Store], act: impl Fn(Store, usize) -> F) -> BTreeMap<T, usize>
where
    T: Ord + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(MANY));
    let tasks = (0..MANY).map(|number| {
        let barrier = Arc::clone(&barrier);
        let act = act(stores[number % stores.len()].clone(), number);
        tokio::spawn(async move {
            barrier.wait().await;
            act.await
        })
    });
    let mut counts = BTreeMap::new();
    for answer in join_all(tasks).await {
        *counts.entry(answer.unwrap()).or_default() += 1;
    }
    counts
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_uses_of_one_token_one_wins_and_the_family_dies(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    for round in 0..5_u8 {
        let token = format!("token of {round}");
        stores[0]
            .begin_family(family(round), Some(digest(&token)))
            .await
            .unwrap();
        let counts = at_once(&stores, |store, number| {
            let with = Use {
                grace: 0,
                ..usage(&token, &format!("{round}-{number}"))
            };
            async move { rotate(&store, with).await }
        })
        .await;
        let expected = [("rotated", 1), ("reused", 1), ("revoked", MANY - 2)];
        assert_eq!(counts, BTreeMap::from(expected));
        for number in 0..MANY {
            let next = usage(&format!("{round}-{number}"), &format!("after {round}-{number}"));
            let answer = rotate(&stores[0], next).await;
            assert!(matches!(answer, "revoked" | "unknown"), "{answer}");
        }
    }
}

/// A client that asks again and again within the grace has one good token in the end, whichever answers it got.
#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_repeated_uses_one_token_stays(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    stores[0].begin_family(family(1), Some(digest("token"))).await.unwrap();
    let counts = at_once(&stores, |store, number| {
        let with = usage("token", &number.to_string());
        async move { rotate(&store, with).await }
    })
    .await;
    assert_eq!(counts, BTreeMap::from([("rotated", 1), ("repeated", MANY - 1)]));
    let mut live = 0;
    for number in 0..MANY {
        let found = stores[0]
            .family_of(digest(&number.to_string()), NOW + 10)
            .await
            .unwrap();
        live += usize::from(found.is_some_and(|(_, live)| live));
    }
    assert_eq!(live, 1);
}

/// The token before and the token after, at once: whatever the order, at most one token lives, and nothing waits for another.
#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeated_use_beside_the_use_of_what_was_issued_leaves_one_token_at_most(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    for round in 0..5_u8 {
        let before = format!("before {round}");
        let after = format!("after {round}");
        stores[0]
            .begin_family(family(round), Some(digest(&before)))
            .await
            .unwrap();
        rotate(&stores[0], usage(&before, &after)).await;
        at_once(&stores, |store, number| {
            let token = if number % 2 == 0 { &before } else { &after };
            let with = usage(token, &format!("{round}-{number}"));
            async move { rotate(&store, with).await }
        })
        .await;
        let mut live = 0;
        for number in 0..MANY {
            let found = stores[0]
                .family_of(digest(&format!("{round}-{number}")), NOW + 10)
                .await
                .unwrap();
            live += usize::from(found.is_some_and(|(_, live)| live));
        }
        assert!(live <= 1, "{live} tokens live");
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_who_use_or_take_or_redeem_one_does(#[case] kind: Kind) {
    let database = Database::new(kind);
    let stores = database.replicas().await;
    let one = BTreeMap::from([(true, 1), (false, MANY - 1)]);

    let used = at_once(&stores, |store, _| async move {
        store.use_once(Once::Assertion, digest("jti"), NOW).await.unwrap()
    });
    assert_eq!(used.await, one);

    let state = digest("state");
    stores[0]
        .put_pending(Pending::SignIn, state, String::new(), NOW + 60)
        .await
        .unwrap();
    let taken = at_once(&stores, |store, _| async move {
        store.take_pending(Pending::SignIn, state, NOW).await.unwrap().is_some()
    });
    assert_eq!(taken.await, one);

    let code = digest("code");
    stores[0].put_code(code, String::new(), NOW + 60).await.unwrap();
    let redeemed = at_once(&stores, |store, _| async move {
        match store.redeem_code(code, NOW).await.unwrap() {
            Redeemed::Fresh(_) => true,
            Redeemed::Replayed { .. } => false,
            Redeemed::Unknown => panic!("the code is there"),
        }
    });
    assert_eq!(redeemed.await, one);
}
