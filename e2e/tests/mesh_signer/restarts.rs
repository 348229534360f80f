//! The signer goes away and comes back: what has a certificate goes on, what needs one waits.

use e2e::{ProxyCertificate, Testbed, Workload};

use crate::issued::SIGNER;

#[tokio::test]
#[ignore = "needs testbed run --istio --countersign"]
async fn who_starts_while_the_signer_is_killed_gets_its_certificate_afterwards() {
    let testbed = Testbed::from_env().await.unwrap();
    let namespace = testbed
        .namespace("killed", &[("istio-injection", "enabled")])
        .await
        .unwrap();
    let first = namespace.deploy(&Workload::echo("first")).await.unwrap();
    let before = ProxyCertificate::of(&namespace, &first.pod).await.unwrap();
    let kill = [
        "--namespace",
        e2e::chart::NAMESPACE,
        "delete",
        "pods",
        "--selector=app.kubernetes.io/component=signer",
        "--grace-period=0",
        "--force",
        "--wait=false",
    ];
    let alone = SIGNER.write().await;
    testbed.kubectl(&kill).await.unwrap();
    let second = namespace.deploy(&Workload::echo("second")).await.unwrap();
    let shown = ProxyCertificate::of(&namespace, &second.pod).await.unwrap();
    assert_eq!(shown.uris, [namespace.spiffe_id("second")]);
    drop(alone);
    let answered = namespace.call_from(&second, &first.url, &[]).await.unwrap();
    assert_eq!(answered, "200");
    let after = ProxyCertificate::of(&namespace, &first.pod).await.unwrap();
    assert_eq!(after.serial, before.serial, "nobody needs a new one for that");
}
