//! A request, read as far as it is believed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use countersign_runtime::https::Peer;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Limited};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::protocol::{Form, Refusal};

pub use countersign_runtime::https::ClientCertificates;

/// The largest body that is read, in bytes.
pub const LARGEST_BODY: usize = 64 << 10;
/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What stands before the body.
pub(super) struct Head {
    pub host: Option<String>,
    pub peer: Option<IpAddr>,
    pub certificates: Arc<[CertificateDer<'static>]>,
}

impl Head {
    pub(super) fn of(request: &Request) -> Self {
        let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(http::uri::Authority::as_str).or(named);
        let certificates = request.extensions().get::<ClientCertificates>();
        Self {
            host: host.map(str::to_owned),
            peer: request.extensions().get::<Peer>().map(|peer| peer.0.ip()),
            certificates: certificates.map_or_else(|| Arc::from([]), |shown| Arc::clone(&shown.0)),
        }
    }
}

/// The parameters and the headers.
pub(super) async fn read(request: Request) -> Result<(Form, HeaderMap), Refusal> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Ok((
            Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?,
            parts.headers,
        ));
    }
    // In the query, parameters would end up in logs (RFC 6749 section 2.3.1).
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Refusal::Malformed("parameters belong into the body, not into the URL"));
    }
    let kind = parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let body = collect(body).await?;
    if !body.is_empty() && !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Refusal::Malformed(
            "the body must be application/x-www-form-urlencoded (RFC 6749 appendix B)",
        ));
    }
    Ok((Form::parse(&body)?, parts.headers))
}

async fn collect(body: Body) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let collected = timeout(PATIENCE, Limited::new(body, LARGEST_BODY).collect()).await;
    let collected = collected.map_err(|_| Refusal::Malformed("the body took too long"))?;
    let collected = collected.map_err(|_| Refusal::Malformed("the body is longer than 64 KiB, or broke off"))?;
    Ok(Zeroizing::new(collected.to_bytes().to_vec()))
}
