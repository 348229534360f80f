//! Decoding, with caps.

use std::io::Read;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The largest text that one compressed stream may become. The release of a large Helm chart is about half of it.
pub(super) const STREAM_CAP: usize = 16 << 20;
/// How much may be decoded from one object, all in all.
pub(super) const TOTAL_CAP: usize = 24 << 20;
/// How often a value may be decoded again.
pub(super) const DEPTH_CAP: u8 = 6;

/// What came of decompressing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inflated {
    /// The bytes.
    Bytes(Vec<u8>),
    /// There is more than the cap.
    TooLarge,
    /// It is no gzip.
    Broken,
}

/// Decodes base64, standard or URL-safe, padded or not, in one line or in many. `None` if it is not base64.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let kind = classify(text.as_bytes())?;
    let engine = if kind.url_safe { &URL_SAFE } else { &STANDARD };
    if kind.spaced {
        let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        engine.decode(compact).ok()
    } else {
        engine.decode(text).ok()
    }
}

struct Kind {
    url_safe: bool,
    spaced: bool,
}

/// Classes of bytes: 0 no base64, 1 in both alphabets, 2 standard only, 3 URL-safe only, 4 line breaks, 5 padding.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let value = byte as u8;
        table[byte] = match value {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => 1,
            b'+' | b'/' => 2,
            b'-' | b'_' => 3,
            b'\n' | b'\r' => 4,
            b'=' => 5,
            _ => 0,
        };
        byte += 1;
    }
    table
};

fn classify(bytes: &[u8]) -> Option<Kind> {
    let mut seen = [false; 6];
    for &byte in bytes {
        let class = CLASS[usize::from(byte)];
        if class == 0 || (seen[5] && !matches!(class, 4 | 5)) {
            return None;
        }
        seen[usize::from(class)] = true;
    }
    (!(seen[2] && seen[3])).then_some(Kind {
        url_safe: seen[3],
        spaced: seen[4],
    })
}

/// Whether bytes start as gzip does (RFC 1952 section 2.3.1).
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b, 8])
}

/// Decompresses gzip, up to `cap` bytes.
pub(super) fn gzip(bytes: &[u8], cap: usize) -> Inflated {
    let mut out = Vec::new();
    let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    match flate2::read::MultiGzDecoder::new(bytes)
        .take(limit)
        .read_to_end(&mut out)
    {
        Ok(_) if out.len() > cap => Inflated::TooLarge,
        Ok(_) => Inflated::Bytes(out),
        // What came before the stream broke is still worth a look.
        Err(_) if !out.is_empty() => Inflated::Bytes(out),
        Err(_) => Inflated::Broken,
    }
}

/// Whether bytes are text that a person could have written.
pub(super) fn as_text(bytes: &[u8]) -> Option<&str> {
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\n' | b'\r' | b'\t' | 0x1b) || *byte == 0x7f;
    if bytes.iter().any(control) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

/// Resolves `%XX` (RFC 3986 section 2.1). `None` if there are none, or what comes out is no text.
pub(super) fn percent(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    let mut changed = false;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1).zip(bytes.get(at + 2));
        let decoded = pair
            .filter(|_| byte == b'%')
            .and_then(|(high, low)| Some((hex(*high)? << 4) | hex(*low)?));
        if let Some(decoded) = decoded {
            out.push(decoded);
            at += 3;
            changed = true;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    if !changed {
        return None;
    }
    String::from_utf8(out)
        .ok()
        .filter(|text| as_text(text.as_bytes()).is_some())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Resolves the escapes of a JSON string that was put into a string once more: `{\"a\":1}`.
pub(super) fn escaped_json(text: &str) -> Option<String> {
    let start = text.trim_start();
    if !(start.starts_with("{\\\"") || start.starts_with("[{\\\"") || start.starts_with("{\\n")) {
        return None;
    }
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn base64_in_any_dress_is_decoded() {
        let plain = b"\xfb\xff\xfe many bytes, and some more";
        let standard = STANDARD.encode(plain);
        for text in [
            standard.clone(),
            standard.trim_end_matches('=').to_owned(),
            URL_SAFE.encode(plain),
            format!("{}\n{}\n", &standard[..8], &standard[8..]),
        ] {
            assert_eq!(base64(&text).as_deref(), Some(&plain[..]), "{text}");
        }
        for text in ["a b c d", "ab=cd", "a+b-", "müsli", "a.b"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_cap() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b'x'; 1 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 4096);
        assert_eq!(gzip(&bomb, 1000), Inflated::TooLarge);
        assert_eq!(gzip(&bomb, 1 << 20), Inflated::Bytes(vec![b'x'; 1 << 20]));
        assert_eq!(gzip(b"\x1f\x8b\x08nothing", 1000), Inflated::Broken);
    }

    #[test]
    fn percent_and_escapes_are_resolved_only_where_there_are_any() {
        assert_eq!(percent("a%3Db%2fc").as_deref(), Some("a=b/c"));
        assert_eq!(percent("100 %"), None);
        assert_eq!(percent("%ff%fe"), None, "no text");
        assert_eq!(escaped_json("{\\\"a\\\":1}").as_deref(), Some("{\"a\":1}"));
        assert_eq!(escaped_json("{\"a\":1}"), None);
    }
}
