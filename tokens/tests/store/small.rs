//! What is used once, what waits, handles, numbers and clients.

use std::collections::BTreeMap;

use countersign_tokens::store::{Handle, Once, Pending};
use rstest::rstest;

use crate::rig::{CLIENT, ISSUER, Kind, NOW, digest, family, open};

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_value_is_used_once_for_each_kind(#[case] kind: Kind) {
    let (database, store) = open(kind).await;
    let jti = digest("jti");
    assert!(store.use_once(Once::Assertion, jti, NOW).await.unwrap());
    assert!(!store.use_once(Once::Assertion, jti, NOW).await.unwrap());
    assert!(store.use_once(Once::DpopProof, jti, NOW).await.unwrap());
    assert!(store.use_once(Once::Assertion, digest("other"), NOW).await.unwrap());
    if !matches!(kind, Kind::Memory) {
        let again = database.open().await;
        assert!(!again.use_once(Once::Assertion, jti, NOW).await.unwrap());
    }
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_waits_is_taken_once_and_in_time(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let name = digest("request_uri");
    let value = r#"{"scope":"orders:read"}"#;
    store
        .put_pending(Pending::PushedRequest, name, value.to_owned(), NOW + 60)
        .await
        .unwrap();
    let peek = |kind, now| store.peek_pending(kind, name, now);
    let take = |kind, now| store.take_pending(kind, name, now);
    assert_eq!(peek(Pending::PushedRequest, NOW).await.unwrap().as_deref(), Some(value));
    assert_eq!(peek(Pending::SignIn, NOW).await.unwrap(), None);
    assert_eq!(peek(Pending::PushedRequest, NOW + 60).await.unwrap(), None);
    assert_eq!(take(Pending::SignIn, NOW).await.unwrap(), None);
    assert_eq!(take(Pending::PushedRequest, NOW + 60).await.unwrap(), None);
    assert_eq!(
        take(Pending::PushedRequest, NOW + 59).await.unwrap().as_deref(),
        Some(value)
    );
    assert_eq!(take(Pending::PushedRequest, NOW).await.unwrap(), None);
    assert_eq!(peek(Pending::PushedRequest, NOW).await.unwrap(), None);
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn nothing_is_put_over_what_waits(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let put = |value: &str| store.put_pending(Pending::SignIn, digest("state"), value.to_owned(), NOW + 60);
    put("mine").await.unwrap();
    put("another's").await.unwrap_err();
    let taken = store.take_pending(Pending::SignIn, digest("state"), NOW).await.unwrap();
    assert_eq!(taken.as_deref(), Some("mine"));
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_handle_dies_by_itself_in_time_and_with_its_family(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let group = family(1);
    store.begin_family(group.clone(), None).await.unwrap();
    let claims = r#"{"sub":"alice"}"#;
    for (name, family) in [("alone", None), ("with", Some(group.id)), ("second", None)] {
        store
            .put_token(digest(name), claims.to_owned(), family, NOW + 60)
            .await
            .unwrap();
    }
    let ask = |name, now| store.token(digest(name), now);
    let handle = |family, revoked| {
        Some(Handle {
            claims: claims.to_owned(),
            family,
            revoked,
        })
    };
    assert_eq!(ask("alone", NOW).await.unwrap(), handle(None, false));
    assert_eq!(ask("with", NOW).await.unwrap(), handle(Some(group.id), false));
    assert_eq!(ask("alone", NOW + 60).await.unwrap(), None);
    assert_eq!(ask("never", NOW).await.unwrap(), None);

    assert!(store.revoke_token(digest("alone"), NOW).await.unwrap());
    assert!(!store.revoke_token(digest("alone"), NOW).await.unwrap());
    assert!(!store.revoke_token(digest("never"), NOW).await.unwrap());
    assert_eq!(ask("alone", NOW).await.unwrap(), handle(None, true));
    assert_eq!(ask("second", NOW).await.unwrap(), handle(None, false));

    store.revoke_family(group.id, NOW).await.unwrap();
    assert_eq!(ask("with", NOW).await.unwrap(), handle(Some(group.id), true));
}

#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn the_later_use_of_a_client_stays(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    let used = |uses: &[(&str, &str, i64)]| -> BTreeMap<(String, String), i64> {
        let uses = uses.iter();
        uses.map(|(issuer, client, at)| (((*issuer).to_owned(), (*client).to_owned()), *at))
            .collect()
    };
    let touch = |uses| store.touch_clients(uses);
    touch(used(&[(ISSUER, CLIENT, NOW), (ISSUER, "shop/app", NOW)]))
        .await
        .unwrap();
    touch(used(&[(ISSUER, CLIENT, NOW - 5), (ISSUER, "shop/app", NOW + 5)]))
        .await
        .unwrap();
    touch(used(&[("https://other.example", CLIENT, NOW + 9)]))
        .await
        .unwrap();
    let last = store.last_used(ISSUER.to_owned()).await.unwrap();
    let expected = [(CLIENT.to_owned(), NOW), ("shop/app".to_owned(), NOW + 5)];
    assert_eq!(last, BTreeMap::from(expected));
}
