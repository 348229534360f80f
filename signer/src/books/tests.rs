use countersign_crds::service_identity::Delivery;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn record(account: &str, serial: &str, path: Path, issued_at: i64, not_after: i64) -> Record {
    Record {
        namespace: "shop".into(),
        service_account: account.into(),
        path,
        serial: serial.into(),
        issued_at: at(issued_at),
        not_after: at(not_after),
    }
}

fn account(name: &str) -> Account {
    ("shop".into(), name.into())
}

#[test]
fn what_has_expired_is_struck_out() {
    let ledger = Ledger::default();
    ledger.enter(record("api", "01", Path::IstioCa, 0, 100));
    ledger.enter(record("api", "02", Path::PodCertificate, 10, 200));
    ledger.enter(record("web", "03", Path::PodCertificate, 10, 300));
    let mut news = ledger.news();
    news.sort();
    assert_eq!(news, [account("api"), account("web")]);

    ledger.prune(at(99));
    assert_eq!(ledger.news(), []);
    let issued = ledger.issued(&account("api"), "me").unwrap();
    assert_eq!(
        (issued.live, issued.serial_number.as_str(), issued.not_after.0),
        (2, "02", at(200))
    );
    assert_eq!(issued.delivery, [Delivery::PodCertificate, Delivery::IstioCa]);

    ledger.prune(at(100));
    ledger.turn();
    assert_eq!(ledger.news(), [account("api")]);
    let issued = ledger.issued(&account("api"), "me").unwrap();
    assert_eq!(
        (issued.live, issued.delivery.as_slice()),
        (1, &[Delivery::PodCertificate][..])
    );
    assert_eq!(ledger.live(), [(Path::PodCertificate, 2)].into());

    ledger.prune(at(1000));
    assert_eq!(ledger.issued(&account("api"), "me"), None);
    assert!(
        ledger.pages().by_account.is_empty() && ledger.pages().ends.is_empty(),
        "nothing is kept"
    );
}

#[test]
fn a_shorter_one_that_comes_later_is_struck_out_in_time() {
    let ledger = Ledger::default();
    ledger.enter(record("api", "01", Path::IstioCa, 0, 500));
    ledger.enter(record("api", "02", Path::IstioCa, 1, 100));
    ledger.prune(at(100));
    let issued = ledger.issued(&account("api"), "me").unwrap();
    // The newest is the newest, whichever lives longer.
    assert_eq!((issued.live, issued.serial_number.as_str()), (1, "02"));
}

#[test]
fn news_that_could_not_be_told_stays_news() {
    let ledger = Ledger::default();
    ledger.enter(record("api", "01", Path::IstioCa, 0, 500));
    for account in ledger.news() {
        ledger.untold(account);
    }
    ledger.turn();
    assert_eq!(ledger.news(), [account("api")]);
    ledger.turn();
    assert_eq!(ledger.news(), []);
}

#[test]
fn the_first_news_of_a_period_is_told_at_once_and_the_rest_after_it() {
    let ledger = Ledger::default();
    ledger.enter(record("api", "01", Path::IstioCa, 0, 500));
    assert_eq!(ledger.news(), [account("api")]);
    ledger.enter(record("api", "02", Path::IstioCa, 1, 500));
    ledger.enter(record("api", "03", Path::IstioCa, 2, 500));
    ledger.enter(record("web", "04", Path::IstioCa, 2, 500));
    assert_eq!(ledger.news(), [account("web")]);
    ledger.turn();
    assert_eq!(ledger.news(), [account("api")]);
    assert_eq!(ledger.issued(&account("api"), "me").unwrap().live, 3);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_of_what_was_entered_before_and_meanwhile() {
    let ledger = Ledger::default();
    let long = std::time::Duration::from_mins(1);
    assert!(tokio::time::timeout(long, ledger.entered()).await.is_err());
    ledger.enter(record("api", "01", Path::IstioCa, 0, 500));
    tokio::time::timeout(long, ledger.entered()).await.unwrap();
    let ((), told) = tokio::join!(
        async { ledger.enter(record("api", "02", Path::IstioCa, 1, 500)) },
        tokio::time::timeout(long, ledger.entered())
    );
    told.unwrap();
}
