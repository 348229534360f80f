//! The authority: every replica signs with what is kept, one keeps it and publishes its roots.

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::authority::follow::{self, Object};
use crate::authority::keep::Keeper;
use crate::authority::lead::{Inputs, Leader, Place};
use crate::authority::store::{self, Reading};
use crate::bundle::{Publication, Publisher};

pub(super) fn start(parts: &Parts, working: &mut JoinSet<&'static str>) {
    let place = Place {
        client: parts.client.clone(),
        namespace: parts.flags.namespace.clone(),
        trust_domain: parts.trust_domain.clone(),
    };
    let (to, readings) = watch::channel(Reading::Unread);
    let (client, namespace, domain) = (
        parts.client.clone(),
        place.namespace.clone(),
        parts.trust_domain.clone(),
    );
    let following = store::follow(client, namespace, domain, to);
    until(parts, working, "the watch of the authority's Secret", following);
    let keeper = Keeper {
        readings: readings.clone(),
        current: parts.current.clone(),
        roots: parts.roots.clone(),
        ready: parts.ready.clone(),
        metrics: parts.authority_metrics.clone(),
    };
    until(parts, working, "the keeper of the authority", keeper.run());
    lead(parts, &place, readings, working);
}

/// Starts what keeps the authority and publishes its roots, while this replica leads.
fn lead(parts: &Parts, place: &Place, readings: watch::Receiver<Reading>, working: &mut JoinSet<&'static str>) {
    let (to, object) = watch::channel(Object::Unread);
    let watching = follow::object(place.client.clone(), to);
    until(parts, working, "the watch of the CertificateAuthority", watching);
    let (publication, told) = watch::channel(Publication::default());
    let publisher = Publisher {
        client: place.client.clone(),
        trust_domain: place.trust_domain.clone(),
        roots: parts.roots.subscribe(),
        namespaces: parts.flags.bundle_namespaces,
        leadership: parts.leadership.clone(),
        publication,
        metrics: parts.authority_metrics.clone(),
    };
    let stop = parts.stop.clone();
    working.spawn(async {
        publisher.run(stop).await;
        "the publisher of the roots"
    });
    let inputs = Inputs {
        object,
        readings,
        publication: told,
    };
    let leader = Leader::new(place, parts.leadership.clone(), inputs, parts.authority_metrics.clone());
    let stop = parts.stop.clone();
    working.spawn(async {
        leader.run(stop).await;
        "the keeper of the CertificateAuthority"
    });
}

/// Runs what does not end by itself until all is to end.
fn until(
    parts: &Parts,
    working: &mut JoinSet<&'static str>,
    name: &'static str,
    part: impl Future<Output = ()> + Send + 'static,
) {
    let stop: CancellationToken = parts.stop.clone();
    working.spawn(async move {
        stop.run_until_cancelled(part).await;
        name
    });
}
