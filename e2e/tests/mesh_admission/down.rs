//! While no webhook answers: what still holds, what is still possible, and how it ends.

use std::time::Duration;

use anyhow::ensure;
use e2e::chart::NAMESPACE;
use e2e::{ApiUser, Namespace, Workload, wait_for};
use serde_json::json;

use crate::cluster::renewed;
use crate::release::{CONFIG_MAPS, Release, SECRETS, WEBHOOK, helm, password, refused, taken};

async fn scale(release: &Release, replicas: u8) {
    let replicas = format!("--replicas={replicas}");
    let scale = ["scale", &format!("deployment/{WEBHOOK}"), &replicas];
    release.kubectl(&scale).await.unwrap();
}

/// Takes all webhooks away, and waits until they have ended.
async fn take_down(release: &Release) {
    scale(release, 0).await;
    wait_for("the webhooks to end", Duration::from_secs(40), || async {
        let left = release.pods().await;
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
    .unwrap();
}

/// The API server keeps refusing what it cannot ask about, and what its own policies refuse.
async fn nothing_gets_in(namespace: &Namespace) {
    const DOWN: &str = "failed calling webhook";
    let admin = ApiUser::admin(namespace);
    refused(&admin.try_create(CONFIG_MAPS, &password()).await, &[DOWN], "a password");
    let map = json!({"metadata": {"name": "one"}, "data": {"a": "b"}});
    refused(
        &admin.try_create(CONFIG_MAPS, &map).await,
        &[DOWN],
        "anything by a person",
    );
    let token = json!({"metadata": {"name": "one", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token"});
    refused(
        &admin.try_create(SECRETS, &token).await,
        &["ValidatingAdmissionPolicy", "/type"],
        "a token that never ends",
    );
    let year = namespace
        .kubectl(&["create", "token", "default", "--duration=8760h"])
        .await;
    let message = format!("{:#}", year.unwrap_err());
    assert!(message.contains("/spec/expirationSeconds is over"), "{message}");
    // Also at home, where the webhook is not waited for.
    let home = ApiUser::admin_of(namespace.testbed(), NAMESPACE);
    refused(
        &home.try_create(SECRETS, &token).await,
        &["ValidatingAdmissionPolicy"],
        "the same at home",
    );
}

/// The cluster lives on, and Countersign can be mended.
async fn much_is_possible(release: &Release, namespace: &Namespace) {
    renewed(release).await;
    let before = namespace.running("api", 8080).await.unwrap();
    namespace
        .kubectl(&["delete", "pod", &before.pod, "--wait=false"])
        .await
        .unwrap();
    let after = wait_for("another Pod", Duration::from_secs(40), || async {
        let now = namespace.running("api", 8080).await?;
        ensure!(now.pod != before.pod, "still the same");
        Ok(now)
    });
    // Its volume with a token of the kubelet's is there, or it would not be ready.
    after.await.unwrap();
    namespace.kubectl(&["create", "token", "default"]).await.unwrap();
    namespace
        .kubectl(&["scale", "deployment/api", "--replicas=2"])
        .await
        .unwrap();
    let home = ApiUser::admin_of(namespace.testbed(), NAMESPACE);
    let map = json!({"metadata": {"name": "one"}, "data": {"a": "b"}});
    taken(&home.try_create(CONFIG_MAPS, &map).await, "a ConfigMap at home");
    let other = release
        .testbed
        .kubectl(&["delete", "configmap", "kept", "-n", namespace.name()])
        .await;
    other.unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn while_no_webhook_answers_nothing_gets_in_and_the_cluster_lives_on() {
    let release = Release::alone().await;
    let namespace = release.namespace(&[]).await;
    namespace.deploy(&Workload::echo("api")).await.unwrap();
    namespace.kubectl(&["create", "configmap", "kept"]).await.unwrap();

    take_down(&release).await;
    nothing_gets_in(&namespace).await;
    much_is_possible(&release, &namespace).await;

    // It comes back by itself as soon as its Pods may run.
    scale(&release, 2).await;
    release.until_judged().await;
    let map = json!({"metadata": {"name": "one"}, "data": {"a": "b"}});
    taken(
        &ApiUser::admin(&namespace).try_create(CONFIG_MAPS, &map).await,
        "a ConfigMap",
    );
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_broken_image_does_not_take_the_webhook_away() {
    let release = Release::alone().await;
    let image = format!("deployment/{WEBHOOK}");
    let broken = ["set", "image", &image, "webhook=localhost/nothing:1"];
    release.kubectl(&broken).await.unwrap();
    // Those that run are killed at once; the ones after them still have the old image.
    let replicas = [
        "get",
        "replicasets",
        "-l",
        "app.kubernetes.io/component=webhook",
        "-o",
        "name",
    ];
    wait_for("the new ReplicaSet", Duration::from_secs(20), || async {
        let sets = release.kubectl(&replicas).await?;
        ensure!(sets.lines().count() > 1, "{sets}");
        Ok(())
    })
    .await
    .unwrap();
    let killed = release.pods().await;
    let names: Vec<&str> = killed.iter().map(String::as_str).collect();
    let kill = [&["delete", "--force", "--grace-period=0"], &names[..]].concat();
    release.kubectl(&kill).await.unwrap();
    // What was killed may answer for a moment more, on a connection that the API server has kept.
    wait_for("other Pods to serve", Duration::from_secs(40), || async {
        let ready = release.ready().await?;
        ensure!(ready.len() >= 2, "ready: {ready:?}");
        ensure!(!ready.iter().any(|pod| killed.contains(pod)), "ready: {ready:?}");
        Ok(())
    })
    .await
    .unwrap();
    release.until_judged().await;
    release.kubectl(&["rollout", "undo", &image]).await.unwrap();
    let status = ["rollout", "status", &image, "--timeout=60s"];
    release.kubectl(&status).await.unwrap();
    release.until_judged().await;
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn the_release_can_be_upgraded_and_removed_while_no_webhook_answers() {
    let release = Release::alone().await;
    let namespace = release.namespace(&[]).await;
    take_down(&release).await;
    let admin = ApiUser::admin(&namespace);
    let map = json!({"metadata": {"name": "one"}, "data": {"a": "b"}});
    refused(
        &admin.try_create(CONFIG_MAPS, &map).await,
        &["failed calling webhook"],
        "anything",
    );
    helm(&["uninstall", "countersign", "--namespace", NAMESPACE, "--wait"]).unwrap();
    wait_for("the API server to ask no more", Duration::from_secs(20), || async {
        admin
            .try_create(CONFIG_MAPS, &password())
            .await
            .map_err(anyhow::Error::msg)?;
        Ok(())
    })
    .await
    .unwrap();
    release.install(&[]).await;

    // An upgrade brings it back too.
    take_down(&release).await;
    release.install(&["--set=webhook.replicas=2"]).await;
}
