//! The operator is killed again and again while policies change and requests are under way.

use std::time::Duration;

use anyhow::ensure;
use e2e::wait_for;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::fail_closed::{opens_when_deleted, spec, traffic, until_both};
use crate::release::{ACCOUNT, Release, kill_all, processes};
use crate::shop::{Idp, Shop};

const ROUNDS: u32 = 50;

/// Versions of the policy. Each refuses what the first one refuses.
fn versions(shop: &Shop, idp: &Idp) -> Vec<Value> {
    let first = spec(idp);
    let mut wider = first.clone();
    let unrelated = json!({
        "name": "unrelated", "operations": [{"paths": [{"prefix": "/v2"}]}], "callers": [{"anyAuthenticated": true}],
    });
    wider["rules"].as_array_mut().unwrap().push(unrelated);
    let mut certificate_only = first.clone();
    certificate_only["credentials"] = json!({"mutualTls": {}});
    certificate_only["rules"].as_array_mut().unwrap().truncate(1);
    let mut invalid = wider.clone();
    invalid["rules"][0]["scpoes"] = json!([]);
    [first, wider, certificate_only, invalid]
        .map(|spec| shop.policy("api", &spec))
        .to_vec()
}

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    async fn pause(&mut self, most: u64) {
        tokio::time::sleep(Duration::from_millis(self.roll(most))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs testbed run --istio"]
async fn killed_at_any_moment_the_operator_opens_nothing() {
    let shop = Shop::open(Release::alone().await, "killed").await;
    let idp = Idp::new(&shop).await;
    let versions = versions(&shop, &idp);
    shop.apply(&versions[0]).await;
    let traffic = traffic(&shop, &idp).await;
    let before = writes(&shop);

    let mut dice = Dice(11);
    let change = async |dice: &mut Dice| -> DynamicObject {
        let version = usize::try_from(dice.roll(versions.len() as u64)).unwrap();
        shop.apply(&versions[version]).await
    };
    let mut killed = Vec::new();
    for round in 1..=ROUNDS {
        traffic.phase(&format!("kill {round} of {ROUNDS}"));
        wait_for("an operator to run", Duration::from_mins(1), || async {
            let alive = processes().into_iter().any(|process| !killed.contains(&process));
            ensure!(alive, "none does");
            Ok(())
        })
        .await
        .unwrap();
        if round % 2 == 0 {
            // In the middle of what a change brings.
            shop.release.until_led().await;
            change(&mut dice).await;
            dice.pause(60).await;
        } else {
            // At any moment of a start.
            dice.pause(700).await;
        }
        killed = kill_all();
        assert!(!killed.is_empty());
        change(&mut dice).await;
    }
    let written = writes(&shop) - before;
    println!("{ROUNDS} kills, {written} writes to the mesh between them");
    assert!(written >= ROUNDS as usize, "{written} writes: the kills met no work");

    traffic.phase("its Pods are deleted");
    let delete = "delete pods --all --force --grace-period=0 --namespace countersign-system";
    let delete: Vec<_> = delete.split(' ').collect();
    shop.apply(&versions[1]).await;
    shop.release.testbed.kubectl(&delete).await.unwrap();
    shop.apply(&versions[0]).await;
    shop.release.until_led().await;
    shop.until_ready("api", "True", "Enforcing").await;
    until_both(&shop, &idp, true).await;
    traffic.end(500);
    opens_when_deleted(&shop, &idp).await;
    idp.remove().await;
    shop.done();
}

/// How often the operator wrote objects of the mesh in the namespace.
fn writes(shop: &Shop) -> usize {
    let entries = shop.release.testbed.audit().unwrap();
    let of_mesh = entries.iter().filter(|entry| {
        entry.user.username == ACCOUNT
            && entry.is_write()
            && entry.object_ref.as_ref().is_some_and(|object| {
                object.api_group.ends_with("istio.io") && object.namespace == shop.namespace.name()
            })
    });
    of_mesh.count()
}
