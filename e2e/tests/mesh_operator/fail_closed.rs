//! Whatever a policy depends on breaks, with requests under way: what it refused stays refused.

use std::time::Duration;

use e2e::Request;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::release::Release;
use crate::shop::{Idp, Shop};
use crate::traffic::{Probe, Traffic};

/// How long each state is watched.
const DWELL: Duration = Duration::from_secs(1);

/// A policy that admits `orders` to one path by its certificate, and a client to another by its token.
pub fn spec(idp: &Idp) -> Value {
    json!({
        "targetRefs": [{"kind": "Service", "name": "api"}],
        "sensitivity": "Internal",
        "credentials": {"mutualTls": {}, "jwt": [{"issuer": idp.name, "audiences": ["api"]}]},
        "rules": [
            {"name": "certificate", "operations": [{"methods": ["GET"], "paths": [{"exact": "/v1/open"}]}],
             "callers": [{"serviceIdentity": {"name": "orders"}}]},
            {"name": "token", "operations": [{"methods": ["GET"], "paths": [{"exact": "/v1/token"}]}],
             "callers": [{"client": {"issuer": idp.name, "id": "app"}}]},
        ],
    })
}

/// What that policy refuses, and two requests that it admits.
pub fn probes(shop: &Shop, idp: &Idp) -> Vec<Probe> {
    let claims = json!({"aud": "api", "client_id": "app", "exp": 4_000_000_000_u64});
    let no_expiry = json!({"aud": "api", "client_id": "app", "exp": null});
    let probe = |what, caller: Option<&str>, request, refused| Probe {
        what,
        caller: caller.map(|caller| shop.caller(caller)),
        request,
        refused,
    };
    let token = |token: String| Request::get("/v1/token").bearer(&token);
    vec![
        probe("the right caller", Some("orders"), Request::get("/v1/open"), false),
        probe(
            "a good token",
            Some("orders"),
            token(idp.issuer.token(&claims).unwrap()),
            false,
        ),
        probe("a stranger", Some("stranger"), Request::get("/v1/open"), true),
        probe("another path", Some("orders"), Request::get("/v1/closed"), true),
        probe("plain text", None, Request::get("/v1/open"), true),
        probe(
            "a forged token",
            Some("orders"),
            token(idp.issuer.forged_token(&claims).unwrap()),
            true,
        ),
        probe(
            "no expiry",
            Some("orders"),
            token(idp.issuer.token(&no_expiry).unwrap()),
            true,
        ),
    ]
}

/// Waits until all probes are answered as the policy says, and starts them.
pub async fn traffic(shop: &Shop, idp: &Idp) -> Traffic {
    let probes = probes(shop, idp);
    shop.until_ready("api", "True", "Enforcing").await;
    for probe in &probes {
        e2e::wait_for(probe.what, crate::shop::LIMIT, || async {
            let answer = probe.send(shop.api.address).await;
            let refused = answer.status() != Some(200);
            anyhow::ensure!(refused == probe.refused, "it got {answer:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
    Traffic::start(shop.api.address, probes)
}

/// Waits until both requests that the policy admits are admitted, or refused. Without its Service a Pod's port is not
/// known to be of HTTP, and what refuses there is a reset.
pub async fn until_both(shop: &Shop, idp: &Idp, admitted: bool) {
    for probe in probes(shop, idp).iter().filter(|probe| !probe.refused) {
        e2e::wait_for(probe.what, crate::shop::LIMIT, || async {
            let answer = probe.send(shop.api.address).await;
            let is = answer.status() == Some(200);
            anyhow::ensure!(is == admitted, "it got {answer:?}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

struct Case<'a> {
    shop: &'a Shop,
    idp: &'a Idp,
    traffic: &'a Traffic,
}

impl Case<'_> {
    /// Waits until what was broken is told, and then until what was mended is.
    async fn broken(&self, what: &str, reason: &str) {
        self.traffic.phase(what);
        self.shop.until_ready("api", "False", reason).await;
        if reason != "PartiallyProgrammed" {
            until_both(self.shop, self.idp, false).await;
        }
        tokio::time::sleep(DWELL).await;
    }

    async fn mended(&self, what: &str) {
        self.traffic.phase(&format!("{what}, mended"));
        self.shop.until_ready("api", "True", "Enforcing").await;
        until_both(self.shop, self.idp, true).await;
        tokio::time::sleep(DWELL).await;
        self.traffic.check();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs testbed run --istio"]
async fn nothing_that_breaks_opens_an_api() {
    let shop = Shop::open(Release::shared().await, "closed").await;
    let idp = Idp::new(&shop).await;
    let spec = spec(&idp);
    let policy = shop.policy("api", &spec);
    shop.apply(&policy).await;
    let traffic = traffic(&shop, &idp).await;
    let case = Case {
        shop: &shop,
        idp: &idp,
        traffic: &traffic,
    };

    traffic.phase("a value that the schema knows not");
    let mut bad = spec.clone();
    bad["sensitivity"] = json!("Secret");
    let refused = shop.try_apply(&shop.policy("api", &bad)).await.unwrap_err().to_string();
    assert!(refused.contains("sensitivity"), "{refused}");

    let mut bad = spec.clone();
    bad["rules"][0]["scpoes"] = json!(["a"]);
    shop.apply(&shop.policy("api", &bad)).await;
    case.broken("an unknown field", "Invalid").await;
    shop.apply(&policy).await;
    case.mended("an unknown field").await;

    shop.delete("TokenIssuer", &idp.name).await;
    case.broken("the issuer is deleted", "IssuerNotFound").await;
    shop.apply(&idp.object()).await;
    case.mended("the issuer is deleted").await;

    shop.apply(&idp.object_with(r#"{"keys": []}"#)).await;
    case.broken("the issuer has no keys", "IssuerNotReady").await;
    shop.apply(&idp.object()).await;
    case.mended("the issuer has no keys").await;

    shop.delete("ServiceIdentity", "orders").await;
    case.broken("the identity is deleted", "PartiallyProgrammed").await;
    shop.until_answered("orders", "/v1/open", 403).await;
    shop.apply(&shop.identity("orders")).await;
    case.mended("the identity is deleted").await;

    let service = serde_json::to_value(shop.objects("Service").get("api").await.unwrap()).unwrap();
    shop.delete("Service", "api").await;
    case.broken("the Service is deleted", "TargetNotFound").await;
    let mut again = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}});
    again["spec"] = json!({"selector": service["spec"]["selector"], "ports": service["spec"]["ports"]});
    shop.apply(&again).await;
    case.mended("the Service is deleted").await;

    floor(&shop, &json!("Critical")).await;
    case.broken("the floor rises", "WeakerThanSensitivity").await;
    floor(&shop, &Value::Null).await;
    case.mended("the floor rises").await;

    traffic.end(100);
    opens_when_deleted(&shop, &idp).await;
    idp.remove().await;
    shop.done();
}

/// Sets or removes the floor of the namespace.
async fn floor(shop: &Shop, value: &Value) {
    let patch = json!({"metadata": {"labels": {"countersign.dev/minimum-sensitivity": value}}});
    let name = shop.namespace.name();
    shop.objects("Namespace")
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// The probes would have been admitted, had the API been open.
pub async fn opens_when_deleted(shop: &Shop, idp: &Idp) {
    shop.delete("ApiAuthPolicy", "api").await;
    for probe in probes(shop, idp) {
        crate::shop::until(probe.what, 200, || probe.send(shop.api.address)).await;
    }
}
