use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::finding::{FingerprintKey, Location, Step, Tier};
use crate::rule::Remedy;

static PASSWORD: Rule = Rule {
    id: "url-password",
    title: "a password in a URL",
    remedy: Remedy::ExternalSecret,
};
static KEY: Rule = Rule {
    id: "private-key",
    title: "a private key",
    remedy: Remedy::ServiceIdentity,
};

const END: i64 = 1_800_000_000;
const BEFORE: i64 = END - 1;

fn finding(rule: &'static Rule, pointer: &str, value: &str) -> Finding {
    Finding {
        location: Location {
            pointer: pointer.to_owned(),
            steps: vec![Step::Read("base64")],
        },
        rule,
        tier: Tier::Shaped,
        mitigation: None,
        lifetime: None,
        fingerprint: FingerprintKey::new([7; 32]).fingerprint(value.as_bytes()),
    }
}

/// A waiver of namespace `shop` for the password in the environment of Deployment `checkout`, changed as `change` says.
fn object(change: impl FnOnce(&mut Value)) -> Value {
    let mut object = json!({
        "apiVersion": "countersign.dev/v1alpha1",
        "kind": "CredentialWaiver",
        "metadata": {"name": "old-dsn", "namespace": "shop"},
        "spec": {
            "object": {"group": "apps", "kind": "Deployment", "name": "checkout"},
            "rule": "url-password",
            "fields": ["/spec/**/env/*/value"],
            "reason": "until the secret store is there",
            "expires": "2027-01-15T08:00:00Z",
        },
    });
    change(&mut object);
    object
}

fn read(object: &Value) -> Result<Waiver, Vec<WaiverProblem>> {
    Waiver::read(object, &[&PASSWORD, &KEY])
}

fn waivers(change: impl FnOnce(&mut Value)) -> Waivers {
    Waivers::new([read(&object(change)).unwrap()], Some("countersign"))
}

const CHECKOUT: ObjectId<'_> = ObjectId {
    group: "apps",
    kind: "Deployment",
    namespace: "shop",
    name: "checkout",
};
const DSN: &str = "/spec/template/spec/containers/0/env/1/value";

#[rstest]
#[case::what_it_names(CHECKOUT, &PASSWORD, DSN, true)]
#[case::another_rule(CHECKOUT, &KEY, DSN, false)]
#[case::another_field(CHECKOUT, &PASSWORD, "/metadata/annotations/dsn", false)]
#[case::another_name(ObjectId { name: "checkout-2", ..CHECKOUT }, &PASSWORD, DSN, false)]
#[case::another_kind(ObjectId { kind: "StatefulSet", ..CHECKOUT }, &PASSWORD, DSN, false)]
#[case::another_group(ObjectId { group: "apps.example", ..CHECKOUT }, &PASSWORD, DSN, false)]
#[case::another_namespace(ObjectId { namespace: "shop-2", ..CHECKOUT }, &PASSWORD, DSN, false)]
#[case::no_namespace(ObjectId { namespace: "", ..CHECKOUT }, &PASSWORD, DSN, false)]
fn covers_what_it_names_alone(
    #[case] of: ObjectId<'_>,
    #[case] rule: &'static Rule,
    #[case] pointer: &str,
    #[case] covered: bool,
) {
    let waivers = waivers(|_| ());
    let found = waivers.covers(&of, &finding(rule, pointer, "one"), BEFORE);
    assert_eq!(found.map(|waiver| waiver.name.as_str()), covered.then_some("old-dsn"));
}

#[test]
fn ends_at_once() {
    let waivers = waivers(|_| ());
    let finding = finding(&PASSWORD, DSN, "one");
    assert!(waivers.covers(&CHECKOUT, &finding, BEFORE).is_some());
    assert!(waivers.covers(&CHECKOUT, &finding, END).is_none());
    assert_eq!(waivers.next_end(BEFORE), Some(END));
    assert_eq!(waivers.next_end(END), None);
}

#[test]
fn a_fingerprint_ends_with_its_value() {
    let known = finding(&PASSWORD, "/elsewhere", "one");
    let by_value = waivers(|object| {
        object["spec"]["fingerprint"] = json!(known.fingerprint.to_string());
        object["spec"]["fields"] = json!([]);
    });
    assert!(by_value.covers(&CHECKOUT, &known, BEFORE).is_some());
    let changed = finding(&PASSWORD, "/elsewhere", "two");
    assert!(by_value.covers(&CHECKOUT, &changed, BEFORE).is_none());
    let by_both = waivers(|object| object["spec"]["fingerprint"] = json!(known.fingerprint.to_string()));
    assert!(
        by_both.covers(&CHECKOUT, &known, BEFORE).is_none(),
        "the field does not fit"
    );
    assert!(
        by_both
            .covers(&CHECKOUT, &finding(&PASSWORD, DSN, "one"), BEFORE)
            .is_some()
    );
    assert!(
        by_both
            .covers(&CHECKOUT, &finding(&PASSWORD, DSN, "two"), BEFORE)
            .is_none()
    );
}

#[rstest]
#[case::begins_so("checkout-7d9f", true)]
#[case::nothing_more("checkout-", true)]
#[case::begins_otherwise("check-out-7d9f", false)]
fn a_name_may_end_in_a_star(#[case] name: &str, #[case] covered: bool) {
    let waivers = waivers(|object| object["spec"]["object"]["name"] = json!("checkout-*"));
    let of = ObjectId { name, ..CHECKOUT };
    assert_eq!(
        waivers.covers(&of, &finding(&PASSWORD, DSN, "one"), BEFORE).is_some(),
        covered
    );
}

#[test]
fn a_waiver_at_home_covers_objects_without_a_namespace() {
    let at_home = |object: &mut Value| object["metadata"]["namespace"] = json!("countersign");
    let of = ObjectId {
        namespace: "",
        ..CHECKOUT
    };
    let dsn = finding(&PASSWORD, DSN, "one");
    assert!(waivers(at_home).covers(&of, &dsn, BEFORE).is_some());
    assert!(waivers(at_home).covers(&CHECKOUT, &dsn, BEFORE).is_none());
    let homeless = Waivers::new([read(&object(at_home)).unwrap()], None);
    assert!(homeless.covers(&of, &dsn, BEFORE).is_none());
}

#[test]
fn of_two_the_one_that_lasts_longer_is_named() {
    let one = read(&object(|_| ())).unwrap();
    let two = read(&object(|object| {
        object["metadata"]["name"] = json!("zz");
        object["spec"]["expires"] = json!("2027-01-15T09:00:00Z");
    }))
    .unwrap();
    let waivers = Waivers::new([one, two], None);
    let dsn = finding(&PASSWORD, DSN, "one");
    assert_eq!(waivers.covers(&CHECKOUT, &dsn, BEFORE).unwrap().name, "zz");
    assert_eq!(waivers.covers(&CHECKOUT, &dsn, END).unwrap().name, "zz");
    assert!(waivers.covers(&CHECKOUT, &dsn, END + 3600).is_none());
}

#[rstest]
#[case::unknown_field("/spec/feilds", json!(["/a"]), "feilds")]
#[case::unknown_field_of_the_object("/spec/object/version", json!("v1"), "spec.object")]
#[case::no_time("/spec/expires", json!("tomorrow"), "spec.expires")]
#[case::rule_mistyped("/spec/rule", json!("url-pasword"), "did you mean `url-password`")]
#[case::rule_unheard_of("/spec/rule", json!("zebra"), "no rule is called `zebra`; each finding names its rule")]
#[case::every_field("/spec/fields", json!(["/**"]), "spec.fields[0]")]
#[case::neither("/spec/fields", json!([]), "by fields, by fingerprint")]
#[case::every_object("/spec/object/name", json!("*"), "spec.object.name")]
#[case::star_within("/spec/object/name", json!("a*b"), "spec.object.name")]
#[case::upper_case("/spec/fingerprint", json!("A".repeat(32)), "spec.fingerprint")]
#[case::nothing_at_all("/spec", json!(null), "spec")]
fn what_is_not_understood_is_named(#[case] at: &str, #[case] value: Value, #[case] named: &str) {
    let (parent, member) = at.rsplit_once('/').unwrap();
    let broken = object(|object| object.pointer_mut(parent).unwrap()[member] = value);
    let problems: Vec<String> = read(&broken).unwrap_err().iter().map(ToString::to_string).collect();
    let message = problems.join("; ");
    assert!(message.contains(named), "{message}");
}

#[rstest]
#[case::just_over(END, 86_400, Some("over already"))]
#[case::in_time(END - 86_400, 86_400, None)]
#[case::too_long(END - 86_401, 86_400, Some("more than 24 hours"))]
#[case::far_too_long(0, 90 * 86_400, Some("more than 90 days"))]
#[case::no_overflow(BEFORE, i64::MAX, None)]
fn a_new_one_must_end_in_time(#[case] now: i64, #[case] longest: i64, #[case] named: Option<&str>) {
    let problem = read(&object(|_| ())).unwrap().too_late_or_too_long(now, longest);
    match (problem, named) {
        (None, None) => {}
        (Some(problem), Some(named)) => assert!(problem.to_string().contains(named), "{problem}"),
        (problem, named) => panic!("{problem:?} is not {named:?}"),
    }
}

proptest! {
    /// Whatever the time is, a finding is covered exactly while its waiver has not ended.
    #[test]
    fn no_time_after_the_end_is_covered(now in END - 10..END + 10) {
        let covered = waivers(|_| ()).covers(&CHECKOUT, &finding(&PASSWORD, DSN, "one"), now).is_some();
        prop_assert_eq!(covered, now < END);
    }

    /// No spec makes the parser panic, and none that is not complete is taken.
    #[test]
    fn junk_is_refused(text in "\\PC{0,40}", list in prop::collection::vec("\\PC{0,20}", 0..3)) {
        for member in ["object", "rule", "reason", "expires"] {
            let broken = object(|object| object["spec"][member] = json!(list));
            prop_assert!(read(&broken).is_err());
        }
        let _ = read(&object(|object| object["spec"]["fields"] = json!([text])));
    }
}
