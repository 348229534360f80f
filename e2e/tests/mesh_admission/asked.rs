//! What the API server asks the webhook about, and what not, by its own count.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::chart::NAMESPACE;
use e2e::{ApiUser, Workload};
use serde_json::{Value, json};

use crate::release::{CONFIG_MAPS, Release, WEBHOOK, taken};

const ALL: &[&str] = &["system:masters"];

/// How often each webhook was asked.
async fn asked(release: &Release) -> BTreeMap<String, u64> {
    let metrics = release.testbed.kubectl(&["get", "--raw", "/metrics"]).await.unwrap();
    let mut counts = BTreeMap::new();
    for line in metrics.lines() {
        let Some(labels) = line.strip_prefix("apiserver_admission_webhook_request_total{") else {
            continue;
        };
        let (_, name) = labels.split_once("name=\"").unwrap();
        let Some((name, _)) = name.split_once(".countersign.dev\"") else {
            continue;
        };
        let (_, count) = labels.rsplit_once(' ').unwrap();
        *counts.entry(name.to_owned()).or_default() += count.parse::<u64>().unwrap();
    }
    counts
}

/// One request, and which webhooks it is to be asked of.
struct Case {
    what: &'static str,
    user: ApiUser,
    method: &'static str,
    path: String,
    body: Value,
    asked: &'static [&'static str],
}

/// Which webhooks a request was asked of. Others write too, now and then: they are told apart by asking again.
async fn is_asked(release: &Release, case: &Case) -> bool {
    let expected: BTreeMap<String, u64> = case.asked.iter().map(|name| ((*name).to_owned(), 1)).collect();
    for _ in 0..3 {
        let before = asked(release).await;
        let content = match case.method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        // A body of a deletion stands instead of what the query says.
        let path = format!("{}?dryRun=All", case.path);
        taken(
            &case.user.send(case.method, &path, content, &case.body).await,
            case.what,
        );
        let mut after = asked(release).await;
        for (name, count) in before {
            *after.entry(name).or_default() -= count;
        }
        after.retain(|_, count| *count > 0);
        if after == expected {
            return true;
        }
        eprintln!("{}: asked {after:?}", case.what);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    false
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn the_api_server_asks_about_what_can_hold_a_credential_and_nothing_else() {
    let release = Release::alone().await;
    let namespace = release.namespace(&[]).await;
    let running = namespace.deploy(&Workload::echo("target")).await.unwrap();
    namespace.apply(&identity().to_string()).await.unwrap();
    let admin = ApiUser::admin(&namespace);
    let home = ApiUser::admin_of(&release.testbed, NAMESPACE);
    let cases = objects(&admin, &home)
        .into_iter()
        .chain(parts(&admin, namespace.name(), &running.pod))
        .chain(writers(&admin));
    for case in cases {
        assert!(
            is_asked(&release, &case).await,
            "{}: not as {:?}",
            case.what,
            case.asked
        );
    }
}

fn case(
    what: &'static str,
    user: &ApiUser,
    method: &'static str,
    path: &str,
    body: Value,
    asked: &'static [&'static str],
) -> Case {
    Case {
        what,
        user: user.clone(),
        method,
        path: path.to_owned(),
        body,
        asked,
    }
}

fn named(more: Value) -> Value {
    let mut object = json!({"metadata": {"name": "one"}});
    object
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    object
}

/// By what it is, and by where it is.
fn objects(admin: &ApiUser, home: &ApiUser) -> Vec<Case> {
    let map = named(json!({"data": {"a": "b"}}));
    let leader =
        json!({"metadata": {"name": "one", "annotations": {"control-plane.alpha.kubernetes.io/leader": "{}"}}});
    let mut leader_with_data = leader.clone();
    leader_with_data["data"] = json!({"a": "b"});
    let mut labelled = map.clone();
    labelled["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "countersign"});
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let own_role = json!({"metadata": {"name": "countersign-x"}});
    let own = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{WEBHOOK}");
    let label = json!({"metadata": {"labels": {"a": "b"}}});
    vec![
        case("a ConfigMap", admin, "POST", CONFIG_MAPS, map.clone(), &["credentials"]),
        case("a leader's record", admin, "POST", CONFIG_MAPS, leader, &[]),
        case(
            "with data beside it",
            admin,
            "POST",
            CONFIG_MAPS,
            leader_with_data,
            &["credentials"],
        ),
        case(
            "at home",
            home,
            "POST",
            CONFIG_MAPS,
            map,
            &["own-namespace.credentials"],
        ),
        case(
            "an object of the release",
            home,
            "POST",
            CONFIG_MAPS,
            labelled.clone(),
            &[],
        ),
        case(
            "its label elsewhere",
            admin,
            "POST",
            CONFIG_MAPS,
            labelled,
            &["credentials"],
        ),
        case(
            "a ClusterRole",
            admin,
            "POST",
            roles,
            named(json!({})),
            &["credentials"],
        ),
        case("a ClusterRole of the release", admin, "POST", roles, own_role, &[]),
        case("the webhook's own configuration", admin, "PATCH", &own, label, &[]),
    ]
}

/// What is written all the time, and parts of objects.
fn parts(admin: &ApiUser, namespace: &str, pod: &str) -> Vec<Case> {
    let involved = json!({"kind": "Pod", "name": pod, "namespace": namespace});
    let event = named(json!({"involvedObject": involved}));
    let slice = named(json!({"addressType": "IPv4", "endpoints": []}));
    let review = json!({"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}});
    let (status, scale) = (
        json!({"status": {"observedGeneration": 1}}),
        json!({"spec": {"replicas": 1}}),
    );
    let debug = json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "localhost/echo:1"}]}});
    let ephemeral = format!("/api/v1/{{ns}}/pods/{pod}/ephemeralcontainers");
    let deployment = |part: &str| format!("/apis/apps/v1/{{ns}}/deployments/target/{part}");
    let leases = "/apis/coordination.k8s.io/v1/{ns}/leases";
    let slices = "/apis/discovery.k8s.io/v1/{ns}/endpointslices";
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    vec![
        case("a Lease", admin, "POST", leases, named(json!({"spec": {}})), &[]),
        case("an event", admin, "POST", "/api/v1/{ns}/events", event, &[]),
        case("an EndpointSlice", admin, "POST", slices, slice, &[]),
        case("a review", admin, "POST", reviews, review, &[]),
        case("a status", admin, "PATCH", &deployment("status"), status, &[]),
        case("a scale", admin, "PATCH", &deployment("scale"), scale, &[]),
        case(
            "a debugging container",
            admin,
            "PATCH",
            &ephemeral,
            debug,
            &["credentials"],
        ),
    ]
}

/// By who writes, and by how long a token is to live.
fn writers(admin: &ApiUser) -> Vec<Case> {
    let account = |name: &str| format!("system:serviceaccount:kube-system:{name}");
    let kubelet = admin
        .clone()
        .impersonate("kubelet", &["system:nodes", "system:masters"]);
    let controller = admin.clone().impersonate(&account("replicaset-controller"), ALL);
    let collector = admin.clone().impersonate(&account("generic-garbage-collector"), ALL);
    let map = named(json!({"data": {"a": "b"}}));
    let token = |seconds: u64| json!({"spec": {"audiences": ["api"], "expirationSeconds": seconds}});
    let tokens = "/api/v1/{ns}/serviceaccounts/target/token";
    let identities = "/apis/countersign.dev/v1alpha1/{ns}/serviceidentities";
    let mut identity = identity();
    identity["metadata"]["name"] = json!("other");
    let kept = format!("{identities}/kept");
    let nothing = json!({"dryRun": ["All"]});
    vec![
        case("by a controller", &controller, "POST", CONFIG_MAPS, map.clone(), &[]),
        case("by a kubelet", &kubelet, "POST", CONFIG_MAPS, map, &[]),
        case("a token for an hour", admin, "POST", tokens, token(3607), &[]),
        case(
            "a token for two hours",
            admin,
            "POST",
            tokens,
            token(7200),
            &["tokens.credentials"],
        ),
        case("the same by a kubelet", &kubelet, "POST", tokens, token(7200), &[]),
        case(
            "an own kind",
            admin,
            "POST",
            identities,
            identity,
            &["credentials", "kinds"],
        ),
        case(
            "its deletion",
            admin,
            "DELETE",
            &kept,
            nothing.clone(),
            &["deletions.kinds"],
        ),
        case(
            "its deletion by the collector",
            &collector,
            "DELETE",
            &kept,
            nothing,
            &[],
        ),
    ]
}

fn identity() -> Value {
    json!({"apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": "kept"},
        "spec": {"serviceAccountName": "target"}})
}
