//! `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 section 2.1): a partner's signed statement becomes a token. The
//! statement is recorded, so that the partner cannot deny it.

use std::sync::Arc;

use countersign_identity::assertion::{Purpose, claimed_issuer};
use countersign_policy::tokens::{Authentication, Client, Grant};

use super::issue::{Answer, Subject, issue};
use crate::clients::assertion::{Rejected, verify};
use crate::clients::{self, Presented};
use crate::directory::Party;
use crate::proof;
use crate::protocol::Refusal;
use crate::protocol::refusal::GrantError;
use crate::record::Draft;
use crate::service::{Call, Service};

pub(super) async fn answer(service: &Service, call: &Call, draft: &mut Draft) -> Result<Answer, Refusal> {
    let text = call.form.needed("assertion")?;
    let client = who(service, call, text).await?;
    let party = Party::Client(Arc::clone(&client));
    // A nonce that is missing must not cost the partner its statement.
    let confirmation = proof::confirm(service, call).await?;
    let statement = verify(service, call, &client, text, Purpose::Grant)
        .await
        .map_err(|why| match why {
            Rejected::NoKeys => GrantError::NoKeys.into(),
            Rejected::Assertion(error) => GrantError::from(error).into(),
            Rejected::Replayed => GrantError::ReplayedAssertion.into(),
            Rejected::Unavailable(refusal) => refusal,
        })?;
    draft.statement(text);
    draft.party(&party);
    service.limits.client(&party.id())?;
    // Whoever proved nothing is not told what the partner may have.
    party.may(Grant::JwtBearer)?;
    let permit = party.permit(&call.issuer.managed, &call.form)?;
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

/// The client need not prove itself besides (RFC 7523 section 3.1); if it does, the statement must be its own. That there is
/// no such partner is told as a statement with a wrong signature is.
async fn who(service: &Service, call: &Call, text: &str) -> Result<Arc<Client>, Refusal> {
    let claimed = claimed_issuer(text).map_err(GrantError::from)?;
    match Presented::of(call)? {
        Presented::Nothing => service.limits.claimed(&claimed, call.peer)?,
        Presented::Named(id) if id == claimed => service.limits.claimed(&claimed, call.peer)?,
        Presented::Named(_) => return Err(GrantError::OtherClient.into()),
        _ if clients::authenticate(service, call).await?.id() == claimed => {}
        _ => return Err(GrantError::OtherClient.into()),
    }
    let client = call.issuer.clients.get(&claimed).ok_or(GrantError::OtherPartner)?;
    if !matches!(client.authentication, Authentication::PrivateKeyJwt { .. }) {
        return Err(GrantError::OtherPartner.into());
    }
    Ok(Arc::clone(client))
}
