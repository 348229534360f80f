//! How stores are opened.

use std::time::Duration;

use countersign_tokens::store::{Once, Options, Store, StoreError, Use};
use futures::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rstest::rstest;

use crate::common::postgres::Server;
use crate::rig::{Database, Kind, NOW, digest, family, open, rotate, usage};

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replicas_that_start_at_once_make_the_tables_once(#[case] kind: Kind) {
    let database = Database::new(kind);
    let starts = (0..8).map(|_| {
        let url = database.url.clone();
        tokio::spawn(async move { Store::open(&url, &Options::default()).await })
    });
    for store in join_all(starts).await {
        store.unwrap().unwrap().ping().await.unwrap();
    }
}

#[rstest]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn a_store_that_is_opened_again_has_what_it_had(#[case] kind: Kind) {
    let database = Database::new(kind);
    let store = database.open().await;
    assert!(store.use_once(Once::Assertion, digest("jti"), NOW).await.unwrap());
    drop(store);
    let store = database.open().await;
    assert!(!store.use_once(Once::Assertion, digest("jti"), NOW).await.unwrap());
}

#[tokio::test]
async fn stores_in_memory_have_nothing_in_common() {
    let one = Database::new(Kind::Memory).open().await;
    let two = Database::new(Kind::Memory).open().await;
    assert!(one.use_once(Once::Assertion, digest("jti"), NOW).await.unwrap());
    assert!(two.use_once(Once::Assertion, digest("jti"), NOW).await.unwrap());
}

#[rstest]
#[case("mysql://user:hunter2@localhost/db")]
#[case("postgres://user:hunter2@[localhost/db")]
#[case("postgres://user:hunter2@localhost:99999/db")]
#[case("postgres://user:hunter2@localhost/db?sslmode=maybe")]
#[case("sqlite:/tmp/x.db?key=hunter2")]
#[case("")]
#[tokio::test]
async fn what_is_no_url_of_a_store_is_said_without_repeating_it(#[case] url: &str) {
    let error = Store::open(url, &Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Url), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_password_is_in_no_error_and_no_debug_output() {
    let options = Options {
        patience: Duration::from_secs(1),
        ..Options::default()
    };
    let url = "postgres://user:hunter2@localhost/db?host=/nowhere";
    let error = Store::open(url, &options).await.unwrap_err();
    assert!(matches!(error, StoreError::Open(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));

    let url = Database::new(Kind::Postgres)
        .url
        .replace("countersign@", "countersign:hunter2@");
    let store = Store::open(&url, &Options::default()).await.unwrap();
    assert!(!format!("{store:?}").contains("hunter2"));
}

/// PostgreSQL on another host must show that it is who it is: a server without TLS is not spoken to.
#[tokio::test]
async fn a_server_elsewhere_is_not_trusted_without_tls() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.unwrap();
        // No TLS here (the protocol's answer to SSLRequest).
        stream.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        (asked, rest)
    });
    let options = Options {
        patience: Duration::from_secs(2),
        ..Options::default()
    };
    let url = format!("postgres://user:hunter2@127.0.0.1:{port}/db");
    Store::open(&url, &options).await.unwrap_err();
    let (asked, rest) = said.await.unwrap();
    assert_eq!(asked, [0, 0, 0, 8, 4, 210, 22, 47], "TLS was asked for");
    assert_eq!(rest, b"", "nothing was said in the clear");
}

/// An authority, and a certificate and key of it for an address, all in PEM.
fn certified(address: &str) -> [String; 3] {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([address.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap().pem();
    [root, leaf, key.serialize_pem()]
}

/// A server with a certificate of a private authority is reached by whoever is told of that authority, and by nobody else.
#[tokio::test]
async fn a_server_elsewhere_is_known_by_the_authority_that_is_named() {
    // An address of this process's own, so that the usual port is free.
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = format!("127.77.{high}.{low}");
    let ([root, certificate, key], [stranger, ..]) = (certified(&address), certified(&address));
    let server = Server::start_with(Some((&address, &certificate, &key)));
    drop(server.database("elsewhere"));
    let folder = tempfile::tempdir().unwrap();
    let open = async |name: &str, ca: Option<&str>, patience: Duration| {
        let ca = ca.map(|pem| {
            let path = folder.path().join(name);
            std::fs::write(&path, pem).unwrap();
            path
        });
        let options = Options {
            patience,
            ca,
            ..Options::default()
        };
        Store::open(&format!("postgres://countersign@{address}/elsewhere"), &options).await
    };
    let patience = Options::default().patience;
    open("root", Some(&root), patience).await.unwrap().ping().await.unwrap();
    for (name, ca) in [("public", None), ("stranger", Some(stranger.as_str()))] {
        let error = open(name, ca, Duration::from_secs(3)).await.unwrap_err();
        assert!(matches!(error, StoreError::Open(_)), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    let database = Database::new(Kind::Postgres);
    drop(database.open().await);
    let name = database.url.split(['/', '?']).nth(3).unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'newer', true, ''::bytea, 0)";
    Server::shared().sql(name, newer);
    let error = Store::open(&database.url, &Options::default()).await.unwrap_err();
    assert!(matches!(error, StoreError::Migrate(_)), "{error}");
}

/// What fails leaves nothing of itself behind, and what is done beside it is not harmed, in the same commit or not.
#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_fails_leaves_nothing_behind_and_harms_nobody(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(0), Some(digest("taken"))).await.unwrap();
    let begins = (1..=20_u8).map(|number| {
        let first = if number % 2 == 0 { "taken" } else { &*number.to_string() };
        store.begin_family(family(number), Some(digest(first)))
    });
    for (number, begun) in (1..).zip(join_all(begins).await) {
        assert_eq!(begun.is_ok(), number % 2 == 1, "{number}");
        assert_eq!(
            store.revoke_family(family(number).id, NOW).await.unwrap(),
            begun.is_ok()
        );
    }
}

/// A thief who hangs up before the answer is found out all the same.
#[rstest]
#[case(Kind::Memory)]
#[case(Kind::Sqlite)]
#[case(Kind::Postgres)]
#[tokio::test]
async fn what_was_asked_for_is_done_when_the_caller_goes_away(#[case] kind: Kind) {
    let (_database, store) = open(kind).await;
    store.begin_family(family(1), Some(digest("first"))).await.unwrap();
    rotate(&store, usage("first", "second")).await;
    let stolen = Use {
        proof_key: None,
        ..usage("first", "stolen")
    };
    let mut asked = Box::pin(store.rotate(stolen));
    assert!(futures::poll!(&mut asked).is_pending());
    drop(asked);
    for _ in 0..500 {
        let (_, live) = store.family_of(digest("second"), NOW + 10).await.unwrap().unwrap();
        if !live {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the reuse was forgotten");
}
