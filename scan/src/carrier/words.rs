//! A name as a list of words, without an allocation.

/// How many bytes of a name are looked at: its end, since the last words decide.
const WIDTH: usize = 80;
/// How many words, from the end of those.
pub(super) const MOST: usize = 16;

/// The words of a name, in lower case: `GF_SECURITY_ADMIN_PASSWORD`, `auth.rootPassword`, `X-Api-Key`, `--token`.
pub(super) struct Words {
    text: [u8; WIDTH],
    bounds: [(u8, u8); MOST],
    count: usize,
    /// Whether it is written like an environment variable: `API_TOKEN`.
    pub shouts: bool,
}

impl Words {
    pub fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let bytes = &bytes[bytes.len().saturating_sub(WIDTH)..];
        let mut words = Self {
            text: [0; WIDTH],
            bounds: [(0, 0); MOST],
            count: 0,
            shouts: bytes.iter().any(u8::is_ascii_uppercase) && !bytes.iter().any(u8::is_ascii_lowercase),
        };
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            words.text[at] = byte.to_ascii_lowercase();
            if !byte.is_ascii_alphanumeric() {
                words.push(start, at);
                start = at + 1;
            } else if at > start && begins_word(bytes, at) {
                words.push(start, at);
                start = at;
            }
        }
        words.push(start, bytes.len());
        words
    }

    fn push(&mut self, start: usize, end: usize) {
        if start == end {
            return;
        }
        if self.count == MOST {
            self.bounds.copy_within(1.., 0);
            self.count -= 1;
        }
        // Both are below the width, which a byte holds.
        self.bounds[self.count] = (u8::try_from(start).unwrap_or(0), u8::try_from(end).unwrap_or(0));
        self.count += 1;
    }

    /// The words, in `list`.
    pub fn list<'a, 'b>(&'a self, list: &'b mut [&'a str; MOST]) -> &'b [&'a str] {
        for (word, (start, end)) in list.iter_mut().zip(&self.bounds[..self.count]) {
            // Only ASCII letters and digits are within bounds.
            *word = std::str::from_utf8(&self.text[usize::from(*start)..usize::from(*end)]).unwrap_or_default();
        }
        &list[..self.count]
    }
}

/// `rootPassword` at `P`, `APIKey` at `K`; not within `API` or `NEO4J`.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    bytes[at].is_ascii_uppercase()
        && (bytes[at - 1].is_ascii_lowercase() || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase))
}
