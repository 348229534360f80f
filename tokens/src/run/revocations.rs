//! What users revoke (`TokenRevocation`), into the revocation list. One replica does it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use countersign_crds::token_revocation::TokenRevocationStatus;
use countersign_crds::{GROUP, TokenRevocation, VERSION};
use countersign_policy::conditions::Finding;
use countersign_policy::tokens::{self, Revoked};
use countersign_runtime::client::CALL_LIMIT;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::reflector::Store as Reflected;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::objects::{api, follow, name_of, part, sorted};
use super::{FIELD_MANAGER, Parts, Working, now};
use crate::service::Service;
use crate::store::{Revocation, RevocationKind};

/// How often it is looked without a change: an issuer may come later than what is revoked there.
const PERIOD: Duration = Duration::from_secs(15);

struct Recorder {
    service: Arc<Service>,
    client: Client,
    objects: Reflected<DynamicObject>,
    leadership: Leadership,
}

/// Starts to follow them.
pub(super) fn start(parts: &Parts, working: &mut Working) {
    let tell = watch::Sender::new(());
    let mut news = tell.subscribe();
    let recorder = Recorder {
        service: Arc::clone(&parts.service),
        client: parts.client.clone(),
        objects: follow::<TokenRevocation>(parts, working, "the watch of TokenRevocations", tell),
        leadership: parts.leadership.clone(),
    };
    working.until(&parts.stop, "the recorder of revocations", async move {
        if recorder.objects.wait_until_ready().await.is_err() {
            return;
        }
        let mut done = BTreeSet::new();
        loop {
            if recorder.leadership.holds() {
                recorder.record_all(&mut done).await;
            }
            tokio::select! {
                told = news.changed() => if told.is_err() { return },
                () = sleep(PERIOD) => {}
            }
        }
    });
}

impl Recorder {
    /// Records all that was not recorded since this replica began: the store may have been lost, and to record again changes
    /// nothing.
    async fn record_all(&self, done: &mut BTreeSet<String>) {
        for object in sorted(&self.objects) {
            let uid = object.metadata.uid.clone().unwrap_or_default();
            if done.contains(&uid) {
                continue;
            }
            let previous: TokenRevocationStatus = serde_json::from_value(part(&object, "status")).unwrap_or_default();
            let (recorded, finding) = match self.record(&object).await {
                Ok(sequence) => {
                    done.insert(uid);
                    info!(
                        name = name_of(&object).name,
                        sequence, "revoked what a TokenRevocation names"
                    );
                    let message =
                        "it is in the revocation list, which authorizers follow; introspection knows it already";
                    (
                        i64::try_from(sequence).ok(),
                        Finding::new("Ready", Some(true), "Recorded", message),
                    )
                }
                Err(message) => (None, Finding::new("Ready", Some(false), "NotRecorded", message)),
            };
            let generation = object.metadata.generation.unwrap_or_default();
            let next = TokenRevocationStatus {
                observed_generation: Some(generation),
                recorded,
                conditions: vec![finding.dated(&previous.conditions, generation, clock::now())],
            };
            if next != previous {
                self.write(&object, &next).await;
            }
        }
    }

    async fn record(&self, object: &DynamicObject) -> Result<u64, String> {
        let problems = |problems: Vec<countersign_policy::parse::Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        let revocation = tokens::revocation(&name_of(object).name, &part(object, "spec")).map_err(problems)?;
        let wrong = tokens::check_revocation(&revocation, now());
        if !wrong.is_empty() {
            return Err(problems(wrong));
        }
        let issuers = self.service.directory.load();
        let issuer = issuers.issuers.get(&revocation.issuer).ok_or_else(|| {
            format!(
                "spec.issuer: there is no TokenIssuer {} with `managed` that is in order",
                revocation.issuer
            )
        })?;
        let issuer = issuer.managed.issuer.clone();
        let (kind, value, issued_before) = match revocation.revoked {
            Revoked::Token(jti) => (RevocationKind::Jti, jti, None),
            Revoked::Family(family) => (RevocationKind::Family, family, None),
            Revoked::Subject { subject, issued_before } => (RevocationKind::Subject, subject, issued_before),
            Revoked::Client { client, issued_before } => (RevocationKind::Client, client, issued_before),
            Revoked::IssuedBefore(before) => (RevocationKind::IssuedBefore, String::new(), Some(before)),
        };
        self.families(kind, &issuer, &value, issued_before)
            .await
            .map_err(|error| error.to_string())?;
        let entry = Revocation {
            kind,
            issuer,
            value,
            issued_before,
            until: revocation.until,
            at: now(),
        };
        self.service
            .store
            .revoke(entry)
            .await
            .map_err(|error| error.to_string())
    }

    /// Refresh tokens end too: they would bring new tokens, issued after.
    async fn families(
        &self,
        kind: RevocationKind,
        issuer: &str,
        value: &str,
        issued_before: Option<i64>,
    ) -> Result<(), crate::store::StoreError> {
        let store = &self.service.store;
        let before = issued_before.unwrap_or(i64::MAX);
        let (issuer, value) = (issuer.to_owned(), value.to_owned());
        match kind {
            RevocationKind::Subject => store
                .revoke_families_of_subject(issuer, value, before, now())
                .await
                .map(drop),
            RevocationKind::Client => store
                .revoke_families_of_client(issuer, value, before, now())
                .await
                .map(drop),
            RevocationKind::Family => match crate::grants::family(&value) {
                Some(family) => store.revoke_family(family, now()).await.map(drop),
                None => Ok(()),
            },
            RevocationKind::Jti | RevocationKind::IssuedBefore => Ok(()),
        }
    }

    async fn write(&self, object: &DynamicObject, next: &TokenRevocationStatus) {
        let name = name_of(object).name;
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "TokenRevocation",
            "metadata": {"name": name, "uid": object.metadata.uid},
            "status": next,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let api = api::<TokenRevocation>(&self.client, "");
        let patch = Patch::Apply(patch);
        if let Ok(Err(error)) = timeout(CALL_LIMIT, api.patch_status(&name, &params, &patch)).await {
            warn!(name, %error, "the status of a TokenRevocation cannot be written");
        }
    }
}
