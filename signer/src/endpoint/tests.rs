use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use rstest::rstest;
use tower_service::Service as _;

use super::*;
use crate::authority::Kept;
use crate::authority::rotation::{Plan, Seen};

fn own() -> Bundle {
    let kept = Kept::new("example.org".parse().unwrap());
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    kept.advanced(&plan, &Seen::default(), None, now).unwrap().0.bundle()
}

async fn ask(own: Option<&Bundle>, method: Method, path: &str, tag: Option<&str>) -> (StatusCode, HeaderMap, String) {
    let (_sender, own) = watch::channel(own.cloned().map(Arc::new));
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = tag {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let answer = router(own).call(request.body(Body::empty()).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn whoever_asks_gets_a_bundle_that_can_be_read() {
    let own = own();
    let (status, headers, body) = ask(Some(&own), Method::GET, "/", None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=60");
    let received = Bundle::from_jwks("example.org".parse().unwrap(), &body).unwrap();
    assert_eq!(received.bundle, own);
    // The standard's own names, sections 4.1.1 and 4.1.2.
    let document: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert!(document["spiffe_sequence"].as_u64() >= Some(1));
    assert_eq!(document["spiffe_refresh_hint"], 300);
    let uses: Vec<_> = document["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["use"])
        .collect();
    assert_eq!(uses, ["x509-svid", "jwt-svid"]);
    assert!(!body.contains("\"d\""));
}

#[rstest]
#[case("{}", StatusCode::NOT_MODIFIED)]
#[case("\"a\", W/{}", StatusCode::NOT_MODIFIED)]
#[case("*", StatusCode::NOT_MODIFIED)]
#[case("\"a\"", StatusCode::OK)]
#[tokio::test]
async fn who_has_it_is_told_so(#[case] asked: &str, #[case] expected: StatusCode) {
    let own = own();
    let (_, headers, _) = ask(Some(&own), Method::GET, "/", None).await;
    let tag = headers[header::ETAG].to_str().unwrap();
    let (status, headers, body) = ask(Some(&own), Method::GET, "/", Some(&asked.replace("{}", tag))).await;
    assert_eq!(
        (status, body.is_empty()),
        (expected, expected == StatusCode::NOT_MODIFIED)
    );
    assert_eq!(headers[header::ETAG], tag);
    let mut other = own;
    other.sequence = other.sequence.map(|number| number + 1);
    let (_, headers, _) = ask(Some(&other), Method::GET, "/", None).await;
    assert_ne!(headers[header::ETAG], tag);
}

#[rstest]
#[case(Method::GET, "/bundle", StatusCode::NOT_FOUND)]
#[case(Method::POST, "/", StatusCode::METHOD_NOT_ALLOWED)]
#[case(Method::DELETE, "/", StatusCode::METHOD_NOT_ALLOWED)]
#[tokio::test]
async fn there_is_nothing_else(#[case] method: Method, #[case] path: &str, #[case] expected: StatusCode) {
    assert_eq!(ask(Some(&own()), method, path, None).await.0, expected);
}

#[tokio::test]
async fn before_it_was_read_there_is_none() {
    let (status, headers, _) = ask(None, Method::GET, "/", None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(headers.contains_key(header::RETRY_AFTER));
}
