use countersign_crds::CertificateAuthoritySpec;
use countersign_crds::certificate_authority::Phase;
use jiff::SignedDuration;

use super::*;
use crate::authority::rotation::{self, Plan, Seen, after};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn kept() -> (Kept, Plan) {
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    let new = Kept::new("example.org".parse().unwrap());
    let kept = new.advanced(&plan, &Seen::default(), None, now()).unwrap().0;
    (kept, plan)
}

fn view<'a>(kept: Option<&'a Kept>, publication: &'a Publication, problem: Option<&'a Problem>) -> View<'a> {
    View {
        trust_domain: "example.org",
        kept,
        next: None,
        publication,
        problem,
        generation: Some(3),
        previous: None,
    }
}

#[test]
fn it_shows_root_intermediate_and_what_is_next() {
    let (kept, plan) = kept();
    let publication = Publication::default();
    let next = rotation::next(kept.state(), &plan, &Seen::default(), now());
    let view = View {
        next,
        ..view(Some(&kept), &publication, None)
    };
    let status = status(&view, now());
    assert_eq!(status.phase, Some(Phase::Steady));
    assert_eq!(status.roots.len(), 1);
    assert_eq!(status.roots[0].state, RootState::Active);
    let intermediate = status.intermediate.unwrap();
    assert_eq!(intermediate.issuer, status.roots[0].sha256);
    assert_eq!(intermediate.serial_number.len(), 32);
    assert_eq!(status.next_step.unwrap().what, "make a new intermediate");
    let ready = &status.conditions[0];
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), ("True", "Signing"));
    assert_eq!(ready.message, "signs certificates of the trust domain example.org");
}

#[test]
fn a_problem_is_told_and_does_not_hide_that_it_signs() {
    let (kept, _) = kept();
    let publication = Publication {
        cluster_trust_bundles: Some(false),
        failing: (0..5)
            .map(|number| (format!("the namespace n{number}"), "quota".to_owned()))
            .collect(),
        foreign: ["theirs".to_owned()].into(),
        ..Publication::default()
    };
    let problem = Problem::new("IntermediateRefused", "the Secret x: renew it");
    let signing = status(&view(Some(&kept), &publication, Some(&problem)), now());
    let ready = &signing.conditions[0];
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("True", "IntermediateRefused")
    );
    for part in ["renew it", "no ClusterTrustBundles", "n2 (quota) and 2 more", "theirs"] {
        assert!(ready.message.contains(part), "{part}: {}", ready.message);
    }
    let nothing = status(&view(None, &publication, Some(&problem)), now());
    assert_eq!(nothing.conditions[0].status, "False");
    assert_eq!(nothing.phase, None);
}

#[test]
fn an_intermediate_that_has_ended_is_told() {
    let (kept, _) = kept();
    let publication = Publication::default();
    let later = after(now(), SignedDuration::from_hours(720));
    let before = status(&view(Some(&kept), &publication, None), now());
    let ended = View {
        previous: Some(&before),
        ..view(Some(&kept), &publication, None)
    };
    let ended = status(&ended, later);
    assert_eq!(ended.conditions[0].reason, "Ended");
    assert_eq!(ended.conditions[0].last_transition_time, Time(later));
    let view = View {
        previous: Some(&before),
        ..view(Some(&kept), &publication, None)
    };
    let still = status(&view, after(now(), SignedDuration::from_hours(1)));
    assert_eq!(still, before, "the time of the transition stays");
}
