//! Pods without a proxy: nothing refuses requests to them, and the status must not say otherwise.

use std::collections::BTreeMap;

use crate::release::Release;
use crate::shop::{Shop, admits};

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_policy_is_not_ready_while_pods_are_outside_the_mesh() {
    let mut shop = Shop::open_with(Release::shared().await, "meshed", &[]).await;
    shop.apply(&shop.policy("api", &admits(&BTreeMap::from([("orders", "/v1")]))))
        .await;
    let now = shop.until_ready("api", "False", "PodsOutsideMesh").await;
    assert!(now["status"].to_string().contains(&shop.api.pod), "{}", now["status"]);
    let plain = e2e::Request::get("/v1").send_plain(shop.api.address).await;
    assert_eq!(plain.status(), Some(200), "nothing refuses: {plain:?}");

    let name = shop.namespace.name().to_owned();
    let label = ["label", "namespace", &name, "istio-injection=enabled"];
    shop.release.testbed.kubectl(&label).await.unwrap();
    let restart = ["rollout", "restart", "deployment/api"];
    shop.namespace.kubectl(&restart).await.unwrap();
    let status = ["rollout", "status", "deployment/api", "--timeout=60s"];
    shop.namespace.kubectl(&status).await.unwrap();
    shop.until_ready("api", "True", "Enforcing").await;
    shop.api = shop.namespace.running("api", 8080).await.unwrap();
    shop.until_answered("stranger", "/v1", 403).await;
    shop.until_answered("orders", "/v1", 200).await;
    shop.done();
}
