//! What proxies of a mesh reach over TLS: Istio's CA API.

use std::sync::Arc;

use countersign_identity::SpiffeId;
use countersign_runtime::https::Server;
use countersign_runtime::tls::Current as Shown;
use tokio::task::JoinSet;
use tracing::info;

use super::{Parts, RunError};
use crate::istio::kubernetes::Kubernetes;
use crate::istio::serving::{Keeper, Own, service_names};
use crate::istio::{LIMITS, Parts as IstioParts, Service, router};

/// Starts it, if it is to be served.
pub(super) async fn start(parts: &Parts, working: &mut JoinSet<&'static str>) -> Result<(), RunError> {
    let settings = parts.flags.istio.settings(parts.trust_domain.clone())?;
    let Some(address) = parts.flags.istio.listen else {
        return Ok(());
    };
    let shown = Shown::default();
    let server = Server::bind(address, &shown, LIMITS).await?;
    let keeper = Keeper {
        issuer: parts.issuer.clone(),
        authority: parts.current.clone(),
        own: own(parts)?,
        shown,
    };
    let service = Service::new(IstioParts {
        settings,
        cluster: Kubernetes::new(parts.client.clone()),
        issuer: parts.issuer.clone(),
        profiles: Arc::new(parts.identities.clone()),
        roots: Arc::new(parts.roots.subscribe()),
    });
    info!(%address, "serves Istio's CA API");
    let (stop, again) = (parts.stop.clone(), parts.stop.clone());
    working.spawn(async move {
        server.run(router(service), stop).await;
        "the server of Istio's CA API"
    });
    working.spawn(async move {
        keeper.run(again).await;
        "the keeper of the serving certificate"
    });
    Ok(())
}

/// Who the signer is.
fn own(parts: &Parts) -> Result<Own, RunError> {
    let flags = &parts.flags;
    let account = &flags.service_account;
    let id = format!("spiffe://{}/ns/{}/sa/{account}", parts.trust_domain, flags.namespace);
    Ok(Own {
        spiffe_id: id.parse::<SpiffeId>()?,
        namespace: flags.namespace.clone(),
        service_account: account.clone(),
        dns_names: service_names(&flags.service, &flags.namespace, &flags.cluster_domain),
    })
}
