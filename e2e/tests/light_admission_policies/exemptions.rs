//! What passes although it is over a limit.

use std::time::Duration;

use anyhow::Context as _;
use e2e::{ApiUser, wait_for};
use serde_json::json;

use crate::objects::{LIMIT, PROJECTED, SHAPES, WAIVER, pod, secret};
use crate::server::{guarded, refused, taken};

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn controllers_go_on_to_copy_what_was_there() {
    const ALL: &[&str] = &["system:masters"];
    let namespace = guarded().await;
    let path = "/api/v1/{ns}/pods";
    let own = SHAPES[0].object(pod(&[2 * LIMIT]), json!({}));
    let mut copy = own.clone();
    copy["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "one", "uid": uuid::Uuid::new_v4().to_string(), "controller": true,
    }]);
    let controller =
        ApiUser::admin(&namespace).impersonate("system:serviceaccount:kube-system:replicaset-controller", ALL);
    taken(&controller.try_create(path, &copy).await, "a copy");
    refused(
        &controller.try_create(path, &own).await,
        &[PROJECTED],
        "a Pod without an owner",
    );
    for user in ["system:serviceaccount:default:replicaset-controller", "jane"] {
        let other = ApiUser::admin(&namespace).impersonate(user, ALL);
        refused(&other.try_create(path, &copy).await, &[PROJECTED], user);
    }
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn the_name_of_a_waiver_counts_from_those_who_may_make_one() {
    let namespace = guarded().await;
    let rights = json!([
        {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["create"]},
        {"apiGroups": ["countersign.dev"], "resources": ["credentialwaivers"], "verbs": ["get", "list"]},
    ]);
    let mut more = rights.clone();
    more[1]["verbs"] = json!(["create"]);
    for (user, rules) in [("writer", rights), ("waiver", more)] {
        let subjects = json!([{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]);
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": user}, "rules": rules},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": user},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}, "subjects": subjects},
        ]});
        namespace.apply(&list.to_string()).await.unwrap();
    }
    let mut object = secret("kubernetes.io/service-account-token", json!({}));
    object["metadata"]["annotations"][WAIVER] = json!("legacy");
    let (writer, waiver) = (
        ApiUser::admin(&namespace).impersonate("writer", &["system:authenticated"]),
        ApiUser::admin(&namespace).impersonate("waiver", &["system:authenticated"]),
    );
    let path = "/api/v1/{ns}/secrets";
    // The API admin learns of new rights in a moment.
    wait_for("the rights", Duration::from_secs(10), || async {
        waiver
            .try_create(path, &object)
            .await
            .map_err(anyhow::Error::msg)
            .context("may make a waiver")?;
        Ok(())
    })
    .await
    .unwrap();
    refused(
        &writer.try_create(path, &object).await,
        &["/type", PROJECTED],
        "without the right",
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_namespace_that_is_not_denied_yet_takes_all() {
    let namespace = guarded().await;
    for action in ["warn", "audit", "Warn"] {
        let other = namespace
            .testbed()
            .namespace("lenient", &[("countersign.dev/admission", action)])
            .await
            .unwrap();
        let admin = ApiUser::admin(&other);
        let path = "/api/v1/{ns}/secrets";
        let token = secret("kubernetes.io/service-account-token", json!({}));
        other
            .apply("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}")
            .await
            .unwrap();
        taken(&admin.try_create(path, &token).await, action);
    }
}
