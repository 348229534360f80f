//! Keeps the keys of the issuers: one Secret, which only this service account reads, with an entry for each. The replica that
//! leads turns them; all replicas follow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_crds::{ROTATE_KEYS_ANNOTATION, TokenIssuer};
use countersign_policy::tokens::{ManagedIssuer, SigningAlgorithm};
use countersign_policy::world::ObjectName;
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::lease::Leadership;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube::core::DynamicObject;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info, warn};

use super::objects::{named, reflected};
use super::{FIELD_MANAGER, Parts, Working, now};
use crate::directory::Built;
use crate::keys::document::Document;
use crate::keys::schedule::{Maker, Timing, advance};
use crate::keys::{KeyError, Ring, signing};
use crate::service::Service;

/// The Secret.
pub(super) const SECRET: &str = "countersign-token-keys";
/// How often it is looked whether a key turns.
const PERIOD: Duration = Duration::from_secs(10);

/// What goes wrong with them.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the Secret {SECRET}: {0}")]
    Api(#[from] kube::Error),
    #[error("the API server does not answer")]
    Late,
}

struct Keeper {
    service: Arc<Service>,
    issuers: Store<DynamicObject>,
    secrets: Api<Secret>,
    kept: Store<Secret>,
    built: watch::Receiver<Arc<Built>>,
    leadership: Leadership,
}

/// Starts to keep them.
pub(super) fn start(parts: &Parts, issuers: Store<DynamicObject>, working: &mut Working) {
    let tell = watch::Sender::new(());
    let news = tell.subscribe();
    let secrets = Api::<Secret>::namespaced(parts.client.clone(), &parts.flags.namespace);
    let only = watcher::Config::default().fields(&format!("metadata.name={SECRET}"));
    let (kept, part) = reflected(secrets.clone(), (), only, "the watch of the keys", tell);
    working.until(&parts.stop, "the watch of the keys", part);
    let keeper = Keeper {
        service: Arc::clone(&parts.service),
        issuers,
        secrets,
        kept,
        built: parts.built.subscribe(),
        leadership: parts.leadership.clone(),
    };
    working.until(&parts.stop, "the keeper of the keys", keeper.run(news));
}

impl Keeper {
    async fn run(mut self, mut news: watch::Receiver<()>) {
        if self.kept.wait_until_ready().await.is_err() {
            return;
        }
        loop {
            self.read();
            self.show();
            if self.leadership.holds()
                && let Err(error) = self.turn().await
            {
                warn!(%error, "the keys of the issuers cannot be turned: what is there goes on signing");
            }
            tokio::select! {
                told = news.changed() => if told.is_err() { return },
                told = self.built.changed() => if told.is_err() { return },
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    fn current(&self) -> Option<Arc<Secret>> {
        self.kept.state().into_iter().next()
    }

    /// Takes what is kept into use. What cannot be read changes nothing.
    fn read(&self) {
        let entries = self
            .current()
            .and_then(|secret| secret.data.clone())
            .unwrap_or_default();
        let before = self.service.rings.load();
        let mut rings = BTreeMap::new();
        for (name, ByteString(json)) in &entries {
            let Some(issuer) = name.strip_suffix(".json") else {
                continue;
            };
            match Document::read(json)
                .map_err(Into::into)
                .and_then(|document| ring(document, before.get(issuer)))
            {
                Ok(ring) => {
                    rings.insert(issuer.to_owned(), ring);
                }
                Err(error) => {
                    error!(issuer, %error, "the keys of an issuer cannot be read: what was read before goes on");
                    rings.extend(before.get(issuer).map(|ring| (issuer.to_owned(), Arc::clone(ring))));
                }
            }
        }
        self.service.rings.store(Arc::new(rings));
    }

    /// Shows when they turn.
    fn show(&self) {
        let (rings, built) = (self.service.rings.load(), self.built.borrow().clone());
        let issuers =
            built.directory.issuers.iter().filter_map(|(name, issuer)| {
                Some((name.as_str(), rings.get(name)?.as_ref(), issuer.managed.rotate_every))
            });
        self.service.metrics.show_keys(issuers, now());
    }

    /// Does what is due.
    async fn turn(&self) -> Result<(), KeepError> {
        let issuers: Vec<ManagedIssuer> = self
            .built
            .borrow()
            .directory
            .issuers
            .values()
            .map(|issuer| issuer.managed.clone())
            .collect();
        if issuers.is_empty() {
            return Ok(());
        }
        let current = self.current();
        let mut data = current
            .as_ref()
            .and_then(|secret| secret.data.clone())
            .unwrap_or_default();
        let mut turned = false;
        for issuer in &issuers {
            let entry = format!("{}.json", issuer.name);
            let document = match data.get(&entry).map(|ByteString(json)| Document::read(json)) {
                None => Document::default(),
                Some(Ok(document)) => document,
                // It is left as it is, for somebody to look at.
                Some(Err(_)) => continue,
            };
            if let Some(next) = self.due(issuer, &document)? {
                info!(
                    issuer = issuer.issuer,
                    keys = next.keys.len(),
                    "turns the keys of an issuer"
                );
                data.insert(entry, ByteString(next.write().to_vec()));
                turned = true;
            }
        }
        if turned {
            self.write(current.as_deref(), data).await
        } else {
            Ok(())
        }
    }

    fn due(&self, issuer: &ManagedIssuer, document: &Document) -> Result<Option<Document>, KeyError> {
        let object = named::<TokenIssuer>(&self.issuers, &ObjectName::new("", &issuer.name));
        let annotations = object
            .and_then(|object| object.metadata.annotations.clone())
            .unwrap_or_default();
        let asked = annotations.get(ROTATE_KEYS_ANNOTATION).map(String::as_str);
        let timing = Timing::new(issuer.rotate_every, issuer.longest_token());
        advance(document, issuer.algorithm, timing, asked, now(), &mut Fresh)
    }

    /// Writes all of it, unless somebody else wrote meanwhile: then the next round sees what.
    async fn write(&self, current: Option<&Secret>, data: BTreeMap<String, ByteString>) -> Result<(), KeepError> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        let mut secret = current.cloned().unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(SECRET.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some("countersign.dev/token-keys".to_owned()),
            ..Secret::default()
        });
        secret.data = Some(data);
        match current {
            None => call(self.secrets.create(&params, &secret)).await.map(drop),
            Some(_) => call(self.secrets.replace(SECRET, &params, &secret)).await.map(drop),
        }
    }
}

/// The keys from what is kept; the same ones as before if nothing changed.
fn ring(document: Document, before: Option<&Arc<Ring>>) -> Result<Arc<Ring>, crate::keys::ring::RingError> {
    match before {
        Some(ring) if *ring.document() == document => Ok(Arc::clone(ring)),
        _ => Ring::read(document).map(Arc::new),
    }
}

async fn call<T>(calling: impl Future<Output = kube::Result<T>>) -> Result<T, KeepError> {
    match timeout(CALL_LIMIT, calling).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(KeepError::Late),
    }
}

/// Makes keys from the machine's randomness.
struct Fresh;

impl Maker for Fresh {
    type Error = KeyError;

    fn key(&mut self, algorithm: SigningAlgorithm) -> Result<String, KeyError> {
        signing::generate(algorithm).map(|key| STANDARD.encode(&key[..]))
    }

    fn nonce_key(&mut self) -> Result<String, KeyError> {
        signing::random::<32>(&SystemRandom::new()).map(|key| STANDARD.encode(key))
    }
}
