//! Reading which tokens a workload may have.

use std::collections::{BTreeMap, BTreeSet};

use countersign_crds::service_identity::WorkloadTokens;
use countersign_identity::TrustDomain;
use jiff::Timestamp;
use serde_json::Value;

use super::{Workload, granted};
use crate::parse::{Field, ParsedIdentity, Problem, fields, service_identity};
use crate::world::ObjectName;

/// Reads which tokens a `ServiceIdentity` may have. Whether it holds its service account is for
/// [`holders`](crate::holders()) to say: one that does not gets none.
///
/// # Errors
///
/// All that is wrong with it, field by field.
pub fn workload(object: ObjectName, spec: &Value, trust_domain: &TrustDomain) -> Result<Workload, Vec<Problem>> {
    // Its age decides who holds a service account, and nothing here.
    workload_of(&service_identity(object, spec, Timestamp::UNIX_EPOCH), trust_domain)
}

/// The same, of one that was read already.
///
/// # Errors
///
/// All that is wrong with it, field by field.
pub fn workload_of(parsed: &ParsedIdentity, trust_domain: &TrustDomain) -> Result<Workload, Vec<Problem>> {
    let identity = parsed.identity.as_ref().map_err(Clone::clone)?;
    Ok(Workload {
        object: parsed.name.clone(),
        service_account: identity.service_account.clone(),
        spiffe_id: parsed.svid_id(trust_domain)?,
        tokens: identity.tokens.clone(),
    })
}

/// What tokens may be for, and the scopes for each, by the name of the `TokenIssuer`.
pub type Tokens = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Reads `spec.tokens`.
pub(crate) fn tokens(wire: Vec<WorkloadTokens>, problems: &mut Vec<Problem>) -> Tokens {
    let mut read = Tokens::new();
    for (at, entry) in wire.into_iter().enumerate() {
        let mut field = Field::new(format!("spec.tokens[{at}]"), problems);
        let WorkloadTokens {
            token_issuer: issuer,
            audiences,
        } = entry;
        field.check(".tokenIssuer", fields::object_name(&issuer));
        if read.contains_key(&issuer) {
            field.problem(
                ".tokenIssuer",
                format!("`{issuer}` stands here twice; put its audiences into one entry"),
            );
        }
        let audiences = granted::audiences(audiences, &mut field);
        read.insert(issuer, audiences);
    }
    read
}
