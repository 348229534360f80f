use jiff::SignedDuration;

use super::super::authority::issue;
use super::*;

fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(hour)
}

fn authority(replica: &str, hour: i64) -> CertificateDer<'static> {
    let names = ["countersign-webhook.countersign-system.svc".to_owned()];
    issue(&names, replica, at(hour), SignedDuration::from_hours(24))
        .unwrap()
        .authority
}

#[test]
fn two_replicas_keep_each_others_authorities() {
    let (one, two) = (authority("one", 0), authority("two", 0));
    let bundle = merged(b"", std::slice::from_ref(&one), "one", at(0));
    let bundle = merged(&bundle, std::slice::from_ref(&two), "two", at(0));
    assert_eq!(authorities(&bundle), [one.clone(), two.clone()]);
    assert_eq!(
        merged(&bundle, &[one], "one", at(1)),
        bundle,
        "neither has anything to write"
    );
    assert_eq!(merged(&bundle, &[two], "two", at(1)), bundle);
}

#[test]
fn what_a_replica_replaced_goes_also_after_it_began_anew() {
    let (old, new, other) = (authority("one", 0), authority("one", 1), authority("two", 0));
    let bundle = merged(b"", &[old], "one", at(0));
    let bundle = merged(&bundle, std::slice::from_ref(&other), "two", at(0));
    let bundle = merged(&bundle, std::slice::from_ref(&new), "one", at(1));
    assert_eq!(authorities(&bundle), [other, new]);
}

#[test]
fn both_authorities_stay_while_one_follows_the_other() {
    let pair = [authority("one", 0), authority("one", 16)];
    let bundle = merged(b"", &pair[..1], "one", at(0));
    let bundle = merged(&bundle, &pair, "one", at(16));
    assert_eq!(authorities(&bundle), pair);
}

#[test]
fn what_has_ended_goes() {
    let bundle = merged(b"", &[authority("gone", 0)], "gone", at(0));
    let own = authority("one", 24);
    let bundle = merged(&bundle, std::slice::from_ref(&own), "one", at(24));
    assert_eq!(authorities(&bundle), [own]);
}

#[test]
fn what_others_put_there_stays_and_garbage_goes() {
    let mut params = rcgen::CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let foreign = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let own = authority("one", 0);
    let mut bundle = b"garbage\n".to_vec();
    bundle.extend(foreign.pem().into_bytes());
    bundle.extend(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let bundle = merged(&bundle, std::slice::from_ref(&own), "one", at(0));
    assert_eq!(authorities(&bundle), [foreign.der().clone(), own]);
}

#[test]
fn a_replica_that_leaves_takes_its_own_with_it() {
    let (one, two) = (authority("one", 0), authority("two", 0));
    let bundle = merged(b"", &[one], "one", at(0));
    let bundle = merged(&bundle, std::slice::from_ref(&two), "two", at(0));
    assert_eq!(authorities(&merged(&bundle, &[], "one", at(1))), [two]);
}

/// Pods that crash all day have new names each time.
#[test]
fn the_bundle_does_not_grow_without_end() {
    let mut bundle = Vec::new();
    for minute in 0..40 {
        let name = format!("crash-{minute}");
        let names = ["a.b.svc".to_owned()];
        let now = at(0) + SignedDuration::from_mins(minute);
        let own = issue(&names, &name, now, SignedDuration::from_hours(24))
            .unwrap()
            .authority;
        bundle = merged(&bundle, std::slice::from_ref(&own), &name, now);
        assert!(authorities(&bundle).contains(&own));
    }
    assert_eq!(authorities(&bundle).len(), LIMIT + 1);
    assert!(bundle.len() < 64 * 1024);
}
