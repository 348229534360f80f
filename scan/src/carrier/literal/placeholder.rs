//! Values that are to be replaced.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::looks_random;

/// Parts that no secret has, in any case.
#[rustfmt::skip]
const UNFILLED: &[&str] = &[
    "changeme", "change-me", "change_me", "change me", "change.me", "changethis", "change-this", "change_this",
    "replaceme", "replace-me", "replace_me", "replace_", "replace-", "replace with", "insert_", "insert-",
    "insert your", "your-", "your_", "your ", "yourpassword", "yoursecret", "yourtoken", "yourapikey", "_todo", "-todo",
    "fixme", "example", "dummy", "placeholder", "to be set", "to-be-set", "tobeset", "to be filled", "redacted",
    "set-me", "setme", "set_me", "fill-me", "fill_me", "fillme", "fill in", "enter-", "enter your", "put-your",
    "put_your", "xxxx", "not-a-real", "not_a_real", "notreal", "fake-", "fake_", "fakepassword", "faketoken",
    "fakesecret", "goes-here", "goes_here", "goes here", "-here", "_here", "override-me", "overrideme", "sample-",
    "sample_", "mock-", "mock_", "must-be", "must_be", "…", "...",
];

static UNFILLED_SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .build(UNFILLED)
        .ok()
});

pub(super) fn is_placeholder(text: &str) -> bool {
    let whole = text.eq_ignore_ascii_case("tbd")
        || text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("todo"))
        || (text.starts_with('<') && text.ends_with('>'));
    let part = || UNFILLED_SEARCH.as_ref().is_some_and(|search| search.is_match(text));
    text.len() <= 120 && (whole || part()) && !looks_random_apart(text)
}

/// A placeholder's word within a long random text is chance, or an example that was filled in.
fn looks_random_apart(text: &str) -> bool {
    let filled = |part: &str| {
        let lower = part.to_ascii_lowercase();
        !lower.contains("example") && lower.matches('x').count() * 3 < lower.len()
    };
    text.split(['-', '_', '.', '/'])
        .any(|part| part.len() >= 24 && looks_random(part) && filled(part))
}
