//! What is made of a certification request.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, SanType};
use tonic::Code;

use crate::cluster::Mesh;
use crate::support::csr;

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn nothing_that_a_request_says_of_itself_counts() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "admin");
    let admin = mesh.namespace.spiffe_id("admin");
    params.subject_alt_names = vec![
        SanType::URI(admin.as_str().try_into().unwrap()),
        SanType::DnsName("bank.example.com".try_into().unwrap()),
    ];
    let csr = csr(&params).unwrap().0;
    assert_eq!(mesh.ask_with(&token, &csr, None).await.unwrap(), [mesh.name_of("web")]);
}

#[tokio::test]
#[ignore = "needs testbed run --light"]
async fn garbage_is_refused_and_the_next_request_served() {
    let mesh = Mesh::start().await;
    mesh.pod("web-1", "web", "a").await;
    let token = mesh.token("web", "web-1").await;
    for (csr, code) in [
        ("garbage".to_owned(), Code::InvalidArgument),
        ("A".repeat(100 << 10), Code::InvalidArgument),
        ("A".repeat(1 << 20), Code::OutOfRange),
    ] {
        assert_eq!(mesh.ask_with(&token, &csr, None).await.unwrap_err().0, code);
    }
    mesh.ask(&token, None).await.unwrap();
}
