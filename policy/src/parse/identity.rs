//! Reading a `ServiceIdentity`.

use countersign_crds::ServiceIdentitySpec;
use countersign_identity::{SpiffeId, TrustDomain};
use serde_json::Value;

use super::{Problem, wire};
use crate::world::ObjectName;

/// A `ServiceIdentity` as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedIdentity {
    /// Its name.
    pub name: ObjectName,
    /// The service account that it stands for, or what is wrong with it.
    pub service_account: Result<String, Problem>,
}

impl ParsedIdentity {
    /// The SPIFFE ID, in the form that meshes use.
    ///
    /// # Errors
    ///
    /// If the object was not understood, or its names do not fit into a SPIFFE ID.
    pub fn spiffe_id(&self, trust_domain: &TrustDomain) -> Result<SpiffeId, Problem> {
        let account = self.service_account.as_deref().map_err(Problem::clone)?;
        SpiffeId::service_account(trust_domain, &self.name.namespace, account)
            .map_err(|error| Problem::new("spec.serviceAccountName", error.to_string()))
    }
}

/// Reads a `ServiceIdentity`.
pub fn service_identity(name: ObjectName, spec: &Value) -> ParsedIdentity {
    let service_account = wire::<ServiceIdentitySpec>(spec).map(|spec| spec.service_account_name);
    ParsedIdentity { name, service_account }
}
