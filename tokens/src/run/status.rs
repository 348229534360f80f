//! Writes what is said of the users' objects. One replica does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_crds::token_client::TokenClientStatus;
use countersign_crds::token_issuer::TokenIssuerStatus;
use countersign_crds::{GROUP, ServiceIdentity, TokenClient, TokenIssuer, VERSION};
use countersign_policy::tokens::{Authentication, Client};
use countersign_policy::world::ObjectName;
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::directory::Followed;
use super::objects::{api, name_of, named, part};
use super::{FIELD_MANAGER, Parts, Working};
use crate::directory::{Built, Endpoint};
use crate::remote::{Guard, Networks, RemoteError, fetch_text};
use crate::service::Service;
use crate::status::{Discovery, IssuerView, TOKENS_GRANTED, client_status, issuer_status, workload_conditions};

/// How often the statuses are looked at without a change: last uses and keys move on.
const PERIOD: Duration = Duration::from_secs(30);

struct Writer {
    service: Arc<Service>,
    client: kube::Client,
    followed: Followed,
    built: watch::Receiver<Arc<Built>>,
    leadership: Leadership,
    /// Reaches an issuer wherever it is: an administrator named it.
    guard: Guard,
    /// The file with the authorities that clients trust, if they are not public.
    beside: PathBuf,
}

/// Starts to write.
pub(super) fn start(parts: &Parts, followed: Followed, working: &mut Working) {
    let everywhere = ["0.0.0.0/0", "::/0"]
        .iter()
        .filter_map(|network| network.parse().ok())
        .collect();
    let writer = Writer {
        service: Arc::clone(&parts.service),
        client: parts.client.clone(),
        followed,
        built: parts.built.subscribe(),
        leadership: parts.leadership.clone(),
        guard: Guard::new(Networks::new(everywhere)),
        beside: parts.flags.tls_certificate.join("ca.crt"),
    };
    working.until(&parts.stop, "the writer of statuses", writer.run());
}

impl Writer {
    async fn run(mut self) {
        loop {
            if self.leadership.holds() {
                let built = self.built.borrow_and_update().clone();
                self.issuers(&built).await;
                self.clients(&built).await;
                self.workloads(&built).await;
            }
            tokio::select! {
                changed = self.built.changed() => if changed.is_err() { return },
                () = sleep(PERIOD) => {}
            }
        }
    }

    async fn issuers(&self, built: &Built) {
        for (name, problems) in &built.issuers {
            let Some(object) = named::<TokenIssuer>(&self.followed.issuers, &ObjectName::new("", name)) else {
                continue;
            };
            let issuer = built.directory.issuers.get(name);
            let rings = self.service.rings.load();
            let discovery = match issuer {
                Some(issuer) if rings.contains_key(name) => {
                    self.discovery(built, &issuer.place.url(Endpoint::Metadata)).await
                }
                _ => Discovery::NotYet,
            };
            let view = IssuerView {
                issuer: issuer.map(Arc::as_ref),
                problems,
                ring: rings.get(name).map(Arc::as_ref),
                discovery: &discovery,
            };
            let previous: TokenIssuerStatus = previous(&object);
            let next = issuer_status(
                &view,
                object.metadata.generation.unwrap_or_default(),
                &previous,
                clock::now(),
            );
            self.write::<TokenIssuer, _>(&object, &previous, &next).await;
        }
    }

    async fn clients(&self, built: &Built) {
        let mut used: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for (name, issuer) in &built.directory.issuers {
            match self.service.store.last_used(issuer.managed.issuer.clone()).await {
                Ok(last) => drop(used.insert(name.clone(), last)),
                Err(error) => warn!(%error, "when clients were there last cannot be read"),
            }
        }
        for (name, problems) in &built.clients {
            let Some(object) = named::<TokenClient>(&self.followed.clients, name) else {
                continue;
            };
            let id = format!("{}/{}", name.namespace, name.name);
            let client = built
                .directory
                .issuers
                .values()
                .find_map(|issuer| issuer.clients.get(&id));
            let last = client.and_then(|client| used.get(&client.issuer)?.get(&id).copied());
            let previous: TokenClientStatus = previous(&object);
            let generation = object.metadata.generation.unwrap_or_default();
            let keys = self.keys(client).await;
            let client = client.map(Arc::as_ref);
            let next = client_status(
                name,
                client,
                problems,
                last,
                keys.as_ref(),
                generation,
                &previous,
                clock::now(),
            );
            self.write::<TokenClient, _>(&object, &previous, &next).await;
        }
    }

    async fn workloads(&self, built: &Built) {
        for (name, problems) in &built.workloads {
            let Some(object) = named::<ServiceIdentity>(&self.followed.identities, name) else {
                continue;
            };
            // The operator and the signer write the rest of this status: nothing of it is looked at.
            let status = part(&object, "status");
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let previous: Vec<_> = conditions
                .filter(|condition| condition["type"] == TOKENS_GRANTED)
                .filter_map(|condition| Condition::deserialize(condition).ok())
                .collect();
            let spec = part(&object, "spec");
            let generation = object.metadata.generation.unwrap_or_default();
            let next = workload_conditions(&spec, problems, generation, &previous, clock::now());
            let said = |conditions: &[Condition]| json!({ "conditions": conditions });
            self.write::<ServiceIdentity, _>(&object, &said(&previous), &said(&next))
                .await;
        }
    }

    /// Why the keys that a client publishes cannot be had.
    async fn keys(&self, client: Option<&Arc<Client>>) -> Option<RemoteError> {
        let Authentication::PrivateKeyJwt {
            jwks_uri: Some(uri),
            ca_bundle,
            ..
        } = &client?.authentication
        else {
            return None;
        };
        self.service.remote.problem(uri, ca_bundle.as_deref()).await
    }

    /// As clients do: by the public authorities, by those of the trust domain, which serve within the cluster, or by what stands
    /// beside the certificate that is shown.
    async fn discovery(&self, built: &Built, url: &str) -> Discovery {
        let Err(error) = fetch_text(&self.guard, url, None).await else {
            return Discovery::Reachable;
        };
        let roots = built.directory.roots.as_ref().map(|roots| roots.to_pem());
        let beside = tokio::fs::read_to_string(&self.beside).await.ok();
        for pem in [roots, beside].into_iter().flatten() {
            if fetch_text(&self.guard, url, Some(&pem)).await.is_ok() {
                return Discovery::Reachable;
            }
        }
        Discovery::Failed(error.to_string())
    }

    async fn write<K, S>(&self, object: &DynamicObject, previous: &S, next: &S)
    where
        K: Resource<DynamicType = ()>,
        S: Serialize + PartialEq,
    {
        if previous == next {
            return;
        }
        let name = name_of(object);
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": K::kind(&()),
            "metadata": {"name": object.name_any(), "namespace": object.metadata.namespace, "uid": object.metadata.uid},
            "status": next,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(patch);
        let api = api::<K>(&self.client, &name.namespace);
        let written = timeout(CALL_LIMIT, api.patch_status(&name.name, &params, &patch)).await;
        if let Ok(Err(error)) = written {
            warn!(name = name.name, namespace = name.namespace, %error, "a status cannot be written");
        }
    }
}

fn previous<S: DeserializeOwned + Default>(object: &DynamicObject) -> S {
    serde_json::from_value(part(object, "status")).unwrap_or_default()
}
