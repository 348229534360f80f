//! Tokens that carry something which can be read: JSON, macaroons, references with an end.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::tree::Node;

use super::verdict::{Candidate, Verdict};

/// Providers pad, or do not.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Base64 of either alphabet (RFC 4648 sections 4 and 5), padded or not.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    engine.decode(text).ok()
}

/// Reads base64 of JSON.
fn json<T>(text: &str, read: impl FnOnce(&Node<'_>) -> Option<T>) -> Option<T> {
    let bytes = base64(text)?;
    read(&serde_json::from_slice(&bytes).ok()?)
}

/// Whether it is base64 of a JSON object whose members of these names are strings.
fn has_strings(text: &str, names: &[&str]) -> bool {
    json(text, |node| {
        names
            .iter()
            .all(|name| node.get(name).and_then(Node::as_str).is_some())
            .then_some(())
    })
    .is_some()
}

/// Grafana Cloud: organisation, name, key.
pub(super) fn grafana_cloud(candidate: &Candidate<'_>) -> Verdict {
    Verdict::by_checksum(has_strings(candidate.body, &["o", "n", "k"]))
}

/// A service account of 1Password: where to sign in, and with which key.
pub(super) fn one_password(candidate: &Candidate<'_>) -> Verdict {
    Verdict::by_checksum(has_strings(candidate.body, &["signInAddress", "secretKey"]))
}

/// A tunnel of Cloudflare: account, tunnel, secret. Any JSON can begin as it does.
pub(super) fn cloudflare_tunnel(candidate: &Candidate<'_>) -> Verdict {
    let fits = json(candidate.token, |node| {
        let account = node.get("a")?.as_str()?;
        let (tunnel, secret) = (node.get("t")?.as_str()?, node.get("s")?.as_str()?);
        (account.len() == 32 && tunnel.len() == 36 && !secret.is_empty()).then_some(())
    });
    fits.map_or(Verdict::No, |()| Verdict::Proven)
}

/// An organisation's token of Sentry: when it was issued and for whom, and then the secret. It has no end.
pub(super) fn sentry(candidate: &Candidate<'_>) -> Verdict {
    let head = candidate.body.rsplit_once('_').map_or("", |(head, _)| head);
    let fits = json(head, |node| {
        (node.get("iat").is_some() && node.get("org").is_some()).then_some(())
    });
    fits.map_or(Verdict::Unproven, |()| Verdict::Lives {
        issued: None,
        end: None,
    })
}

/// A login token of Amazon's registry: encrypted, but its end is not. Any JSON can begin as it does.
pub(super) fn amazon_registry(candidate: &Candidate<'_>) -> Verdict {
    json(candidate.token, |node| {
        node.get("datakey")?.as_str()?;
        node.get("expiration")?.as_i64()
    })
    .map_or(Verdict::No, |end| Verdict::Lives {
        issued: None,
        end: Some(end),
    })
}

/// A reference token of an Artifactory: `reftkn:01:1893456000:` and a secret. All zeros are no end.
pub(super) fn jfrog_reference(candidate: &Candidate<'_>) -> Verdict {
    let end = || {
        let bytes = base64(candidate.token)?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut fields = text.splitn(4, ':');
        (fields.next()? == "reftkn").then_some(())?;
        fields.next()?;
        fields.next()?.parse::<i64>().ok()
    };
    match end() {
        None => Verdict::Unproven,
        Some(end) => Verdict::Lives {
            issued: None,
            end: (end != 0).then_some(end),
        },
    }
}

/// A token of Python's package index: a macaroon whose packets add up to its end, where its signature is.
pub(super) fn pypi(candidate: &Candidate<'_>) -> Verdict {
    let token = candidate.token.trim_start_matches("pypi-");
    Verdict::by_checksum(base64(token).is_some_and(|bytes| is_macaroon(&bytes)))
}

/// Whether bytes are a macaroon of version 2 (libmacaroons, `doc/format.txt`): fields of a type, a length and data.
fn is_macaroon(bytes: &[u8]) -> bool {
    let mut rest = bytes.strip_prefix(&[2]).unwrap_or_default();
    while let Some((kind, after)) = varint(rest) {
        if kind == END_OF_SECTION {
            rest = after;
            continue;
        }
        let Some((field, after)) = varint(after).and_then(|(length, after)| after.split_at_checked(length)) else {
            return false;
        };
        if kind == SIGNATURE {
            return field.len() == 32 && after.is_empty();
        }
        rest = after;
    }
    false
}

const END_OF_SECTION: usize = 0;
const SIGNATURE: usize = 6;

/// A number in groups of seven bits, the lowest first. Two groups are enough for any length here.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [low, ref rest @ ..] if low < 0x80 => Some((usize::from(low), rest)),
        [low, high, ref rest @ ..] if high < 0x80 => Some((usize::from(low & 0x7f) | usize::from(high) << 7, rest)),
        _ => None,
    }
}

/// A short key of Bedrock: a presigned URL, which says when it was signed and for how long.
pub(super) fn bedrock_short(candidate: &Candidate<'_>) -> Verdict {
    let lives = || {
        let bytes = base64(candidate.token.trim_start_matches("bedrock-api-key-"))?;
        let url = std::str::from_utf8(&bytes).ok()?;
        let issued = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", parameter(url, "X-Amz-Date=")?).ok()?;
        let issued = issued
            .to_datetime()
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second();
        let seconds: i64 = parameter(url, "X-Amz-Expires=")?.parse().ok()?;
        Some((issued, issued.saturating_add(seconds)))
    };
    lives().map_or(Verdict::Unproven, |(issued, end)| Verdict::Lives {
        issued: Some(issued),
        end: Some(end),
    })
}

fn parameter<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name))
}

/// A signed PASETO (paseto-spec, section "Payload Processing"): JSON whose `exp` is a time of RFC 3339, and a signature
/// whose length the version sets.
pub(super) fn paseto(candidate: &Candidate<'_>) -> Verdict {
    let signature = match candidate.token.as_bytes() {
        [_, b'1', ..] => 256,
        [_, b'3', ..] => 96,
        _ => 64,
    };
    let lives = || {
        let bytes = base64(candidate.body)?;
        let payload: Node<'_> = serde_json::from_slice(bytes.get(..bytes.len().checked_sub(signature)?)?).ok()?;
        let time = |name| {
            let text = payload.get(name)?.as_str()?;
            text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
        };
        Some((time("iat"), time("exp")))
    };
    lives().map_or(Verdict::Unproven, |(issued, end)| Verdict::Lives { issued, end })
}

/// The claims of a JSON Web Token (RFC 7519) within a token, which has three parts.
pub(super) fn claims(candidate: &Candidate<'_>) -> Verdict {
    let lives = candidate.body.split('.').nth(1).and_then(|payload| {
        json(payload, |node| {
            let time = |name| node.get(name).and_then(Node::as_i64);
            Some((time("iat"), time("exp")))
        })
    });
    lives.map_or(Verdict::Unproven, |(issued, end)| Verdict::Lives { issued, end })
}
