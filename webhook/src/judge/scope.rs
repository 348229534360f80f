//! What is left alone.

use crate::review::{Operation, Request};

/// Resources that hold no credentials by themselves and are written all the time, or whose purpose is to carry a token to
/// the API server. The webhook's configuration does not send them; should one come all the same, nothing hangs on it.
const LEFT_ALONE: &[(&str, &str)] = &[
    ("coordination.k8s.io", "leases"),
    ("", "events"),
    ("events.k8s.io", "events"),
    ("", "endpoints"),
    ("discovery.k8s.io", "endpointslices"),
    ("authentication.k8s.io", "*"),
    ("authorization.k8s.io", "*"),
];

/// Subresources that are written by controllers, or carry no object of a user's.
const SUBRESOURCES: &[&str] = &[
    "status", "scale", "finalize", "binding", "eviction", "approval", "log", "exec", "proxy",
];

/// Whether a request needs no look.
pub(super) fn is_left_alone(request: &Request<'_>) -> bool {
    let writes = matches!(request.operation, Operation::Create | Operation::Update);
    let (group, resource) = (&*request.resource.group, &*request.resource.resource);
    !writes
        || SUBRESOURCES.contains(&request.subresource())
        || LEFT_ALONE
            .iter()
            .any(|(of, name)| *of == group && (*name == resource || *name == "*"))
}
