//! Whose tokens are taken.

use std::time::Duration;

use anyhow::ensure;
use e2e::wait_for;
use serde_json::Value;
use tonic::Code;

use crate::cluster::Mesh;

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_pod_gets_the_identity_of_its_service_account() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    assert_eq!(mesh.ask(&token, None).await.unwrap(), [mesh.name_of("web")]);
    // A proxy asks again with the same token as long as that is valid.
    assert_eq!(mesh.ask(&token, None).await.unwrap(), [mesh.name_of("web")]);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn only_a_pods_token_for_istio_is_taken() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let pod = ["--bound-object-kind=Pod", "--bound-object-name=web-1"];
    let another_audience = mesh
        .token_with("web", &[&pod[..], &["--audience=vault"]].concat())
        .await;
    let api_servers = mesh.token_with("web", &pod).await;
    let unbound = mesh.token_with("web", &["--audience=istio-ca"]).await;
    let good = mesh.token("web", "web-1").await;
    let mut altered: Vec<String> = good.split('.').map(str::to_owned).collect();
    altered[1] = another_audience.split('.').nth(1).unwrap().to_owned();
    for (what, token, says) in [
        ("another audience", another_audience.clone(), "audience istio-ca"),
        ("the API server's audience", api_servers, "audience istio-ca"),
        ("no Pod", unbound, "not bound to a Pod"),
        ("another signature", altered.join("."), "audience istio-ca"),
        ("no token", String::new(), "there is no token"),
    ] {
        let (code, message) = mesh.ask(&token, None).await.expect_err(what);
        assert_eq!(code, Code::Unauthenticated, "{what}: {message}");
        assert!(message.contains(says), "{what}: {message}");
    }
    mesh.ask(&good, None).await.unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_token_ends_with_its_pod() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    mesh.ask(&token, None).await.unwrap();
    mesh.delete("web-1").await;
    let (code, _) = mesh.ask(&token, None).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    // Another Pod of that name is another Pod.
    mesh.pod("web-1", "web", "a").await;
    let (code, _) = mesh.ask(&token, None).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    let another = mesh.token("web", "web-1").await;
    mesh.ask(&another, None).await.unwrap();
    // The API server remembers for some seconds what it said of a token. Then it refuses that one too.
    let what = "the API server to take the token no more";
    wait_for(what, Duration::from_mins(1), || async {
        let (code, message) = mesh.ask(&token, None).await.unwrap_err();
        assert_eq!(code, Code::Unauthenticated, "{message}");
        ensure!(message.contains("audience istio-ca"), "{message}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_token_ends_with_its_time() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    let issued_ago = |seconds: i64| {
        let moved = |claims: &mut Value| {
            for time in ["iat", "nbf", "exp"] {
                claims[time] = (claims[time].as_i64().unwrap() - seconds).into();
            }
        };
        mesh.namespace.testbed().resigned(&token, moved).unwrap()
    };
    // It lives for an hour. Clocks may be a minute apart.
    for seconds in [60, 1800, 3600 - 120] {
        let answer = mesh.ask(&issued_ago(seconds), None).await;
        assert_eq!(answer.unwrap(), [mesh.name_of("web")], "{seconds} s ago");
    }
    for seconds in [3600 + 120, 86_400, -120] {
        let (code, message) = mesh.ask(&issued_ago(seconds), None).await.unwrap_err();
        assert_eq!(code, Code::Unauthenticated, "{seconds} s ago: {message}");
        assert!(message.contains("audience istio-ca"), "{seconds} s ago: {message}");
    }
    mesh.ask(&token, None).await.unwrap();
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_pod_that_has_ended_gets_nothing() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    let patch = r#"{"status": {"phase": "Succeeded"}}"#;
    let arguments = [
        "patch",
        "pod",
        "web-1",
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ];
    mesh.namespace.kubectl(&arguments).await.unwrap();
    let (code, message) = mesh.ask(&token, None).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated, "{message}");
    assert!(message.contains("ended"), "{message}");
}
