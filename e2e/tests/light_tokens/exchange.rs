//! What a Pod has anyway, its service account token, becomes a token for an API.

use serde_json::{Value, json};

use crate::service::{ISSUER, Tokens, claims};

async fn workload(tokens: &Tokens) {
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "stranger"}}),
        pod("web-1", "web"),
        pod("stranger-1", "stranger"),
        json!({
            "apiVersion": "countersign.dev/v1alpha1", "kind": "ServiceIdentity", "metadata": {"name": "web"},
            "spec": {
                "serviceAccountName": "web",
                "tokens": [{
                    "tokenIssuer": "e2e",
                    "audiences": [{"audience": "https://orders.example", "scopes": ["orders.read"]}],
                }],
            },
        }),
    ] {
        tokens.namespace.apply(&object.to_string()).await.unwrap();
    }
}

fn pod(name: &str, account: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {
            "serviceAccountName": account, "nodeName": "node-of-tokens", "automountServiceAccountToken": false,
            "tolerations": [{"operator": "Exists"}], "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "app", "image": "app"}],
        },
    })
}

async fn token(tokens: &Tokens, account: &str, audience: &str, pod: Option<&str>) -> String {
    let mut arguments = vec![
        "create".to_owned(),
        "token".to_owned(),
        account.to_owned(),
        format!("--audience={audience}"),
    ];
    if let Some(pod) = pod {
        arguments.extend([
            "--bound-object-kind=Pod".to_owned(),
            format!("--bound-object-name={pod}"),
        ]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tokens.namespace.kubectl(&arguments).await.unwrap().trim().to_owned()
}

async fn exchange(tokens: &Tokens, subject: &str) -> Value {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", subject),
        ("resource", "https://orders.example"),
    ];
    tokens.post("/token", &form).await
}

/// Not its last character: some of the bits of that stand for nothing.
fn with_another_signature(token: &str) -> String {
    let at = token.len() - 20;
    let other = if &token[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_pod_gets_a_token_for_what_its_identity_names() {
    let tokens = Tokens::start().await;
    workload(&tokens).await;
    let good = token(&tokens, "web", ISSUER, Some("web-1")).await;
    let told = e2e::wait_for("the identity to count", std::time::Duration::from_secs(20), || async {
        let told = exchange(&tokens, &good).await;
        anyhow::ensure!(told.get("access_token").is_some(), "{told}");
        Ok(told)
    })
    .await
    .unwrap();
    let claims = claims(&told).unwrap();
    assert_eq!(claims["sub"], tokens.namespace.spiffe_id("web"));
    assert_eq!(claims["scope"], "orders.read");

    for (subject, why) in [
        (
            token(&tokens, "web", "https://kubernetes.default.svc", Some("web-1")).await,
            "of another audience",
        ),
        (token(&tokens, "web", ISSUER, None).await, "not bound to a Pod"),
        (
            token(&tokens, "stranger", ISSUER, Some("stranger-1")).await,
            "without a ServiceIdentity",
        ),
        (with_another_signature(&good), "with another signature"),
    ] {
        assert_eq!(exchange(&tokens, &subject).await["error"], "invalid_request", "{why}");
    }
    let delete = ["delete", "pod", "web-1", "--grace-period=0", "--force", "--wait=true"];
    tokens.namespace.kubectl(&delete).await.unwrap();
    // Answers of the API server are shared for a second.
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(
        exchange(&tokens, &good).await["error"],
        "invalid_request",
        "its Pod is gone"
    );
}
