//! The Secret that an authority is kept in. Every change replaces all of it, and only if nobody else changed it in between:
//! a signer that is killed has written all of a change or nothing, and of two that write at once, one does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_identity::TrustDomain;
use countersign_runtime::client::CALL_LIMIT;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PostParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use super::kept::{Kept, wipe};

/// The name of the Secret, in the signer's namespace.
pub const SECRET: &str = "countersign-ca";
/// Its type.
pub const TYPE: &str = "countersign.dev/certificate-authority";
/// Who writes it, in the eyes of the API server.
pub const FIELD_MANAGER: &str = "countersign.dev/signer";

/// What was read last.
#[derive(Clone, Debug, Default)]
pub enum Reading {
    /// Nothing was read yet.
    #[default]
    Unread,
    /// There is no Secret.
    Missing,
    /// It cannot be used, and must not be written over.
    Unreadable(Arc<str>),
    /// It can be used.
    Read(Arc<Version>),
}

/// What was read, and what it takes to replace it.
#[derive(Debug)]
pub struct Version {
    /// What is kept.
    pub kept: Kept,
    /// Of the Secret. A write names its resource version.
    metadata: ObjectMeta,
}

impl Version {
    /// The resource version.
    pub fn resource_version(&self) -> Option<&str> {
        self.metadata.resource_version.as_deref()
    }
}

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// It is written.
    Done,
    /// Somebody else wrote before. The watch tells what.
    Overtaken,
}

/// Why a write failed. Nothing of what was to be written is quoted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The API server refused it.
    #[error("the Secret {SECRET} cannot be written: {0}")]
    Api(#[from] Box<kube::Error>),
    /// No answer.
    #[error("the Secret {SECRET} cannot be written: the API server does not answer")]
    Late,
}

/// Reads a Secret, and wipes what was read from it.
pub fn read(mut secret: Secret, trust_domain: &TrustDomain) -> Reading {
    let mut entries = secret.data.take().unwrap_or_default();
    let reading = if secret.type_.as_deref() == Some(TYPE) {
        match Kept::read(trust_domain, &entries) {
            Ok(kept) => {
                secret.metadata.managed_fields = None;
                Reading::Read(Arc::new(Version {
                    kept,
                    metadata: secret.metadata,
                }))
            }
            Err(error) => Reading::Unreadable(error.to_string().into()),
        }
    } else {
        Reading::Unreadable(format!("its type is not {TYPE}: somebody else made it").into())
    };
    wipe(&mut entries);
    reading
}

/// Follows the Secret for as long as it is polled.
pub async fn follow(client: Client, namespace: String, trust_domain: TrustDomain, to: watch::Sender<Reading>) {
    let api: Api<Secret> = Api::namespaced(client, &namespace);
    let config = Config::default().fields(&format!("metadata.name={SECRET}"));
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = Reading::Missing;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed = Reading::Missing,
            Ok(Event::InitApply(secret)) => listed = read(secret, &trust_domain),
            Ok(Event::InitDone) => _ = to.send_replace(std::mem::replace(&mut listed, Reading::Missing)),
            Ok(Event::Apply(secret)) => _ = to.send_replace(read(secret, &trust_domain)),
            Ok(Event::Delete(_)) => _ = to.send_replace(Reading::Missing),
            Err(error) => warn!(%error, "the watch of the Secret {SECRET} broke off"),
        }
    }
}

/// Writes the Secret.
#[derive(Clone)]
pub struct Store {
    api: Api<Secret>,
}

impl Store {
    /// Writes in this namespace.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
        }
    }

    /// Puts a change in the place of what was read, or makes the Secret if there was none.
    ///
    /// # Errors
    ///
    /// If the API server does not take it, or it is not known whether it did.
    pub async fn write(&self, before: Option<&Version>, kept: &Kept) -> Result<Written, StoreError> {
        let mut secret = Secret {
            metadata: before.map_or_else(fresh, |before| before.metadata.clone()),
            type_: Some(TYPE.to_owned()),
            data: Some(kept.write()),
            ..Secret::default()
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            dry_run: false,
        };
        let written = async {
            match before {
                Some(_) => self.api.replace(SECRET, &params, &secret).await,
                None => self.api.create(&params, &secret).await,
            }
        };
        let written = timeout(CALL_LIMIT, written).await;
        secret.data.as_mut().map(wipe);
        match written {
            Ok(Ok(mut written)) => {
                written.data.as_mut().map(wipe);
                Ok(Written::Done)
            }
            // There is one already, somebody wrote in between, or it was deleted.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => Ok(Written::Overtaken),
            Ok(Err(error)) => Err(StoreError::Api(Box::new(error))),
            Err(_) => Err(StoreError::Late),
        }
    }
}

fn fresh() -> ObjectMeta {
    ObjectMeta {
        name: Some(SECRET.to_owned()),
        labels: Some(BTreeMap::from([(
            "app.kubernetes.io/part-of".to_owned(),
            "countersign".to_owned(),
        )])),
        ..ObjectMeta::default()
    }
}
