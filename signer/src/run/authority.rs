//! The authority: every replica signs with what is kept, one keeps it and publishes its roots.

use tokio::sync::watch;

use super::{Parts, Working};
use crate::authority::follow::{self, Object};
use crate::authority::keep::Keeper;
use crate::authority::lead::{Inputs, Leader, Place};
use crate::authority::store::{self, Reading};
use crate::bundle::{Publication, Publisher};
use crate::federation::Foreign;
use crate::jwt;

/// Starts it. `foreign` are the bundles of other trust domains, which are published beside the own one.
pub(super) fn start(parts: &Parts, foreign: watch::Receiver<Option<Foreign>>, working: &mut Working) {
    let place = Place {
        client: parts.client.clone(),
        namespace: parts.flags.namespace.clone(),
        trust_domain: parts.trust_domain.clone(),
        mesh: parts.flags.istio.listen.and(Some(parts.flags.istio.longest)),
    };
    let (to, readings) = watch::channel(Reading::Unread);
    let (client, namespace, domain) = (
        parts.client.clone(),
        place.namespace.clone(),
        parts.trust_domain.clone(),
    );
    let following = store::follow(client, namespace, domain, to);
    working.until(&parts.stop, "the watch of the authority's Secret", following);
    let keeper = Keeper {
        readings: readings.clone(),
        current: parts.current.clone(),
        roots: parts.roots.clone(),
        ready: parts.ready.clone(),
        metrics: parts.authority_metrics.clone(),
    };
    working.until(&parts.stop, "the keeper of the authority", keeper.run());
    let tokens = jwt::Keeper::new(readings.clone(), parts.tokens.clone());
    working.spawn("the keeper of the key of tokens", tokens.run(parts.stop.clone()));
    publish(parts, &place, readings, foreign, working);
}

/// Starts what publishes the roots, and what keeps the authority by what was published, while this replica leads.
fn publish(
    parts: &Parts,
    place: &Place,
    readings: watch::Receiver<Reading>,
    foreign: watch::Receiver<Option<Foreign>>,
    working: &mut Working,
) {
    let (to, object) = watch::channel(Object::Unread);
    let watching = follow::object(place.client.clone(), to);
    working.until(&parts.stop, "the watch of the CertificateAuthority", watching);
    let (publication, told) = watch::channel(Publication::default());
    let publisher = Publisher {
        client: place.client.clone(),
        trust_domain: place.trust_domain.clone(),
        roots: parts.roots.subscribe(),
        namespaces: parts.flags.bundle_namespaces,
        own_namespace: parts.flags.namespace.clone(),
        leadership: parts.leadership.clone(),
        publication,
        metrics: parts.authority_metrics.clone(),
    };
    let publishing = publisher.run(foreign, parts.stop.clone());
    working.spawn("the publisher of the roots", publishing);
    let inputs = Inputs {
        object,
        readings,
        publication: told,
    };
    let metrics = parts.authority_metrics.clone();
    let leader = Leader::new(place, parts.leadership.clone(), inputs, metrics);
    working.spawn("the keeper of the CertificateAuthority", leader.run(parts.stop.clone()));
}
