use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use countersign_identity::jwt_svid::{JwtSvidError, verify};
use countersign_identity::{Bundle, Bundles};
use countersign_runtime::clock;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use rstest::rstest;

use super::*;
use crate::authority::Kept;
use crate::authority::rotation::{Plan, Seen};

const ID: &str = "spiffe://example.org/ns/shop/sa/payments";
const AUDIENCE: &str = "reports";

fn domain() -> TrustDomain {
    "example.org".parse().unwrap()
}

fn advanced(kept: &Kept, seen: &Seen, now: Timestamp) -> Kept {
    let plan = Plan::new(&CertificateAuthoritySpec::default()).unwrap();
    kept.advanced(&plan, seen, None, now).unwrap().0
}

fn issuer(kept: &Kept) -> JwtIssuer {
    let issuer = JwtIssuer::new(Arc::default());
    issuer.set(kept);
    issuer
}

fn issue(issuer: &JwtIssuer, lifetime: SignedDuration, now: Timestamp) -> Result<JwtSvid, JwtError> {
    issuer.issue(&ID.parse().unwrap(), &[AUDIENCE.to_owned()], lifetime, now)
}

/// What a consumer has who read the bundle.
fn consumer(kept: &Kept) -> Bundles {
    let received = Bundle::from_jwks(domain(), &kept.bundle().to_jwks()).unwrap();
    assert!(received.passed_over.is_empty());
    Bundles::new(received.bundle)
}

/// What the `spiffe` crate says, by its own clock.
fn theirs(token: &str, bundle: &Bundle) -> Result<spiffe::JwtSvid, spiffe::JwtSvidError> {
    let mut keys = spiffe::JwtBundle::new(spiffe::TrustDomain::new("example.org").unwrap());
    let document: serde_json::Value = serde_json::from_str(&bundle.to_jwks()).unwrap();
    for key in document["keys"].as_array().unwrap() {
        if key["use"] == "jwt-svid" {
            keys.add_jwk_authority_json(key.to_string().as_bytes()).unwrap();
        }
    }
    let mut set = spiffe::JwtBundleSet::new();
    set.add_bundle(keys);
    spiffe::JwtSvid::parse_and_validate(token, &set, &[AUDIENCE])
}

#[test]
fn a_token_is_verified_with_the_bundle_by_us_and_by_others() {
    let now = clock::now();
    let kept = advanced(&Kept::new(domain()), &Seen::default(), now);
    let svid = issue(&issuer(&kept), DEFAULT_LIFETIME, now).unwrap();
    let ours = verify(&svid.token, AUDIENCE, &consumer(&kept), now).unwrap();
    assert_eq!((ours.id().to_string().as_str(), ours.expires()), (ID, svid.expires));
    assert_eq!(svid.expires, now + SignedDuration::from_mins(5));
    let read = theirs(&svid.token, &kept.bundle()).unwrap();
    assert_eq!(read.spiffe_id().to_string(), ID);
    assert_eq!(
        (read.key_id(), read.audience()),
        (svid.key_id.as_str(), &[AUDIENCE.to_owned()][..])
    );
    // Another authority of the same trust domain has another key.
    let other = advanced(&Kept::new(domain()), &Seen::default(), now);
    assert_eq!(
        verify(&svid.token, AUDIENCE, &consumer(&other), now),
        Err(JwtSvidError::NoKey)
    );
    assert!(theirs(&svid.token, &other.bundle()).is_err());
    assert!(!format!("{svid:?}").contains(&svid.token[..20]));
}

#[test]
fn each_token_has_an_identifier_of_its_own() {
    let now = clock::now();
    let kept = advanced(&Kept::new(domain()), &Seen::default(), now);
    let (issuer, bundles) = (issuer(&kept), consumer(&kept));
    let id = || {
        let svid = issue(&issuer, DEFAULT_LIFETIME, now).unwrap();
        assert!(verify(&svid.token, AUDIENCE, &bundles, now).is_ok());
        let claims = URL_SAFE_NO_PAD.decode(svid.token.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        claims["jti"].as_str().unwrap().to_owned()
    };
    let (first, second) = (id(), id());
    assert_eq!(first.len(), 32);
    assert_ne!(first, second);
}

#[test]
fn tokens_are_verified_before_and_after_their_key_is_replaced() {
    let days = |days: i64| clock::now() + SignedDuration::from_hours(24 * days);
    let accepted = |signer: &Kept, verifier: &Kept, now: Timestamp| {
        let svid = issue(&issuer(signer), MAX_LIFETIME, now).unwrap();
        verify(&svid.token, AUDIENCE, &consumer(verifier), now).is_ok()
    };
    let first = advanced(&Kept::new(domain()), &Seen::default(), days(0));
    let published = advanced(&first, &Seen::default(), days(30));
    let seen = Seen {
        jwt_published: published.state().jwt_ids(),
        ..Seen::default()
    };
    let published = advanced(&published, &seen, days(30));
    let used = advanced(&published, &seen, days(31));
    assert_ne!(
        used.jwt_signer().unwrap().0.id(),
        published.jwt_signer().unwrap().0.id()
    );
    assert!(accepted(&used, &published, days(31)), "consumers are behind");
    assert!(accepted(&published, &used, days(31)), "a replica is behind");
    assert!(
        !accepted(&used, &first, days(31)),
        "that is why it is distributed first"
    );
    // A replica that never learns of the new key stops by itself.
    let ends = published.jwt_signer().unwrap().1;
    assert_eq!(
        issue(&issuer(&published), MAX_LIFETIME, ends).unwrap_err(),
        JwtError::Ending(ends)
    );
    let gone = advanced(&used, &seen, ends + SignedDuration::from_hours(24));
    assert_eq!(gone.bundle().jwt_keys().count(), 1);
}

#[test]
fn a_bundle_has_a_higher_number_whenever_its_content_changes() {
    let start: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let hours = |hours: i64| start + SignedDuration::from_hours(hours);
    let first = advanced(&Kept::new(domain()), &Seen::default(), hours(0));
    let number = |kept: &Kept| kept.bundle().sequence.unwrap();
    assert_eq!(first.bundle().refresh_hint, Some(300));
    // A new intermediate changes nothing for those who verify.
    let later = advanced(&first, &Seen::default(), hours(400));
    assert_ne!(later.state().signing, first.state().signing);
    assert_eq!(later.bundle(), first.bundle());
    let key = advanced(&later, &Seen::default(), hours(720));
    assert_eq!(key.bundle().jwt_keys().count(), 2);
    assert!(number(&key) > number(&first));
    // What begins anew after a loss is not taken for older.
    let anew = advanced(&Kept::new(domain()), &Seen::default(), hours(721));
    assert!(number(&anew) > number(&key));
}

#[rstest]
#[case::foreign("spiffe://example.com/a", &["a"], 1, "example.com is not of the trust domain")]
#[case::no_path("spiffe://example.org", &["a"], 1, "must have a path")]
#[case::no_audience(ID, &[], 1, "needs an audience")]
#[case::empty_audience(ID, &["a", ""], 1, "none that is empty")]
#[case::too_many(ID, &["a"; 17], 1, "at most 16 audiences")]
#[case::too_long(ID, &["a"], 3601, "at most an hour")]
#[case::no_time(ID, &["a"], 0, "at least a second")]
fn what_would_not_be_valid_or_would_be_too_mighty_is_refused(
    #[case] id: &str,
    #[case] audiences: &[&str],
    #[case] seconds: i64,
    #[case] why: &str,
) {
    let now = clock::now();
    let issuer = issuer(&advanced(&Kept::new(domain()), &Seen::default(), now));
    let audiences: Vec<String> = audiences.iter().map(ToString::to_string).collect();
    let lifetime = SignedDuration::from_secs(seconds);
    let error = issuer
        .issue(&id.parse().unwrap(), &audiences, lifetime, now)
        .unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
}

#[test]
fn what_became_of_requests_is_counted() {
    let now = clock::now();
    let metrics = Arc::new(IssueMetrics::default());
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let issuer = JwtIssuer::new(metrics);
    assert_eq!(issue(&issuer, DEFAULT_LIFETIME, now).unwrap_err(), JwtError::NoKey);
    issuer.set(&advanced(&Kept::new(domain()), &Seen::default(), now));
    issue(&issuer, DEFAULT_LIFETIME, now).unwrap();
    issue(&issuer, DEFAULT_LIFETIME, now).unwrap();
    issue(&issuer, MAX_LIFETIME * 2, now).unwrap_err();
    let mut shown = String::new();
    text::encode(&mut shown, &registry).unwrap();
    for (outcome, count) in [("Failed", 1), ("Issued", 2), ("Refused", 1)] {
        let line = format!("countersign_jwt_svid_requests_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(shown.contains(&line), "{shown}");
    }
    // Without a key again, nothing is signed.
    issuer.take(&crate::authority::store::Reading::Missing);
    assert_eq!(issue(&issuer, DEFAULT_LIFETIME, now).unwrap_err(), JwtError::NoKey);
}
