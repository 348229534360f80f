//! The bundles, as the signer tells of them.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use countersign_identity::bundle::BundleError;
use countersign_identity::{Bundle, Bundles, SpiffeIdError, TrustDomain};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{info, warn};

use super::link::Link;
use crate::node::proto;

/// The longest pause before the signer is asked again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why bundles that were sent are not taken. Those that there are stay.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A trust domain has no name.
    #[error("{0:?} is no trust domain: {1}")]
    TrustDomain(String, SpiffeIdError),
    /// It is of another.
    #[error("the signer is that of {0}, and this agent is for {1}: --trust-domain must be the same for both")]
    Other(String, TrustDomain),
    /// One cannot be read.
    #[error("the bundle of {0} cannot be used: {1}")]
    Bundle(TrustDomain, BundleError),
    /// The own one is missing, or nobody could be verified with it.
    #[error("the bundle of {0} has no root")]
    Empty(TrustDomain),
}

/// Follows the bundles until `stop`.
pub async fn follow(link: Link, own: TrustDomain, to: watch::Sender<Option<Arc<Bundles>>>, stop: CancellationToken) {
    let builder = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter();
    let mut pauses = builder.build();
    loop {
        let outcome = tokio::select! {
            outcome = take_all(&link, &own, &to) => outcome,
            () = stop.cancelled() => return,
        };
        let pause = match outcome {
            // Streams end now and then.
            Ok(true) => {
                pauses = builder.build();
                Duration::ZERO
            }
            Ok(false) => pauses.next().unwrap_or(LONGEST_PAUSE),
            Err(error) => {
                warn!(code = ?error.code(), error = error.message(), "the signer does not tell of the bundles");
                pauses.next().unwrap_or(LONGEST_PAUSE)
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Takes what one stream tells. Says whether it told anything that could be used.
async fn take_all(link: &Link, own: &TrustDomain, to: &watch::Sender<Option<Arc<Bundles>>>) -> Result<bool, Status> {
    let mut told = false;
    let mut stream = link.bundles().await?;
    while let Some(message) = stream.message().await? {
        match read(message, own) {
            Ok(bundles) => {
                told = true;
                let changed = to.send_if_modified(|held| {
                    let changed = held.as_deref() != Some(&bundles);
                    *held = Some(Arc::new(bundles.clone()));
                    changed
                });
                if changed {
                    let federated: Vec<_> = bundles
                        .federated()
                        .map(|bundle| bundle.trust_domain().to_string())
                        .collect();
                    info!(roots = bundles.own().roots().count(), ?federated, "has new bundles");
                }
            }
            Err(error) => warn!(%error, "the bundles that the signer sent are not used"),
        }
    }
    Ok(told)
}

/// Reads what was sent. All of it must be good: half of it would be a trust domain that is suddenly not trusted.
fn read(message: proto::Bundles, own: &TrustDomain) -> Result<Bundles, Unusable> {
    let sent = message.own.unwrap_or_default();
    if sent.trust_domain != own.to_string() {
        return Err(Unusable::Other(sent.trust_domain, own.clone()));
    }
    let own_bundle = bundle(own.clone(), &sent.jwks)?;
    if own_bundle.roots().next().is_none() {
        return Err(Unusable::Empty(own.clone()));
    }
    let mut bundles = Bundles::new(own_bundle);
    for sent in message.federated {
        let foreign = sent.trust_domain.parse::<TrustDomain>();
        let foreign = foreign.map_err(|error| Unusable::TrustDomain(sent.trust_domain.clone(), error))?;
        if bundles.federate(bundle(foreign, &sent.jwks)?).is_err() {
            return Err(Unusable::Other(sent.trust_domain, own.clone()));
        }
    }
    Ok(bundles)
}

fn bundle(trust_domain: TrustDomain, jwks: &str) -> Result<Bundle, Unusable> {
    match Bundle::from_jwks(trust_domain.clone(), jwks) {
        Ok(received) => Ok(received.bundle),
        Err(error) => Err(Unusable::Bundle(trust_domain, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(trust_domain: &str, jwks: &str) -> proto::Bundle {
        proto::Bundle {
            trust_domain: trust_domain.to_owned(),
            jwks: jwks.to_owned(),
        }
    }

    #[test]
    fn what_is_not_good_as_a_whole_is_not_taken() {
        let own: TrustDomain = "cluster.local".parse().unwrap();
        let only = |bundle| proto::Bundles {
            own: Some(bundle),
            federated: Vec::new(),
        };
        let empty = r#"{"keys": []}"#;
        assert!(matches!(
            read(proto::Bundles::default(), &own),
            Err(Unusable::Other(..))
        ));
        assert!(matches!(
            read(only(sent("other.example", empty)), &own),
            Err(Unusable::Other(..))
        ));
        assert!(matches!(
            read(only(sent("cluster.local", "{}")), &own),
            Err(Unusable::Bundle(..))
        ));
        assert!(matches!(
            read(only(sent("cluster.local", empty)), &own),
            Err(Unusable::Empty(_))
        ));
    }
}
