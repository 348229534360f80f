//! Bytes in text: base64 with the line breaks, indents and escapes that manifests put between its lines.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Decodes base64 in one piece (RFC 4648 section 4), padded or not.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Decodes base64url in one piece (RFC 4648 section 5), padded or not.
pub(super) fn base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).ok()
}

/// Whether a byte is one of base64, without its padding.
pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Whether a byte is one of base64url, without its padding.
pub(super) fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// How many bytes at the start of a text are a break between lines: white space, or the escape of one (`\n`, `\\r`).
/// 0 if it starts otherwise.
pub(super) fn line_break(bytes: &[u8]) -> usize {
    let slashes = bytes.iter().take(8).take_while(|byte| **byte == b'\\').count();
    match bytes.get(slashes) {
        Some(b'n' | b'r' | b't') if slashes > 0 => slashes + 1,
        // A backslash at the end of a line continues it, in a shell or in a string of YAML.
        Some(b'\n' | b'\r') if slashes > 0 => slashes + 1,
        Some(byte) if slashes == 0 && byte.is_ascii_whitespace() => 1,
        _ => 0,
    }
}

/// The bytes of base64 at the start of a text, over breaks of lines, up to the first byte that is neither; and how long
/// the text of it is.
pub(super) fn run(text: &str) -> (String, usize) {
    let bytes = text.as_bytes();
    let mut body = String::new();
    let mut at = 0;
    let mut end = 0;
    while let Some(&byte) = bytes.get(at) {
        if is_base64(byte) || byte == b'=' {
            body.push(char::from(byte));
            at += 1;
            end = at;
        } else {
            match line_break(&bytes[at..]) {
                0 => break,
                skipped => at += skipped,
            }
        }
    }
    (body, end)
}

/// Whether a text says that something is to be filled in: `<your key>`, `REDACTED`, `xxxx`, `...`.
pub(super) fn is_placeholder(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "redacted",
        "changeme",
        "change_me",
        "change-me",
        "replace",
        "placeholder",
        "insert",
        "your",
        "example",
        "dummy",
        "snip",
        "omitted",
        "truncated",
        "todo",
        "here",
        "...",
        "…",
        "***",
        "xxxx",
        "---",
    ];
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let first = text.bytes().next();
    WORDS.iter().any(|word| lower.contains(word))
        || lower.contains('<')
        || (first.is_some() && text.bytes().all(|byte| Some(byte) == first))
}

/// Whether a text is put together elsewhere: `{{ .Values.key }}`, `${KEY}`, `$(KEY)`, `%s`.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "${", "$(", "%s", "%v", "<%", "{%"]
        .iter()
        .any(|mark| text.contains(mark))
        || text.trim_start().starts_with('$')
}

/// Whether a text is one character again and again.
pub(super) fn is_repetition(text: &str) -> bool {
    let mut bytes = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let first = bytes.next();
    bytes.all(|byte| Some(byte) == first)
}

/// The lines of a text in which some breaks may be escaped, and where each begins.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let length = |at: usize| match bytes[at] {
            b'\n' => 1,
            b'\\' => line_break(&bytes[at..]),
            _ => 0,
        };
        let (end, skipped) = (start..bytes.len())
            .map(|at| (at, length(at)))
            .find(|(_, length)| *length > 0)
            .unwrap_or((bytes.len(), 0));
        let line = (start, &text[start..end]);
        start = end + skipped;
        Some(line)
    })
}

/// The largest text that is looked at as a whole to see whether it is base64.
const LARGEST_WHOLE: usize = 64 << 10;

/// Whether a text is base64 from its start to its end, in one line or in many.
pub(super) fn is_whole(text: &str) -> bool {
    let fits = |byte: u8| is_base64(byte) || matches!(byte, b'=' | b'\n' | b'\r');
    text.len() <= LARGEST_WHOLE && text.bytes().all(fits)
}

/// How long the text is, from its start, that has so many bytes in base64, with breaks of lines between.
pub(super) fn length_of(text: &str, decoded: usize) -> usize {
    let mut left = (decoded * 4).div_ceil(3);
    let mut at = 0;
    while left > 0 && at < text.len() {
        match line_break(&text.as_bytes()[at..]) {
            0 => {
                left -= 1;
                at += 1;
            }
            skipped => at += skipped,
        }
    }
    at
}

/// Decodes base64 step by step, over breaks of lines.
pub(super) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub fn new(text: &'a str) -> Self {
        Self(text.as_bytes())
    }

    /// Decodes up to so many characters, a multiple of four. Whether there was anything to decode.
    pub fn read(&mut self, characters: usize, decoded: &mut Vec<u8>) -> bool {
        let mut group = Vec::with_capacity(characters);
        while let Some((&byte, rest)) = self.0.split_first()
            && group.len() < characters
        {
            if is_base64(byte) {
                group.push(byte);
                self.0 = rest;
            } else {
                match line_break(self.0) {
                    0 => break,
                    skipped => self.0 = &self.0[skipped..],
                }
            }
        }
        // One character alone is less than a byte.
        group.truncate(group.len() - usize::from(group.len() % 4 == 1));
        !group.is_empty() && STANDARD.decode_vec(&group, decoded).is_ok()
    }
}

/// Bytes without breaks of lines, spaces, and the quotes and signs that join strings.
pub(super) fn without_breaks(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match line_break(&bytes[at..]) {
            0 if matches!(byte, b'"' | b'\'' | b',') => at += 1,
            0 => {
                out.push(byte);
                at += 1;
            }
            skipped => at += skipped,
        }
    }
    out
}
