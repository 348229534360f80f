//! One request, put to `decide` and to a real enforcer.

use std::time::{SystemTime, UNIX_EPOCH};

use countersign_identity::SpiffeId;
use countersign_policy::decide::{self, Decision, decide, explain};
use countersign_policy::resolve::Resolved;

use super::place::{Peer, Place};
use crate::Request;

/// A request to a target.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) target: usize,
    pub(super) peer: Peer,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    /// What was done to it, for people.
    pub(super) note: String,
}

/// What both said.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// What `decide` said; nothing if the connection cannot come about, so that there is no request.
    pub(super) decision: Option<Decision>,
    /// What the enforcer answered.
    pub(super) answer: String,
    admitted: bool,
}

impl Outcome {
    fn expected(&self) -> bool {
        self.decision.as_ref().is_some_and(Decision::admits)
    }

    pub(super) fn differs(&self) -> bool {
        self.expected() != self.admitted
    }

    pub(super) fn both_admit(&self) -> bool {
        self.expected() && self.admitted
    }
}

/// Puts a request to both, given the policies on its target.
pub(super) async fn ask(place: &Place, resolved: &[Resolved], case: &Case) -> Outcome {
    let decision = with_request(place, case, |at, request| {
        decide(&resolved.iter().collect::<Vec<_>>(), at, request, now())
    });
    let mut request = Request::new(&case.method, &case.path);
    for (name, value) in &case.headers {
        request = request.header(name, value);
    }
    let answer = place.send(case.target, case.peer, &request).await;
    Outcome {
        decision,
        admitted: answer.status() == Some(200),
        answer: format!("{answer} {}", answer.body().chars().take(80).collect::<String>()),
    }
}

/// Why `decide` said what it said.
pub(super) fn trace(place: &Place, resolved: &[Resolved], case: &Case) -> Vec<String> {
    with_request(place, case, |at, request| {
        explain(&resolved.iter().collect::<Vec<_>>(), at, request, now())
    })
    .unwrap_or_else(|| vec!["the peer's certificate is not valid: there is no request".to_owned()])
}

fn with_request<T>(
    place: &Place,
    case: &Case,
    ask: impl FnOnce(decide::Place, &decide::Request<'_>) -> T,
) -> Option<T> {
    let peer: Option<SpiffeId> = match case.peer {
        Peer::PlainText => None,
        Peer::Workload(workload) => place.namespace.spiffe_id(workload).parse().ok(),
        Peer::Foreign(_) | Peer::Expired(_) => return None,
    };
    let at = if place.targets[case.target].is_gateway() {
        decide::Place::Gateway
    } else {
        decide::Place::Workload
    };
    let request = decide::Request {
        peer: peer.as_ref(),
        method: &case.method,
        target: &case.path,
        headers: &case.headers,
    };
    Some(ask(at, &request))
}

pub(super) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
