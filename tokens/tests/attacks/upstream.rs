//! What the metadata of an upstream names leads nowhere else: metadata, keys and codes go to places that may be reached, and to
//! none behind them (OWASP's server-side request forgery; RFC 9700 section 4.4 of codes that are sent to another).

use std::future::ready;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Redirect;
use countersign_tokens::endpoints::router;
use countersign_tokens::limits::{Limits, Rates};
use countersign_tokens::metrics::Metrics;
use countersign_tokens::record::Recorder;
use countersign_tokens::remote::{Guard, Networks, RemoteKeys};
use countersign_tokens::service::Service;
use countersign_tokens::upstream::{Secrets, Upstreams};
use countersign_tokens::used::Used;
use rstest::rstest;
use serde_json::json;
use tower_service::Service as _;

use super::fetching::{Served, serve};
use crate::flow::{Visit, World, upstream};
use crate::rig::Setup;

/// A place in a network that may not be reached. Whoever connects to it gets no answer, and is found out.
struct Trap(TcpListener);

impl Trap {
    fn at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}", self.0.local_addr().unwrap().port())
    }

    fn is_untouched(&self) -> bool {
        matches!(self.0.accept(), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// Sends everything on, with what was posted.
async fn redirecting(to: &str) -> Served {
    let to = Redirect::temporary(to);
    serve(Router::new().fallback(move || ready(to.clone()))).await
}

/// The world's service again, to which of all private places 127.0.0.1 alone is allowed.
fn guarded(world: &World) -> Router {
    let guard = Guard::new(Networks::new(vec!["127.0.0.1/32".parse().unwrap()]));
    let secrets = Secrets::from([("upstream".to_owned(), upstream::SECRET.to_owned().into())]);
    let same = &world.rig.service;
    router(Arc::new(Service {
        directory: Arc::clone(&same.directory),
        rings: Arc::clone(&same.rings),
        store: same.store.clone(),
        workloads: Arc::clone(&same.workloads),
        remote: RemoteKeys::new(guard.clone()),
        upstreams: Upstreams::new(guard, Arc::new(ArcSwap::from_pointee(secrets))),
        limits: Limits::new(Rates {
            address: NonZeroU32::MAX,
            client: NonZeroU32::MAX,
        }),
        recorder: Recorder::default(),
        metrics: Metrics::default(),
        used: Used::default(),
        clock: Arc::clone(&same.clock),
        random: Arc::clone(&same.random),
    }))
}

async fn visit(world: &World, service: &mut Router, path: &str, cookie: Option<&str>) -> Visit {
    let mut request = Request::get(world.rig.url(path));
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let (head, body) = service
        .call(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
        .into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Visit::of(axum::http::Response::from_parts(head, body).into()).await
}

async fn authorize(world: &World, service: &mut Router) -> Visit {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(world.request("shop/app", &[]))
        .finish();
    visit(world, service, &format!("/authorize?{query}"), None).await
}

async fn come_back(world: &World, service: &mut Router, begun: &Visit) -> Visit {
    let answer = world.upstream.signs_in(begun.to(), "alice");
    visit(world, service, &format!("/callback?{answer}"), begun.cookie.as_deref()).await
}

#[tokio::test]
async fn an_upstream_in_a_network_that_is_allowed_is_reached() {
    let world = World::start().await;
    let mut service = guarded(&world);
    let begun = authorize(&world, &mut service).await;
    let ended = come_back(&world, &mut service, &begun).await;
    assert!(ended.parameter("code").is_some(), "{ended:?}");
}

#[rstest]
#[case::metadata("issuer")]
#[case::keys("jwks_uri")]
#[case::tokens("token_endpoint")]
#[tokio::test]
async fn an_upstream_leads_to_no_private_place(#[case] member: &str, #[values(false, true)] redirects: bool) {
    let trap = Trap::at("127.0.0.2");
    let redirecting = redirecting(&trap.url("127.0.0.2")).await;
    let leads = if redirects {
        redirecting.url.clone()
    } else {
        trap.url("127.0.0.2")
    };
    let world = World::start().await;
    world.rig.change(|sources| {
        let upstream = &mut sources.issuers[0].spec["managed"]["upstream"];
        upstream["caBundle"] = json!(format!("{}{}", world.upstream.ca, redirecting.ca));
        if member == "issuer" {
            upstream["issuer"] = json!(leads);
        }
    });
    if member != "issuer" {
        *world.upstream.provider.metadata.lock().unwrap() = json!({member: format!("{leads}/there")});
    }
    let mut service = guarded(&world);
    let begun = authorize(&world, &mut service).await;
    if member == "token_endpoint" {
        // It is asked when the user comes back: with the code, and with what proves this service.
        let ended = come_back(&world, &mut service, &begun).await;
        ended.tells_the_client("access_denied");
    } else {
        begun.tells_the_client("temporarily_unavailable");
    }
    assert!(trap.is_untouched());
}

#[tokio::test]
async fn an_upstream_whose_name_leads_to_a_private_place_is_not_asked() {
    let trap = Trap::at("127.0.0.1");
    let setup = Setup {
        private_networks: false,
        ..Setup::default()
    };
    let world = World::start_with("", setup).await;
    world
        .rig
        .change(|sources| sources.issuers[0].spec["managed"]["upstream"]["issuer"] = json!(trap.url("localhost")));
    world
        .authorize("shop/app", &[])
        .await
        .tells_the_client("temporarily_unavailable");
    assert!(trap.is_untouched());
}
