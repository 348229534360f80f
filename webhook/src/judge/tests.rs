use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const PERSON: &str = "ann";
const REPLICASETS: &str = "system:serviceaccount:kube-system:replicaset-controller";
const MANAGER: &str = "system:kube-controller-manager";
const CERT_MANAGER: &str = "system:serviceaccount:cert-manager:cert-manager";
const OPERATOR: &str = "system:serviceaccount:vaults:vault-operator";
const ARGO: &str = "system:serviceaccount:argocd:argocd-application-controller";

/// A password that nobody ever used, the same for the same seed.
fn password(seed: u64) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    (0..20).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}

fn pod(password: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api-x", "namespace": "shop"},
        "spec": {"containers": [{"name": "api", "image": "api", "env": [{"name": "DB_PASSWORD", "value": password}]}]},
    })
}

fn secret(kind: &str, owner: Option<(&str, &str)>) -> Value {
    let owners = owner.map(|(version, kind)| json!([{"apiVersion": version, "kind": kind, "name": "x", "uid": "1"}]));
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": kind,
        "metadata": {"name": "db", "namespace": "shop", "ownerReferences": owners},
        "stringData": {"password": password(2)},
    })
}

/// A request in the making.
#[derive(Clone)]
struct Asked {
    user: &'static str,
    groups: Vec<&'static str>,
    target: (&'static str, &'static str, &'static str),
    old: Option<Value>,
    object: Value,
}

fn create(resource: &'static str, object: Value) -> Asked {
    Asked {
        user: PERSON,
        groups: vec![],
        target: ("", resource, ""),
        old: None,
        object,
    }
}

impl Asked {
    fn by(self, user: &'static str) -> Self {
        Self { user, ..self }
    }

    fn body(&self) -> Vec<u8> {
        let (group, resource, sub) = self.target;
        let operation = if self.old.is_some() { "UPDATE" } else { "CREATE" };
        serde_json::to_vec(&json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                "uid": "u", "operation": operation, "namespace": "shop", "name": self.object["metadata"]["name"],
                "kind": {"group": group, "version": "v1", "kind": self.object["kind"]},
                "resource": {"group": group, "version": "v1", "resource": resource}, "subResource": sub,
                "userInfo": {"username": self.user, "groups": self.groups},
                "object": self.object, "oldObject": self.old,
            },
        }))
        .unwrap()
    }

    fn judged_by(&self, settings: &str, cluster: &Cluster) -> Judgement {
        let settings = Settings::parse(settings).unwrap();
        let judge = Judge::new(&settings, FingerprintKey::new([9; 32]), "countersign-system");
        let body = self.body();
        judge.judge(&Request::parse(&body).unwrap(), cluster, NOW)
    }

    fn judged(&self) -> Judgement {
        self.judged_by("", &Cluster::default())
    }
}

fn denied(judgement: &Judgement) -> bool {
    judgement.verdict.denial.is_some()
}

#[test]
fn a_literal_password_is_denied_with_place_and_remedy() {
    let judgement = create("pods", pod(&password(1))).judged();
    let denial = judgement.verdict.denial.unwrap();
    assert!(
        denial.message.contains("/spec/containers/0/env/0/value"),
        "{}",
        denial.message
    );
    assert!(denial.message.contains("ExternalSecret"), "{}", denial.message);
    assert_eq!(denial.reason, Reason::Forbidden);
    assert_eq!(judgement.verdict.audit["action"], "deny");
    assert!(!judgement.verdict.audit["rules"].is_empty());
}

#[test]
fn what_holds_nothing_gets_in_without_a_word() {
    let mut pod = pod("");
    pod["spec"]["containers"][0]["env"][0] =
        json!({"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}});
    let judgement = create("pods", pod).judged();
    assert_eq!(judgement.verdict, Verdict::allowed());
}

#[test]
fn an_update_is_judged_by_what_it_changes() {
    let old = pod(&password(1));
    let mut same = old.clone();
    same["metadata"]["labels"] = json!({"touched": "yes"});
    let update = |object: &Value| Asked {
        old: Some(old.clone()),
        ..create("pods", object.clone())
    };
    assert!(!denied(&update(&same).judged()), "old debt is not asked for");
    assert!(denied(&update(&pod(&password(3))).judged()), "a new value is");
}

#[test]
fn ephemeral_containers_are_looked_at() {
    let old = pod("");
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] =
        json!([{"name": "debug", "env": [{"name": "API_TOKEN", "value": password(4)}]}]);
    let asked = Asked {
        target: ("", "pods", "ephemeralcontainers"),
        old: Some(old),
        ..create("pods", new)
    };
    assert!(denied(&asked.judged()));
}

fn token_request(seconds: i64, bound: &str) -> Asked {
    Asked {
        target: ("", "serviceaccounts", "token"),
        ..create(
            "serviceaccounts",
            json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {"name": "default"},
                "spec": {"expirationSeconds": seconds, "boundObjectRef": {"kind": bound, "name": "x"}},
            }),
        )
    }
}

#[test]
fn long_tokens_are_not_given_out() {
    assert!(denied(&token_request(365 * 86_400, "").judged()));
    assert!(!denied(&token_request(3607, "Pod").judged()));
}

/// A Pod that asks for such a token got in before, or was waived. Its kubelet must not fail over it.
#[rstest]
#[case::a_kubelet_for_a_pod("system:nodes", "Pod", false)]
#[case::a_kubelet_for_itself("system:nodes", "", true)]
#[case::a_person_for_a_pod("devs", "Pod", true)]
fn a_kubelet_gets_the_tokens_of_its_pods(#[case] group: &'static str, #[case] bound: &str, #[case] is_denied: bool) {
    let asked = Asked {
        groups: vec![group],
        ..token_request(365 * 86_400, bound).by("system:node:one")
    };
    assert_eq!(denied(&asked.judged()), is_denied);
}

#[rstest]
#[case::status(("apps", "deployments", "status"))]
#[case::scale(("apps", "deployments", "scale"))]
#[case::lease(("coordination.k8s.io", "leases", ""))]
#[case::event(("events.k8s.io", "events", ""))]
#[case::endpoints(("", "endpoints", ""))]
#[case::token_review(("authentication.k8s.io", "tokenreviews", ""))]
fn what_is_written_all_the_time_is_left_alone(#[case] target: (&'static str, &'static str, &'static str)) {
    let asked = Asked {
        target,
        ..create("", pod(&password(1)))
    };
    assert_eq!(asked.judged().verdict, Verdict::allowed());
}

#[rstest]
#[case("DELETE")]
#[case("CONNECT")]
fn what_writes_nothing_is_allowed(#[case] operation: &str) {
    let mut body: Value = serde_json::from_slice(&create("pods", pod(&password(1))).body()).unwrap();
    body["request"]["operation"] = json!(operation);
    let body = serde_json::to_vec(&body).unwrap();
    let judge = Judge::new(&Settings::default(), FingerprintKey::new([9; 32]), "n");
    let judgement = judge.judge(&Request::parse(&body).unwrap(), &Cluster::default(), NOW);
    assert_eq!(judgement.verdict, Verdict::allowed());
}

fn owned_pod(controller: bool) -> Value {
    let mut pod = pod(&password(1));
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "api", "uid": "1", "controller": controller}]);
    pod
}

#[rstest]
#[case::replicaset_controller(REPLICASETS, true, false)]
#[case::controller_manager(MANAGER, true, false)]
#[case::no_controller_is_named(REPLICASETS, false, true)]
#[case::a_person(PERSON, true, true)]
#[case::a_name_alike("system:serviceaccount:shop:replicaset-controller", true, true)]
fn copies_of_judged_templates_are_let_in(
    #[case] user: &'static str,
    #[case] controller: bool,
    #[case] is_denied: bool,
) {
    let judgement = create("pods", owned_pod(controller)).by(user).judged();
    assert_eq!(denied(&judgement), is_denied);
    assert_eq!(judgement.exemption == Some(Exemption::Copy), !is_denied);
}

#[test]
fn a_workload_controller_has_no_free_hand() {
    let mut secret = secret("Opaque", None);
    secret["metadata"]["ownerReferences"] = owned_pod(true)["metadata"]["ownerReferences"].clone();
    assert!(denied(&create("secrets", secret).by(REPLICASETS).judged()));
}

#[rstest]
#[case::a_person(PERSON, None, Some("deny"))]
#[case::a_person_with_an_owner(PERSON, Some(("external-secrets.io/v1", "ExternalSecret")), Some("deny"))]
#[case::a_gitops_agent(ARGO, Some(("external-secrets.io/v1", "ExternalSecret")), Some("deny"))]
#[case::a_controller_by_user(CERT_MANAGER, None, None)]
#[case::a_controller_by_owner(OPERATOR, Some(("external-secrets.io/v1", "ExternalSecret")), None)]
#[case::an_owner_of_another_group(OPERATOR, Some(("example.com/v1", "ExternalSecret")), Some("deny"))]
#[case::any_service_account(OPERATOR, None, Some("deny"))]
#[case::countersign("system:serviceaccount:countersign-system:countersign-webhook", None, None)]
#[case::a_name_alike("system:serviceaccount:shop:cert-manager", None, Some("deny"))]
fn who_writes_a_secret_decides(
    #[case] user: &'static str,
    #[case] owner: Option<(&str, &str)>,
    #[case] action: Option<&str>,
) {
    let judgement = create("secrets", secret("Opaque", owner)).by(user).judged();
    assert_eq!(judgement.verdict.audit.get("action").map(String::as_str), action);
    assert_eq!(judgement.exemption.is_none(), action.is_some());
}

#[test]
fn no_owner_makes_a_token_that_never_ends_its_own() {
    let owner = Some(("external-secrets.io/v1", "ExternalSecret"));
    let asked = create("secrets", secret("kubernetes.io/service-account-token", owner));
    assert!(denied(&asked.clone().by(OPERATOR).judged()));
    assert!(
        !denied(&asked.by(MANAGER).judged()),
        "the token controller fills what got in"
    );
}

#[test]
fn settings_name_controllers() {
    let settings = "controllers: {users: ['system:serviceaccount:vaults:*']}";
    let asked = create("secrets", secret("Opaque", None)).by(OPERATOR);
    assert!(!denied(&asked.judged_by(settings, &Cluster::default())));
    let settings = "controllers: {defaults: false}";
    let asked = asked.by(CERT_MANAGER);
    assert!(denied(&asked.judged_by(settings, &Cluster::default())));
}

#[test]
fn a_namespace_can_turn_literal_secrets_to_warnings() {
    let cluster = Cluster::default();
    cluster.set_caps(
        "shop",
        Caps {
            literal_secrets: Action::Warn,
            ..Caps::default()
        },
    );
    let judgement = create("secrets", secret("Opaque", None)).judged_by("", &cluster);
    assert!(!denied(&judgement) && !judgement.verdict.warnings.is_empty());
    assert!(
        denied(&create("pods", pod(&password(1))).judged_by("", &cluster)),
        "only Secrets"
    );
    let token = create("secrets", secret("kubernetes.io/service-account-token", None));
    assert!(denied(&token.judged_by("", &cluster)), "a type is no literal value");
}

/// `kubectl apply` leaves the whole Secret in an annotation.
#[test]
fn the_copy_in_the_annotation_is_a_literal_value_too() {
    let cluster = Cluster::default();
    cluster.set_caps(
        "shop",
        Caps {
            literal_secrets: Action::Warn,
            ..Caps::default()
        },
    );
    let mut applied = secret("Opaque", None);
    let copy = serde_json::to_string(&applied).unwrap();
    applied["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": copy});
    applied["stringData"] = json!({});
    let judgement = create("secrets", applied).judged_by("", &cluster);
    assert!(!denied(&judgement) && !judgement.verdict.warnings.is_empty());
}

#[rstest]
#[case(Action::Warn, false, 1)]
#[case(Action::Audit, false, 0)]
#[case(Action::Deny, true, 0)]
fn a_namespace_caps_what_is_done(#[case] cap: Action, #[case] is_denied: bool, #[case] warnings: usize) {
    let cluster = Cluster::default();
    cluster.set_caps(
        "shop",
        Caps {
            all: cap,
            ..Caps::default()
        },
    );
    let judgement = create("pods", pod(&password(1))).judged_by("", &cluster);
    assert_eq!(
        (denied(&judgement), judgement.verdict.warnings.len()),
        (is_denied, warnings)
    );
    assert_eq!(judgement.findings.len(), 1, "it is counted all the same");
}

#[test]
fn settings_say_what_is_done() {
    let asked = create("pods", pod(&password(1)));
    let rule = asked.judged().findings[0].finding.rule.id;
    let settings = format!("actions: [{{rules: [{rule}], namespaces: ['sh*'], action: warn}}]");
    assert!(!denied(&asked.judged_by(&settings, &Cluster::default())));
    let settings = format!("actions: [{{rules: [{rule}], namespaces: [other], action: warn}}]");
    assert!(denied(&asked.judged_by(&settings, &Cluster::default())));
}

fn waiver(rule: &str, fingerprint: &str, expires: &str) -> Cluster {
    let waiver = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": "CredentialWaiver",
        "metadata": {"name": "legacy", "namespace": "shop"},
        "spec": {
            "object": {"kind": "Pod", "name": "api-x"}, "rule": rule, "fingerprint": fingerprint,
            "reason": "moves to the store next month", "expires": expires,
        },
    });
    let waiver = countersign_scan::Waiver::parse(&waiver).unwrap();
    let cluster = Cluster::default();
    cluster.set_waivers(Waivers::new([waiver], Some("countersign-system")));
    cluster
}

#[test]
fn a_waiver_lets_one_credential_stand_until_it_ends() {
    let asked = create("pods", pod(&password(1)));
    let finding = asked.judged().findings.remove(0).finding;
    let (rule, fingerprint) = (finding.rule.id, finding.fingerprint.to_string());
    let waived = asked.judged_by("", &waiver(rule, &fingerprint, "2027-12-31T00:00:00Z"));
    assert!(!denied(&waived) && waived.verdict.warnings.is_empty());
    assert_eq!(waived.verdict.audit["waivers"], "shop/legacy");
    assert!(
        denied(&asked.judged_by("", &waiver(rule, &fingerprint, "2026-12-31T00:00:00Z"))),
        "it ended"
    );
    let other = create("pods", pod(&password(5)));
    assert!(
        denied(&other.judged_by("", &waiver(rule, &fingerprint, "2027-12-31T00:00:00Z"))),
        "another value"
    );
}

#[test]
fn what_cannot_be_looked_into_is_not_let_in() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let body = String::from_utf8(
        create(
            "pods",
            json!({"kind": "Pod", "metadata": {"name": "x"}, "deep": "here"}),
        )
        .body(),
    )
    .unwrap();
    let body = body.replace("\"here\"", &deep).into_bytes();
    let judge = Judge::new(&Settings::default(), FingerprintKey::new([9; 32]), "n");
    let judgement = judge.judge(&Request::parse(&body).unwrap(), &Cluster::default(), NOW);
    let denial = judgement.verdict.denial.unwrap();
    assert!(denial.message.contains("nested too deep"), "{}", denial.message);
}

#[rstest]
#[case::no_object("object")]
#[case::no_old_object("oldObject")]
fn an_object_that_is_missing_is_no_reason_to_let_one_in(#[case] field: &str) {
    let asked = Asked {
        old: Some(pod("")),
        ..create("pods", pod(""))
    };
    let mut body: Value = serde_json::from_slice(&asked.body()).unwrap();
    for wrong in [Value::Null, json!("text"), json!([])] {
        body["request"][field] = wrong;
        let body = serde_json::to_vec(&body).unwrap();
        let judge = Judge::new(&Settings::default(), FingerprintKey::new([9; 32]), "n");
        let judgement = judge.judge(&Request::parse(&body).unwrap(), &Cluster::default(), NOW);
        let denial = judgement.verdict.denial.unwrap();
        assert_eq!(denial.reason, Reason::BadRequest);
        assert!(
            denial.message.contains(&format!("request.{field}")),
            "{}",
            denial.message
        );
    }
}

#[test]
fn no_value_is_in_an_answer() {
    let secret_value = password(6);
    let judgement = create("pods", pod(&secret_value)).judged();
    assert!(denied(&judgement));
    assert!(!format!("{judgement:?}").contains(&secret_value));
}
