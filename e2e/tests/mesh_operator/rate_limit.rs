//! An operation of a Public API that needs no credential is let through at its rate, and no more.

use e2e::Request;
use serde_json::json;

use crate::release::Release;
use crate::shop::Shop;

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn an_unauthenticated_rule_has_a_limit_of_its_own() {
    const LIMIT: usize = 5;
    let shop = Shop::open(Release::shared().await, "rate").await;
    let open = |name: &str, path: &str, requests: usize| {
        json!({
            "name": name, "operations": [{"methods": ["GET"], "paths": [{"prefix": path}]}],
            "unauthenticated": true, "rateLimit": {"requests": requests, "per": "1h"},
        })
    };
    let spec = json!({
        "targetRefs": [{"kind": "Service", "name": "api"}],
        "sensitivity": "Public",
        "credentials": {"mutualTls": {}},
        "rules": [
            open("few", "/v1/few", LIMIT),
            open("many", "/v1/many", 1000),
            {"name": "orders", "operations": [{"paths": [{"exact": "/v1/orders"}]}],
             "callers": [{"serviceIdentity": {"name": "orders"}}]},
        ],
    });
    shop.apply(&shop.policy("api", &spec)).await;
    shop.until_ready("api", "True", "Enforcing").await;
    shop.until_answered("stranger", "/v1/orders", 403).await;

    let plain = async |path: String| Request::get(path).send_plain(shop.api.address).await.status();
    // A query is part of the operation's request, and does not make it another one.
    for number in 0..LIMIT {
        assert_eq!(plain(format!("/v1/few/{number}?page={number}")).await, Some(200));
    }
    for path in [
        "/v1/few",
        "/v1/few/",
        "/v1/few/1?x=1",
        "/v1/few?",
        "/v1/other/../few",
        "/v1/f%65w",
    ] {
        assert_eq!(plain(path.to_owned()).await, Some(429), "{path}");
    }
    for number in 0..3 * LIMIT {
        assert_eq!(plain(format!("/v1/many/{number}")).await, Some(200));
        assert_eq!(shop.ask("orders", "/v1/orders").await.status(), Some(200));
    }
    assert_eq!(plain("/v1/fewer".to_owned()).await, Some(403));
    assert_eq!(plain("/v1/orders".to_owned()).await, Some(403));
    // A proxy counts what comes over mutual TLS apart from plain text.
    for _ in 0..LIMIT {
        assert_eq!(shop.ask("orders", "/v1/few").await.status(), Some(200));
    }
    assert_eq!(shop.ask("orders", "/v1/few").await.status(), Some(429));
    assert_eq!(shop.ask("billing", "/v1/few").await.status(), Some(429));
    shop.done();
}
