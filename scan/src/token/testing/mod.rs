//! Makes credentials of every kind, for tests. None is in the repository: each is drawn when a test runs.

mod carry;
mod seal;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::finding::Tier;

use super::alphabet::{Alphabet, BASE32, BASE62, BASE64, BASE64URL};
use super::context::NAMED;
use super::placeholder::is_placeholder;
use super::shape::{Part, Shape};
use super::{ai, azure, cloud, data, forge, observe, platform, service};

/// A rule's name, how sure it should be, a text that it finds, and the name that must stand beside the text, if it is
/// the name that tells. Whoever looks at it must think that it is before the year 2099, and have the usual limits.
pub type Positive = (&'static str, Tier, String, Option<&'static str>);

/// One text for each form of each rule. Rules that need more than one text are not among them: `aws-secret-key` (see
/// [`aws_key`]); nor is `google-access-token`, which the usual limits allow.
pub fn positives(rng: &mut StdRng) -> Vec<Positive> {
    let shaped = shapes()
        .filter(|(literal, _)| !FOR_TESTS.contains(literal) && *literal != "ya29.")
        .map(|(literal, shape)| {
            let (tier, text) = seal::sealed(rng, literal, shape);
            (shape.rule.id, tier, text, None)
        })
        .collect::<Vec<_>>();
    let named = NAMED.iter().map(|row| {
        let name = row.words.iter().map(|word| spelled(word)).collect::<Vec<_>>().join("_");
        let asks = ["KEY", "TOKEN", "SECRET", "PASSWORD"]
            .iter()
            .any(|word| name.contains(word));
        let name: &'static str = if asks { name } else { name + "_TOKEN" }.leak();
        let (tier, text) = match row.rule.id {
            "azure-devops-token" => (Tier::Proven, seal::devops(rng)),
            "elastic-api-key" => {
                let id = format!("{}:{}", draw(rng, BASE64URL, 20), draw(rng, BASE64URL, 22));
                (Tier::Proven, STANDARD.encode(id))
            }
            _ => (Tier::Shaped, filled(rng, |rng| parts(rng, row.parts))),
        };
        (row.rule.id, tier, text, Some(name))
    });
    shaped.into_iter().chain(named).collect()
}

/// A word of a name as people write it.
fn spelled(word: &str) -> String {
    match word {
        "cfapikey" => "CF_API_KEY".to_owned(),
        "cfapitoken" => "CF_API_TOKEN".to_owned(),
        "ddapikey" => "DD_API_KEY".to_owned(),
        "ddappkey" => "DD_APP_KEY".to_owned(),
        "ddapplicationkey" => "DD_APPLICATION_KEY".to_owned(),
        "esapikey" => "ES_API_KEY".to_owned(),
        "iamapikey" => "IAM_API_KEY".to_owned(),
        "nrlicensekey" => "NR_LICENSE_KEY".to_owned(),
        "consumerkey" => "CONSUMER_KEY".to_owned(),
        "privatekey" => "PRIVATE_KEY".to_owned(),
        _ => word.to_uppercase(),
    }
}

/// The two halves of an AWS access key.
pub fn aws_key(rng: &mut StdRng) -> (String, String) {
    let id = filled(rng, |rng| draw(rng, BASE32, 16));
    (format!("AKIA{id}"), filled(rng, |rng| draw(rng, BASE64, 40)))
}

/// Forms that are for tests by themselves.
pub(super) const FOR_TESTS: &[&str] = &["sk_test_", "rk_test_", "pypi-AgENdGVzdC5weXBpLm9yZw"];

/// Every form, with its literal.
pub(super) fn shapes() -> impl Iterator<Item = (&'static str, &'static Shape)> {
    [
        ai::SHAPES,
        azure::SHAPES,
        cloud::SHAPES,
        data::SHAPES,
        forge::SHAPES,
        observe::SHAPES,
        platform::SHAPES,
        service::SHAPES,
    ]
    .into_iter()
    .flatten()
    .map(|(literal, shape)| (*literal, shape))
}

/// So many characters of an alphabet.
pub(super) fn draw(rng: &mut StdRng, alphabet: Alphabet, length: usize) -> String {
    let characters: Vec<char> = (0..128_u8).filter(|byte| alphabet.has(*byte)).map(char::from).collect();
    (0..length)
        .map(|_| characters[rng.random_range(0..characters.len())])
        .collect()
}

/// Parts drawn at random.
fn parts(rng: &mut StdRng, parts: &[Part]) -> String {
    parts
        .iter()
        .map(|part| match *part {
            Part::Run(alphabet, least, most) => {
                let length = rng.random_range(least..=most.min(least + 40));
                draw(rng, alphabet, length)
            }
            Part::Is(text) => text.to_owned(),
            Part::Padding => String::new(),
        })
        .collect()
}

/// What is drawn, until chance makes it look like no word, number or placeholder.
fn filled(rng: &mut StdRng, mut make: impl FnMut(&mut StdRng) -> String) -> String {
    loop {
        let text = make(rng);
        let count = |kind: fn(&u8) -> bool| text.bytes().filter(kind).count();
        let mixed = count(u8::is_ascii_digit) > 1 && count(u8::is_ascii_alphabetic) > 1;
        if mixed && !is_placeholder(&text) {
            return text;
        }
    }
}

/// A text of the form, without regard to what it checks.
pub(super) fn unsealed(rng: &mut StdRng, literal: &str, shape: &Shape) -> String {
    filled(rng, |rng| {
        let before = shape
            .before
            .map(|(alphabet, least, most)| [Part::Run(alphabet, least, most)]);
        let before = parts(rng, before.as_ref().map_or(&[], |part| part));
        let start = if literal == "T3BlbkFJ" { "sk-proj-" } else { "" };
        let before = format!("{start}{}", before.get(start.len()..).unwrap_or_default());
        let mut text = format!("{before}{literal}{}", parts(rng, shape.parts));
        if literal == "_mmk" {
            text = draw(rng, BASE62, 6) + "_" + &draw(rng, BASE62, 29) + literal;
        }
        text
    })
}
