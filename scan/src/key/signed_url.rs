//! URLs that carry their own permission: Azure's shared access signatures, and presigned URLs of AWS, Google Cloud and
//! Alibaba Cloud.

use std::ops::Range;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::armor;
use crate::finding::{Lifetime, Mitigation, Tier};
use crate::hit::{Anchor, Hit, Input};
use crate::rule::{Remedy::ShorterLifetime, Rule};

/// One without an end of its own has the end of a policy on the storage account, which can be far away and is not known
/// here, or none at all. Both are refused.
pub(super) static AZURE: Rule = Rule {
    id: "azure-sas",
    title: "a shared access signature of Azure",
    remedy: ShorterLifetime,
};
pub(super) static PRESIGNED: Rule = Rule {
    id: "presigned-url",
    title: "a presigned URL",
    remedy: ShorterLifetime,
};

const SIG: &str = "sig=";
const EXPIRES: &str = "Expires=";
const AMZ: &str = "X-Amz-Expires=";
const GOOG: &str = "X-Goog-Expires=";
const OSS: &str = "x-oss-expires=";

pub(super) const ANCHORS: [Anchor; 5] = [
    Anchor {
        literal: SIG,
        find: azure,
    },
    Anchor {
        literal: AMZ,
        find: |input, at| presigned(input, at, AMZ),
    },
    Anchor {
        literal: GOOG,
        find: |input, at| presigned(input, at, GOOG),
    },
    Anchor {
        literal: OSS,
        find: |input, at| presigned(input, at, OSS),
    },
    Anchor {
        literal: EXPIRES,
        find: presigned_v2,
    },
];

/// The longest query that is read, to each side: one of AWS carries a session token of up to some 2 kB.
const LONGEST: usize = 4096;

/// The query string of a URL.
struct Query {
    span: Range<usize>,
    parameters: Vec<(String, String)>,
}

impl Query {
    /// The query that has `literal` at `at`. It goes no further than the next such literal, so that a text of nothing
    /// else takes no longer.
    fn around(text: &str, at: usize, literal: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if at > 0
            && !matches!(
                bytes[at - 1],
                b'?' | b'&' | b';' | b'"' | b'\'' | b'=' | b'6' | b' ' | b'\n' | b':'
            )
        {
            return None;
        }
        let again = |here: usize| here != at && bytes[here..].starts_with(literal.as_bytes());
        let inside = |here: &usize| is_query(bytes, *here) && !again(*here);
        let start = (at.saturating_sub(LONGEST)..at)
            .rev()
            .take_while(|here| bytes[*here] != b'?' && inside(here))
            .last()
            .unwrap_or(at);
        let end = (at..bytes.len().min(at + LONGEST)).take_while(inside).last()? + 1;
        let query = plain_ampersands(text.get(start..end)?);
        let parameter = |part: &str| {
            let (name, value) = part.split_once('=')?;
            Some((name.to_owned(), percent_decoded(value)))
        };
        let query = query.trim_start_matches("SharedAccessSignature=");
        Some(Self {
            span: start..end,
            parameters: query.split('&').filter_map(parameter).collect(),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn plain_ampersands(query: &str) -> String {
    query.replace("\\u0026", "&").replace("&amp;", "&")
}

/// A query that carries a signature, without its escapes; `None` if the value is none.
pub(super) fn unescaped(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    let signed = [SIG, "ignature="].iter().any(|name| text.contains(name));
    signed.then(|| percent_decoded(&plain_ampersands(text)).into_bytes())
}

/// Whether a byte can be part of a query, as it is written in all sorts of texts.
fn is_query(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'"' | b'\'' | b'<' | b'>' | b'`' | b'#' | b',' | b'|' => false,
        b'\\' => bytes[at..].starts_with(b"\\u0026"),
        b';' => bytes[..at].ends_with(b"&amp"),
        byte => byte.is_ascii_graphic(),
    }
}

/// Resolves `%XX` (RFC 3986 section 2.1); what is no such escape stays.
fn percent_decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('%');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let code = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(u8::is_ascii);
        if let Some(code) = code {
            out.push(char::from(code));
            out.push_str(&part[2..]);
        } else {
            out.push('%');
            out.push_str(part);
        }
    }
    out
}

/// A shared access signature at its `sig=`: of storage, Service Bus, IoT Hub, or the trigger of a Logic App.
fn azure(input: &Input<'_>, at: usize) -> Option<Hit> {
    let value = input.text.as_bytes().get(at + SIG.len()..)?;
    if value
        .iter()
        .take(40)
        .filter(|byte| byte.is_ascii_alphanumeric())
        .count()
        < 30
    {
        return None;
    }
    let query = Query::around(input.text, at, SIG)?;
    // HMAC-SHA-256.
    if armor::base64url(&query.get("sig")?.replace('+', "-").replace('/', "_"))?.len() != 32 {
        return None;
    }
    let hit = |tier| Hit::new(&AZURE, tier, query.span.clone());
    let Some(end) = query.get("se") else {
        return if query.get("si").is_some() {
            Some(hit(Tier::Shaped))
        } else {
            query.get("sp").or(query.get("sr")).or(query.get("sv"))?;
            Some(hit(Tier::Shaped).living(Lifetime::Endless))
        };
    };
    if armor::is_template(end) {
        return None;
    }
    let Some(end) = azure_time(end) else {
        return Some(hit(Tier::Shaped).mitigated(Mitigation::Unproven));
    };
    let begin = query.get("st").and_then(azure_time).unwrap_or(input.now);
    lived(input, hit(Tier::Proven), begin, end)
}

/// A time of Azure: RFC 3339 with or without seconds, a date alone, or seconds since 1970.
fn azure_time(text: &str) -> Option<i64> {
    let seconds = || text.parse::<i64>().ok();
    let timestamp = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    let date = || text.parse::<Date>().ok().and_then(|date| utc(date.at(0, 0, 0, 0)));
    seconds().or_else(timestamp).or_else(date)
}

fn utc(time: DateTime) -> Option<i64> {
    TimeZone::UTC.to_timestamp(time).ok().map(jiff::Timestamp::as_second)
}

/// Judges a hit by its life. A beginning that is yet to come proves nothing.
fn lived(input: &Input<'_>, hit: Hit, begin: i64, end: i64) -> Option<Hit> {
    let length = end.saturating_sub(begin.min(input.now));
    let hit = hit.living(Lifetime::Seconds(length));
    if end <= input.now {
        Some(hit.mitigated(Mitigation::Expired))
    } else {
        (length > input.limits.signed_url).then_some(hit)
    }
}

/// A presigned URL in the fourth form of AWS's signatures, which others took over with names of their own.
fn presigned(input: &Input<'_>, at: usize, literal: &str) -> Option<Hit> {
    let query = Query::around(input.text, at, literal)?;
    let (prefix, _) = literal.split_at(literal.len() - EXPIRES.len());
    let get = |name: &str| {
        query.parameters.iter().find(|(known, _)| {
            known
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.eq_ignore_ascii_case(name))
        })
    };
    let (_, signature) = get("Signature")?;
    if signature.len() < 64
        || !signature.bytes().all(|byte| byte.is_ascii_hexdigit())
        || armor::is_repetition(signature)
    {
        return None;
    }
    let length: i64 = get("Expires")?.1.parse().ok()?;
    let hit = Hit::new(&PRESIGNED, Tier::Proven, query.span.clone());
    let begin = get("Date").and_then(|(_, date)| utc(DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?));
    if begin.is_some_and(|begin| begin.saturating_add(length) <= input.now) {
        return Some(hit.living(Lifetime::Seconds(length)).mitigated(Mitigation::Expired));
    }
    (length > input.limits.signed_url).then(|| hit.living(Lifetime::Seconds(length)))
}

/// A signed URL of the older form: it has the time when it ends. Who signed it is named by one of these.
fn presigned_v2(input: &Input<'_>, at: usize) -> Option<Hit> {
    const SIGNERS: [&str; 4] = ["AWSAccessKeyId", "GoogleAccessId", "OSSAccessKeyId", "Key-Pair-Id"];
    let digits = input.text.as_bytes().get(at + EXPIRES.len()..)?;
    if digits.iter().take_while(|byte| byte.is_ascii_digit()).take(11).count() != 10 {
        return None;
    }
    let query = Query::around(input.text, at, EXPIRES)?;
    let signature = query.get("Signature")?;
    if signature.len() < 20 || armor::is_placeholder(signature) || !SIGNERS.iter().any(|name| query.get(name).is_some())
    {
        return None;
    }
    let end = query.get("Expires")?.parse().ok()?;
    lived(
        input,
        Hit::new(&PRESIGNED, Tier::Proven, query.span.clone()),
        input.now,
        end,
    )
}
