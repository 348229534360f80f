//! Authorization codes.

use countersign_tokens::store::{REMEMBERED, Redeemed, Rotation};
use rstest::rstest;

use crate::rig::{Kind, NOW, digest, family, open, rotate, usage};

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_code_is_redeemed_once_and_in_time(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    for code in ["code", "late"] {
        store
            .put_code(digest(code), "value".to_owned(), NOW + 60)
            .await
            .unwrap();
    }
    let redeem = |code, now| store.redeem_code(digest(code), now);
    assert_eq!(redeem("never", NOW).await.unwrap(), Redeemed::Unknown);
    assert_eq!(redeem("late", NOW + 60).await.unwrap(), Redeemed::Unknown);
    assert_eq!(
        redeem("code", NOW + 59).await.unwrap(),
        Redeemed::Fresh("value".to_owned())
    );
    let replayed = Redeemed::Replayed { family: None };
    assert_eq!(redeem("code", NOW + 59).await.unwrap(), replayed);
    assert_eq!(redeem("code", NOW + 3600).await.unwrap(), replayed);
    while store.sweep(NOW + 60 + REMEMBERED - 1, 10).await.unwrap() > 0 {}
    assert_eq!(redeem("code", NOW + REMEMBERED).await.unwrap(), replayed);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_replayed_code_revokes_what_was_issued_from_it(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let group = family(1);
    store
        .put_code(digest("code"), "value".to_owned(), NOW + 60)
        .await
        .unwrap();
    store.redeem_code(digest("code"), NOW).await.unwrap();
    store.begin_family(group.clone(), Some(digest("first"))).await.unwrap();
    assert!(store.bind_code(digest("code"), group.id, NOW).await.unwrap());
    assert!(matches!(
        store.rotate(usage("first", "second")).await.unwrap(),
        Rotation::Rotated(_)
    ));

    let again = store.redeem_code(digest("code"), NOW + 20).await.unwrap();
    assert_eq!(again, Redeemed::Replayed { family: Some(group.id) });
    assert_eq!(rotate(&store, usage("second", "third")).await, "revoked");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_code_that_is_replayed_before_its_family_is_bound_revokes_it_too(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store
        .put_code(digest("code"), "value".to_owned(), NOW + 60)
        .await
        .unwrap();
    store.redeem_code(digest("code"), NOW).await.unwrap();
    store.redeem_code(digest("code"), NOW).await.unwrap();
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    assert!(!store.bind_code(digest("code"), family(1).id, NOW).await.unwrap());
    assert_eq!(rotate(&store, usage("first", "second")).await, "revoked");
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_family_is_bound_to_a_code_that_was_redeemed_and_to_no_other(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    for number in 1..=3 {
        store.begin_family(family(number), None).await.unwrap();
    }
    store
        .put_code(digest("code"), "value".to_owned(), NOW + 60)
        .await
        .unwrap();
    assert!(!store.bind_code(digest("code"), family(1).id, NOW).await.unwrap());
    store.redeem_code(digest("code"), NOW).await.unwrap();
    assert!(store.bind_code(digest("code"), family(2).id, NOW).await.unwrap());
    assert!(!store.bind_code(digest("code"), family(3).id, NOW).await.unwrap());
    // Whichever was refused is revoked already.
    assert!(!store.revoke_family(family(1).id, NOW).await.unwrap());
    assert!(store.revoke_family(family(2).id, NOW).await.unwrap());
    assert!(!store.revoke_family(family(3).id, NOW).await.unwrap());
}
