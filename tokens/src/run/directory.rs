//! Keeps the directory as the users' objects are.

use std::sync::Arc;
use std::time::Duration;

use countersign_crds::{CertificateAuthority, ServiceIdentity, TokenClient, TokenIssuer};
use countersign_identity::svid::Withdrawn;
use countersign_identity::{Bundle, TrustDomain};
use countersign_policy::parse::service_identity;
use countersign_runtime::http::Readiness;
use jiff::Timestamp;
use kube::core::DynamicObject;
use kube::runtime::reflector::Store;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::objects::{follow, name_of, part, sorted};
use super::{Parts, Working, bundle, now};
use crate::directory::{Built, ClientObject, IssuerObject, Sources, build};
use crate::service::Service;

/// How long changes are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// How often it is built without a change: secrets end, and the trust bundle is a file.
const PERIOD: Duration = Duration::from_secs(30);

struct Builder {
    service: Arc<Service>,
    trust_domain: TrustDomain,
    trust_bundle: Vec<std::path::PathBuf>,
    issuers: Store<DynamicObject>,
    clients: Store<DynamicObject>,
    identities: Store<DynamicObject>,
    authorities: Store<DynamicObject>,
    built: watch::Sender<Arc<Built>>,
    ready: watch::Sender<Readiness>,
}

/// What is followed here and read elsewhere too.
pub(super) struct Followed {
    pub issuers: Store<DynamicObject>,
    pub clients: Store<DynamicObject>,
    pub identities: Store<DynamicObject>,
}

/// Starts to follow the users' objects.
pub(super) fn start(parts: &Parts, working: &mut Working) -> Followed {
    let tell = watch::Sender::new(());
    let news = tell.subscribe();
    let builder = Builder {
        service: Arc::clone(&parts.service),
        trust_domain: parts.trust_domain.clone(),
        trust_bundle: parts.flags.trust_bundle.clone(),
        issuers: follow::<TokenIssuer>(parts, working, "the watch of TokenIssuers", tell.clone()),
        clients: follow::<TokenClient>(parts, working, "the watch of TokenClients", tell.clone()),
        identities: follow::<ServiceIdentity>(parts, working, "the watch of ServiceIdentities", tell.clone()),
        authorities: follow::<CertificateAuthority>(parts, working, "the watch of CertificateAuthorities", tell),
        built: parts.built.clone(),
        ready: parts.ready.clone(),
    };
    let followed = Followed {
        issuers: builder.issuers.clone(),
        clients: builder.clients.clone(),
        identities: builder.identities.clone(),
    };
    working.until(&parts.stop, "the keeper of the directory", builder.run(news));
    followed
}

impl Builder {
    async fn run(self, mut news: watch::Receiver<()>) {
        for store in [&self.issuers, &self.clients, &self.identities, &self.authorities] {
            // With a part of them, clients would be told that they do not exist, and what is revoked would count.
            if store.wait_until_ready().await.is_err() {
                return;
            }
        }
        loop {
            let roots = bundle::read(&self.trust_bundle, &self.trust_domain).await;
            self.build(roots);
            if matches!(timeout(PERIOD, news.changed()).await, Ok(Err(_))) {
                return;
            }
            sleep(GATHER).await;
        }
    }

    fn build(&self, roots: Option<Arc<Bundle>>) {
        let identities = sorted(&self.identities);
        let identities = identities.iter().map(|object| {
            let created = object
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0);
            service_identity(name_of(object), &part(object, "spec"), created)
        });
        let authorities = sorted(&self.authorities);
        let withdrawn = withdrawn(authorities.iter().map(|object| part(object, "spec")));
        if withdrawn.is_none() {
            warn!(
                "spec.revokedIntermediates of the CertificateAuthority cannot be read: no certificate of a workload counts"
            );
        }
        let sources = Sources {
            trust_domain: self.trust_domain.clone(),
            issuers: sorted(&self.issuers).iter().map(|object| issuer(object)).collect(),
            clients: sorted(&self.clients).iter().map(|object| client(object)).collect(),
            identities: identities.collect(),
            // What is revoked and cannot be read could be anything.
            roots: roots.filter(|_| withdrawn.is_some()),
            withdrawn: Arc::new(withdrawn.unwrap_or_default()),
        };
        let built = build(&sources, now());
        let known = self.service.directory.load().issuers.len();
        if known != built.directory.issuers.len() {
            info!(
                issuers = built.directory.issuers.len(),
                clients = built.clients.len(),
                "answers for issuers"
            );
        }
        self.service.directory.store(Arc::new(built.directory.clone()));
        self.built.send_replace(Arc::new(built));
        self.ready.send_replace(Readiness::Ready);
    }
}

/// The intermediates that the `CertificateAuthority` revokes; none if that cannot be read.
fn withdrawn(specs: impl Iterator<Item = Value>) -> Option<Withdrawn> {
    let mut withdrawn = Withdrawn::default();
    for spec in specs {
        let Some(revoked) = spec.get("revokedIntermediates").filter(|list| !list.is_null()) else {
            continue;
        };
        for sha256 in revoked.as_array()? {
            withdrawn.add_fingerprint(sha256.as_str()?.parse().ok()?);
        }
    }
    Some(withdrawn)
}

fn issuer(object: &DynamicObject) -> IssuerObject {
    IssuerObject {
        name: name_of(object).name,
        spec: part(object, "spec"),
        status: part(object, "status"),
    }
}

fn client(object: &DynamicObject) -> ClientObject {
    ClientObject {
        name: name_of(object),
        spec: part(object, "spec"),
    }
}

#[cfg(test)]
mod tests {
    use countersign_identity::Fingerprint;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_revoked_is_read_or_nothing_counts() {
        let sha256 = Fingerprint::of(b"an intermediate").to_string();
        let revoked = |list: Value| withdrawn([json!({}), json!({"revokedIntermediates": list})].into_iter());
        let expected: Withdrawn = [Fingerprint::of(b"an intermediate")].into_iter().collect();
        assert_eq!(revoked(json!([sha256])), Some(expected));
        assert_eq!(revoked(Value::Null), Some(Withdrawn::default()));
        for unreadable in [json!([sha256, "AB:CD"]), json!([7]), json!(sha256)] {
            assert_eq!(revoked(unreadable.clone()), None, "{unreadable}");
        }
    }
}
