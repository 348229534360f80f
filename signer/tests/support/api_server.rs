//! An API server in memory: it keeps objects by their place, tells those who watch, and knows nothing of what they are.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use futures::stream;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

/// The server. Clones are of one.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By collection and name.
    objects: BTreeMap<(String, String), Value>,
    /// What happened: the version, the collection, the event.
    events: Vec<(u64, String, Value)>,
    /// What was sent, by the place that it was sent to.
    written: Vec<(String, Value)>,
}

impl Default for ApiServer {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            changed: watch::Sender::new(0),
        }
    }
}

impl State {
    fn set(&mut self, collection: &str, name: &str, mut object: Value) -> Value {
        self.version += 1;
        let key = (collection.to_owned(), name.to_owned());
        let kind = if self.objects.contains_key(&key) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        object["metadata"]["name"] = json!(name);
        object["metadata"]["uid"] = json!(format!("uid-of-{name}"));
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(key, object.clone());
        let event = json!({"type": kind, "object": object});
        self.events.push((self.version, collection.to_owned(), event));
        object
    }
}

fn has_name(object: &Value, selected: Option<&str>) -> bool {
    selected.is_none_or(|name| object["metadata"]["name"] == name)
}

impl ApiServer {
    /// A client of it.
    pub fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    /// Puts an object there, as somebody else does.
    pub fn put(&self, collection: &str, name: &str, object: &Value) {
        let version = {
            let mut state = self.state.lock().unwrap();
            state.set(collection, name, object.clone());
            state.version
        };
        self.changed.send_replace(version);
    }

    /// An object.
    pub fn get(&self, collection: &str, name: &str) -> Option<Value> {
        let state = self.state.lock().unwrap();
        state.objects.get(&(collection.to_owned(), name.to_owned())).cloned()
    }

    /// All that clients sent.
    pub fn written(&self) -> Vec<(String, Value)> {
        self.state.lock().unwrap().written.clone()
    }

    async fn answer(self, request: Request<kube::client::Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        let path = head.uri.path().to_owned();
        if head.method == Method::GET {
            return self.read(&head.uri, &path);
        }
        let sent: Value = serde_json::from_slice(&body).unwrap();
        let answer = self.write(&head.method, &path, &sent);
        let version = self.state.lock().unwrap().version;
        self.changed.send_replace(version);
        match answer {
            Ok(object) => respond(StatusCode::OK, &object),
            Err((code, reason)) => refuse(code, reason),
        }
    }

    fn read(&self, uri: &Uri, path: &str) -> Response<Body> {
        let query: BTreeMap<String, String> = uri.query().map(parse).unwrap_or_default();
        let selected = query
            .get("fieldSelector")
            .and_then(|selector| selector.strip_prefix("metadata.name="))
            .map(ToOwned::to_owned);
        if query.contains_key("watch") {
            let since = query.get("resourceVersion").and_then(|version| version.parse().ok());
            return self.watch(path.to_owned(), selected, since.unwrap_or_default());
        }
        let state = self.state.lock().unwrap();
        if let Some((collection, name)) = path.rsplit_once('/')
            && let Some(object) = state.objects.get(&(collection.to_owned(), name.to_owned()))
        {
            return respond(StatusCode::OK, object);
        }
        // A collection is named in the plural, all the objects here by other names.
        if !path.ends_with('s') {
            return refuse(StatusCode::NOT_FOUND, "NotFound");
        }
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|((collection, _), object)| collection == path && has_name(object, selected.as_deref()))
            .map(|(_, object)| object)
            .collect();
        let metadata = json!({"resourceVersion": state.version.to_string()});
        respond(
            StatusCode::OK,
            &json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items}),
        )
    }

    fn watch(&self, collection: String, selected: Option<String>, since: u64) -> Response<Body> {
        let start = (Arc::clone(&self.state), self.changed.subscribe(), since);
        let events = stream::unfold(start, move |(state, mut changed, since)| {
            let (collection, selected) = (collection.clone(), selected.clone());
            async move {
                loop {
                    let next = {
                        let state = state.lock().unwrap();
                        let mut events = state.events.iter();
                        events
                            .find(|(version, place, event)| {
                                *version > since
                                    && *place == collection
                                    && has_name(&event["object"], selected.as_deref())
                            })
                            .map(|(version, _, event)| (*version, format!("{event}\n")))
                    };
                    if let Some((version, line)) = next {
                        return Some((Ok::<_, Infallible>(Bytes::from(line)), (state, changed, version)));
                    }
                    changed.changed().await.ok()?;
                }
            }
        });
        Response::new(Body::from_stream(events))
    }

    fn write(&self, method: &Method, path: &str, sent: &Value) -> Result<Value, (StatusCode, &'static str)> {
        let mut state = self.state.lock().unwrap();
        state.written.push((path.to_owned(), sent.clone()));
        if method == Method::POST {
            let name = sent["metadata"]["name"].as_str().unwrap().to_owned();
            if state.objects.contains_key(&(path.to_owned(), name.clone())) {
                return Err((StatusCode::CONFLICT, "AlreadyExists"));
            }
            return Ok(state.set(path, &name, sent.clone()));
        }
        let (place, of_status) = path
            .strip_suffix("/status")
            .map_or((path, false), |place| (place, true));
        let (collection, name) = place.rsplit_once('/').unwrap();
        let there = state.objects.get(&(collection.to_owned(), name.to_owned())).cloned();
        let mut there = there.ok_or((StatusCode::NOT_FOUND, "NotFound"))?;
        let based_on = &sent["metadata"]["resourceVersion"];
        if based_on.is_string() && *based_on != there["metadata"]["resourceVersion"] {
            return Err((StatusCode::CONFLICT, "Conflict"));
        }
        if of_status {
            there["status"] = sent["status"].clone();
            return Ok(state.set(collection, name, there));
        }
        Ok(state.set(collection, name, sent.clone()))
    }
}

fn parse(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.replace("%3D", "=")))
        .collect()
}

fn respond(code: StatusCode, object: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(object.to_string()));
    *response.status_mut() = code;
    response
}

fn refuse(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": reason, "code": code.as_u16(),
    });
    respond(code, &status)
}

impl tower_service::Service<Request<kube::client::Body>> for ApiServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.answer(request).await) })
    }
}
