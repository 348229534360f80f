use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use countersign_identity::Bundles;
use countersign_identity::svid::{self, Withdrawn};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;

use super::*;
use crate::authority::brought;
use crate::authority::rotation::{Plan, Seen, after};
use crate::authority::store::{self, Reading, TYPE};

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

fn advanced(kept: &Kept, seen: &Seen, hours: i64) -> (Kept, Vec<&'static str>) {
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    let now = after(now(), SignedDuration::from_hours(hours));
    kept.advanced(&plan, seen, None, now).unwrap()
}

fn first() -> Kept {
    advanced(&Kept::new(domain()), &Seen::default(), 0).0
}

#[test]
fn what_was_written_is_read() {
    let kept = first();
    let entries = kept.write();
    assert_eq!(entries.len(), 7);
    let again = Kept::read(&domain(), &entries).unwrap();
    assert_eq!(again.state, kept.state);
    assert_eq!(again.write(), entries);
    let authority = again.authority().unwrap();
    assert_eq!(authority.ends(), kept.state.signing.as_ref().unwrap().ends);
    assert_eq!(again.bundle().roots().count(), 1);
}

#[test]
fn what_is_below_an_intermediate_that_is_revoked_signs_no_more() {
    let (mut kept, above) = (first(), first());
    kept.chain.push(above.chain[0].clone());
    let signing = kept.state.signing.clone().unwrap();
    let mut plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    plan.revoked.insert(Fingerprint::of(&above.chain[0]).to_string());
    let (next, steps) = kept.advanced(&plan, &Seen::default(), None, now()).unwrap();
    assert_eq!(steps, ["revoke-intermediate", "make-intermediate"]);
    assert_ne!(next.state.signing.as_ref().unwrap().sha256, signing.sha256);
    assert_eq!(next.chain.len(), 1);
    assert!(Kept::read(&domain(), &next.write()).is_ok());
}

#[test]
fn what_is_signed_is_accepted_with_the_roots_before_and_after_a_rotation() {
    let accepted = |signer: &Kept, verifier: &Kept, hours: i64| {
        let now = after(now(), SignedDuration::from_hours(hours));
        let authority = signer.authority().unwrap();
        let leaf = brought::trial(&authority, &domain(), now).unwrap();
        let presented: Vec<_> = std::iter::once(leaf).chain(authority.chain().to_vec()).collect();
        svid::verify(&presented, &Bundles::new(verifier.bundle()), &Withdrawn::default(), now).is_ok()
    };
    let kept = first();
    assert!(accepted(&kept, &kept, 0));
    let mut seen = Seen::default();
    seen.asked.root = Some("now".to_owned());
    let (published, _) = advanced(&kept, &seen, 1);
    seen.published = published.state.bundle();
    let (published, _) = advanced(&published, &seen, 1);
    let (used, _) = advanced(&published, &seen, 25);
    assert_ne!(used.state.signing, published.state.signing);
    assert!(accepted(&used, &published, 25), "consumers are behind");
    assert!(accepted(&published, &used, 25), "what was signed before is valid still");
    assert!(!accepted(&used, &kept, 25), "that is why it is distributed first");
}

#[test]
fn keys_are_shown_nowhere() {
    let kept = first();
    let shown = format!("{kept:?}");
    for (name, bytes) in kept.write() {
        let text = String::from_utf8(bytes.0).unwrap();
        if name.rsplit('.').next() == Some("key") {
            let line = text.lines().nth(1).unwrap();
            assert!(!shown.contains(line));
        }
    }
    assert!(!shown.contains("PRIVATE"));
}

#[test]
fn the_key_of_a_root_goes_when_nothing_is_signed_with_it_any_more() {
    let kept = first();
    let mut seen = Seen::default();
    seen.asked.root = Some("now".to_owned());
    let (kept, _) = advanced(&kept, &seen, 1);
    assert_eq!(kept.root_keys.len(), 2);
    seen.published = kept.state.bundle();
    let (kept, _) = advanced(&kept, &seen, 2);
    let (kept, steps) = advanced(&kept, &seen, 26);
    assert_eq!(steps, ["use-root", "make-intermediate"]);
    assert_eq!((kept.roots.len(), kept.root_keys.len()), (2, 1));
    let under = &kept.state.signing.as_ref().unwrap().under;
    assert!(kept.root_keys.contains_key(under));
    assert!(Kept::read(&domain(), &kept.write()).is_ok());
}

#[test]
fn whatever_is_missing_or_damaged_is_seen() {
    let entries = first().write();
    for name in entries.keys() {
        let mut without = entries.clone();
        without.remove(name);
        assert_eq!(
            Kept::read(&domain(), &without).unwrap_err(),
            Unreadable::Missing(name.clone())
        );
        let mut cut = entries.clone();
        cut.get_mut(name).unwrap().0.truncate(60);
        assert!(Kept::read(&domain(), &cut).is_err(), "{name}");
    }
    let other = first().write();
    for name in [CHAIN, KEY, STATE] {
        let mut mixed = entries.clone();
        mixed.insert(name.to_owned(), other[name].clone());
        assert!(Kept::read(&domain(), &mixed).is_err(), "{name}");
    }
}

#[test]
fn another_version_or_trust_domain_is_not_taken() {
    let entries = first().write();
    let foreign = "example.com".parse().unwrap();
    let error = Kept::read(&foreign, &entries).unwrap_err();
    assert_eq!(error, Unreadable::TrustDomain("example.org".to_owned()));
    let mut later = entries.clone();
    let json = String::from_utf8(later[STATE].0.clone()).unwrap();
    let json = json.replace("\"version\":1", "\"version\":2,\"more\":{}");
    later.insert(STATE.to_owned(), ByteString(json.into_bytes()));
    assert_eq!(Kept::read(&domain(), &later).unwrap_err(), Unreadable::Version(2));
}

#[test]
fn a_secret_of_another_type_is_somebody_elses() {
    let secret = |type_: &str| Secret {
        type_: Some(type_.to_owned()),
        data: Some(first().write()),
        ..Secret::default()
    };
    assert!(matches!(store::read(secret(TYPE), &domain()), Reading::Read(_)));
    let Reading::Unreadable(why) = store::read(secret("Opaque"), &domain()) else {
        panic!("it was taken");
    };
    assert!(why.contains("somebody else"), "{why}");
}

#[test]
fn what_was_kept_before_there_were_keys_for_tokens_gets_one() {
    let mut entries = first().write();
    entries.retain(|name, _| !name.starts_with("jwt-"));
    let mut state: serde_json::Value = serde_json::from_slice(&entries[STATE].0).unwrap();
    for field in ["jwtKeys", "sequence", "refreshHint"] {
        assert!(state["state"].as_object_mut().unwrap().remove(field).is_some());
    }
    entries.insert(STATE.to_owned(), ByteString(state.to_string().into_bytes()));
    let old = Kept::read(&domain(), &entries).unwrap();
    assert!(old.jwt_signer().is_none() && old.bundle().sequence.is_none());
    let (new, steps) = advanced(&old, &Seen::default(), 1);
    assert_eq!(steps, ["make-jwt-key", "use-jwt-key", "number-bundle"]);
    assert!(new.jwt_signer().is_some() && new.bundle().sequence.is_some());
    assert_eq!(new.bundle().roots().count(), 1);
}

#[test]
fn the_private_key_of_tokens_goes_when_another_signs() {
    let days = |days: i64| 24 * days;
    let (published, _) = advanced(&first(), &Seen::default(), days(30));
    assert_eq!(published.jwt_keys.len(), 2);
    let seen = Seen {
        jwt_published: published.state.jwt_ids(),
        ..Seen::default()
    };
    let (published, _) = advanced(&published, &seen, days(30));
    let (used, _) = advanced(&published, &seen, days(31));
    assert_eq!((used.jwt_keys.len(), used.jwt_public.len()), (1, 2));
    let again = Kept::read(&domain(), &used.write()).unwrap();
    assert_eq!(again.write(), used.write());
    assert_eq!(again.bundle(), used.bundle());
}
