//! Follows the `CertificateAuthority`, and the Secret that an intermediate is brought in.

use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_crds::CertificateAuthority;
use futures::StreamExt as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

use super::kept::wipe;
use super::object::NAME;

/// The `CertificateAuthority`, as it was seen last.
#[derive(Clone, Debug, Default)]
pub enum Object {
    /// It was not read yet.
    #[default]
    Unread,
    /// There is none.
    Missing,
    /// It is this.
    There(Arc<CertificateAuthority>),
}

/// Follows the `CertificateAuthority` for as long as it is polled.
pub async fn object(client: Client, to: watch::Sender<Object>) {
    let api: Api<CertificateAuthority> = Api::all(client);
    let config = Config::default().fields(&format!("metadata.name={NAME}"));
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = Object::Missing;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed = Object::Missing,
            Ok(Event::InitApply(object)) => listed = Object::There(Arc::new(object)),
            Ok(Event::InitDone) => _ = to.send_replace(std::mem::replace(&mut listed, Object::Missing)),
            Ok(Event::Apply(object)) => _ = to.send_replace(Object::There(Arc::new(object))),
            Ok(Event::Delete(_)) => _ = to.send_replace(Object::Missing),
            Err(error) => warn!(%error, "the watch of the CertificateAuthority broke off"),
        }
    }
}

/// The entries of a Secret, which are wiped when nobody needs them any more.
pub(super) struct Entries(BTreeMap<String, ByteString>);

impl Entries {
    pub(super) fn get(&self) -> &BTreeMap<String, ByteString> {
        &self.0
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// A Secret, as it was seen last.
#[derive(Clone, Default)]
pub(super) enum SecretReading {
    /// It was not read yet.
    #[default]
    Unread,
    /// There is none.
    Missing,
    /// It cannot be read, and this is why.
    Failed(Arc<str>),
    /// It has these entries.
    There(Arc<Entries>),
}

/// Follows the Secret that an intermediate is brought in, whichever it is.
pub(super) struct Follower {
    client: Client,
    namespace: String,
    followed: Option<Followed>,
}

struct Followed {
    name: String,
    reading: watch::Receiver<SecretReading>,
    task: AbortHandle,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            followed: None,
        }
    }

    /// Follows this one from now on.
    pub(super) fn follow(&mut self, name: Option<&str>) {
        if self.followed.as_ref().map(|followed| followed.name.as_str()) == name {
            if let Some(followed) = &mut self.followed {
                followed.reading.borrow_and_update();
            }
            return;
        }
        self.followed = name.map(|name| {
            let (to, reading) = watch::channel(SecretReading::Unread);
            let api = Api::namespaced(self.client.clone(), &self.namespace);
            Followed {
                name: name.to_owned(),
                reading,
                task: tokio::spawn(secret(api, name.to_owned(), to)).abort_handle(),
            }
        });
    }

    pub(super) fn reading(&self) -> SecretReading {
        self.followed
            .as_ref()
            .map(|followed| followed.reading.borrow().clone())
            .unwrap_or_default()
    }

    /// Waits until it changes.
    pub(super) async fn changed(&mut self) {
        let changed = match &mut self.followed {
            Some(followed) => followed.reading.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
    }
}

async fn secret(api: Api<Secret>, name: String, to: watch::Sender<SecretReading>) {
    let there = |mut secret: Secret| SecretReading::There(Arc::new(Entries(secret.data.take().unwrap_or_default())));
    let config = Config::default().fields(&format!("metadata.name={name}"));
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listed = SecretReading::Missing;
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed = SecretReading::Missing,
            Ok(Event::InitApply(secret)) => listed = there(secret),
            Ok(Event::InitDone) => _ = to.send_replace(std::mem::replace(&mut listed, SecretReading::Missing)),
            Ok(Event::Apply(secret)) => _ = to.send_replace(there(secret)),
            Ok(Event::Delete(_)) => _ = to.send_replace(SecretReading::Missing),
            Err(error) => {
                if is_forbidden(&error) {
                    let why = "the signer may not read it: name it in the chart's value signer.intermediateSecrets";
                    to.send_replace(SecretReading::Failed(why.into()));
                }
                warn!(name, %error, "the watch of the Secret with the intermediate broke off");
            }
        }
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 403,
        watcher::Error::WatchError(status) => status.code == 403,
        _ => false,
    }
}
