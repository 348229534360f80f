//! A dry run refuses nobody.

use std::collections::BTreeMap;

use e2e::Request;
use serde_json::json;

use crate::release::Release;
use crate::shop::{Idp, LIMIT, Shop, admits};

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_dry_run_refuses_nobody_until_it_is_enforced() {
    let shop = Shop::open(Release::shared().await, "dry").await;
    let idp = Idp::new(&shop).await;
    let mut dry = admits(&BTreeMap::from([("orders", "/v1")]));
    dry["credentials"]["jwt"] = json!([{"issuer": idp.name, "audiences": ["api"]}]);
    let enforced = shop.policy("api", &dry);
    dry["mode"] = json!("DryRun");
    let dry = shop.policy("api", &dry);

    shop.apply(&dry).await;
    let now = shop.until_ready("api", "True", "DryRun").await;
    assert_eq!(now["status"]["mode"], "DryRun");
    let table = shop.namespace.kubectl(&["get", "apiauthpolicies"]).await.unwrap();
    assert!(table.contains("DryRun"), "{table}");
    until_recorded(&shop).await;
    nobody_is_refused(&shop, &idp).await;

    shop.apply(&enforced).await;
    shop.until_ready("api", "True", "Enforcing").await;
    shop.until_answered("stranger", "/v1", 403).await;
    shop.until_answered("orders", "/v1", 200).await;
    assert!(Request::get("/v1").send_plain(shop.api.address).await.is_reset());

    shop.apply(&dry).await;
    shop.until_ready("api", "True", "DryRun").await;
    shop.until_answered("stranger", "/v1", 200).await;
    nobody_is_refused(&shop, &idp).await;
    idp.remove().await;
    shop.done();
}

/// Waits until the sidecar evaluates the dry run: it counts those whom it would have refused.
async fn until_recorded(shop: &Shop) {
    e2e::wait_for("the sidecar to record a refusal", LIMIT, || async {
        shop.ask("stranger", "/v1").await;
        let command = ["pilot-agent", "request", "GET", "stats"];
        let stats = shop.namespace.exec(&shop.api.pod, "istio-proxy", &command).await?;
        let denied = |line: &&str| line.contains("dry_run") && line.contains("shadow_denied") && !line.ends_with(": 0");
        let counted = stats.stdout.lines().any(|line| denied(&line));
        anyhow::ensure!(counted, "nothing is recorded");
        Ok(())
    })
    .await
    .unwrap();
}

async fn nobody_is_refused(shop: &Shop, idp: &Idp) {
    let forged = idp.issuer.forged_token(&json!({"aud": "api"})).unwrap();
    let expired = idp.issuer.token(&json!({"aud": "api", "exp": 1})).unwrap();
    let get = || Request::get("/v1");
    let stranger = shop.caller("stranger");
    for (what, request) in [
        ("a stranger", get()),
        ("another path", Request::new("DELETE", "/v2/x")),
        ("a forged token", get().bearer(&forged)),
        ("an expired token", get().bearer(&expired)),
        ("no token at all", get().bearer("none")),
    ] {
        let answer = stranger.send(shop.api.address, &request).await;
        assert_eq!(answer.status(), Some(200), "{what}: {answer:?}");
        let answer = request.send_plain(shop.api.address).await;
        assert_eq!(answer.status(), Some(200), "{what} in plain text: {answer:?}");
    }
}
