//! What a value looks like: the name of an object, a sentence, key material.

use super::is_one_of;
use crate::walk::random;

/// Whether a value could be the name of an object or of a key in one: words with dashes, dots or underscores.
pub(in crate::carrier) fn is_wordy(text: &str) -> bool {
    let mut parts = 0;
    let wordy = text.split(['-', '.', '_', '/']).all(|part| {
        parts += 1;
        let letters = part.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let digits = part.len() - letters.len();
        letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && digits <= if letters.is_empty() { 6 } else { 2 }
    });
    wordy && (parts > 1 || !text.as_bytes()[0].is_ascii_digit())
}

/// Whether a value is a name by DNS (RFC 1123): what an object may be called.
pub(in crate::carrier) fn is_object_name(text: &str) -> bool {
    text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/'))
}

/// Whether a value is a sentence.
pub(in crate::carrier) fn is_prose(text: &str) -> bool {
    const TELLING: &[&str] = &[
        "the", "a", "an", "of", "for", "to", "your", "is", "are", "in", "and", "or", "with", "this", "that", "from",
        "will", "must", "not", "please", "enter", "by", "be", "it", "if", "use", "used", "password", "token", "secret",
        "key", "der", "die", "das", "le", "la", "de",
    ];
    let (mut count, mut telling) = (0, 0);
    for word in text.split_ascii_whitespace() {
        count += 1;
        let word = word.trim_matches(|mark: char| mark.is_ascii_punctuation());
        telling += usize::from(is_one_of(word, TELLING));
    }
    count > 8 || (count > 1 && telling > 0)
}

/// Whether a text looks random: a UUID, or a long run of letters and digits that keeps changing between them.
///
/// A run of one class (capitals, small letters, digits) is 1.6 characters long on average in random base62, 2.1 in
/// hexadecimal, 2.5 in base36 and 3.3 in base32. In `camelCaseWords` it is near 3, and in words with dashes longer.
pub(in crate::carrier) fn looks_random(text: &str) -> bool {
    is_uuid(text)
        || (random::looks_random(text) && !is_object_name(text))
        || text
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/')))
            .any(is_random_run)
}

fn is_random_run(part: &str) -> bool {
    if part.len() < 12 {
        return false;
    }
    let (mut counts, mut runs, mut last) = ([0_usize; 3], 0, 3);
    for byte in part.bytes() {
        let class = match byte {
            b'A'..=b'Z' => 0,
            b'a'..=b'z' => 1,
            b'0'..=b'9' => 2,
            _ => {
                last = 3;
                continue;
            }
        };
        counts[class] += 1;
        runs += usize::from(class != last);
        last = class;
    }
    let [upper, lower, digits] = counts;
    let all = upper + lower + digits;
    // Tenths of the mean length of a run.
    let mean = all * 10 / runs.max(1);
    if upper > 0 && lower > 0 {
        (digits >= 2 && mean <= 27) || (part.len() >= 16 && mean <= 21) || (part.len() >= 20 && mean <= 25)
    } else if upper + lower > 0 {
        digits >= 3 && ((part.len() >= 16 && mean <= 42) || (part.len() >= 20 && mean <= 60))
    } else {
        false
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
