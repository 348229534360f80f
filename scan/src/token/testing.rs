//! Makes credentials of every kind, for tests. None is in the repository: each is drawn when a test runs.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::finding::Tier;

use super::checksum;
use super::context::NAMED;
use super::placeholder::is_placeholder;
use super::shape::{Alphabet, BASE32, BASE62, BASE64, BASE64URL, HEX, Part, Shape};
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
            let (tier, text) = sealed(rng, literal, shape);
            (shape.rule.id, tier, text, None)
        })
        .collect::<Vec<_>>();
    let named = NAMED.iter().map(|row| {
        let name: &'static str = row.words.join("_").to_uppercase().leak();
        let (tier, text) = match row.rule.id {
            "azure-devops-token" => (Tier::Proven, devops(rng)),
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

/// A text of the form that has its checksum or can be parsed, where the form asks for that.
fn sealed(rng: &mut StdRng, literal: &str, shape: &Shape) -> (Tier, String) {
    let proof = match literal {
        "ghs_" if shape.parts.len() > 1 => Some(stateless(rng)),
        "ghp_" | "gho_" | "ghu_" | "ghs_" | "ghr_" | "npm_" => {
            let data = filled(rng, |rng| draw(rng, BASE62, 30));
            let crc = checksum::crc32_base62(&data);
            Some(format!("{literal}{data}{}", String::from_utf8_lossy(&crc)))
        }
        _ if literal.starts_with("gl") && shape.parts.iter().any(|part| matches!(part, Part::Is("."))) => {
            Some(routable(rng, literal, shape.parts.len() > 3))
        }
        "glsa_" => {
            let data = format!("{literal}{}", filled(rng, |rng| draw(rng, BASE62, 32)));
            Some(format!("{data}_{:08x}", crc32fast::hash(data.as_bytes()).swap_bytes()))
        }
        "8Q~" => {
            let data = filled(rng, |rng| {
                format!("{}{literal}{}", draw(rng, BASE62, 3), draw(rng, BASE62, 31))
            });
            let end = checksum::entra(&data);
            Some(format!("{data}{}", String::from_utf8_lossy(&end[..3])))
        }
        "JQQJ9" => Some(annotated(rng)),
        _ => seed(literal)
            .map(|seed| marked(rng, literal, shape, seed))
            .or_else(|| parsed(rng, literal)),
    };
    match proof {
        Some(text) => (Tier::Proven, text),
        None if literal == "dp.ct." => (Tier::Shaped, unsealed(rng, literal, shape)),
        None => (Tier::Shaped, unsealed(rng, literal, shape)),
    }
}

/// One of the seeds of a signature of Azure.
fn seed(literal: &str) -> Option<u64> {
    let kind = match literal {
        "+ASt" | "AZEG" => b"Default0",
        "ACDb" => b"MastRO00",
        "+ABa" => b"AbAcct00",
        "+AMC" | "/AM7" => b"Classic0",
        "APIM" => b"Tenant00",
        "+ASb" | "+AEh" | "+ARm" => b"Send0000",
        "AIoT" => b"Device00",
        "AzCa" => b"Access00",
        "AzSe" => b"Query000",
        "+ACR" => b"ACRDflt0",
        "AzFu" => b"Master00",
        "+SQL" => b"UsrPwd00",
        _ => return None,
    };
    Some(u64::from_be_bytes(*kind))
}

fn marked(rng: &mut StdRng, signature: &str, shape: &Shape, seed: u64) -> String {
    let (alphabet, length) = match shape.before {
        Some((_, 20, _)) => (BASE62, 33),
        Some((_, length, _)) => (BASE62, length),
        None => (BASE62, 0),
    };
    let url_safe = signature == "AzFu";
    let engine = if url_safe { URL_SAFE } else { STANDARD };
    loop {
        let text = format!("{}{signature}AAAAAA", filled(rng, |rng| draw(rng, alphabet, length)));
        let decoder = if url_safe { URL_SAFE_NO_PAD } else { STANDARD_NO_PAD };
        let mut key = decoder.decode(text).unwrap_or_default();
        let data = key.len().saturating_sub(4);
        let checksum = checksum::marvin32(&key[..data], seed);
        key[data..].copy_from_slice(&checksum.to_le_bytes());
        let text = engine.encode(key);
        // Search keys have letters and digits only.
        if signature != "AzSe" || !text.contains(['+', '/']) {
            return text;
        }
    }
}

fn annotated(rng: &mut StdRng) -> String {
    loop {
        let text = format!("{}JQQJ99AB{}", draw(rng, BASE62, 52), draw(rng, BASE62, 20));
        let checksum = checksum::marvin32(
            &STANDARD.decode(&text).unwrap_or_default(),
            u64::from_be_bytes(*b"Default0"),
        );
        let text = text + &STANDARD.encode(&checksum.to_le_bytes()[..3]);
        if !text.contains(['+', '/']) {
            return text;
        }
    }
}

fn routable(rng: &mut StdRng, prefix: &str, versioned: bool) -> String {
    let random = draw(rng, BASE62, 16);
    let data = URL_SAFE_NO_PAD.encode(format!("c:1\no:2s\nu:{}{random}\u{10}", draw(rng, HEX, 4)));
    let version = if versioned { ".01" } else { "" };
    let data = format!("{prefix}{data}{version}.{}", base36(data.len(), 2));
    let crc = usize::try_from(crc32fast::hash(data.as_bytes())).unwrap_or_default();
    data + &base36(crc, 7)
}

fn base36(mut number: usize, width: u32) -> String {
    let mut digits = Vec::new();
    for _ in 0..width {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap_or_default(), 36).unwrap_or_default());
        number /= 36;
    }
    digits.iter().rev().collect()
}

fn stateless(rng: &mut StdRng) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!(
        r#"{{"iss":"github.example","jti":"{}"}}"#,
        draw(rng, BASE62, 20)
    ));
    format!("ghs_{header}.{claims}.{}", draw(rng, BASE62, 86))
}

/// Tokens that carry something.
fn parsed(rng: &mut StdRng, literal: &str) -> Option<String> {
    let secret = draw(rng, BASE62, 43);
    let hex = draw(rng, HEX, 32);
    Some(match literal {
        "ABSKQmVkcm9ja0FQSUtleS" => {
            let key = format!("BedrockAPIKey-{}-at-{}:{secret}{secret}", &hex[..4], draw(rng, super::shape::DIGIT, 12));
            format!("ABSK{}", STANDARD.encode(key))
        }
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t" => {
            let query = "Action=CallWithBearerToken&X-Amz-Date=20990101T000000Z&X-Amz-Expires=604800";
            let url = format!("bedrock.amazonaws.com/?{query}&X-Amz-Signature={hex}{hex}");
            format!("bedrock-api-key-{}", STANDARD.encode(url))
        }
        "eyJwYXlsb2FkIjoi" => STANDARD.encode(format!(
            r#"{{"payload":"{secret}{secret}","datakey":"{secret}","version":"2","type":"DATA_KEY","expiration":{END}}}"#
        )),
        "eyJhIjoi" => STANDARD.encode(format!(
            r#"{{"a":"{hex}","t":"{}-{}-4{}-a{}-{}","s":"{}"}}"#,
            &hex[..8],
            &hex[8..12],
            &hex[12..15],
            &hex[15..18],
            &hex[18..30],
            STANDARD.encode(&hex)
        )),
        "glc_" => format!(
            "glc_{}",
            STANDARD.encode(format!(r#"{{"o":"1234","n":"a-name","k":"{secret}","m":{{"r":"us"}}}}"#))
        ),
        "ops_eyJ" => {
            let account = r#""signInAddress":"a.1password.com","userAuth":{"method":"SRPg-4096"},"email":"a@b.example""#;
            format!(
                "ops_{}",
                STANDARD_NO_PAD.encode(format!(r#"{{{account},"secretKey":"{secret}","srpX":"{hex}{hex}","deviceUuid":"{hex}"}}"#))
            )
        }
        "sntrys_" => {
            let head = r#"{"iat":1687336543.698,"url":"https://sentry.example","region_url":"https://us.sentry.example","org":"a"}"#;
            format!("sntrys_{}_{secret}", STANDARD.encode(head))
        }
        "cmVmdGtuOj" => STANDARD_NO_PAD.encode(format!("reftkn:01:0000000000:{}", &secret[..27])),
        "pypi-AgEIcHlwaS5vcmc" => {
            let mut bytes = b"\x02\x01\x08pypi.org\x02\x24".to_vec();
            bytes.extend(draw(rng, HEX, 36).bytes());
            bytes.extend(b"\0\0\x06\x20");
            bytes.extend(draw(rng, HEX, 32).bytes());
            format!("pypi-{}", URL_SAFE_NO_PAD.encode(bytes))
        }
        "v1.public." | "v2.public." | "v3.public." | "v4.public." => {
            let signature = match literal.as_bytes()[1] {
                b'1' => 256,
                b'3' => 96,
                _ => 64,
            };
            let payload = format!(r#"{{"sub":"{hex}","exp":"2099-01-01T00:00:00Z"}}"#) + &draw(rng, BASE62, signature);
            format!("{literal}{}", URL_SAFE_NO_PAD.encode(payload))
        }
        _ => return None,
    })
}

/// The end of tokens that have one: a day in the year 2100.
const END: i64 = 4_102_444_800;

fn devops(rng: &mut StdRng) -> String {
    let mut bytes: [u8; 32] = rng.random();
    let (crc, _) = checksum::devops(&bytes);
    let kept = (crc ^ checksum::DEVOPS_SEEDS[0]).to_le_bytes();
    for (at, byte) in checksum::DEVOPS_CHECKSUM.into_iter().zip(kept) {
        bytes[at] = byte;
    }
    let (mut bits, mut held, mut text) = (0_u32, 0, String::new());
    for byte in bytes.into_iter().chain([0]) {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(
                b"abcdefghijklmnopqrstuvwxyz234567"[(bits >> held & 31) as usize],
            ));
        }
    }
    text.truncate(52);
    text
}
