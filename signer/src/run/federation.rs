//! The bundles of foreign trust domains: one replica fetches and publishes them, all have them.

use super::{Parts, Working};
use crate::federation::{Follower, Leader, Place, Publisher};

/// What has the bundles.
pub(super) fn follower(parts: &Parts) -> Follower {
    let namespace = parts.flags.namespace.clone();
    let (client, domain) = (parts.client.clone(), parts.trust_domain.clone());
    Follower::new(client, namespace, domain, parts.roots.subscribe())
}

pub(super) fn start(parts: &Parts, follower: Follower, working: &mut Working) {
    let place = Place {
        client: parts.client.clone(),
        namespace: parts.flags.namespace.clone(),
        trust_domain: parts.trust_domain.clone(),
    };
    let (leadership, stop) = (&parts.leadership, &parts.stop);
    let leader = Leader::new(&place, &follower, leadership.clone(), parts.federation_metrics.clone());
    let publisher = Publisher::new(parts.client.clone(), &follower, leadership.clone());
    working.spawn("the fetcher of foreign bundles", leader.run(stop.clone()));
    working.spawn("the publisher of foreign bundles", publisher.run(stop.clone()));
    working.spawn("the watch of foreign bundles", follower.run(stop.clone()));
}
