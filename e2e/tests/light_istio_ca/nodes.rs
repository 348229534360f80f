//! What a node's proxy may ask for.

use tonic::Code;

use crate::cluster::Mesh;

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_nodes_proxy_asks_for_what_runs_on_its_node() {
    let mesh = Mesh::start().await;
    mesh.pod("proxy-1", "proxy", "a").await;
    mesh.pod("web-1", "web", "a").await;
    mesh.pod("admin-1", "admin", "b").await;
    let (web, admin) = (mesh.namespace.spiffe_id("web"), mesh.namespace.spiffe_id("admin"));
    let token = mesh.token("proxy", "proxy-1").await;
    assert_eq!(mesh.ask(&token, Some(&web)).await.unwrap(), [mesh.name_of("web")]);
    let (code, message) = mesh.ask(&token, Some(&admin)).await.unwrap_err();
    assert_eq!(code, Code::PermissionDenied);
    assert!(message.contains(&mesh.node("a")), "{message}");
    // It moves to the node, and away again.
    mesh.pod("admin-2", "admin", "a").await;
    assert_eq!(mesh.ask(&token, Some(&admin)).await.unwrap(), [mesh.name_of("admin")]);
    mesh.delete("admin-2").await;
    assert_eq!(
        mesh.ask(&token, Some(&admin)).await.unwrap_err().0,
        Code::PermissionDenied
    );
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn a_workload_asks_for_nobody_else() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    mesh.pod("admin-1", "admin", "a").await;
    let token = mesh.token("web", "web-1").await;
    let id = mesh.namespace.spiffe_id("admin");
    let (code, message) = mesh.ask(&token, Some(&id)).await.unwrap_err();
    assert_eq!(code, Code::PermissionDenied);
    assert!(message.contains("trusted node accounts"), "{message}");
}
