//! What the API server is told.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{API_VERSION, KIND, Malformed};

/// What was decided of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why the object does not get in; none if it does.
    pub denial: Option<Denial>,
    /// What is said to who wrote it. An API server cuts each after 256 bytes.
    pub warnings: Vec<String>,
    /// What the API server's audit log is to know. The API server puts the webhook's name before each key.
    pub audit: BTreeMap<&'static str, String>,
}

impl Verdict {
    /// The object gets in, and nothing is said.
    pub fn allowed() -> Self {
        Self::default()
    }

    /// The object does not get in.
    pub fn denied(reason: Reason, message: String) -> Self {
        Self {
            denial: Some(Denial { reason, message }),
            ..Self::default()
        }
    }

    /// Puts this verdict and another one together: what either denies is denied.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.denial = match (self.denial, other.denial) {
            (Some(mut one), Some(two)) => {
                one.message.push('\n');
                one.message.push_str(&two.message);
                Some(one)
            }
            (one, two) => one.or(two),
        };
        self.warnings.extend(other.warnings);
        self.audit.extend(other.audit);
        self
    }
}

/// Why an object does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Of what sort the reason is.
    pub reason: Reason,
    /// The reason, and what to do.
    pub message: String,
}

/// The sorts of reasons, as the API machinery knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// What the object holds is not allowed.
    Forbidden,
    /// What the object says is wrong.
    Invalid,
    /// The request cannot be read.
    BadRequest,
    /// What is needed to judge cannot be read now.
    Unavailable,
    /// The webhook failed.
    InternalError,
}

impl Reason {
    /// The HTTP status code that goes with it.
    pub fn code(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::Invalid => 422,
            Self::BadRequest => 400,
            Self::Unavailable => 503,
            Self::InternalError => 500,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "Forbidden",
            Self::Invalid => "Invalid",
            Self::BadRequest => "BadRequest",
            Self::Unavailable => "ServiceUnavailable",
            Self::InternalError => "InternalError",
        }
    }
}

/// An `AdmissionReview` with an answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(rename = "response")]
    body: Body<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    #[serde(rename = "status")]
    outcome: &'static str,
    code: u16,
    reason: &'static str,
    message: &'a str,
}

impl<'a> Response<'a> {
    /// The answer to the request of that `uid`.
    pub fn new(uid: &'a str, verdict: &'a Verdict) -> Self {
        Self {
            api_version: API_VERSION,
            kind: KIND,
            body: Body {
                uid,
                allowed: verdict.denial.is_none(),
                status: verdict.denial.as_ref().map(|denial| Status {
                    outcome: "Failure",
                    code: denial.reason.code(),
                    reason: denial.reason.name(),
                    message: &denial.message,
                }),
                warnings: &verdict.warnings,
                audit_annotations: &verdict.audit,
            },
        }
    }

    /// As JSON. There is nothing in it that JSON cannot say, so an empty answer never comes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl From<&Malformed> for Verdict {
    fn from(malformed: &Malformed) -> Self {
        Self::denied(Reason::BadRequest, malformed.to_string())
    }
}
