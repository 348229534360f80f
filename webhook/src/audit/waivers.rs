//! What becomes of waivers, as their status tells.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::{CredentialWaiverStatus, GROUP, VERSION};
use countersign_policy::conditions::Finding;
use countersign_scan::{Waiver, WaiverProblem};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::follow::{Name, Told};
use super::kinds::KindId;
use super::report::time;
use super::write::{FIELD_MANAGER, WriteError, call};

/// The condition of waivers.
const ACTIVE: &str = "Active";

/// The kind of waivers.
pub(super) fn kind() -> KindId {
    KindId {
        group: GROUP.to_owned(),
        plural: "credentialwaivers".to_owned(),
    }
}

/// A waiver as it is in the cluster.
#[derive(Clone, Debug)]
struct Kept {
    generation: i64,
    parsed: Result<Waiver, String>,
    status: CredentialWaiverStatus,
}

/// The waivers that there are.
#[derive(Debug, Default)]
pub(super) struct Kepts {
    waivers: BTreeMap<Name, Kept>,
    listing: Option<BTreeSet<Name>>,
}

impl Kepts {
    /// Takes in what is told of waivers.
    pub(super) fn take(&mut self, told: &Told) {
        match told {
            Told::Listing(of) if *of == kind() => self.listing = Some(BTreeSet::new()),
            Told::Seen(_, name, look) => {
                let Some(object) = &look.waiver else { return };
                if let Some(listing) = &mut self.listing {
                    listing.insert(name.clone());
                }
                self.waivers.insert(name.clone(), Kept::read(object));
            }
            Told::Gone(of, name) if *of == kind() => _ = self.waivers.remove(name),
            Told::Listed(of) if *of == kind() => {
                if let Some(seen) = self.listing.take() {
                    self.waivers.retain(|name, _| seen.contains(name));
                }
            }
            _ => {}
        }
    }

    /// The status of every waiver whose status is another. `covers` has how many findings each covers, by
    /// `namespace/name`; it is `None` where nothing was scanned.
    pub(super) fn due(
        &self,
        covers: Option<&BTreeMap<String, i64>>,
        now: Timestamp,
    ) -> Vec<(Name, CredentialWaiverStatus)> {
        let due = self.waivers.iter().filter_map(|(name, kept)| {
            let key = format!("{}/{}", name.namespace, name.name);
            let covers = covers.map(|covers| covers.get(&key).copied().unwrap_or_default());
            let status = kept.judged(covers, now);
            (status != kept.status).then(|| (name.clone(), status))
        });
        due.collect()
    }

    /// Writes a status. One that is gone in the meantime needs none.
    pub(super) async fn write(
        &mut self,
        client: &Client,
        name: &Name,
        status: CredentialWaiverStatus,
    ) -> Result<(), WriteError> {
        let resource = ApiResource::erase::<countersign_crds::CredentialWaiver>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &name.namespace, &resource);
        let patch = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"), "kind": "CredentialWaiver",
            "metadata": {"name": name.name}, "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match call(api.patch_status(&name.name, &params, &Patch::Apply(&patch))).await {
            Err(WriteError::Api(kube::Error::Api(status))) if status.code == 404 => return Ok(()),
            answer => answer?,
        };
        // What the watch tells comes a little later.
        if let Some(kept) = self.waivers.get_mut(name) {
            kept.status = status;
        }
        Ok(())
    }
}

impl Kept {
    fn read(object: &Value) -> Self {
        Self {
            generation: object["metadata"]["generation"].as_i64().unwrap_or_default(),
            parsed: Waiver::parse(object).map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(WaiverProblem::to_string).collect();
                problems.join("; ")
            }),
            // A status that cannot be read is as good as none.
            status: CredentialWaiverStatus::deserialize(&object["status"]).unwrap_or_default(),
        }
    }

    fn judged(&self, covers: Option<i64>, now: Timestamp) -> CredentialWaiverStatus {
        let (active, reason, message) = self.condition(covers, now);
        CredentialWaiverStatus {
            observed_generation: Some(self.generation),
            covers: if active { covers } else { Some(0) },
            conditions: vec![Finding::new(ACTIVE, Some(active), reason, message).dated(
                &self.status.conditions,
                self.generation,
                now,
            )],
        }
    }

    fn condition(&self, covers: Option<i64>, now: Timestamp) -> (bool, &'static str, String) {
        let waiver = match &self.parsed {
            Ok(waiver) => waiver,
            Err(problems) => return (false, "Invalid", format!("it covers nothing: {problems}")),
        };
        let end = time(waiver.expires);
        if waiver.is_expired(now.as_second()) {
            let message = format!("it ended at {end} and covers nothing; delete it, or give it another end");
            return (false, "Expired", message);
        }
        match covers {
            None => (true, "Active", format!("it counts until {end}")),
            Some(0) => {
                let message = format!("it counts until {end}, and covers nothing that is there; it can be deleted");
                (true, "Unused", message)
            }
            Some(1) => (true, "Active", format!("it covers 1 finding until {end}")),
            Some(count) => (true, "Active", format!("it covers {count} findings until {end}")),
        }
    }
}

#[cfg(test)]
mod tests;
