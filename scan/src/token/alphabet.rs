//! Sets of characters that tokens are made of.

/// A set of ASCII characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alphabet(u128);

impl Alphabet {
    pub const fn of(characters: &str) -> Self {
        Self(0).and(characters)
    }

    pub const fn and(self, characters: &str) -> Self {
        let bytes = characters.as_bytes();
        let mut set = self.0;
        let mut at = 0;
        while at < bytes.len() {
            set |= 1 << bytes[at];
            at += 1;
        }
        Self(set)
    }

    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn has(self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    /// How many of the characters are of this alphabet.
    pub fn count(self, text: &str) -> usize {
        text.bytes().filter(|byte| self.has(*byte)).count()
    }

    /// How many characters from `from` on are of this alphabet, but not more than `most`.
    pub fn run(self, bytes: &[u8], from: usize, most: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take(most).take_while(|byte| self.has(**byte)).count()
    }
}

pub(super) const DIGIT: Alphabet = Alphabet::of("0123456789");
pub(super) const HEX: Alphabet = DIGIT.and("abcdef");
/// Hexadecimal digits of either case.
pub(super) const ANY_HEX: Alphabet = HEX.and("ABCDEF");
pub(super) const LOWER: Alphabet = Alphabet::of("abcdefghijklmnopqrstuvwxyz");
pub(super) const UPPER: Alphabet = Alphabet::of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
pub(super) const LETTER: Alphabet = LOWER.or(UPPER);
pub(super) const LOWER_DIGIT: Alphabet = LOWER.or(DIGIT);
pub(super) const UPPER_DIGIT: Alphabet = UPPER.or(DIGIT);
pub(super) const BASE62: Alphabet = LETTER.or(DIGIT);
/// RFC 4648 section 6.
pub(super) const BASE32: Alphabet = UPPER.and("234567");
/// RFC 4648 section 4, without the padding.
pub(super) const BASE64: Alphabet = BASE62.and("+/");
/// RFC 4648 section 5, without the padding.
pub(super) const BASE64URL: Alphabet = BASE62.and("-_");
