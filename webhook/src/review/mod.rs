//! What the API server asks: `AdmissionReview` of `admission.k8s.io/v1`.
//!
//! Read without copying: an object may have megabytes, and most are judged in microseconds.

mod verdict;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use verdict::{Denial, Reason, Response, Verdict};

/// The API of reviews.
pub const API_VERSION: &str = "admission.k8s.io/v1";
/// The kind of a review.
pub const KIND: &str = "AdmissionReview";

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "apiVersion")]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Request<'a>,
}

/// What is about to happen to an object.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// What the answer has to carry.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The kind of the object.
    #[serde(borrow)]
    pub kind: Kind<'a>,
    /// The resource that is written.
    #[serde(borrow)]
    pub resource: Resource<'a>,
    /// The subresource that is written, such as `ephemeralcontainers`.
    #[serde(borrow, default)]
    pub sub_resource: Option<Cow<'a, str>>,
    /// The name; empty where the API server is to make one.
    #[serde(borrow, default)]
    pub name: Cow<'a, str>,
    /// The namespace; empty for what has none.
    #[serde(borrow, default)]
    pub namespace: Cow<'a, str>,
    /// What happens.
    pub operation: Operation,
    /// Who does it.
    #[serde(borrow)]
    pub user_info: User<'a>,
    /// The object as it is to be; none when it is deleted.
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
    /// The object as it is; none when it is made.
    #[serde(borrow, default)]
    pub old_object: Option<&'a RawValue>,
    /// Whether nothing will be kept.
    #[serde(default)]
    pub dry_run: bool,
}

/// A kind with its group and version.
#[derive(Debug, Deserialize)]
pub struct Kind<'a> {
    /// The group; empty for the core.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The version.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
    /// The kind.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
}

/// A resource with its group and version.
#[derive(Debug, Deserialize)]
pub struct Resource<'a> {
    /// The group; empty for the core.
    #[serde(borrow, default)]
    pub group: Cow<'a, str>,
    /// The version.
    #[serde(borrow, default)]
    pub version: Cow<'a, str>,
    /// The plural name.
    #[serde(borrow)]
    pub resource: Cow<'a, str>,
}

/// Who asks.
#[derive(Debug, Default, Deserialize)]
pub struct User<'a> {
    /// The name, such as `system:serviceaccount:shop:deployer`.
    #[serde(borrow, default)]
    pub username: Cow<'a, str>,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is connected to.
    Connect,
}

impl Operation {
    /// As the API server writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
        }
    }
}

/// A review that cannot be read. It tells no more of what was sent than field names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the AdmissionReview cannot be read: {problem}")]
pub struct Malformed {
    /// What the answer has to carry, if that could be read.
    pub uid: Option<String>,
    problem: String,
}

impl<'a> Request<'a> {
    /// Reads a review.
    ///
    /// # Errors
    ///
    /// If it is none, or one of another version.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let envelope: Envelope<'a> = serde_json::from_slice(body).map_err(|error| Malformed::new(body, &error))?;
        if envelope.api_version != API_VERSION || envelope.kind != KIND {
            return Err(Malformed::because(
                body,
                "it is not an AdmissionReview of admission.k8s.io/v1",
            ));
        }
        if envelope.request.uid.is_empty() {
            return Err(Malformed::because(body, "request.uid is empty"));
        }
        Ok(envelope.request)
    }

    /// The resource with its subresource and group, as RBAC writes it: `pods/ephemeralcontainers`, `deployments.apps`.
    pub fn target(&self) -> String {
        let mut target = self.resource.resource.to_string();
        if let Some(sub) = self.sub_resource.as_deref().filter(|sub| !sub.is_empty()) {
            target.push('/');
            target.push_str(sub);
        }
        if !self.resource.group.is_empty() {
            target.push('.');
            target.push_str(&self.resource.group);
        }
        target
    }

    /// The subresource; empty for the resource itself.
    pub fn subresource(&self) -> &str {
        self.sub_resource.as_deref().unwrap_or_default()
    }
}

impl Malformed {
    /// What serde says of a value may quote it, so only where and of what sort the problem is gets out.
    fn new(body: &[u8], error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let problem = match error.classify() {
            serde_json::error::Category::Data => {
                format!("a field of it is missing, doubled or of a wrong type{}", place(body))
            }
            serde_json::error::Category::Eof => "it ends too early".to_owned(),
            _ => format!("it is not JSON, at line {line} column {column}"),
        };
        Self::because(body, &problem)
    }

    fn because(body: &[u8], problem: &str) -> Self {
        #[derive(Deserialize)]
        struct Outer {
            request: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            uid: String,
        }
        let outer = serde_json::from_slice::<Outer>(body);
        Self {
            uid: outer.ok().map(|outer| outer.request.uid).filter(|uid| !uid.is_empty()),
            problem: problem.to_owned(),
        }
    }
}

/// Where a review is wrong, which takes longer to find out than to read it.
fn place(body: &[u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let wrong = serde_path_to_error::deserialize::<_, Envelope<'_>>(&mut reader).err();
    wrong
        .map(|error| error.path().to_string())
        .filter(|path| path != ".")
        .map_or_else(String::new, |path| format!(", at {path}"))
}

#[cfg(test)]
mod tests;
