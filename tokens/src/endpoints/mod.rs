//! The endpoints, and the way of a request to them.

mod answer;
mod authorize;
mod browser;
mod callback;
mod handshake;
mod introspect;
mod metadata;
mod pushed;
mod request;
mod revocations;
mod revoke;
mod token;
mod userinfo;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use countersign_runtime::clock;
use http::{Method, StatusCode};

use crate::directory::{Directory, Endpoint, Issuer};
use crate::keys::Ring;
use crate::record::Draft;
use crate::service::{Call, Service};

pub use handshake::by_name;
pub use request::{ClientCertificates, LARGEST_BODY};

/// All endpoints of all issuers.
pub fn router(service: Arc<Service>) -> Router {
    Router::new().fallback(answer_request).with_state(service)
}

async fn answer_request(State(service): State<Arc<Service>>, request: Request) -> Response {
    let head = request::Head::of(&request);
    let directory = service.directory.load_full();
    let Some((issuer, endpoint)) = directory.find(head.host.as_deref(), request.uri().path()) else {
        return answer::plain(StatusCode::NOT_FOUND, "no issuer of this service is here");
    };
    let Some(ring) = service.rings.load().get(&issuer.managed.name).map(Arc::clone) else {
        return answer::plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the issuer has no keys yet: see the status of its TokenIssuer",
        );
    };
    let allowed = methods(endpoint);
    if !allowed.contains(request.method()) {
        return answer::not_allowed(allowed);
    }
    let since = clock::instant();
    let response = judged(&service, (issuer, ring, endpoint), directory, head, request).await;
    service.metrics.answered(endpoint, since.elapsed());
    response
}

/// Answers a request that somebody is there for.
async fn judged(
    service: &Service,
    (issuer, ring, endpoint): (Arc<Issuer>, Arc<Ring>, Endpoint),
    directory: Arc<Directory>,
    head: request::Head,
    request: Request,
) -> Response {
    let mut draft = Draft {
        issuer: issuer.managed.issuer.clone(),
        address: head.peer,
        ..Draft::default()
    };
    if let Err(refusal) = head.peer.map_or(Ok(()), |peer| service.limits.address(peer)) {
        service.recorder.decided(endpoint, &draft, Some(&refusal));
        return answer::refused(&refusal, None);
    }
    let now = (service.clock)();
    let method = request.method().clone();
    let (form, headers) = match request::read(request).await {
        Ok(read) => read,
        Err(refusal) => {
            service.recorder.decided(endpoint, &draft, Some(&refusal));
            return answer::refused(&refusal, None);
        }
    };
    let other_host = |host: &String| issuer.place.is_mutual_tls_host(host);
    let call = Call {
        at_mutual_tls_host: head.host.as_ref().is_some_and(other_host),
        issuer,
        ring,
        endpoint,
        directory,
        now,
        method,
        headers,
        form,
        peer: head.peer,
        certificates: head.certificates,
    };
    dispatch(service, &call, &mut draft).await
}

fn methods(endpoint: Endpoint) -> &'static [Method] {
    match endpoint {
        Endpoint::Token | Endpoint::PushedAuthorization | Endpoint::Introspect | Endpoint::Revoke => &[Method::POST],
        Endpoint::Authorize | Endpoint::UserInfo => &[Method::GET, Method::POST],
        Endpoint::Callback | Endpoint::Jwks | Endpoint::Metadata | Endpoint::Revocations => &[Method::GET],
    }
}

async fn dispatch(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    match call.endpoint {
        Endpoint::Token => token::answer(service, call, draft).await,
        Endpoint::PushedAuthorization => pushed::answer(service, call, draft).await,
        Endpoint::Authorize => authorize::answer(service, call, draft).await,
        Endpoint::Callback => callback::answer(service, call, draft).await,
        Endpoint::Introspect => introspect::answer(service, call, draft).await,
        Endpoint::Revoke => revoke::answer(service, call, draft).await,
        Endpoint::UserInfo => userinfo::answer(service, call, draft).await,
        Endpoint::Jwks => metadata::jwks(call),
        Endpoint::Metadata => metadata::answer(call),
        Endpoint::Revocations => revocations::answer(service, call).await,
    }
}
