//! What a `CertificateAuthority` asks for, in numbers.

use std::collections::BTreeSet;

use countersign_crds::certificate_authority::{CaKeyAlgorithm, CertificateAuthoritySpec};
use countersign_identity::Fingerprint;
use countersign_identity::svid::Withdrawn;
use jiff::{SignedDuration, Timestamp};

/// The shortest life of an intermediate: twice that of the shortest certificate, so that half of it is enough for one.
const SHORTEST_INTERMEDIATE: SignedDuration = SignedDuration::from_hours(2);

/// How long a key of JWT-SVIDs is used, if consumers load its successor in less than that.
const JWT_PERIOD: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often consumers should look for a new bundle at least.
const LONGEST_REFRESH: SignedDuration = SignedDuration::from_mins(5);

/// Why a `CertificateAuthority` cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A duration cannot be read.
    #[error("spec.{0}: not a duration of at most 100 years, such as 24h")]
    Duration(&'static str),
    /// There would be no time to distribute a root.
    #[error("spec.propagation: must be longer than zero")]
    NoPropagation,
    /// What intermediates sign could not live.
    #[error("spec.intermediate.duration: must be longer than 2h, twice the shortest certificate")]
    ShortIntermediate,
    /// A root would end before the next one could be used.
    #[error(
        "spec.root.duration: must be at least 2 x intermediate.duration + 3 x propagation, so that the next root is \
         distributed and used before it ends"
    )]
    ShortRoot,
    /// The same, where proxies of a mesh learn of a root no sooner than with their next certificate.
    #[error(
        "spec.root.duration: must be at least 2 x intermediate.duration + 2 x propagation + {0:#}, the longest life of a \
         certificate of the mesh, so that the next root has reached its proxies and is used before it ends"
    )]
    ShortRootForMesh(SignedDuration),
    /// What is revoked cannot be read.
    #[error("spec.revokedIntermediates: {0:?} is not the SHA-256 of a certificate in 64 lower-case hexadecimal digits")]
    Revoked(String),
}

/// Where intermediates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The signer makes them, and the roots above them.
    Made,
    /// They are brought in a Secret.
    Brought,
}

/// What a `CertificateAuthority` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where intermediates come from.
    pub source: Source,
    /// The kind of new keys.
    pub algorithm: CaKeyAlgorithm,
    /// How long a root lives.
    pub root: SignedDuration,
    /// How long an intermediate lives.
    pub intermediate: SignedDuration,
    /// How far consumers may be behind.
    pub propagation: SignedDuration,
    /// The longest life of a certificate of a mesh; zero without one. Its proxies are told the roots with their certificates,
    /// so only after that have all of them been told.
    pub mesh: SignedDuration,
    /// Intermediates that nothing is signed with, by the SHA-256 of their DER in lower-case hexadecimal digits.
    pub revoked: BTreeSet<String>,
}

impl Plan {
    /// Reads what is asked for.
    ///
    /// # Errors
    ///
    /// If it cannot be done without a time in which certificates are not trusted.
    pub fn new(spec: &CertificateAuthoritySpec) -> Result<Self, PlanError> {
        let plan = Self {
            source: match spec.intermediate.secret_name {
                None => Source::Made,
                Some(_) => Source::Brought,
            },
            algorithm: spec.key_algorithm,
            root: duration(&spec.root.duration).ok_or(PlanError::Duration("root.duration"))?,
            intermediate: duration(&spec.intermediate.duration).ok_or(PlanError::Duration("intermediate.duration"))?,
            propagation: duration(&spec.propagation).ok_or(PlanError::Duration("propagation"))?,
            mesh: SignedDuration::ZERO,
            revoked: revoked(spec)?,
        };
        if plan.propagation <= SignedDuration::ZERO {
            return Err(PlanError::NoPropagation);
        }
        if plan.source == Source::Made {
            if plan.intermediate <= SHORTEST_INTERMEDIATE {
                return Err(PlanError::ShortIntermediate);
            }
            if plan.root < plan.needed() {
                return Err(PlanError::ShortRoot);
            }
        }
        Ok(plan)
    }

    /// The same while the signer serves a mesh whose certificates live so long at most.
    ///
    /// # Errors
    ///
    /// If roots are too short for it.
    pub fn with_mesh(self, longest: SignedDuration) -> Result<Self, PlanError> {
        let plan = Self { mesh: longest, ..self };
        if plan.source == Source::Made && plan.root < plan.needed() {
            return Err(PlanError::ShortRootForMesh(longest));
        }
        Ok(plan)
    }

    /// How long after a root stands in every bundle all consumers have loaded it.
    pub(super) fn loading(&self) -> SignedDuration {
        self.propagation.max(self.mesh)
    }

    /// What is revoked, for those who verify.
    pub fn withdrawn(&self) -> Withdrawn {
        let read = self.revoked.iter().filter_map(|sha256| sha256.parse().ok());
        read.collect()
    }

    /// The shortest life of a root: distributed once before its use, and once more while the next one is distributed, and
    /// then there is enough left for two intermediates.
    fn needed(&self) -> SignedDuration {
        self.intermediate * 2 + self.loading() + self.propagation * 2
    }

    /// When the root after one is to be made: when less than two intermediates, the time of loading and a propagation are left
    /// of it, and a tenth of its life, in which the signer or the API server may be away.
    pub(super) fn root_due(&self, made: Timestamp, ends: Timestamp) -> Timestamp {
        let life = ends.duration_since(made);
        let slack = (life / 10).min(life - self.needed()).max(SignedDuration::ZERO);
        before(ends, self.intermediate * 2 + self.loading() + self.propagation + slack)
    }

    /// After how long of use the next key of JWT-SVIDs is made.
    pub(super) fn jwt_period(&self) -> SignedDuration {
        JWT_PERIOD.max(self.propagation)
    }

    /// How long a key of JWT-SVIDs may sign: until the next one is distributed, with room for times in which the signer or the
    /// API server is away.
    pub(super) fn jwt_life(&self) -> SignedDuration {
        self.jwt_period() + self.jwt_period() / 10 + self.propagation * 3
    }

    /// How often consumers should look for a new bundle, in seconds: at least twice before what is new in it is used.
    pub(super) fn refresh_hint(&self) -> u64 {
        let hint = LONGEST_REFRESH.min(self.propagation / 2);
        u64::try_from(hint.as_secs()).unwrap_or_default().max(1)
    }
}

fn revoked(spec: &CertificateAuthoritySpec) -> Result<BTreeSet<String>, PlanError> {
    let check = |text: &String| match text.parse::<Fingerprint>() {
        Ok(_) => Ok(text.clone()),
        Err(_) => Err(PlanError::Revoked(text.clone())),
    };
    spec.revoked_intermediates.iter().map(check).collect()
}

fn duration(text: &str) -> Option<SignedDuration> {
    const LONGEST: SignedDuration = SignedDuration::from_hours(100 * 366 * 24);
    let duration: SignedDuration = text.parse().ok()?;
    (duration <= LONGEST && !duration.is_negative()).then_some(duration)
}

/// A time so much later, or the end of time.
pub(crate) fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_add(duration).unwrap_or(Timestamp::MAX)
}

/// A time so much earlier, or the beginning of time.
pub(crate) fn before(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.saturating_sub(duration).unwrap_or(Timestamp::MIN)
}
