use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn review() -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "7f0b2891", "operation": "CREATE", "name": "api", "namespace": "shop", "dryRun": true,
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "requestKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "userInfo": {"username": "ann", "groups": ["devs"], "extra": {"more": ["x"]}},
            "object": {"kind": "Deployment", "metadata": {"name": "api"}}, "oldObject": null,
            "options": {"kind": "CreateOptions"},
        },
    })
}

fn body(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut review = review();
    change(&mut review);
    serde_json::to_vec(&review).unwrap()
}

#[test]
fn a_review_is_read() {
    let body = body(|_| {});
    let request = Request::parse(&body).unwrap();
    assert_eq!(request.uid, "7f0b2891");
    assert_eq!(request.operation, Operation::Create);
    assert_eq!(request.target(), "deployments.apps");
    assert_eq!(request.user_info.groups, ["devs"]);
    assert!(request.dry_run && request.old_object.is_none());
    let object: Value = serde_json::from_str(request.object.unwrap().get()).unwrap();
    assert_eq!(object["metadata"]["name"], "api");
    assert!(matches!(request.namespace, Cow::Borrowed(_)), "nothing is copied");
}

#[test]
fn a_subresource_is_named_as_in_rbac() {
    let body = body(|review| {
        review["request"]["subResource"] = json!("ephemeralcontainers");
        review["request"]["resource"] = json!({"group": "", "version": "v1", "resource": "pods"});
    });
    let request = Request::parse(&body).unwrap();
    assert_eq!(request.target(), "pods/ephemeralcontainers");
    assert_eq!(request.subresource(), "ephemeralcontainers");
}

#[rstest]
#[case::operation(|r: &mut Value| r["request"]["operation"] = json!("PATCH"), "request.operation")]
#[case::no_kind(|r: &mut Value| { r["request"].as_object_mut().unwrap().remove("kind"); }, "request")]
#[case::group(|r: &mut Value| r["request"]["userInfo"]["groups"] = json!([1]), "request.userInfo.groups[0]")]
#[case::version(|r: &mut Value| r["apiVersion"] = json!("admission.k8s.io/v1beta1"), "admission.k8s.io/v1")]
fn what_cannot_be_read_says_where_and_keeps_the_uid(#[case] change: fn(&mut Value), #[case] part: &str) {
    let malformed = Request::parse(&body(change)).unwrap_err();
    assert_eq!(malformed.uid.as_deref(), Some("7f0b2891"));
    assert!(malformed.to_string().contains(part), "{malformed}");
}

#[rstest]
#[case::nothing(b"".to_vec())]
#[case::text(b"hello".to_vec())]
#[case::other(b"[1, 2]".to_vec())]
#[case::cut(body(|_| {})[..200].to_vec())]
#[case::no_uid(body(|r| { r["request"].as_object_mut().unwrap().remove("uid"); }))]
#[case::empty_uid(body(|r| r["request"]["uid"] = json!("")))]
#[case::no_request(body(|r| { r.as_object_mut().unwrap().remove("request"); }))]
#[case::more(body(|_| {}).into_iter().chain(*b"{}").collect())]
#[case::not_utf8(b"{\"apiVersion\": \"\xff\"}".to_vec())]
fn what_has_no_uid_has_none(#[case] body: Vec<u8>) {
    let malformed = Request::parse(&body).unwrap_err();
    assert_eq!(malformed.uid, None);
}

/// What serde says of a wrong value quotes it.
#[test]
fn a_wrong_value_is_never_quoted() {
    let canary = format!("canary{}", std::process::id());
    for field in ["operation", "dryRun", "userInfo", "kind"] {
        let body = body(|r| r["request"][field] = json!(canary));
        let malformed = Request::parse(&body).unwrap_err();
        let verdict = Verdict::from(&malformed);
        let said = format!("{malformed} {malformed:?} {verdict:?}");
        assert!(!said.contains(&canary), "{said}");
    }
}

#[test]
fn an_answer_has_what_the_api_server_wants() {
    let verdict = Verdict {
        warnings: vec!["careful".to_owned()],
        audit: [("rules", "jwt".to_owned())].into(),
        ..Verdict::denied(Reason::Forbidden, "no".to_owned())
    };
    let answer: Value = serde_json::from_slice(&Response::new("u", &verdict).to_bytes()).unwrap();
    assert_eq!(
        answer,
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {
                "uid": "u", "allowed": false, "warnings": ["careful"], "auditAnnotations": {"rules": "jwt"},
                "status": {"status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"},
            },
        })
    );
}

#[test]
fn what_is_allowed_says_no_more() {
    let answer: Value = serde_json::from_slice(&Response::new("u", &Verdict::allowed()).to_bytes()).unwrap();
    assert_eq!(answer["response"], json!({"uid": "u", "allowed": true}));
}

#[test]
fn two_denials_become_one() {
    let one = Verdict::denied(Reason::Forbidden, "one".to_owned());
    let two = Verdict::denied(Reason::Invalid, "two".to_owned());
    let both = one.clone().and(two).denial.unwrap();
    assert_eq!((both.reason, both.message.as_str()), (Reason::Forbidden, "one\ntwo"));
    assert_eq!(Verdict::allowed().and(one.clone()).denial, one.denial);
}
