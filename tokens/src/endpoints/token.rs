//! The token endpoint (RFC 6749 section 3.2).

use axum::response::Response;
use http::StatusCode;

use super::answer;
use crate::grants;
use crate::record::Draft;
use crate::service::{Call, Service};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Response {
    let given = grants::answer(service, call, draft).await;
    service.recorder.decided(call.endpoint, draft, given.as_ref().err());
    if let (Ok(_), Some(client)) = (&given, &draft.client) {
        service.used.touch(&call.issuer.managed.issuer, client, call.now);
    }
    let mut response = match given {
        Ok(given) => answer::json(StatusCode::OK, &given),
        Err(refusal) => return answer::refused(&refusal, Some(call)),
    };
    answer::with_nonce(&mut response, call);
    response
}
