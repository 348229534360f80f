//! The service: what waits is here, what decides is in the modules beside it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use countersign_identity::Bundle;
use countersign_runtime::clock;
use countersign_runtime::https::{Limits, PATIENCE, Peer};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tracing::warn;

use super::answer::answer;
use super::profiles::Profiles;
use super::proto::istio_certificate_service_server::{IstioCertificateService, IstioCertificateServiceServer};
use super::proto::{IstioCertificateRequest, IstioCertificateResponse};
use super::refusal::Refusal;
use super::request::{self, Asked};
use super::settings::Settings;
use super::subject;
use crate::bounds::{LONGEST_MESSAGE, bounded};
use crate::bundle;
use crate::issue::{Issuer, Path};
use countersign_runtime::callers::{Account, Caller, Callers, Cluster, PodView};

/// Each proxy of a mesh keeps a connection, and asks for little. What has not asked for ten minutes can connect again.
pub const LIMITS: Limits = Limits {
    connections: 16_384,
    streams: 32,
    head: PATIENCE,
    age: Some(Duration::from_mins(10)),
};

/// The roots that workloads are to trust.
pub trait Roots: Send + Sync {
    /// All of them. None before there is an authority.
    fn roots(&self) -> Vec<CertificateDer<'static>>;
}

impl Roots for watch::Receiver<Option<Arc<Bundle>>> {
    fn roots(&self) -> Vec<CertificateDer<'static>> {
        bundle::certificates(self.borrow().as_deref())
    }
}

/// What the service is made of.
pub struct Parts<C> {
    /// What is set.
    pub settings: Settings,
    /// The API server.
    pub cluster: C,
    /// Signs.
    pub issuer: Issuer,
    /// The `ServiceIdentities`.
    pub profiles: Arc<dyn Profiles>,
    /// What is trusted.
    pub roots: Arc<dyn Roots>,
}

/// Istio's CA API. Clones are of one service.
pub struct Service<C>(Arc<Inner<C>>);

struct Inner<C> {
    settings: Settings,
    callers: Callers<C>,
    issuer: Issuer,
    profiles: Arc<dyn Profiles>,
    roots: Arc<dyn Roots>,
}

impl<C> Clone for Service<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Serves it, within limits of size, number and time.
pub fn router<C: Cluster>(service: Service<C>) -> Router {
    let server = IstioCertificateServiceServer::new(service).max_decoding_message_size(LONGEST_MESSAGE);
    bounded(Routes::new(server).prepare().into_axum_router())
}

#[tonic::async_trait]
impl<C: Cluster> IstioCertificateService for Service<C> {
    async fn create_certificate(
        &self,
        request: Request<IstioCertificateRequest>,
    ) -> Result<Response<IstioCertificateResponse>, Status> {
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let mut caller = None;
        let created = self.create(&request, &mut caller).await;
        created.map(Response::new).map_err(|refusal| {
            let caller = caller.as_ref().map(name);
            let peer = peer.map(|peer| peer.to_string());
            warn!(
                name: "countersign.certificate.refused",
                target: "countersign_signer::refused",
                path = Path::IstioCa.name(),
                caller,
                peer,
                code = ?refusal.code(),
                reason = %refusal,
                "gave no certificate"
            );
            refusal.into()
        })
    }
}

impl<C: Cluster> Service<C> {
    /// Makes the service.
    pub fn new(parts: Parts<C>) -> Self {
        let callers = Callers::new(parts.cluster, parts.settings.audience());
        Self(Arc::new(Inner {
            settings: parts.settings,
            callers,
            issuer: parts.issuer,
            profiles: parts.profiles,
            roots: parts.roots,
        }))
    }

    /// Puts the caller where it can be named in the log, and counts what is not issued.
    async fn create(
        &self,
        request: &Request<IstioCertificateRequest>,
        caller: &mut Option<Caller>,
    ) -> Result<IstioCertificateResponse, Refusal> {
        let issuer = &self.0.issuer;
        let outcome = self.judge(request, caller).await;
        let (caller, granted) = outcome.inspect_err(|refusal| {
            if refusal.is_failure() {
                issuer.failed(Path::IstioCa);
            } else {
                issuer.refused(Path::IstioCa);
            }
        })?;
        let certificate = issuer.issue(
            Path::IstioCa,
            &name(&caller),
            &granted.grant,
            &granted.key,
            clock::precise(),
        );
        let certificate = certificate.map_err(|error| {
            warn!(%error, "no certificate can be made");
            Refusal::from(&error)
        })?;
        Ok(answer(&certificate.chain, &granted.roots))
    }

    async fn judge(
        &self,
        request: &Request<IstioCertificateRequest>,
        known: &mut Option<Caller>,
    ) -> Result<(Caller, Granted), Refusal> {
        let inner = &self.0;
        let caller = inner.callers.authenticate(request.metadata().as_ref()).await?;
        *known = Some(caller.clone());
        let pod = inner.callers.pod_of(&caller).await?;
        let Asked {
            key,
            on_behalf_of,
            lifetime,
        } = request::read(request.get_ref())?;
        let account = match on_behalf_of {
            Some(id) => self.impersonated(&caller, &pod, &id).await?,
            None => caller.account.clone(),
        };
        let profile = inner.profiles.of(&account)?;
        let grant = subject::grant(&inner.settings, &account, profile.as_ref(), lifetime)?;
        grant
            .admits(&key)
            .map_err(|refused| Refusal::KeyType(refused.message))?;
        let roots = inner.roots.roots();
        if roots.is_empty() {
            return Err(Refusal::NotReady);
        }
        Ok((caller, Granted { grant, key, roots }))
    }

    /// Whose certificate a node's proxy asks for, if that one runs on its node now.
    async fn impersonated(
        &self,
        caller: &Caller,
        pod: &PodView,
        id: &countersign_identity::SpiffeId,
    ) -> Result<Account, Refusal> {
        let account = subject::on_behalf_of(&self.0.settings, caller, id)?;
        if pod.node.is_empty() {
            return Err(Refusal::NoNode);
        }
        let pods = self.0.callers.pods_on(&account.namespace, &pod.node).await?;
        subject::check_node(&account, &pod.node, &pods)?;
        Ok(account)
    }
}

/// What is to be issued, and what goes with it.
struct Granted {
    grant: crate::grant::Grant,
    key: crate::key::PublicKey,
    roots: Vec<CertificateDer<'static>>,
}

/// A caller in records and logs.
fn name(caller: &Caller) -> String {
    let Account { namespace, name } = &caller.account;
    format!("Pod {namespace}/{} {} as {name}", caller.pod, caller.pod_uid)
}
