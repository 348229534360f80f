//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 section 2.1): a partner's signed statement becomes a token. The
//! statement is recorded, so that the partner cannot deny it.

use countersign_identity::assertion::{Purpose, claimed_issuer};
use countersign_policy::tokens::{Authentication, Grant};

use super::issue::{Answer, Subject, issue};
use crate::clients;
use crate::clients::assertion::{Rejected, verify};
use crate::directory::Party;
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::{ClientError, GrantError};
use crate::record::Draft;
use crate::service::{Call, Service};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let text = call.form.needed("assertion")?;
    let party = who(service, call, text).await?;
    draft.party(&party);
    party.may(Grant::JwtBearer)?;
    let Party::Client(client) = &party else {
        return Err(ClientError::OtherMethod.into());
    };
    let permit = party.permit(&call.issuer.managed, &call.form)?;
    let confirmation = proof::confirm(service, call).await?;
    let statement = verify(service, call, client, text, Purpose::Grant)
        .await
        .map_err(|why| match why {
            Rejected::NoKeys => ClientError::NoKeys.into(),
            Rejected::Assertion(error) => GrantError::from(error).into(),
            Rejected::Replayed => GrantError::ReplayedAssertion.into(),
            Rejected::Unavailable(refusal) => refusal,
        })?;
    draft.statement(text);
    // The partner speaks for itself: what it says of others would have to be believed.
    if statement.subject != party.id() {
        return Err(GrantError::OtherSubject.into());
    }
    let subject = Subject {
        name: party.id(),
        ..Subject::default()
    };
    let issued = issue(service, call, &party, &permit, &subject, confirmation, draft).await?;
    Ok(issued.answer(call.now))
}

/// The client need not prove itself besides (RFC 7523 section 3.1); if it does, the statement must be its own.
async fn who(service: &Service, call: &Call, text: &str) -> Result<Party, Refusal> {
    let claimed = claimed_issuer(text).map_err(GrantError::from)?;
    if call.form.has("client_assertion") {
        let party = clients::authenticate(service, call).await?;
        return if party.id() == claimed {
            Ok(party)
        } else {
            Err(GrantError::OtherClient.into())
        };
    }
    if call.form.one("client_id")?.is_some_and(|id| id != claimed) {
        return Err(GrantError::OtherClient.into());
    }
    let client = call.issuer.clients.get(&claimed).ok_or(ClientError::Unknown)?;
    if !matches!(client.authentication, Authentication::PrivateKeyJwt { .. }) {
        return Err(ClientError::OtherMethod.into());
    }
    service.limits.client(&claimed)?;
    Ok(Party::Client(client.clone()))
}
