//! Tokens that carry something which can be read.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rand::rngs::StdRng;

use super::super::alphabet::{BASE62, DIGIT, HEX};
use super::draw;

/// The end of tokens that have one: a day in the year 2100.
const END: i64 = 4_102_444_800;

/// Tokens that carry something.
pub(super) fn carrying(rng: &mut StdRng, literal: &str) -> Option<String> {
    let secret = draw(rng, BASE62, 43);
    let hex = draw(rng, HEX, 32);
    Some(match literal {
        "ABSKQmVkcm9ja0FQSUtleS" => {
            let key = format!(
                "BedrockAPIKey-{}-at-{}:{secret}{secret}",
                &hex[..4],
                draw(rng, DIGIT, 12)
            );
            format!("ABSK{}", STANDARD.encode(key))
        }
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t" => {
            let query = "Action=CallWithBearerToken&X-Amz-Date=20990101T000000Z&X-Amz-Expires=604800";
            let url = format!("bedrock.amazonaws.com/?{query}&X-Amz-Signature={hex}{hex}");
            format!("bedrock-api-key-{}", STANDARD.encode(url))
        }
        "eyJwYXlsb2FkIjoi" => {
            let kind = r#""version":"2","type":"DATA_KEY""#;
            let json = format!(r#"{{"payload":"{secret}{secret}","datakey":"{secret}",{kind},"expiration":{END}}}"#);
            STANDARD.encode(json)
        }
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
            STANDARD.encode(format!(
                r#"{{"o":"1234","n":"a-name","k":"{secret}","m":{{"r":"us"}}}}"#
            ))
        ),
        "ops_eyJ" => {
            let account = r#""signInAddress":"a.1password.com","userAuth":{"method":"SRPg-4096"}"#;
            let json = format!(r#"{{{account},"secretKey":"{secret}","srpX":"{hex}{hex}","muk":"{hex}{hex}"}}"#);
            format!("ops_{}", STANDARD_NO_PAD.encode(json))
        }
        "sntrys_" => {
            let head = r#"{"iat":1687336543.698,"url":"https://sentry.example","region_url":null,"org":"a"}"#;
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

/// A token of a GitHub App in its newer form.
pub(super) fn stateless(rng: &mut StdRng) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
    let claims = URL_SAFE_NO_PAD.encode(format!(
        r#"{{"iss":"github.example","jti":"{}"}}"#,
        draw(rng, BASE62, 20)
    ));
    format!("ghs_{header}.{claims}.{}", draw(rng, BASE62, 86))
}
