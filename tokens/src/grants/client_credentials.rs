//! `client_credentials` (RFC 6749 section 4.4): a client, or a workload by its certificate, for itself.

use countersign_policy::tokens::{Authentication, Grant};

use super::issue::{Answer, Subject, issue};
use crate::clients;
use crate::directory::Party;
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::record::Draft;
use crate::service::{Call, Service};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let party = clients::authenticate(service, call).await?;
    draft.party(&party);
    proven(&party)?;
    party.may(Grant::ClientCredentials)?;
    let permit = party.permit(&call.issuer.managed, &call.form)?;
    let confirmation = proof::confirm(service, call).await?;
    let subject = Subject {
        name: party.id(),
        ..Subject::default()
    };
    let issued = issue(service, call, &party, &permit, &subject, confirmation, draft).await?;
    Ok(issued.answer(call.now))
}

/// The grant is for confidential clients only (RFC 6749 section 4.4).
fn proven(party: &Party) -> Result<(), Refusal> {
    match party {
        Party::Client(client) => match client.authentication {
            Authentication::Public | Authentication::Federated(_) => Err(ClientError::OtherMethod.into()),
            _ => Ok(()),
        },
        Party::Workload(_) => Ok(()),
    }
}
