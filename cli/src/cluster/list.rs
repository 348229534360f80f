//! All objects of one resource.

use countersign_scan::{Fingerprint, Node, read_json};
use kube::api::{DynamicObject, ListParams};
use kube::core::Request;
use kube::discovery::ApiResource;
use kube::{Client, Resource};
use serde_json::Value;

use crate::examine::{Examiner, Found};
use crate::object::Object;
use crate::{panics, waivers};

/// How many objects are asked for at a time. Each has up to 3 MiB.
const PAGE: u32 = 250;

/// How often a list is made when the API server forgets where it was.
const ATTEMPTS: usize = 3;

/// The status code of that: Gone.
const FORGOTTEN: u16 = 410;

/// There is nothing to list, whatever discovery says.
const NO_LIST: [u16; 2] = [404, 405];

/// A live object.
#[derive(Debug)]
pub struct Live {
    /// What it is called.
    pub object: Object,
    /// What is in it.
    pub found: Vec<Found>,
    /// Itself, if it is a waiver.
    pub waiver: Option<Value>,
    /// Whether a controller made it.
    pub is_controlled: bool,
}

impl Live {
    /// The credentials in it, with the namespace.
    pub fn values(&self) -> impl Iterator<Item = (String, &'static str, Fingerprint)> {
        let values = self
            .found
            .iter()
            .map(|found| (found.finding.rule.id, found.finding.fingerprint));
        values.map(|(rule, fingerprint)| (self.object.namespace.clone(), rule, fingerprint))
    }
}

/// Lists and scans.
pub async fn list(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    examiner: &Examiner,
) -> Result<Vec<Live>, String> {
    let mut attempt = 1;
    loop {
        match pages(client, resource, namespace, examiner).await {
            Ok(listed) => return Ok(listed),
            Err(ListError::Api(error)) if code(&error).is_some_and(|code| NO_LIST.contains(&code)) => {
                return Ok(Vec::new());
            }
            Err(ListError::Api(error)) if code(&error) == Some(FORGOTTEN) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(format!("{}: {error}", resource.plural)),
        }
    }
}

/// What an API server says, without what its client adds.
pub fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("{}", said(.0))]
    Api(#[from] kube::Error),
    #[error("{0}")]
    Request(#[from] kube::core::request::Error),
    #[error("the answer is {0}")]
    Unreadable(#[from] countersign_scan::ScanError),
    #[error("the scanner failed at {0}; please report this")]
    Panic(String),
}

async fn pages(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
    examiner: &Examiner,
) -> Result<Vec<Live>, ListError> {
    let request = Request::new(DynamicObject::url_path(resource, namespace));
    let mut params = ListParams::default().limit(PAGE);
    let mut listed = Vec::new();
    loop {
        let text = client.request_text(request.list(&params)?).await?;
        let next = panics::contain(|| page(&text, resource, examiner, &mut listed)).map_err(ListError::Panic)??;
        match next {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(listed),
        }
    }
}

/// Scans a page, and gives the token of the next one.
fn page(
    text: &str,
    resource: &ApiResource,
    examiner: &Examiner,
    listed: &mut Vec<Live>,
) -> Result<Option<String>, countersign_scan::ScanError> {
    let root = read_json(text.as_bytes())?;
    let next = root.at(&["metadata", "continue"]).and_then(Node::as_str);
    let next = next.filter(|token| !token.is_empty()).map(str::to_owned);
    let Node::Object(members) = root else { return Ok(None) };
    let items = members.into_iter().find(|(name, _)| name == "items");
    let Some((_, Node::Array(items))) = items else {
        return Ok(next);
    };
    for mut item in items {
        // Items of a list do not say what they are.
        if let Node::Object(members) = &mut item {
            for (name, text) in [("kind", &resource.kind), ("apiVersion", &resource.api_version)] {
                if !members.iter().any(|(member, _)| member == name) {
                    members.insert(0, (name.into(), Node::String(text.as_str().into())));
                }
            }
        }
        listed.push(live(&item, examiner));
    }
    Ok(next)
}

fn live(item: &Node<'_>, examiner: &Examiner) -> Live {
    let owners = item.at(&["metadata", "ownerReferences"]).map_or(&[][..], Node::items);
    let found = examiner.objects(0, &[(String::new(), item)]);
    Live {
        object: found
            .first()
            .map_or_else(|| Object::of(item), |found| found.object.clone()),
        found,
        waiver: waivers::waiver(item),
        is_controlled: owners
            .iter()
            .any(|owner| owner.get("controller") == Some(&Node::Bool(true))),
    }
}
