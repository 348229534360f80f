//! Tokens that say when they end.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rstest::rstest;

use super::super::alphabet::BASE62;
use super::super::testing::{draw, shapes, unsealed};
use super::{NOW, hits, hits_within};
use crate::finding::{Lifetime, Mitigation, Tier};
use crate::limits::Limits;

/// A reference token of an Artifactory that ends then.
fn jfrog(end: i64) -> String {
    use base64::Engine as _;
    let secret = draw(&mut StdRng::seed_from_u64(9), BASE62, 27);
    base64::engine::general_purpose::STANDARD.encode(format!("reftkn:01:{end:010}:{secret}"))
}

#[rstest]
#[case::never(0, Some((Some(Lifetime::Endless), None)))]
#[case::within(NOW + 3600, None)]
#[case::at_the_limit(NOW + 86_400, None)]
#[case::beyond(NOW + 86_401, Some((Some(Lifetime::Seconds(86_401)), None)))]
#[case::now(NOW, Some((None, Some(Mitigation::Expired))))]
#[case::over(NOW - 5, Some((None, Some(Mitigation::Expired))))]
fn weighs_a_token_by_its_end(#[case] end: i64, #[case] expected: Option<(Option<Lifetime>, Option<Mitigation>)>) {
    let found = hits(&jfrog(end), None);
    assert_eq!(found.first().map(|hit| (hit.lifetime, hit.mitigation)), expected);
    assert!(found.iter().all(|hit| hit.tier == Tier::Proven));
}

#[test]
fn allows_an_hour_to_google_unless_the_limit_is_shorter() {
    let mut rng = StdRng::seed_from_u64(4);
    let (literal, shape) = shapes().find(|(literal, _)| *literal == "ya29.").unwrap();
    let token = unsealed(&mut rng, literal, shape);
    assert_eq!(hits(&token, None), []);
    let limits = Limits {
        token: 900,
        ..Limits::default()
    };
    assert_eq!(hits_within(&token, None, &limits)[0].rule.id, "google-access-token");
}
