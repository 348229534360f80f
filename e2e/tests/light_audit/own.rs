//! Countersign's own kinds are judged before they are stored.

use std::time::Duration;

use anyhow::ensure;
use e2e::{Namespace, wait_for};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::webhook::Webhook;

/// The API server asks the webhook about own kinds, and stores none without its word.
async fn configure(cluster: &Cluster) {
    cluster
        .apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "countersign-webhook"},
            "webhooks": [{
                "name": "own.countersign.dev", "clientConfig": {"url": Webhook::own_url()},
                "rules": [{
                    "apiGroups": ["countersign.dev"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE", "DELETE"],
                    "resources": ["apiauthpolicies", "credentialwaivers", "serviceidentities", "tokenclients", "tokenissuers", "tokenrevocations"],
                }],
                "admissionReviewVersions": ["v1"], "sideEffects": "NoneOnDryRun", "timeoutSeconds": 3, "failurePolicy": "Fail",
            }],
        }))
        .await;
}

/// The webhook, once the API server gets its word. Whose certificate it has, the API server learns by a watch, a moment after it was
/// written.
async fn asked(cluster: &Cluster, namespace: &Namespace) -> Webhook {
    let webhook = Webhook::spawn(cluster).await;
    webhook.until_ready().await;
    let probe = own(
        "ServiceIdentity",
        namespace.name(),
        "probe",
        json!({"serviceAccountName": "probe"}),
    );
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::apply("user").force()
    };
    let api = cluster.api("ServiceIdentity", namespace.name());
    wait_for("the API server to ask the webhook", Duration::from_secs(30), || async {
        api.patch("probe", &params, &Patch::Apply(&probe)).await?;
        Ok(())
    })
    .await
    .unwrap();
    webhook
}

async fn forget(cluster: &Cluster) {
    let api = cluster.api("ValidatingWebhookConfiguration", "");
    api.delete("countersign-webhook", &DeleteParams::default())
        .await
        .unwrap();
}

fn own(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({
        "apiVersion": "countersign.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    });
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = json!(namespace);
    }
    object
}

fn spec() -> Value {
    json!({
        "targetRefs": [{"kind": "Service", "name": "api"}], "sensitivity": "Internal", "credentials": {"mutualTls": {}},
        "rules": [{"name": "caller", "callers": [{"serviceIdentity": {"name": "caller"}}]}],
    })
}

async fn refused(cluster: &Cluster, object: &Value, named: &[&str]) {
    let error = cluster.try_apply(object).await.unwrap_err().to_string();
    for part in named {
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
}

/// A client asks for what its issuer gives, and for nothing else.
async fn clients(cluster: &Cluster, namespace: &Namespace) {
    let ns = namespace.name();
    let issuer = format!("tokens-{ns}");
    let managed = json!({"managed": {
        "issuer": format!("https://{ns}.example"), "audiences": [{"audience": "a", "scopes": ["read"]}],
    }});
    cluster.apply(&own("TokenIssuer", "", &issuer, managed)).await;
    let client = |scope: &str| {
        let spec = json!({
            "issuer": issuer, "authentication": {"privateKeyJwt": {"jwksUri": "https://partner.example/keys"}},
            "grants": ["ClientCredentials"], "audiences": [{"audience": "a", "scopes": [scope]}],
        });
        own("TokenClient", ns, "partner", spec)
    };
    let named = ["TokenClient `", "spec.audiences[a].scopes", "it has read"];
    refused(cluster, &client("write"), &named).await;
    cluster.apply(&client("read")).await;
    let warning = warned(namespace, &["delete", "tokenissuer", &issuer]).await;
    assert!(
        warning.contains(&format!("TokenClient `{ns}/partner` will get no tokens any more")),
        "{warning}"
    );
}

/// A file with a ServiceIdentity of the service account that `caller` holds.
fn second_caller(namespace: &Namespace) -> String {
    let file = namespace.testbed().data().join("second-caller.json");
    let object = own(
        "ServiceIdentity",
        namespace.name(),
        "second",
        json!({"serviceAccountName": "caller"}),
    );
    std::fs::write(&file, object.to_string()).unwrap();
    file.display().to_string()
}

/// Runs kubectl and gives what it printed, warnings too.
async fn warned(namespace: &Namespace, args: &[&str]) -> String {
    let config = namespace.testbed().data().join("admin.kubeconfig");
    let mut command = tokio::process::Command::new("kubectl");
    command
        .env("KUBECONFIG", config)
        .args(["-n", namespace.name()])
        .args(args);
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn own_kinds_are_judged_with_what_they_name() {
    let cluster = Cluster::turn().await;
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    configure(&cluster).await;
    let _webhook = asked(&cluster, &namespace).await;

    cluster
        .apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "api", "namespace": ns},
            "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]},
        }))
        .await;
    cluster
        .apply(&own(
            "ServiceIdentity",
            ns,
            "caller",
            json!({"serviceAccountName": "caller"}),
        ))
        .await;
    let policy = |change: &dyn Fn(&mut Value)| {
        let mut spec = spec();
        change(&mut spec);
        own("ApiAuthPolicy", ns, "p", spec)
    };
    let typo = policy(&|spec| spec["rules"][0]["scope"] = json!(["a"]));
    refused(&cluster, &typo, &["spec.rules[0]", "scope"]).await;
    let unknown = policy(&|spec| {
        spec["credentials"]["jwt"] = json!([{"issuer": "no-idp", "audiences": ["a"]}]);
    });
    refused(&cluster, &unknown, &["no-idp", "apply the TokenIssuer first"]).await;
    let weak = policy(&|spec| {
        spec["sensitivity"] = json!("Sensitive");
        spec["credentials"]["jwt"] = json!([{"issuer": "no-idp", "audiences": ["a"]}]);
        spec["rules"][0]["callers"] = json!([{"anyAuthenticated": true}]);
    });
    refused(&cluster, &weak, &["spec.rules[0].scopes"]).await;
    let issuer = own(
        "TokenIssuer",
        "",
        "idp",
        json!({"external": {
            "issuer": "https://idp.example", "jwksUri": "https://idp.example/keys", "maxTokenLifetime": "10m", "audience": "a",
        }}),
    );
    refused(&cluster, &issuer, &["TokenIssuer `idp`", "audience"]).await;
    let elsewhere = json!({
        "serviceAccountName": "web", "spiffePath": "/ns/elsewhere/web", "certificate": {"dnsNames": ["web.elsewhere.svc"]},
    });
    let elsewhere = own("ServiceIdentity", ns, "web", elsewhere);
    refused(
        &cluster,
        &elsewhere,
        &["spec.spiffePath", "spec.certificate.dnsNames[0]"],
    )
    .await;
    let second = warned(&namespace, &["create", "-f", &second_caller(&namespace)]).await;
    assert!(second.contains(&format!("`{ns}/caller` holds")), "{second}");

    clients(&cluster, &namespace).await;

    cluster.apply(&policy(&|_| ())).await;
    let warning = warned(&namespace, &["delete", "apiauthpolicy", "p"]).await;
    assert!(warning.contains("opens Service/api"), "{warning}");

    let far = own(
        "CredentialWaiver",
        ns,
        "w",
        json!({
            "object": {"kind": "ConfigMap", "name": "settings"}, "rule": "zebra", "fields": ["/data/a"],
            "reason": "until the secret store is there", "expires": "2099-01-01T00:00:00Z",
        }),
    );
    refused(&cluster, &far, &["no rule is called `zebra`"]).await;
    forget(&cluster).await;
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn who_makes_a_waiver_is_told() {
    let cluster = Cluster::turn().await;
    let namespace = cluster.namespace().await;
    let ns = namespace.name();
    configure(&cluster).await;
    let _webhook = asked(&cluster, &namespace).await;
    let end = time::OffsetDateTime::now_utc() + Duration::from_hours(24);
    let end = end.replace_nanosecond(0).unwrap();
    let waiver = own(
        "CredentialWaiver",
        ns,
        "w",
        json!({
            "object": {"kind": "ConfigMap", "name": "settings"}, "rule": rule(), "fields": ["/data/a"],
            "reason": "until the secret store is there",
            "expires": end.format(&time::format_description::well_known::Rfc3339).unwrap(),
        }),
    );
    cluster.apply(&waiver).await;
    let event = wait_for("an event about the waiver", Duration::from_secs(10), || async {
        let events = cluster.list("Event", ns).await;
        let found = events.into_iter().find(|event| event["reason"] == "Waived");
        found.ok_or_else(|| anyhow::anyhow!("there is none"))
    })
    .await
    .unwrap();
    let stored = cluster.get("CredentialWaiver", ns, "w").await.unwrap();
    assert_eq!(event["regarding"]["uid"], stored["metadata"]["uid"]);
    let note = event["note"].as_str().unwrap();
    assert!(note.contains("waives") && note.contains("ConfigMap settings"), "{note}");
    wait_for(
        "the API server's audit log to say so",
        Duration::from_secs(10),
        || async {
            let log = std::fs::read_to_string(cluster.testbed.data().join("audit.log"))?;
            ensure!(log.contains("own.countersign.dev/waived-by"), "it does not");
            Ok(())
        },
    )
    .await
    .unwrap();
    forget(&cluster).await;
}

/// Some rule.
fn rule() -> &'static str {
    countersign_scan::rules()[0].id
}
