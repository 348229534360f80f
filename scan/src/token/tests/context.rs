//! What the name beside it tells, and what another text of the same object does.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::super::alphabet::HEX;
use super::super::testing::{aws_key, draw, positives};
use super::super::{aws_secret, named};
use super::{denied, hits, input, rounds};
use crate::finding::{Mitigation, Tier};
use crate::limits::Limits;

#[test]
fn leaves_a_value_under_a_name_that_is_another_one() {
    for mut rng in rounds() {
        for (rule, _, token, name) in positives(&mut rng) {
            let Some(name) = name.filter(|_| rule != "azure-devops-token") else {
                continue;
            };
            let limits = Limits::default();
            assert_eq!(named(&input(&token, Some("colour"), &limits)), None, "{rule}");
            assert_eq!(named(&input(&token, None, &limits)), None, "{rule}");
            assert_eq!(
                named(&input(&token, Some(&format!("{name}_HASH")), &limits)),
                None,
                "{rule}"
            );
        }
    }
}

#[test]
fn reads_a_name_in_any_style() {
    let mut rng = StdRng::seed_from_u64(3);
    let value = draw(&mut rng, HEX, 32);
    for name in [
        "DD_API_KEY",
        "datadog.apiKey",
        "X-Datadog-Api-Key",
        "agent.datadog.keys.apiKey",
        "dd-api-key",
    ] {
        let found = hits(&format!(" {value}\n"), Some(name));
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].span, 1..33);
    }
    let long = format!("{}DATADOG_API_KEY", "ü_".repeat(500));
    assert_eq!(hits(&value, Some(&long)).len(), 1);
}

#[test]
fn knows_an_aws_key_by_both_halves() {
    for mut rng in rounds() {
        let (id, secret) = aws_key(&mut rng);
        assert_eq!(denied(&id, None).len(), 1);
        let limits = Limits::default();
        let hit = aws_secret(&input(&secret, None, &limits)).unwrap();
        assert_eq!((hit.tier, hit.mitigation, hit.span), (Tier::Shaped, None, 0..40));

        let example = format!("{}EXAMPLE", &id[..13]);
        assert_eq!(hits(&example, None)[0].mitigation, Some(Mitigation::Test));
        let example = format!("{}EXAMPLEKEY", &secret[..30]);
        assert_eq!(
            aws_secret(&input(&example, None, &limits)).unwrap().mitigation,
            Some(Mitigation::Test)
        );

        let hex = draw(&mut rng, HEX, 40);
        let others = [
            hex.clone(),
            hex.to_uppercase(),
            secret[..39].to_owned(),
            format!("{secret}A"),
            secret.replace(|c: char| c.is_ascii_digit(), "x"),
        ];
        for text in &others {
            assert_eq!(aws_secret(&input(text, None, &limits)), None);
        }
        let path = "/usr/share/Java/lib/v1/Component4/Module";
        assert_eq!((path.len(), aws_secret(&input(path, None, &limits))), (40, None));
    }
}
