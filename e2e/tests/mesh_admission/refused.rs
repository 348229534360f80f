//! What is refused, with the field and what to do instead, and what is let in.

use std::process::Command;

use e2e::{ApiUser, Workload};
use serde_json::{Value, json};

use crate::release::{CONFIG_MAPS, Release, SECRETS, password, refused, said, taken};

const PODS: &str = "/api/v1/{ns}/pods";
const VALUE: &str = "correct-horse-battery";

fn pod(container: Value) -> Value {
    let mut container = container;
    container["name"] = json!("main");
    container["image"] = json!("localhost/echo:1");
    json!({"metadata": {"name": "one"}, "spec": {"containers": [container]}})
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_credential_in_a_manifest_is_refused_with_its_field_and_a_remedy() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let admin = ApiUser::admin(&namespace);
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let deployment = |template: Value| {
        json!({"metadata": {"name": "one"}, "spec": {
            "selector": {"matchLabels": {"app": "one"}},
            "template": {"metadata": {"labels": {"app": "one"}}, "spec": template["spec"]},
        }})
    };
    let literal = pod(json!({"env": [{"name": "A", "value": "b"}, {"name": "DB_PASSWORD", "value": VALUE}]}));
    for (path, object, field, remedy) in [
        (
            PODS,
            literal.clone(),
            "/spec/containers/0/env/1/value",
            "valueFrom.secretKeyRef",
        ),
        (
            "/apis/apps/v1/{ns}/deployments",
            deployment(literal),
            "/spec/template/spec/containers/0/env/1/value",
            "ExternalSecret",
        ),
        (CONFIG_MAPS, password(), "/data/db.password", "ExternalSecret"),
        (
            CONFIG_MAPS,
            json!({"metadata": {"name": "one"}, "data": {"server.pem": key}}),
            "/data/server.pem",
            "private key",
        ),
        (
            SECRETS,
            json!({"metadata": {"name": "one"}, "stringData": {"password": VALUE}}),
            "/data/password → base64",
            "ExternalSecret",
        ),
        (
            SECRETS,
            json!({"metadata": {"name": "one", "annotations": {"kubernetes.io/service-account.name": "default"}},
                "type": "kubernetes.io/service-account-token"}),
            "/type",
            "projected service-account token",
        ),
    ] {
        let answer = admin.try_create(path, &object).await;
        refused(&answer, &[field, remedy], &format!("{path}: {field}"));
        let message = answer.unwrap_err();
        assert!(
            !message.contains(VALUE) && !message.contains("PRIVATE KEY-"),
            "{message}"
        );
    }
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn what_refers_to_a_credential_is_let_in() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let admin = ApiUser::admin(&namespace);
    let mut object = pod(json!({
        "env": [
            {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
            {"name": "TOKEN_FILE", "value": "/var/run/secrets/api/token"},
        ],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/api"}],
    }));
    object["spec"]["volumes"] = json!([{"name": "token", "projected": {"sources": [
        {"serviceAccountToken": {"path": "token", "audience": "api", "expirationSeconds": 3600}}]}}]);
    taken(&admin.try_create(PODS, &object).await, "a Pod with references");
    let map = json!({"metadata": {"name": "one"}, "data": {"db.host": "db.example.com", "db.passwordFile": "/run/db"}});
    taken(&admin.try_create(CONFIG_MAPS, &map).await, "settings");
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_container_that_is_added_for_debugging_is_judged_too() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let running = namespace.deploy(&Workload::echo("target")).await.unwrap();
    let admin = ApiUser::admin(&namespace);
    let path = format!("{PODS}/{}/ephemeralcontainers", running.pod);
    let container = |env: Value| {
        json!({"spec": {"ephemeralContainers": [
            {"name": "debug", "image": "localhost/echo:1", "imagePullPolicy": "Never", "env": env}]}})
    };
    let strategic = "application/strategic-merge-patch+json";
    let literal = container(json!([{"name": "DB_PASSWORD", "value": VALUE}]));
    let answer = admin.send("PATCH", &path, strategic, &literal).await;
    refused(&answer, &["/spec/ephemeralContainers/0/env/0/value"], "a password");
    let answer = admin.send("PATCH", &path, strategic, &container(json!([]))).await;
    taken(&answer, "a container without one");
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_namespace_may_ask_for_less() {
    let release = Release::shared().await;
    for (label, warned) in [("warn", true), ("audit", false)] {
        let namespace = release.namespace(&[("countersign.dev/admission", label)]).await;
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["--namespace", namespace.name(), "create", "configmap", "one"]);
        let text = said(kubectl.arg(format!("--from-literal=db.password={VALUE}"))).unwrap();
        assert_eq!(text.contains("Warning"), warned, "{label}: {text}");
        assert_eq!(text.contains("/data/db.password"), warned, "{label}: {text}");
        assert!(!text.contains(VALUE), "{text}");
    }
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn old_debt_stays_until_it_is_changed() {
    let release = Release::shared().await;
    let namespace = release.namespace(&[("countersign.dev/admission", "audit")]).await;
    let admin = ApiUser::admin(&namespace);
    taken(&admin.create(CONFIG_MAPS, &password()).await, "a password");
    let relabel = ["label", "namespace", namespace.name(), "countersign.dev/admission-"];
    release.testbed.kubectl(&relabel).await.unwrap();
    let one = format!("{CONFIG_MAPS}/one");
    // The webhook learns of the label in a moment.
    e2e::wait_for(
        "the namespace to be judged",
        std::time::Duration::from_secs(10),
        || async {
            let answer = admin.try_create(CONFIG_MAPS, &password()).await;
            anyhow::ensure!(answer.is_err(), "it is not");
            Ok(())
        },
    )
    .await
    .unwrap();
    taken(
        &admin.patch(&one, &json!({"data": {"db.host": "a"}})).await,
        "something else",
    );
    let other = json!({"data": {"db.password": "another-horse-battery"}});
    refused(
        &admin.patch(&one, &other).await,
        &["/data/db.password"],
        "another password",
    );
    taken(
        &admin.patch(&one, &json!({"data": {"db.password": null}})).await,
        "none",
    );
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_controller_writes_the_secrets_that_it_owns() {
    const ALL: &[&str] = &["system:masters", "system:serviceaccounts", "system:authenticated"];
    let release = Release::shared().await;
    let namespace = release.namespace(&[]).await;
    let certificate = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let owned = json!({
        "metadata": {"name": "shop-tls", "ownerReferences": [{
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "name": "shop", "uid": uuid::Uuid::new_v4().to_string(),
        }]},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate.cert.pem(), "tls.key": certificate.signing_key.serialize_pem()},
    });
    let account = format!("system:serviceaccount:{}:issuer", namespace.name());
    let controller = ApiUser::admin(&namespace).impersonate(&account, ALL);
    taken(&controller.try_create(SECRETS, &owned).await, "a controller's Secret");
    let mut loose = owned.clone();
    loose["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    refused(
        &controller.try_create(SECRETS, &loose).await,
        &["/data/tls.key"],
        "a Secret without an owner",
    );
    for (user, what) in [
        ("jane", "a person's"),
        (
            "system:serviceaccount:argocd:argocd-application-controller",
            "a GitOps agent's",
        ),
    ] {
        let other = ApiUser::admin(&namespace).impersonate(user, ALL);
        refused(&other.try_create(SECRETS, &owned).await, &["/data/tls.key"], what);
    }
}
