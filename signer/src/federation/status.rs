//! What a `FederatedTrustDomain` is told.

use countersign_crds::federated_trust_domain::FederatedTrustDomainStatus;
use countersign_identity::Bundle;
use countersign_policy::conditions::Finding;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::object::{Seen, Wanted};
use super::track::Track;
use crate::problem::Problem;

/// What a status is made of.
pub struct View<'a> {
    /// The object.
    pub seen: &'a Seen,
    /// What it asks for, or why it has no effect.
    pub verdict: &'a Result<&'a Wanted, Problem>,
    /// Where the fetching stands; none if nothing is fetched.
    pub track: Option<&'a Track>,
    /// The bundle that is in use.
    pub bundle: Option<&'a Bundle>,
    /// Why what was fetched cannot be kept or published.
    pub unkept: Option<&'a Problem>,
}

/// The status now.
pub fn status(view: &View<'_>, now: Timestamp) -> FederatedTrustDomainStatus {
    let bundle = view.bundle.filter(|_| view.verdict.is_ok());
    let roots = bundle.map_or(0, |bundle| valid_roots(bundle, now));
    let jwt_keys = bundle.map_or(0, |bundle| bundle.jwt_keys().count());
    let sequence = bundle.and_then(|bundle| bundle.sequence);
    FederatedTrustDomainStatus {
        observed_generation: view.seen.generation,
        sequence: sequence.map(|sequence| i64::try_from(sequence).unwrap_or(i64::MAX)),
        roots: Some(i64::try_from(roots).unwrap_or(i64::MAX)),
        jwt_keys: Some(i64::try_from(jwt_keys).unwrap_or(i64::MAX)),
        refreshed_at: bundle.and(view.track).and_then(|track| track.refreshed_at).map(Time),
        conditions: vec![ready(view, roots, jwt_keys, now)],
    }
}

fn valid_roots(bundle: &Bundle, now: Timestamp) -> usize {
    let valid = |root: &&countersign_identity::bundle::Root| root.not_before() <= now && now <= root.not_after();
    bundle.roots().filter(valid).count()
}

fn ready(view: &View<'_>, roots: usize, jwt_keys: usize, now: Timestamp) -> Condition {
    let previous = view.seen.status.as_ref().map_or(&[][..], |status| &status.conditions);
    judge(view, roots, jwt_keys).dated(previous, view.seen.generation, now)
}

fn judge(view: &View<'_>, roots: usize, jwt_keys: usize) -> Finding {
    let found = |status, reason, message| Finding::new("Ready", status, reason, message);
    let wanted = match view.verdict {
        Ok(wanted) => wanted,
        Err(problem) => return found(Some(false), problem.reason, problem.message.clone()),
    };
    let domain = &wanted.domain;
    let problem = view
        .unkept
        .or_else(|| view.track.and_then(|track| track.problem.as_ref()));
    let Some(bundle) = view.bundle else {
        return match problem {
            Some(problem) => found(
                Some(false),
                problem.reason,
                format!("nothing of {domain} is trusted: {}", problem.message),
            ),
            None => found(None, "Pending", format!("the bundle of {domain} is being fetched")),
        };
    };
    let mut notes = Vec::new();
    let usable = roots + jwt_keys > 0;
    if usable {
        notes.push(format!(
            "{roots} roots and {jwt_keys} keys for JWT-SVIDs verify what is of {domain}, and nothing else"
        ));
    } else if bundle.roots().next().is_some() {
        notes.push(format!(
            "all roots in the bundle of {domain} have expired or are not valid yet, so nothing of it is trusted: ask its owner"
        ));
    } else {
        notes.push(format!(
            "the bundle of {domain} holds no key that can be used, so nothing of it is trusted: ask its owner"
        ));
    }
    notes.extend(view.track.and_then(|track| track.note.clone()));
    if let Some(unkept) = view.unkept {
        notes.push(unkept.message.clone());
    } else if let Some(problem) = problem {
        let refreshed = view.track.and_then(|track| track.refreshed_at);
        let since = refreshed.map_or_else(
            || "it is stale, from before this object was changed".to_owned(),
            |at| format!("it was fetched last at {at}, and is stale since"),
        );
        notes.push(format!("{since}: {}", problem.message));
    }
    let reason = match (problem, usable) {
        (Some(problem), _) => problem.reason,
        (None, true) => "Verifying",
        (None, false) => "Empty",
    };
    found(Some(usable), reason, notes.join("; "))
}

#[cfg(test)]
mod tests {
    use countersign_identity::jwt_svid::JwtSigner;
    use rcgen::{CertificateParams, IsCa, KeyPair};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn wanted() -> Wanted {
        Wanted {
            domain: "example.com".parse().unwrap(),
            url: "https://example.com".to_owned(),
            ca_bundle: None,
            refresh: None,
        }
    }

    fn seen() -> Seen {
        Seen {
            name: "partner".to_owned(),
            uid: "u1".to_owned(),
            generation: Some(4),
            created: now(),
            status: None,
            wanted: Ok(wanted()),
        }
    }

    /// With one root that is valid from 2026 to 2027, and one key.
    fn bundle() -> Bundle {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let mut bundle = Bundle::new("example.com".parse().unwrap());
        bundle.add_pem(certificate.pem().as_bytes()).unwrap();
        let key = KeyPair::generate().unwrap();
        let signer = JwtSigner::from_pkcs8("k1", key.serialized_der()).unwrap();
        bundle.add_jwt_key(signer.verification_key().unwrap());
        bundle.sequence = Some(12);
        bundle
    }

    fn told(
        verdict: &Result<&Wanted, Problem>,
        track: Option<&Track>,
        bundle: Option<&Bundle>,
    ) -> FederatedTrustDomainStatus {
        let view = View {
            seen: &seen(),
            verdict,
            track,
            bundle,
            unkept: None,
        };
        status(&view, now())
    }

    fn ready(status: &FederatedTrustDomainStatus) -> (&str, &str, &str) {
        let condition = &status.conditions[0];
        (&condition.status, &condition.reason, &condition.message)
    }

    #[test]
    fn what_verifies_is_told() {
        let wanted = wanted();
        let mut track = Track::begin(Some(4), None, jiff::SignedDuration::from_mins(5), now());
        let pending = told(&Ok(&wanted), Some(&track), None);
        assert_eq!((ready(&pending).0, ready(&pending).1), ("Unknown", "Pending"));
        assert_eq!((pending.roots, pending.refreshed_at), (Some(0), None));

        track.fetched(jiff::SignedDuration::from_mins(5), 0, now());
        let good = told(&Ok(&wanted), Some(&track), Some(&bundle()));
        assert_eq!((good.roots, good.jwt_keys, good.sequence), (Some(1), Some(1), Some(12)));
        assert_eq!(
            (good.observed_generation, good.refreshed_at.clone()),
            (Some(4), Some(Time(now())))
        );
        let (status, reason, message) = ready(&good);
        assert_eq!((status, reason), ("True", "Verifying"));
        assert!(message.starts_with("1 roots and 1 keys"), "{message}");
    }

    #[test]
    fn what_is_stale_is_told_with_when_and_why() {
        let wanted = wanted();
        let interval = jiff::SignedDuration::from_mins(5);
        let mut track = Track::begin(Some(4), None, interval, now());
        track.failed(Problem::new("Unreachable", "no route"), interval, 0, now());
        let never = told(&Ok(&wanted), Some(&track), None);
        assert_eq!(
            ready(&never),
            ("False", "Unreachable", "nothing of example.com is trusted: no route")
        );
        track.fetched(interval, 0, now());
        track.failed(Problem::new("Unreachable", "no route"), interval, 0, now());
        let stale = told(&Ok(&wanted), Some(&track), Some(&bundle()));
        let (status, reason, message) = ready(&stale);
        assert_eq!((status, reason), ("True", "Unreachable"));
        assert!(
            message.ends_with("it was fetched last at 2026-11-24T12:00:00Z, and is stale since: no route"),
            "{message}"
        );
    }

    #[test]
    fn what_is_fetched_and_cannot_be_kept_is_told() {
        let wanted = wanted();
        let track = Track::begin(Some(4), Some(now()), jiff::SignedDuration::from_mins(5), now());
        let (seen, verdict, bundle) = (seen(), Ok(&wanted), bundle());
        let view = View {
            seen: &seen,
            verdict: &verdict,
            track: Some(&track),
            bundle: Some(&bundle),
            unkept: Some(&Problem::new("CannotKeep", "forbidden")),
        };
        let told = status(&view, now());
        let (status, reason, message) = ready(&told);
        assert_eq!((status, reason), ("True", "CannotKeep"));
        assert!(message.ends_with("; forbidden"), "{message}");
    }

    #[test]
    fn what_trusts_nothing_is_told() {
        let wanted = wanted();
        let track = Track::begin(Some(4), Some(now()), jiff::SignedDuration::from_mins(5), now());
        let empty = told(&Ok(&wanted), Some(&track), Some(&Bundle::new(wanted.domain.clone())));
        assert_eq!((ready(&empty).0, ready(&empty).1), ("False", "Empty"));
        let refused = told(&Err(Problem::new("Conflicted", "older holds")), None, Some(&bundle()));
        assert_eq!(ready(&refused), ("False", "Conflicted", "older holds"));
        assert_eq!(
            (refused.roots, refused.sequence, refused.refreshed_at),
            (Some(0), None, None)
        );
        let mut expired = bundle();
        expired.remove_jwt_key("k1");
        let (seen, verdict) = (seen(), Ok(&wanted));
        let view = View {
            seen: &seen,
            verdict: &verdict,
            track: Some(&track),
            bundle: Some(&expired),
            unkept: None,
        };
        let later = status(&view, "2027-06-01T00:00:00Z".parse().unwrap());
        assert_eq!(later.roots, Some(0));
        assert!(ready(&later).2.contains("have expired"), "{:?}", ready(&later));
    }
}
