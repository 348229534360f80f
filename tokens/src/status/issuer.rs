//! The status of a managed `TokenIssuer`.

use countersign_crds::token_issuer::{KeyState, SigningKeyStatus, TokenIssuerStatus};
use countersign_policy::conditions::Finding;
use countersign_policy::parse::Problem;
use jiff::Timestamp;

use super::{summary, time};
use crate::directory::{Endpoint, Issuer};
use crate::keys::schedule::{self, Timing};
use crate::keys::{Ring, signing};

/// Whether the metadata can be had where clients look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// It was not tried yet.
    NotYet,
    /// It can.
    Reachable,
    /// It cannot.
    Failed(String),
}

/// What is known of an issuer.
pub struct IssuerView<'a> {
    /// What it is, unless it has problems.
    pub issuer: Option<&'a Issuer>,
    /// What is wrong with it.
    pub problems: &'a [Problem],
    /// Its keys, once there are some.
    pub ring: Option<&'a Ring>,
    /// Whether its metadata can be had.
    pub discovery: &'a Discovery,
}

/// What is said of an issuer.
pub fn issuer_status(
    view: &IssuerView<'_>,
    generation: i64,
    previous: &TokenIssuerStatus,
    now: Timestamp,
) -> TokenIssuerStatus {
    let conditions = findings(view)
        .into_iter()
        .map(|finding| finding.dated(&previous.conditions, generation, now))
        .collect();
    let Some(issuer) = view.issuer else {
        // What its tokens were verified with stays, so that a mistake does not end what was given before.
        return TokenIssuerStatus {
            observed_generation: Some(generation),
            conditions,
            ..previous.clone()
        };
    };
    let timing = Timing::new(issuer.managed.rotate_every, issuer.managed.longest_token());
    TokenIssuerStatus {
        observed_generation: Some(generation),
        issuer: Some(issuer.managed.issuer.clone()),
        longest_token: Some(duration(issuer.managed.longest_token())),
        key_count: view.ring.and_then(|ring| i64::try_from(ring.verify().len()).ok()),
        jwks: view.ring.map(|ring| ring.jwks().to_owned()),
        jwks_uri: Some(issuer.place.url(Endpoint::Jwks)),
        keys: view
            .ring
            .map(|ring| keys(ring, timing, now.as_second()))
            .unwrap_or_default(),
        clients: i64::try_from(issuer.clients.len()).ok(),
        conditions,
    }
}

fn findings(view: &IssuerView<'_>) -> Vec<Finding> {
    let available = if view.ring.is_some() {
        Finding::new(
            "KeysAvailable",
            Some(true),
            "Kept",
            "there are keys that sign and verify",
        )
    } else {
        Finding::new("KeysAvailable", Some(false), "NotYet", "its keys are about to be made")
    };
    let discovery = match view.discovery {
        Discovery::NotYet => Finding::new("DiscoveryReachable", None, "NotYet", "it was not tried yet"),
        Discovery::Reachable => Finding::new(
            "DiscoveryReachable",
            Some(true),
            "Reachable",
            "clients find its metadata at the issuer identifier",
        ),
        Discovery::Failed(why) => Finding::new(
            "DiscoveryReachable",
            Some(false),
            "Unreachable",
            format!(
                "its metadata cannot be fetched as clients do: {why}. Lead the host of spec.managed.issuer to the token service"
            ),
        ),
    };
    let ready = if !view.problems.is_empty() {
        Finding::new(
            "Ready",
            Some(false),
            "Invalid",
            format!("it gives no token: {}", summary(view.problems)),
        )
    } else if view.ring.is_none() {
        Finding::new("Ready", Some(false), "NoKeys", "its keys are about to be made")
    } else {
        Finding::new("Ready", Some(true), "Ready", "it gives tokens")
    };
    vec![available, discovery, ready]
}

fn keys(ring: &Ring, timing: Timing, now: i64) -> Vec<SigningKeyStatus> {
    let current = schedule::signing(&ring.document().keys, now);
    let all: Vec<_> = ring.turns().collect();
    let told = all.iter().enumerate().map(|(at, (key, kept))| {
        let next = all.get(at + 1).map(|(_, next)| next.signs_from);
        let state = match current {
            Some(current) if at == current => KeyState::Signing,
            Some(current) if at < current => KeyState::Retiring,
            _ => KeyState::Published,
        };
        let until = kept.retired.or(next).unwrap_or(kept.signs_from + timing.rotate_every);
        SigningKeyStatus {
            kid: key.id().to_owned(),
            algorithm: signing::name(key.algorithm()).to_owned(),
            state,
            signs_from: time(kept.signs_from),
            signs_until: time(until),
            removed_after: time(until + timing.kept),
        }
    });
    told.collect()
}

/// Seconds, as users write them.
fn duration(seconds: i64) -> String {
    match seconds {
        _ if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        _ if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}
