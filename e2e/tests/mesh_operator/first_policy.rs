//! The first policy, from `kubectl apply` to a refused request, and what kubectl shows of it.

use e2e::{Namespace, Request};

use crate::release::Release;
use crate::shop::{Shop, until};

const MANIFEST: &str = "
apiVersion: countersign.dev/v1alpha1
kind: ApiAuthPolicy
metadata: {name: api}
spec:
  targetRefs: [{kind: Service, name: api}]
  credentials: {mutualTls: {}}
  rules:
  - name: orders-reads
    operations: [{methods: [GET], paths: [{prefix: /v1/charges}]}]
    callers: [{serviceIdentity: {name: orders}}]
";

async fn kubectl(namespace: &Namespace, arguments: &str) -> String {
    let arguments: Vec<_> = arguments.split(' ').collect();
    namespace.kubectl(&arguments).await.unwrap()
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn the_first_policy_is_enforced_and_shown() {
    let shop = Shop::open(Release::shared().await, "first").await;
    shop.until_answered("stranger", "/v1/charges", 200).await;

    let file = shop.release.testbed.data().join("first.yaml");
    std::fs::write(&file, MANIFEST).unwrap();
    kubectl(&shop.namespace, &format!("apply -f {}", file.display())).await;
    let wait = "wait --for=condition=Ready apiauthpolicy/api --timeout=30s";
    kubectl(&shop.namespace, wait).await;

    shop.until_answered("stranger", "/v1/charges", 403).await;
    shop.until_answered("orders", "/v1/charges", 200).await;
    for (caller, method, path, status) in [
        ("orders", "GET", "/v1/charges/7", 200),
        ("orders", "GET", "/v1/charges-old", 403),
        ("orders", "POST", "/v1/charges", 403),
        ("orders", "GET", "/v1/charges/%2e%2e/%2e%2e/v2", 403),
        ("billing", "GET", "/v1/charges", 403),
    ] {
        let request = Request::new(method, path);
        let answer = shop.caller(caller).send(shop.api.address, &request).await;
        assert_eq!(answer.status(), Some(status), "{caller} {method} {path}: {answer:?}");
    }
    let plain = Request::get("/v1/charges").send_plain(shop.api.address).await;
    assert!(plain.is_reset(), "{plain:?}");
    let anonymous = e2e::MeshClient::anonymous(&shop.release.testbed).unwrap();
    let answer = anonymous.send(shop.api.address, &Request::get("/v1/charges")).await;
    assert!(answer.is_reset(), "{answer:?}");

    shown(&shop.namespace).await;
    shop.done();
}

async fn shown(namespace: &Namespace) {
    let table = kubectl(namespace, "get apiauthpolicies").await;
    println!("{table}");
    let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    let columns = ["NAME", "TARGET", "SENSITIVITY", "CREDENTIALS", "MODE", "READY", "AGE"];
    assert_eq!(lines[0], columns);
    assert_eq!(
        lines[1][..6],
        ["api", "Service/api", "Sensitive", "mTLS", "Enforce", "True"]
    );
    let wide = kubectl(namespace, "get aap -o wide").await;
    assert!(wide.contains("REASON") && wide.contains("Enforcing"), "{wide}");

    let described = kubectl(namespace, "describe apiauthpolicy api").await;
    let events = described.split("Events:").nth(1).unwrap();
    assert!(events.contains("Enforcing") && events.contains("Normal"), "{described}");

    let rules = kubectl(namespace, "explain apiauthpolicy.spec.rules").await;
    assert!(rules.contains("The operations that the rule admits."), "{rules}");
    let kind = kubectl(namespace, "explain apiauthpolicy").await;
    assert!(kind.contains("What no rule admits is refused."), "{kind}");

    let all = kubectl(namespace, "get countersign").await;
    assert!(all.contains("apiauthpolicy.countersign.dev/api"), "{all}");
    assert!(all.contains("serviceidentity.countersign.dev/orders"), "{all}");
    let identities = kubectl(namespace, "get svcid").await;
    assert!(identities.contains(&namespace.spiffe_id("orders")), "{identities}");
    kubectl(namespace, "get tiss").await;
}

/// The status changes with the policy, and each change of readiness is an event.
#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_broken_policy_is_told_in_an_event() {
    let shop = Shop::open(Release::shared().await, "event").await;
    shop.namespace.apply(MANIFEST).await.unwrap();
    shop.until_ready("api", "True", "Enforcing").await;
    shop.delete("ServiceIdentity", "orders").await;
    shop.until_ready("api", "False", "PartiallyProgrammed").await;
    let request = Request::get("/v1/charges");
    let orders = shop.caller("orders");
    until("orders without its ServiceIdentity", 403, || {
        orders.send(shop.api.address, &request)
    })
    .await;

    let described = e2e::wait_for("the event", crate::shop::LIMIT, || async {
        let described = kubectl(&shop.namespace, "describe apiauthpolicy api").await;
        let events = described.split("Events:").nth(1).unwrap_or_default();
        anyhow::ensure!(events.contains("Warning"), "{described}");
        Ok(events.to_owned())
    })
    .await
    .unwrap();
    let warning = described.lines().find(|line| line.contains("Warning")).unwrap();
    assert!(
        warning.contains("PartiallyProgrammed") && warning.contains("orders"),
        "{described}"
    );
    shop.done();
}
