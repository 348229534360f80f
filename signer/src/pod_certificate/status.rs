//! The answers, as the API server takes them.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::authority::Certificate;
use crate::pem;

/// The API server takes no renewal point that is nearer than this to the beginning or the end of a certificate.
const MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// Whether a request was answered. Nothing in the status can be changed then.
pub(super) fn is_final(status: &Value) -> bool {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions
        .iter()
        .any(|condition| matches!(condition["type"].as_str(), Some("Issued" | "Denied" | "Failed")))
}

/// The request is granted.
pub(super) fn issued(certificate: &Certificate, now: Timestamp) -> Value {
    let (begin, end) = (certificate.not_before + MARGIN, certificate.not_after - MARGIN);
    json!({
        "certificateChain": pem::certificates(&certificate.chain),
        "notBefore": Time(certificate.not_before),
        "notAfter": Time(certificate.not_after),
        "beginRefreshAt": Time(certificate.refresh_at.max(begin).min(end)),
        "conditions": [condition("Issued", "Issued", "the certificate was issued", now)],
    })
}

/// The request is refused.
pub(super) fn denied(reason: &str, message: &str, now: Timestamp) -> Value {
    json!({"conditions": [condition("Denied", reason, message, now)]})
}

/// The request is granted, and the certificate cannot be made.
pub(super) fn failed(message: &str, now: Timestamp) -> Value {
    json!({"conditions": [condition("Failed", "CannotBeSigned", message, now)]})
}

fn condition(kind: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": Time(now)})
}
