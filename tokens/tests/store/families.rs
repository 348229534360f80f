//! Refresh tokens: each is used once.

use countersign_tokens::store::{Family, RevocationKind, Rotation, Use};
use rstest::rstest;

use crate::rig::{CLIENT, ISSUER, Kind, NOW, digest, family, open, rotate, usage};

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_token_is_used_and_the_next_takes_its_place(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    let after = Family {
        idle_end: NOW + 110,
        ..family(1)
    };
    let rotated = store.rotate(usage("first", "second")).await.unwrap();
    assert_eq!(rotated, Rotation::Rotated(after.clone()));
    assert_eq!(
        store.family_of(digest("second"), NOW + 10).await.unwrap(),
        Some((after.clone(), true))
    );
    assert_eq!(
        store.family_of(digest("second"), NOW + 110).await.unwrap(),
        Some((after, false))
    );
    assert_eq!(
        store.family_of(digest("first"), NOW + 10).await.unwrap(),
        Some((family(1), false))
    );
    assert_eq!(store.family_of(digest("never"), NOW).await.unwrap(), None);
    assert_eq!(rotate(&store, usage("second", "third")).await, "rotated");
    assert_eq!(rotate(&store, usage("never", "other")).await, "unknown");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_token_that_is_used_twice_revokes_its_family(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    store.begin_family(family(2), Some(digest("neighbour"))).await.unwrap();
    rotate(&store, usage("first", "second")).await;
    let later = Use {
        now: NOW + 21,
        ..usage("first", "stolen")
    };
    let Rotation::Reused(reused) = store.rotate(later).await.unwrap() else {
        panic!("a token was used twice");
    };
    assert_eq!(reused.id, family(1).id);
    assert_eq!(rotate(&store, usage("second", "third")).await, "revoked");
    assert_eq!(rotate(&store, usage("first", "third")).await, "revoked");
    assert_eq!(rotate(&store, usage("stolen", "third")).await, "unknown");
    let (_, live) = store.family_of(digest("second"), NOW + 11).await.unwrap().unwrap();
    assert!(!live);
    assert_eq!(rotate(&store, usage("neighbour", "third")).await, "rotated");

    // APIs that verify tokens by themselves are told.
    let told = store
        .revocations_since(ISSUER.to_owned(), 0, NOW + 21, 100)
        .await
        .unwrap();
    let told: Vec<_> = told
        .into_iter()
        .map(|(_, revocation)| (revocation.kind, revocation.value))
        .collect();
    assert_eq!(told, [(RevocationKind::Family, family(1).id.to_string())]);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_lost_answer_is_given_again_to_the_same_client_and_key(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    assert_eq!(rotate(&store, usage("first", "lost")).await, "rotated");
    assert_eq!(rotate(&store, usage("first", "lost too")).await, "repeated");
    let last = Use {
        now: NOW + 20,
        ..usage("first", "second")
    };
    assert_eq!(rotate(&store, last).await, "repeated");
    // What was withdrawn is nothing, and not a reuse: the same client may have got both answers.
    assert_eq!(rotate(&store, usage("lost", "other")).await, "unknown");
    assert_eq!(rotate(&store, usage("lost too", "other")).await, "unknown");
    assert_eq!(rotate(&store, usage("second", "third")).await, "rotated");
    // The answer was not lost: its token was used.
    assert_eq!(rotate(&store, usage("first", "other")).await, "reused");
    assert_eq!(rotate(&store, usage("third", "other")).await, "revoked");
}

#[rstest]
#[case::late(Use { now: NOW + 21, ..usage("first", "other") })]
#[case::another_key(Use { proof_key: Some("another".to_owned()), ..usage("first", "other") })]
#[case::no_key(Use { proof_key: None, ..usage("first", "other") })]
#[case::no_grace(Use { grace: 0, ..usage("first", "other") })]
#[tokio::test]
async fn grace_is_for_a_moment_and_for_the_same_key(
    #[values(Kind::Memory, Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[case] again: Use,
) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    assert_eq!(rotate(&store, usage("first", "second")).await, "rotated");
    assert_eq!(rotate(&store, again).await, "reused");
    assert_eq!(rotate(&store, usage("second", "third")).await, "revoked");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn without_a_proof_key_there_is_no_grace(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    let bare = |next| Use {
        proof_key: None,
        ..usage("first", next)
    };
    assert_eq!(rotate(&store, bare("second")).await, "rotated");
    assert_eq!(rotate(&store, bare("other")).await, "reused");
}

#[rstest]
#[case::client(Use { client: "shop/other".to_owned(), ..usage("first", "other") })]
#[case::issuer(Use { issuer: "https://other.example".to_owned(), ..usage("first", "other") })]
#[tokio::test]
async fn a_token_in_the_wrong_hands_changes_nothing(
    #[values(Kind::Memory, Kind::Sqlite, Kind::Postgres)] kind: Kind,
    #[case] wrong: Use,
) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    assert_eq!(rotate(&store, wrong.clone()).await, "not yours");
    assert_eq!(rotate(&store, usage("first", "second")).await, "rotated");
    assert_eq!(rotate(&store, Use { now: NOW + 50, ..wrong }).await, "not yours");
    assert_eq!(rotate(&store, usage("second", "third")).await, "rotated");
}

fn at(token: &str, next: &str, now: i64) -> Use {
    Use {
        now,
        ..usage(token, next)
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_token_ends_when_it_lies_unused_and_with_its_family(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("idle"))).await.unwrap();
    assert_eq!(rotate(&store, at("idle", "other", NOW + 100)).await, "ended");

    store.begin_family(family(2), Some(digest("0"))).await.unwrap();
    let mut end = 0;
    for step in 0..11 {
        let (token, next) = (step.to_string(), (step + 1).to_string());
        let with = at(&token, &next, NOW + 90 * (step + 1));
        let Rotation::Rotated(family) = store.rotate(with).await.unwrap() else {
            panic!("step {step}");
        };
        end = family.idle_end;
    }
    assert_eq!(end, NOW + 1000, "no token outlives its family");
    assert_eq!(rotate(&store, at("11", "12", NOW + 1000)).await, "ended");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn families_are_revoked_by_name_by_subject_and_by_client(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let begin = |number, subject: &str, client: &str, created| {
        let family = Family {
            subject: subject.to_owned(),
            client: client.to_owned(),
            created,
            ..family(number)
        };
        store.begin_family(family, Some(digest(&number.to_string())))
    };
    begin(1, "alice", CLIENT, NOW).await.unwrap();
    begin(2, "alice", CLIENT, NOW + 5).await.unwrap();
    begin(3, "bob", CLIENT, NOW).await.unwrap();
    begin(4, "bob", "shop/other", NOW).await.unwrap();
    begin(5, "carol", "shop/third", NOW).await.unwrap();
    let live = async || {
        let mut live = Vec::new();
        for number in 1..=5 {
            let (_, lives) = store
                .family_of(digest(&number.to_string()), NOW + 6)
                .await
                .unwrap()
                .unwrap();
            live.extend(lives.then_some(number));
        }
        live
    };
    let issuer = || ISSUER.to_owned();
    assert_eq!(live().await, [1, 2, 3, 4, 5]);
    let elsewhere = "https://other.example".to_owned();
    let alice = || "alice".to_owned();
    assert_eq!(
        store
            .revoke_families_of_subject(elsewhere, alice(), NOW + 9, NOW + 6)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store
            .revoke_families_of_subject(issuer(), alice(), NOW + 5, NOW + 6)
            .await
            .unwrap(),
        1
    );
    assert_eq!(live().await, [2, 3, 4, 5]);
    assert_eq!(
        store
            .revoke_families_of_client(issuer(), CLIENT.to_owned(), NOW + 9, NOW + 6)
            .await
            .unwrap(),
        2
    );
    assert_eq!(live().await, [4, 5]);
    assert!(store.revoke_family(family(5).id, NOW + 6).await.unwrap());
    assert!(!store.revoke_family(family(5).id, NOW + 6).await.unwrap());
    assert!(!store.revoke_family(family(9).id, NOW + 6).await.unwrap());
    assert_eq!(live().await, [4]);
}
