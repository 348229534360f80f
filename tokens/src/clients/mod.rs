//! Who asks: client authentication (RFC 6749 section 2.3, RFC 7523, RFC 8705).

pub mod assertion;
mod certificate;
mod presented;
pub mod secret;

use std::sync::Arc;

use countersign_policy::tokens::{Authentication, Client};

pub use certificate::thumbprint;
pub use presented::{ASSERTION_TYPE, Presented};

use crate::directory::Party;
use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::service::{Call, Service};

/// Finds out who asks, by the one way that was agreed on with it.
///
/// # Errors
///
/// If it does not prove who it is.
pub async fn authenticate(service: &Service, call: &Call) -> Result<Party, Refusal> {
    let presented = Presented::of(call)?;
    let Some(id) = presented.client_id() else {
        return workload(call).map_err(Into::into);
    };
    if let Some(client) = call.issuer.clients.get(id) {
        let client = Arc::clone(client);
        service.limits.client(&client.id())?;
        check(service, call, &client, &presented).await?;
        return Ok(Party::Client(client));
    }
    match presented {
        // A workload is known by its certificate, whatever it says besides; what it says must not be another.
        Presented::Named(id) if id.starts_with("spiffe://") => {
            let party = workload(call)?;
            if party.id() == id {
                return Ok(party);
            }
            Err(ClientError::Certificate("it is of another SPIFFE ID than client_id".to_owned()).into())
        }
        Presented::Basic { .. } | Presented::Post { .. } => {
            // It takes as long as a client that is there.
            secret::pretend(service).await;
            Err(ClientError::Unknown.into())
        }
        _ => Err(ClientError::Unknown.into()),
    }
}

/// Who asks, if it says so: for endpoints and grants where it need not.
///
/// # Errors
///
/// If it says who it is and does not prove it.
pub async fn authenticate_if_named(service: &Service, call: &Call) -> Result<Option<Party>, Refusal> {
    match Presented::of(call)? {
        Presented::Nothing => Ok(None),
        _ => authenticate(service, call).await.map(Some),
    }
}

async fn check(service: &Service, call: &Call, client: &Client, presented: &Presented) -> Result<(), Refusal> {
    match (&client.authentication, presented) {
        (Authentication::PrivateKeyJwt { .. }, Presented::Assertion { assertion, .. }) => {
            assertion::check(service, call, client, assertion).await
        }
        (Authentication::TlsSpiffe(_) | Authentication::TlsDns(_), Presented::Named(_)) => {
            Ok(certificate::check_issued(call, &client.authentication)?)
        }
        (Authentication::SelfSignedTls(thumbprints), Presented::Named(_)) => {
            Ok(certificate::check_self_signed(call, thumbprints)?)
        }
        (Authentication::Secret(hashes), Presented::Basic { secret, .. } | Presented::Post { secret, .. }) => {
            secret::check(service, call.now, hashes, secret).await
        }
        (Authentication::Public, Presented::Named(_)) => Ok(()),
        // It is known by the token that it exchanges: what it says here is checked against that.
        (Authentication::Federated(_), Presented::Named(_)) => Ok(()),
        _ => Err(ClientError::OtherMethod.into()),
    }
}

/// A workload by its X.509-SVID.
fn workload(call: &Call) -> Result<Party, ClientError> {
    let svid = certificate::svid(call)?;
    let workload = call.directory.workload_called(&svid.id().to_string());
    workload
        .map(|workload| Party::Workload(Arc::clone(workload)))
        .ok_or(ClientError::Unknown)
}
