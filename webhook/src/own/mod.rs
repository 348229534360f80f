//! What is wrong with one of Countersign's own objects, seen with the others of the cluster.
//!
//! The others are read anew for each request, before it is judged: own kinds change rarely, and must not be judged by what
//! was. The judgement itself waits for nothing.

mod waiver;
mod world;

use std::time::Duration;

use countersign_crds::GROUP;
use countersign_policy::admission::{self, Change, Kind};
use countersign_policy::{MeshSettings, ObjectName};
use countersign_runtime::events::{EventType, Happening, Publisher};
use jiff::Timestamp;
use kube::Client;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;
use tracing::info;

use crate::review::{Reason, Request, Verdict};
pub use waiver::Made;
pub use world::Gathered;

/// How long the others may take to be read. The API server waits longer.
const READ_LIMIT: Duration = Duration::from_millis(1500);

/// How many new waivers may wait to be told of.
const WAITING: usize = 64;
/// The kind of waivers.
const WAIVER: &str = "CredentialWaiver";

/// What own kinds are held to.
#[derive(Clone, Debug)]
pub struct OwnSettings {
    /// The mesh that policies are for.
    pub mesh: MeshSettings,
    /// Whether a policy that names a `TokenIssuer` that does not exist is refused. If not, it is warned of.
    pub refuse_unknown_issuer: bool,
    /// How far away the end of a waiver may be, in seconds.
    pub longest_waiver: i64,
}

/// Judges Countersign's own kinds.
#[derive(Debug)]
pub struct Own {
    settings: OwnSettings,
    made: Sender<Made>,
}

impl Own {
    /// Makes a judge, and what tells of the waivers that are made.
    pub fn new(settings: OwnSettings) -> (Self, Receiver<Made>) {
        let (made, told) = channel(WAITING);
        (Self { settings, made }, told)
    }

    /// Judges a change of one of Countersign's own objects, with the others that were [read](Reader::read) for it. What is
    /// not one of them passes.
    pub fn judge(&self, request: &Request<'_>, others: &Others, now: Timestamp) -> Verdict {
        if request.kind.group != GROUP || !request.subresource().is_empty() {
            return Verdict::allowed();
        }
        let (Ok(old), Ok(new)) = (read(request.old_object), read(request.object)) else {
            return Verdict::denied(Reason::BadRequest, "the object is not JSON that can be read".to_owned());
        };
        let (old, new) = (old.as_ref(), new.as_ref());
        if request.kind.kind == WAIVER {
            return self.waiver(request, old, new, now);
        }
        let Some(change) = change(request, old, new).filter(Change::matters) else {
            return Verdict::allowed();
        };
        match others {
            Others::Read(world) => self.decide(&change, world, now),
            Others::NotRead(why) => unknown(&change, why),
        }
    }

    fn decide(&self, change: &Change<'_>, world: &Gathered, now: Timestamp) -> Verdict {
        let settings = admission::Settings {
            mesh: &self.settings.mesh,
            refuse_unknown_issuer: self.settings.refuse_unknown_issuer,
            now: now.as_second(),
        };
        let admission::Verdict { refusals, mut warnings } = admission::judge(change, &world.map, settings);
        warnings.extend(world.left_out());
        let mut verdict = Verdict {
            warnings,
            ..Verdict::allowed()
        };
        if !refusals.is_empty() {
            let message = format!("{} is not accepted: {}", called(change), refusals.join("; "));
            verdict = verdict.and(Verdict::denied(Reason::Invalid, message));
        }
        verdict
    }

    /// Judges a waiver, and tells who made it.
    fn waiver(&self, request: &Request<'_>, old: Option<&Value>, new: Option<&Value>, now: Timestamp) -> Verdict {
        let user = &*request.user_info.username;
        let judged = waiver::judge(old, new, user, now.as_second(), self.settings.longest_waiver);
        if let Some(made) = judged.made.filter(|_| !request.dry_run) {
            info!(
                name: "countersign.waiver",
                target: "countersign_admission",
                user,
                namespace = made.about.namespace,
                waiver = made.about.name,
                note = made.note,
                "a waiver"
            );
            // The answer does not wait for the event. What finds no room is in the log and in the API server's audit log.
            let _ = self.made.try_send(made);
        }
        judged.verdict
    }
}

/// What a change has to be seen with.
#[derive(Debug)]
pub enum Others {
    /// It was read.
    Read(Box<Gathered>),
    /// It could not be read, for this reason.
    NotRead(String),
}

/// Reads what a change has to be seen with.
#[derive(Clone)]
pub struct Reader {
    client: Client,
}

impl Reader {
    /// Makes a reader.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads what the change has to be seen with that a review asks for. What is no such review, or can be judged by itself,
    /// is left to [`Own::judge`].
    pub async fn read(&self, body: &[u8]) -> Others {
        let nothing = Others::Read(Box::default());
        let Ok(request) = Request::parse(body) else {
            return nothing;
        };
        if request.kind.group != GROUP || !request.subresource().is_empty() {
            return nothing;
        }
        let (Ok(old), Ok(new)) = (read(request.old_object), read(request.object)) else {
            return nothing;
        };
        let Some(change) = change(&request, old.as_ref(), new.as_ref()).filter(Change::matters) else {
            return nothing;
        };
        match timeout(READ_LIMIT, world::gather(&self.client, &change)).await {
            Ok(Ok(world)) => Others::Read(Box::new(world)),
            Ok(Err(error)) => Others::NotRead(error.to_string()),
            Err(_) => Others::NotRead("the API server did not answer in time".to_owned()),
        }
    }
}

/// Publishes an event for each waiver that is made.
pub async fn tell(events: Publisher, mut made: Receiver<Made>) {
    while let Some(made) = made.recv().await {
        let waived = Happening {
            event_type: EventType::Normal,
            about: made.about,
            reason: "Waived".to_owned(),
            action: "Waive",
            note: made.note,
        };
        events.publish(waived).await;
    }
}

/// The request has an object that is not JSON.
struct Unreadable;

fn read(object: Option<&RawValue>) -> Result<Option<Value>, Unreadable> {
    object
        .map(|raw| serde_json::from_str(raw.get()))
        .transpose()
        .map_err(|_| Unreadable)
}

/// The change that a request asks for, if it is of one of the kinds that are judged with others.
fn change<'a>(request: &Request<'_>, old: Option<&'a Value>, new: Option<&'a Value>) -> Option<Change<'a>> {
    let kind = match &*request.kind.kind {
        "ApiAuthPolicy" => Kind::ApiAuthPolicy,
        "ServiceIdentity" => Kind::ServiceIdentity,
        "TokenClient" => Kind::TokenClient,
        "TokenIssuer" => Kind::TokenIssuer,
        "TokenRevocation" => Kind::TokenRevocation,
        _ => return None,
    };
    let name = ObjectName::new(&*request.namespace, &*request.name);
    Some(Change { kind, name, old, new })
}

fn called(change: &Change<'_>) -> String {
    let ObjectName { namespace, name } = &change.name;
    match namespace.as_str() {
        "" => format!("{:?} `{name}`", change.kind),
        _ => format!("{:?} `{namespace}/{name}`", change.kind),
    }
}

/// What cannot be judged does not get in.
fn unknown(change: &Change<'_>, why: &str) -> Verdict {
    let message = format!(
        "{} cannot be judged now, since what it names cannot be read: {why}; try again",
        called(change)
    );
    Verdict::denied(Reason::Unavailable, message)
}

#[cfg(test)]
mod tests;
