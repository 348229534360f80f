//! What workloads get through the API server: answers to requests, Secrets, and what is said of them.

use std::sync::Arc;

use super::{Parts, Working};
use crate::secret::Secrets;
use crate::status::{SecretStates, StatusWriter};
use crate::{csr, identities, pod_certificate};

pub(super) fn start(parts: &Parts, working: &mut Working) {
    let (client, stop) = (&parts.client, &parts.stop);
    let following = identities::run(parts.identities.clone(), client.clone(), stop.clone());
    working.spawn("the watch of ServiceIdentities", following);
    let answering = pod_certificate::run(
        client.clone(),
        parts.identities.clone(),
        parts.issuer.clone(),
        parts.leadership.clone(),
        stop.clone(),
    );
    working.spawn("the signer of PodCertificateRequests", answering);
    let signing = csr::run(
        client.clone(),
        parts.identities.clone(),
        parts.issuer.clone(),
        parts.leadership.clone(),
        stop.clone(),
    );
    working.spawn("the signer of CertificateSigningRequests", signing);
    keep(parts, working);
}

/// The Secrets, and the status of each identity, which tells of them.
fn keep(parts: &Parts, working: &mut Working) {
    let states = SecretStates::default();
    let secrets = Secrets::new(
        parts.client.clone(),
        parts.flags.secret_namespaces.clone(),
        parts.identities.clone(),
        parts.issuer.clone(),
        parts.roots.subscribe(),
        states.clone(),
        parts.leadership.clone(),
    );
    working.spawn("the keeper of Secrets", secrets.run(parts.stop.clone()));
    let writer = StatusWriter::new(
        parts.client.clone(),
        parts.flags.identity.clone(),
        parts.identities.clone(),
        Arc::clone(&parts.ledger),
        states,
        parts.book_metrics.clone(),
        parts.leadership.clone(),
    );
    working.spawn("the writer of statuses", writer.run(parts.stop.clone()));
}
