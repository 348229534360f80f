use rstest::rstest;

use super::super::follow::Look;
use super::super::testing::name;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;

/// 2027-01-15T08:00:00Z
const END: i64 = 1_800_000_000;

fn waiver(change: impl FnOnce(&mut Value)) -> Value {
    let mut waiver = json!({
        "metadata": {"name": "old", "namespace": "shop", "generation": 3},
        "spec": {
            "object": {"kind": "ConfigMap", "name": "settings"}, "rule": countersign_scan::rules()[0].id,
            "fields": ["/data/password"], "reason": "until the secret store is there", "expires": "2027-01-15T08:00:00Z",
        },
        "status": {"conditions": [{
            "type": "Active", "status": "Unknown", "reason": "Pending", "message": "waiting for the audit",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }]},
    });
    change(&mut waiver);
    waiver
}

fn kepts(object: &Value) -> Kepts {
    let mut kepts = Kepts::default();
    kepts.take(&told(object));
    kepts
}

fn told(object: &Value) -> Told {
    let look = Look {
        waiver: Some(Box::new(object.clone())),
        ..Look::default()
    };
    Told::Seen(kind(), name("shop", "old"), look)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn covers(count: i64) -> BTreeMap<String, i64> {
    [("shop/old".to_owned(), count)].into()
}

#[rstest]
#[case::covers(&|_: &mut Value| (), Some(covers(2)), END - 1, "True", "Active", "2 findings until 2027-01-15T08:00:00Z")]
#[case::unused(&|_: &mut Value| (), Some(covers(0)), END - 1, "True", "Unused", "can be deleted")]
#[case::not_counted(&|_: &mut Value| (), None, END - 1, "True", "Active", "counts until 2027-01-15")]
#[case::over(&|_: &mut Value| (), Some(covers(0)), END, "False", "Expired", "ended at 2027-01-15")]
#[case::unknown_rule(
    &|waiver: &mut Value| waiver["spec"]["rule"] = json!("zebra"),
    Some(covers(0)), END - 1, "False", "Invalid", "no rule is called `zebra`"
)]
fn a_status_tells_what_counts(
    #[case] change: &dyn Fn(&mut Value),
    #[case] covers: Option<BTreeMap<String, i64>>,
    #[case] now: i64,
    #[case] status: &str,
    #[case] reason: &str,
    #[case] named: &str,
) {
    let kepts = kepts(&waiver(change));
    let [(of, told)] = &kepts.due(covers.as_ref(), at(now))[..] else {
        panic!("it is due")
    };
    assert_eq!(*of, name("shop", "old"));
    let condition = &told.conditions[0];
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), (status, reason));
    assert!(condition.message.contains(named), "{}", condition.message);
    assert_eq!(
        (told.observed_generation, condition.observed_generation),
        (Some(3), Some(3))
    );
}

#[test]
fn a_status_that_is_right_is_not_written_again() {
    let before = kepts(&waiver(|_| ()));
    let (_, status) = before.due(Some(&covers(1)), at(END - 100)).remove(0);
    let after = kepts(&waiver(|waiver| waiver["status"] = json!(status)));
    assert!(after.due(Some(&covers(1)), at(END - 50)).is_empty());
    let (_, more) = after.due(Some(&covers(2)), at(END - 50)).remove(0);
    assert_eq!(
        more.conditions[0].last_transition_time,
        Time(at(END - 100)),
        "it is active since then"
    );
    let (_, over) = after.due(Some(&covers(0)), at(END)).remove(0);
    assert_eq!(over.conditions[0].last_transition_time, Time(at(END)));
}

#[test]
fn one_that_is_gone_has_no_status() {
    for gone in [
        vec![Told::Gone(kind(), name("shop", "old"))],
        vec![Told::Listing(kind()), Told::Listed(kind())],
    ] {
        let mut kepts = kepts(&waiver(|_| ()));
        for told in &gone {
            kepts.take(told);
        }
        assert!(kepts.due(None, at(END - 1)).is_empty());
    }
    let mut kept = kepts(&waiver(|_| ()));
    for told in [Told::Listing(kind()), told(&waiver(|_| ())), Told::Listed(kind())] {
        kept.take(&told);
    }
    assert_eq!(kept.due(None, at(END - 1)).len(), 1);
}
