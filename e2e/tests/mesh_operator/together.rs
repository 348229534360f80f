//! Several policies on one Service.

use std::collections::BTreeMap;

use crate::release::Release;
use crate::shop::{LIMIT, Shop, admits};

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn policies_add_up_and_only_the_last_to_go_opens() {
    let shop = Shop::open(Release::shared().await, "together").await;
    let policy =
        |caller: &'static str, path: &'static str| shop.policy(caller, &admits(&BTreeMap::from([(caller, path)])));
    shop.apply(&policy("orders", "/v1/orders")).await;
    shop.apply(&policy("billing", "/v1/billing")).await;
    shop.until_ready("orders", "True", "Enforcing").await;
    shop.until_ready("billing", "True", "Enforcing").await;
    // Until the proxy has one of them it admits everybody, and until it has the other only who the one admits.
    shop.until_answered("stranger", "/", 403).await;
    shop.until_answered("orders", "/v1/orders", 200).await;
    shop.until_answered("billing", "/v1/billing", 200).await;
    for (caller, path) in [
        ("orders", "/v1/billing"),
        ("billing", "/v1/orders"),
        ("stranger", "/v1/orders"),
        ("stranger", "/"),
    ] {
        let answer = shop.ask(caller, path).await;
        assert_eq!(answer.status(), Some(403), "{caller} {path}: {answer:?}");
    }

    shop.delete("ApiAuthPolicy", "billing").await;
    shop.until_answered("billing", "/v1/billing", 403).await;
    assert_eq!(shop.ask("orders", "/v1/orders").await.status(), Some(200));
    assert_eq!(shop.ask("stranger", "/v1/orders").await.status(), Some(403));

    shop.delete("ApiAuthPolicy", "orders").await;
    shop.until_answered("stranger", "/v1/orders", 200).await;
    e2e::wait_for("what was written to be gone", LIMIT, || async {
        let left = shop.written().await;
        anyhow::ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
    .unwrap();
    shop.done();
}
