//! What a policy is to connections that were open before it came: Envoy answers them by what it knew, for as long as it drains them.

use std::time::{Duration, Instant};

use e2e::{MeshConnection, Request, Workload};
use tokio::time::sleep;

use crate::release::Release;
use crate::shop::Shop;

/// How long the sidecar of this test drains, instead of Istio's 45 seconds.
const DRAIN: Duration = Duration::from_secs(6);

const POLICY: &str = "
apiVersion: countersign.dev/v1alpha1
kind: ApiAuthPolicy
metadata: {name: kept}
spec:
  targetRefs: [{kind: Service, name: kept}]
  credentials: {mutualTls: {}}
  rules:
  - name: orders
    operations: [{paths: [{exact: /v1/orders}]}]
    callers: [{serviceIdentity: {name: orders}}]
";

async fn ask(connection: &mut MeshConnection) -> Option<u16> {
    connection.send(&Request::get("/v1/orders").keep_alive()).await.status()
}

#[tokio::test]
#[ignore = "needs testbed run --istio"]
async fn a_policy_holds_on_open_connections_when_they_are_drained() {
    let shop = Shop::open(Release::shared().await, "kept").await;
    let drain = format!("{{drainDuration: {}s}}", DRAIN.as_secs());
    let api = Workload::echo("kept").annotation("proxy.istio.io/config", &drain);
    let address = shop.namespace.deploy(&api).await.unwrap().address;
    let stranger = shop.caller("stranger");
    let mut busy = stranger.connect(address).await.unwrap();
    let mut idle = stranger.connect(address).await.unwrap();
    assert_eq!((ask(&mut busy).await, ask(&mut idle).await), (Some(200), Some(200)));

    shop.namespace.apply(POLICY).await.unwrap();
    shop.until_ready("kept", "True", "Enforcing").await;
    let request = Request::get("/v1/orders");
    crate::shop::until("a new connection", 403, || stranger.send(address, &request)).await;
    // The proxy has it, and drains what was open.
    let since = Instant::now();
    let mut admitted = 0;
    while since.elapsed() < DRAIN * 3 && ask(&mut busy).await == Some(200) {
        admitted += 1;
        sleep(Duration::from_millis(100)).await;
    }
    println!(
        "a connection in use was answered {admitted} times more, in {:?}",
        since.elapsed()
    );
    assert!(since.elapsed() < DRAIN * 2, "it is still answered");
    sleep((DRAIN * 2).saturating_sub(since.elapsed())).await;
    let last = ask(&mut idle).await;
    assert_ne!(last, Some(200), "one that lay idle");
    shop.done();
}
