//! The loop of the one replica that writes: it sees what is due, does it, writes it, and says so in the status.

use std::sync::Arc;
use std::time::Duration;

use countersign_crds::certificate_authority::{CertificateAuthorityStatus, RotatedFor};
use countersign_crds::{
    CertificateAuthority, CertificateAuthoritySpec, ROTATE_INTERMEDIATE_ANNOTATION, ROTATE_ROOT_ANNOTATION,
};
use countersign_identity::TrustDomain;
use countersign_runtime::clock;
use countersign_runtime::lease::Leadership;
use jiff::{SignedDuration, Timestamp};
use kube::{Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::brought::Brought;
use super::follow::{Follower, Object, SecretReading};
use super::kept::Kept;
use super::metrics::{AuthorityMetrics, Failure};
use super::object::Objects;
use super::record::record;
use super::rotation::{self, Next, Plan, Seen};
use super::status::{View, status};
use super::store::{Reading, SECRET, Store, Version, Written};
use crate::bundle::Publication;
use crate::problem::Problem;

/// How long to wait when nothing is due.
const IDLE: Duration = Duration::from_mins(1);
/// How long to wait after something failed, or for the watch to show what was written.
const AGAIN: Duration = Duration::from_secs(2);

/// What the loop works with.
pub struct Leader {
    trust_domain: TrustDomain,
    leadership: Leadership,
    store: Store,
    objects: Objects,
    object: watch::Receiver<Object>,
    readings: watch::Receiver<Reading>,
    publication: watch::Receiver<Publication>,
    brought: Follower,
    metrics: AuthorityMetrics,
    /// The longest life of a certificate of a mesh, if the signer serves one.
    mesh: Option<SignedDuration>,
    /// The version of the Secret that was replaced last: what is read may be behind.
    replaced: Option<String>,
}

/// Where the replicas of a signer work.
#[derive(Clone)]
pub struct Place {
    /// The API server.
    pub client: Client,
    /// The signer's namespace.
    pub namespace: String,
    /// Its trust domain.
    pub trust_domain: TrustDomain,
    /// The longest life of a certificate of a mesh, if the signer serves one.
    pub mesh: Option<SignedDuration>,
}

/// What the loop listens to.
pub struct Inputs {
    /// The `CertificateAuthority`.
    pub object: watch::Receiver<Object>,
    /// The Secret with the authority.
    pub readings: watch::Receiver<Reading>,
    /// Where the roots are published.
    pub publication: watch::Receiver<Publication>,
}

/// What a turn came to.
struct Turn {
    kept: Option<Kept>,
    next: Option<Next>,
    problem: Option<Problem>,
    wait: Duration,
}

impl Leader {
    /// Makes the loop.
    pub fn new(place: &Place, leadership: Leadership, inputs: Inputs, metrics: AuthorityMetrics) -> Self {
        Self {
            trust_domain: place.trust_domain.clone(),
            leadership,
            store: Store::new(place.client.clone(), &place.namespace),
            objects: Objects::new(place.client.clone()),
            object: inputs.object,
            readings: inputs.readings,
            publication: inputs.publication,
            brought: Follower::new(place.client.clone(), &place.namespace),
            metrics,
            mesh: place.mesh,
            replaced: None,
        }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let held = self.leadership.holds();
            let wait = if held { self.turn(clock::now()).await } else { IDLE };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.leadership.changed_from(held) => {}
                Ok(()) = self.object.changed() => {}
                Ok(()) = self.readings.changed() => {}
                Ok(()) = self.publication.changed() => {}
                () = self.brought.changed() => {}
                () = sleep(wait) => {}
            }
        }
    }

    async fn turn(&mut self, now: Timestamp) -> Duration {
        let seen = self.object.borrow_and_update().clone();
        let object = match seen {
            Object::Unread => return IDLE,
            Object::There(object) => object,
            Object::Missing => {
                if let Err(error) = self.objects.create().await {
                    warn!(%error, "the CertificateAuthority cannot be made");
                }
                return AGAIN;
            }
        };
        self.brought.follow(object.spec.intermediate.secret_name.as_deref());
        let reading = self.readings.borrow_and_update().clone();
        let publication = self.publication.borrow_and_update().clone();
        let turn = match reading {
            Reading::Unread => return IDLE,
            Reading::Unreadable(why) => stuck(unreadable(&why)),
            Reading::Missing if was_there(&object) => stuck(lost()),
            Reading::Missing => self.steps(None, &object, &publication, now).await,
            Reading::Read(version) if self.is_behind(&version) => return AGAIN,
            Reading::Read(version) => self.steps(Some(&version), &object, &publication, now).await,
        };
        if turn.kept.is_none() {
            self.metrics.failed(Failure::Unreadable);
        }
        let told = self.tell(&object, &publication, &turn, now).await;
        if told { turn.wait } else { turn.wait.min(AGAIN) }
    }

    /// Whether this is what was replaced: the watch has not shown yet what came in its place. Once, for a pause: the write may
    /// be lost for good.
    fn is_behind(&mut self, version: &Version) -> bool {
        let replaced = self.replaced.take();
        replaced.is_some() && replaced.as_deref() == version.resource_version()
    }

    /// Takes the steps that are due, and writes them.
    async fn steps(
        &mut self,
        before: Option<&Version>,
        object: &CertificateAuthority,
        publication: &Publication,
        now: Timestamp,
    ) -> Turn {
        let kept = before.map_or_else(|| Kept::new(self.trust_domain.clone()), |before| before.kept.clone());
        let plan = match self.plan(&object.spec, &kept) {
            Ok(plan) => plan,
            Err(why) => {
                self.metrics.failed(Failure::Refused);
                return Turn::without_plan(kept, Problem::new("Invalid", why));
            }
        };
        let (brought, problem) = self.brought(&object.spec, &plan, now);
        let seen = Seen {
            published: publication.everywhere.clone(),
            jwt_published: publication.jwt_everywhere.clone(),
            offer: brought.as_ref().map(|brought| brought.offer().clone()),
            asked: asked(object),
        };
        let (advanced, steps) = match kept.advanced(&plan, &seen, brought.as_ref(), now) {
            Ok(advanced) => advanced,
            Err(error) => {
                self.metrics.failed(Failure::Make);
                error!(%error, "the authority cannot be advanced");
                return Turn::without_plan(kept, Problem::new("CannotMake", error.to_string()));
            }
        };
        let next = rotation::next(&advanced.state, &plan, &seen, now);
        if steps.is_empty() {
            return Turn {
                kept: Some(kept),
                next,
                problem,
                wait: until(next, now),
            };
        }
        if !self.leadership.holds() {
            return Turn::without_plan(kept, Problem::new("NotLeading", "another replica leads"));
        }
        let written = self.store.write(before, &advanced).await;
        self.replaced = before
            .and_then(|before| before.resource_version())
            .map(ToOwned::to_owned);
        match written {
            Ok(Written::Done) => {
                for step in &steps {
                    info!(step, "took a step of the authority's rotation");
                }
                record(&kept, &advanced);
                self.metrics.took(&steps);
                Turn {
                    kept: Some(advanced),
                    next,
                    problem,
                    wait: until(next, now),
                }
            }
            Ok(Written::Overtaken) => Turn {
                kept: Some(kept),
                next: None,
                problem,
                wait: AGAIN,
            },
            Err(error) => {
                self.metrics.failed(Failure::Store);
                warn!(%error, "the authority cannot be kept");
                Turn::without_plan(kept, Problem::new("CannotWrite", error.to_string()))
            }
        }
    }

    /// What is asked for, or why it cannot be done.
    fn plan(&self, spec: &CertificateAuthoritySpec, kept: &Kept) -> Result<Plan, String> {
        let plan = Plan::new(spec).and_then(|plan| plan.with_mesh(self.mesh.unwrap_or_default()));
        let plan = plan.map_err(|error| error.to_string())?;
        let is_root = |sha256: &&String| kept.state().root(sha256).is_some();
        match spec.revoked_intermediates.iter().find(is_root) {
            Some(root) => Err(format!(
                "spec.revokedIntermediates: {root} is a root, and no root is revoked here: take it out, and begin anew with \
                 another root by deleting the Secret {SECRET} and this CertificateAuthority"
            )),
            None => Ok(plan),
        }
    }

    /// What is brought, or why it cannot be used.
    fn brought(
        &self,
        spec: &CertificateAuthoritySpec,
        plan: &Plan,
        now: Timestamp,
    ) -> (Option<Brought>, Option<Problem>) {
        let Some(name) = &spec.intermediate.secret_name else {
            return (None, None);
        };
        let refused = |why: String| {
            let message = format!("the Secret {name} that spec.intermediate.secretName names: {why}");
            Some(Problem::new("IntermediateRefused", message))
        };
        match self.brought.reading() {
            SecretReading::Unread => (None, refused("it was not read yet".to_owned())),
            SecretReading::Missing => (None, refused("there is none in the signer's namespace".to_owned())),
            SecretReading::Failed(why) => (None, refused(why.to_string())),
            SecretReading::There(entries) => {
                match Brought::read(&self.trust_domain, entries.get(), &plan.withdrawn(), now) {
                    Ok(brought) => (Some(brought), None),
                    Err(error) => {
                        self.metrics.failed(Failure::Refused);
                        (None, refused(error.to_string()))
                    }
                }
            }
        }
    }

    /// Writes the status, if it changed. Tells whether it says what it should.
    async fn tell(
        &self,
        object: &CertificateAuthority,
        publication: &Publication,
        turn: &Turn,
        now: Timestamp,
    ) -> bool {
        let view = View {
            trust_domain: self.trust_domain.as_str(),
            kept: turn.kept.as_ref(),
            next: turn.next,
            publication,
            problem: turn.problem.as_ref(),
            generation: object.metadata.generation,
            previous: object.status.as_ref(),
        };
        let mut wanted = status(&view, now);
        if turn.kept.is_none() {
            // What was said of the roots stays: it tells whoever repairs the Secret what was there.
            keep_roots(&mut wanted, object.status.as_ref());
        }
        if object.status.as_ref() == Some(&wanted) || !self.leadership.holds() {
            return true;
        }
        match self.objects.write_status(&wanted).await {
            Ok(()) => true,
            Err(error) => {
                self.metrics.failed(Failure::Status);
                warn!(%error, "the status of the CertificateAuthority cannot be written");
                false
            }
        }
    }
}

impl Turn {
    fn without_plan(kept: Kept, problem: Problem) -> Self {
        Self {
            kept: Some(kept),
            next: None,
            problem: Some(problem),
            wait: AGAIN.max(Duration::from_secs(5)),
        }
    }
}

fn stuck(problem: Problem) -> Turn {
    Turn {
        kept: None,
        next: None,
        problem: Some(problem),
        wait: IDLE,
    }
}

fn unreadable(why: &Arc<str>) -> Problem {
    Problem::new(
        "Unreadable",
        format!(
            "the Secret {SECRET} in the signer's namespace cannot be used: {why}; nothing is signed and it is not \
             written over: put it back from a backup, or delete it and this CertificateAuthority to begin anew with a \
             new root"
        ),
    )
}

fn lost() -> Problem {
    Problem::new(
        "Lost",
        format!(
            "the Secret {SECRET} in the signer's namespace is gone, and with it the keys of the roots in this status: put \
             it back from a backup, or delete this CertificateAuthority to begin anew with a new root"
        ),
    )
}

/// Whether there were roots before.
fn was_there(object: &CertificateAuthority) -> bool {
    object.status.as_ref().is_some_and(|status| !status.roots.is_empty())
}

fn keep_roots(wanted: &mut CertificateAuthorityStatus, before: Option<&CertificateAuthorityStatus>) {
    if let Some(before) = before {
        wanted.roots.clone_from(&before.roots);
        wanted.rotated_for.clone_from(&before.rotated_for);
    }
}

fn asked(object: &CertificateAuthority) -> RotatedFor {
    RotatedFor {
        root: object.annotations().get(ROTATE_ROOT_ANNOTATION).cloned(),
        intermediate: object.annotations().get(ROTATE_INTERMEDIATE_ANNOTATION).cloned(),
    }
}

fn until(next: Option<Next>, now: Timestamp) -> Duration {
    let wait = next.map_or(SignedDuration::MAX, |next| next.at.duration_since(now));
    Duration::try_from(wait)
        .unwrap_or_default()
        .clamp(Duration::from_millis(100), IDLE)
}
