//! Whether something in the form of a token stands for one that is still to be filled in.

/// Words that nobody draws at random. Short ones are few: they could be in a token by chance.
const WORDS: &[&str] = &[
    "example",
    "placeholder",
    "redacted",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "insert",
    "yourtoken",
    "yourkey",
    "yoursecret",
    "yourapi",
    "your_",
    "your-",
    "xxxx",
    "dummy",
    "sample",
    "fake_",
    "fake-",
    "faketoken",
    "fakekey",
    "notreal",
    "not_real",
    "not-real",
    "goeshere",
    "goes_here",
    "goes-here",
    "secrethere",
    "tokenhere",
    "keyhere",
    "...",
    "***",
];

/// Whether the body of a token, which is what follows its prefix, is one that a person typed to be replaced: words like
/// `example`, one character over and over, a run of the alphabet, a short block that repeats.
pub(super) fn is_placeholder(body: &str) -> bool {
    let longest = body
        .split(|c: char| !c.is_ascii_alphanumeric())
        .max_by_key(|run| run.len())
        .unwrap_or_default();
    is_typed(body.as_bytes(), 8) || is_typed(longest.as_bytes(), 16) || has_word(body.as_bytes())
}

fn is_typed(bytes: &[u8], least: usize) -> bool {
    bytes.len() >= least && (few_characters(bytes) || counts_up(bytes) || repeats(bytes))
}

/// Not more than three letters and digits.
fn few_characters(bytes: &[u8]) -> bool {
    let seen = bytes
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .fold(0_u128, |seen, byte| seen | 1 << (byte & 127));
    seen.count_ones() <= 3
}

/// Like `0123456789abcdef` or `a1b2c3d4`: most characters follow on the one before, or on the one before that.
fn counts_up(bytes: &[u8]) -> bool {
    [1, 2].into_iter().any(|stride| {
        let pairs = bytes.len() - stride;
        let next = (stride..bytes.len())
            .filter(|&at| follows(bytes[at - stride], bytes[at]))
            .count();
        next * 5 >= pairs * 3
    })
}

fn follows(first: u8, second: u8) -> bool {
    second == first.wrapping_add(1)
        || matches!(
            (first, second),
            (b'9', b'0' | b'a' | b'A') | (b'z', b'a') | (b'Z', b'A')
        )
}

/// A block of up to eight characters, three times or more.
fn repeats(bytes: &[u8]) -> bool {
    (1..=8)
        .any(|length| bytes.len() >= 3 * length && bytes[length..].iter().zip(bytes).all(|(one, other)| one == other))
}

/// A word, all of it in one case.
fn has_word(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| WORDS.iter().any(|word| begins_with(&bytes[at..], word.as_bytes())))
}

fn begins_with(bytes: &[u8], word: &[u8]) -> bool {
    bytes[0].to_ascii_lowercase() == word[0]
        && bytes.get(..word.len()).is_some_and(|found| {
            found == word || found.eq_ignore_ascii_case(word) && !found.iter().any(u8::is_ascii_lowercase)
        })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_placeholder;

    #[rstest]
    #[case::word("AbCexampleDeF", true)]
    #[case::upper("7QKDEXAMPLE", true)]
    #[case::yours("your_token_of_some_length", true)]
    #[case::one_character("xxxxxxxxxxxxxxxxxxxx", true)]
    #[case::zeros("00000000-0000-0000-0000-000000000000", true)]
    #[case::digits("1234567890123456789012", true)]
    #[case::alphabet("abcdefghijklmnopqrstuvwxyz", true)]
    #[case::interleaved("a1b2c3d4e5f6g7h8i9j0", true)]
    #[case::groups("abc123def456ghi789jkl0", true)]
    #[case::block("deadbeefdeadbeefdeadbeef", true)]
    #[case::behind_a_word("api03-0000000000000000000000", true)]
    #[case::dots("abc...xyz", true)]
    #[case::random("q8Zt2LmV0xRw9PbKc4Yd", false)]
    #[case::random_hexadecimal("9f2c71e05ab38d64", false)]
    #[case::words_in_mixed_case("q8ZtYoUrKeYw9PbKc4Yd", false)]
    #[case::nothing("", false)]
    fn knows_what_a_person_typed(#[case] body: &str, #[case] placeholder: bool) {
        assert_eq!(is_placeholder(body), placeholder);
    }
}
