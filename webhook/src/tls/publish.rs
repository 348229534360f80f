//! Publishes the authorities in the webhook's configurations, and follows what becomes of them there.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_runtime::client::CALL_LIMIT;
use futures::stream::{BoxStream, SelectAll, select_all};
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use kube::api::{Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracing::{info, warn};

use super::bundle::{authorities, merged};

/// Who owns the field `caBundle` in the eyes of the API server.
const FIELD_MANAGER: &str = "countersign.dev/webhook-authority";

/// Which webhooks an authority is published for.
#[derive(Clone, Debug)]
pub struct Place {
    /// The names of the `ValidatingWebhookConfiguration`s.
    pub configurations: Vec<String>,
    /// The namespace of the Service.
    pub namespace: String,
    /// The Service.
    pub service: String,
    /// What this replica is called.
    pub replica: String,
}

/// The webhook's configurations, as they were seen last.
pub struct Configurations {
    api: Api<ValidatingWebhookConfiguration>,
    place: Place,
    known: BTreeMap<String, ValidatingWebhookConfiguration>,
    changes: SelectAll<BoxStream<'static, (String, Option<ValidatingWebhookConfiguration>)>>,
}

impl Configurations {
    /// Begins to follow them.
    pub fn follow(client: Client, place: Place) -> Self {
        let api = Api::all(client);
        let changes = select_all(
            place
                .configurations
                .iter()
                .map(|name| changes(api.clone(), name.clone()).boxed()),
        );
        Self {
            api,
            place,
            known: BTreeMap::new(),
            changes,
        }
    }

    /// Waits until one of them changes, and takes the change in.
    pub async fn changed(&mut self) {
        match self.changes.next().await {
            Some((name, Some(configuration))) => {
                self.known.insert(name, configuration);
            }
            Some((name, None)) => {
                warn!(name, "the webhook's configuration does not exist");
                self.known.remove(&name);
            }
            None => std::future::pending().await,
        }
    }

    /// Whether all of them exist.
    pub fn are_complete(&self) -> bool {
        self.known.len() == self.place.configurations.len()
    }

    /// Whether each webhook of ours in each of them trusts an authority.
    pub fn trust(&self, authority: &CertificateDer<'_>) -> bool {
        self.are_complete()
            && self.known.values().all(|configuration| {
                let mut webhooks = self.ours(configuration).peekable();
                webhooks.peek().is_some()
                    && webhooks.all(|(_, webhook)| authorities(bundle(webhook)).iter().any(|there| there == authority))
            })
    }

    /// Writes the authorities of this replica into all of them, where they are not there yet. Says whether all is written.
    pub async fn write(&mut self, own: &[CertificateDer<'static>], now: jiff::Timestamp) -> bool {
        let mut done = true;
        let patches: Vec<(String, Vec<Value>)> = self
            .known
            .iter()
            .filter_map(|(name, configuration)| Some((name.clone(), self.patch(configuration, own, now)?)))
            .collect();
        for (name, patch) in patches {
            done &= self.send(&name, patch).await;
        }
        done
    }

    /// What has to change in a configuration; none if nothing has.
    fn patch(
        &self,
        configuration: &ValidatingWebhookConfiguration,
        own: &[CertificateDer<'static>],
        now: jiff::Timestamp,
    ) -> Option<Vec<Value>> {
        let changes: Vec<Value> = self
            .ours(configuration)
            .filter_map(|(index, webhook)| {
                let wanted = merged(bundle(webhook), own, &self.place.replica, now);
                let path = format!("/webhooks/{index}/clientConfig/caBundle");
                if wanted == bundle(webhook) {
                    None
                } else if wanted.is_empty() {
                    Some(json!({"op": "remove", "path": path}))
                } else {
                    Some(json!({"op": "add", "path": path, "value": STANDARD.encode(wanted)}))
                }
            })
            .collect();
        // Another replica may write at the same time: what was read must still be so.
        let version = configuration.metadata.resource_version.as_deref()?;
        let unchanged = json!({"op": "test", "path": "/metadata/resourceVersion", "value": version});
        (!changes.is_empty()).then(|| [vec![unchanged], changes].concat())
    }

    async fn send(&mut self, name: &str, patch: Vec<Value>) -> bool {
        let Ok(patch) = serde_json::from_value(Value::Array(patch)) else {
            return false;
        };
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match timeout(CALL_LIMIT, self.api.patch(name, &params, &Patch::Json::<()>(patch))).await {
            Ok(Ok(written)) => {
                info!(name, "published the webhook's authority");
                self.known.insert(name.to_owned(), written);
                return true;
            }
            // 422: somebody else wrote in between. The watch tells what.
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 409 | 422) => {}
            Ok(Err(error)) => warn!(name, %error, "the webhook's authority cannot be published"),
            Err(_) => warn!(
                name,
                "the webhook's authority cannot be published: the API server does not answer"
            ),
        }
        false
    }

    /// The webhooks that are served here, with their places.
    fn ours<'a>(
        &self,
        configuration: &'a ValidatingWebhookConfiguration,
    ) -> impl Iterator<Item = (usize, &'a ValidatingWebhook)> {
        let webhooks = configuration.webhooks.as_deref().unwrap_or_default();
        let is_ours =
            move |webhook: &ValidatingWebhook| {
                webhook.client_config.service.as_ref().is_none_or(|service| {
                    service.name == self.place.service && service.namespace == self.place.namespace
                })
            };
        webhooks.iter().enumerate().filter(move |(_, webhook)| is_ours(webhook))
    }
}

fn bundle(webhook: &ValidatingWebhook) -> &[u8] {
    webhook.client_config.ca_bundle.as_ref().map_or(&[], |bytes| &bytes.0)
}

/// A configuration each time that it changes; none when there is none.
fn changes(
    api: Api<ValidatingWebhookConfiguration>,
    name: String,
) -> impl Stream<Item = (String, Option<ValidatingWebhookConfiguration>)> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = None;
    watch(api, config).default_backoff().filter_map(move |event| {
        let change = match event {
            Ok(Event::Init) => {
                listed = None;
                None
            }
            Ok(Event::InitApply(configuration)) => {
                listed = Some(configuration);
                None
            }
            Ok(Event::InitDone) => Some(listed.take()),
            Ok(Event::Apply(configuration)) => Some(Some(configuration)),
            Ok(Event::Delete(_)) => Some(None),
            Err(error) => {
                warn!(name, %error, "the watch of the webhook's configuration broke off");
                None
            }
        };
        let change = change.map(|change| (name.clone(), change));
        async move { change }
    })
}

/// How long to wait after a write that failed.
pub const AGAIN: Duration = Duration::from_secs(1);
