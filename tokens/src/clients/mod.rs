//! Who asks: client authentication (RFC 6749 section 2.3, RFC 7523, RFC 8705).

pub mod assertion;
mod certificate;
mod presented;
pub mod secret;

use std::sync::Arc;

use countersign_identity::Algorithm;
use countersign_policy::tokens::{Authentication, Client};

pub use certificate::thumbprint;
pub use presented::{ASSERTION_TYPE, Presented};

use crate::directory::Party;
use crate::protocol::Refusal;
use crate::protocol::refusal::ClientError;
use crate::service::{Call, Service};

/// The algorithms that clients may sign with, assertions and DPoP proofs (FAPI 2.0 section 5.4.1, and ECDSA on P-384). A key whose
/// JWK names its `alg` takes that one only.
pub const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Ed25519,
    Algorithm::Ps256,
];

/// Finds out who asks, by the one way that was agreed on with it.
///
/// # Errors
///
/// If it does not prove who it is.
pub async fn authenticate(service: &Service, call: &Call) -> Result<Party, Refusal> {
    let party = who(service, call).await?;
    // What anybody can say is counted where it comes from.
    if party.is_proven() {
        service.limits.client(&party.id())?;
    }
    Ok(party)
}

async fn who(service: &Service, call: &Call) -> Result<Party, Refusal> {
    let presented = Presented::of(call)?;
    let Some(id) = presented.client_id() else {
        return workload(call).map_err(Into::into);
    };
    // Also for names that nobody has: that only known ones can be too many would tell which are known.
    service.limits.claimed(id, call.peer)?;
    if let Some(client) = call.issuer.clients.get(id) {
        let client = Arc::clone(client);
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
            secret::pretend(service).await?;
            Err(ClientError::Unknown.into())
        }
        _ => Err(ClientError::Unknown.into()),
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
        (_, Presented::Basic { .. } | Presented::Post { .. }) => {
            secret::pretend(service).await?;
            Err(ClientError::OtherMethod.into())
        }
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
