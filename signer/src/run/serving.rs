//! What is served over TLS: Istio's CA API for the proxies of a mesh, the agents of the nodes, and the bundle for foreign trust
//! domains.

use std::sync::Arc;

use countersign_identity::{Bundles, SpiffeId};
use countersign_runtime::https::Server;
use countersign_runtime::tls::Current as Shown;
use tokio::sync::watch;
use tracing::info;

use super::{Parts, RunError, Working};
use crate::endpoint::Endpoint;
use crate::istio::serving::{Keeper, Own, service_names};
use crate::{istio, node};
use countersign_runtime::callers::kubernetes::Kubernetes;

/// Starts what is to be served.
pub(super) async fn start(
    parts: &Parts,
    bundles: watch::Receiver<Arc<Bundles>>,
    working: &mut Working,
) -> Result<(), RunError> {
    let shown = Shown::default();
    mesh(parts, &shown, working).await?;
    agents(parts, bundles, &shown, working).await?;
    if parts.flags.istio.listen.is_some() || parts.flags.agent.listen.is_some() {
        let keeper = Keeper {
            issuer: parts.issuer.clone(),
            authority: parts.current.clone(),
            own: own(parts)?,
            shown,
        };
        working.spawn("the keeper of the serving certificate", keeper.run(parts.stop.clone()));
    }
    endpoint(parts, working).await
}

async fn mesh(parts: &Parts, shown: &Shown, working: &mut Working) -> Result<(), RunError> {
    let settings = parts.flags.istio.settings(parts.trust_domain.clone())?;
    let Some(address) = parts.flags.istio.listen else {
        return Ok(());
    };
    let server = Server::bind(address, shown, istio::LIMITS).await?;
    let service = istio::Service::new(istio::Parts {
        settings,
        cluster: Kubernetes::new(parts.client.clone()),
        issuer: parts.issuer.clone(),
        profiles: Arc::new(parts.identities.clone()),
        roots: Arc::new(parts.roots.subscribe()),
    });
    info!(%address, "serves Istio's CA API");
    let serving = server.run(istio::router(service), parts.stop.clone());
    working.spawn("the server of Istio's CA API", serving);
    Ok(())
}

async fn agents(
    parts: &Parts,
    bundles: watch::Receiver<Arc<Bundles>>,
    shown: &Shown,
    working: &mut Working,
) -> Result<(), RunError> {
    let Some(address) = parts.flags.agent.listen else {
        return Ok(());
    };
    let server = Server::bind(address, shown, istio::LIMITS).await?;
    let service = node::Service::new(node::Parts {
        agent: parts.flags.agent.account.clone(),
        cluster: Kubernetes::new(parts.client.clone()),
        issuer: parts.issuer.clone(),
        tokens: Arc::new(parts.tokens.clone()),
        identities: parts.identities.clone(),
        bundles,
        stop: parts.stop.clone(),
    });
    info!(%address, "serves the agents of the nodes");
    let serving = server.run(node::router(service), parts.stop.clone());
    working.spawn("the server of the nodes' agents", serving);
    Ok(())
}

async fn endpoint(parts: &Parts, working: &mut Working) -> Result<(), RunError> {
    let flags = &parts.flags.endpoint;
    if let (Some(address), Some(certificate)) = (flags.listen, &flags.certificate) {
        let endpoint = Endpoint::bind(address, certificate, parts.roots.subscribe()).await?;
        working.spawn("the bundle endpoint", endpoint.run(parts.stop.clone()));
    }
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
