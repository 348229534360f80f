//! Whether any literal can stand in a text at all. In most texts none can, and this costs less than to search for them.
//!
//! Of each literal the three neighbouring bytes are kept that are the least common. A text in which none of those
//! threes stands holds none of the literals; one in which some does may.

/// How many bits there are in each table, as a power of two.
const BITS: u32 = 15;
/// Factors that spread threes over the tables.
const FACTORS: [u32; 2] = [0x9e37_79b1, 0x85eb_ca6b];

/// The threes, twice: what is in both tables by chance is rare.
pub(super) struct Sieve {
    tables: [Vec<u64>; 2],
}

impl Sieve {
    pub fn new<'l>(literals: impl Iterator<Item = &'l str>) -> Self {
        let mut sieve = Self {
            tables: [vec![0; 1 << (BITS - 6)], vec![0; 1 << (BITS - 6)]],
        };
        for literal in literals {
            let threes = literal.as_bytes().windows(3);
            if let Some(rarest) = threes.max_by_key(|three| rarity(three)) {
                let key = rarest.iter().fold(0, |key, byte| next(key, *byte));
                for (table, factor) in sieve.tables.iter_mut().zip(FACTORS) {
                    let place = place(key, factor);
                    table[place >> 6] |= 1 << (place & 63);
                }
            }
        }
        sieve
    }

    /// Whether a text may hold one of the literals.
    pub fn passes(&self, text: &str) -> bool {
        let is_in = |table: usize, key| {
            let place = place(key, FACTORS[table]);
            self.tables[table][place >> 6] >> (place & 63) & 1 != 0
        };
        let mut key = 0;
        text.bytes().any(|byte| {
            key = next(key, byte);
            is_in(0, key) && is_in(1, key)
        })
    }
}

/// The last three bytes.
fn next(key: u32, byte: u8) -> u32 {
    (key << 8 | u32::from(byte)) & 0x00ff_ffff
}

fn place(key: u32, factor: u32) -> usize {
    (key.wrapping_mul(factor) >> (32 - BITS)) as usize
}

/// How rare bytes are side by side in the texts of objects. What can stand in a word is less rare than what cannot.
fn rarity(bytes: &[u8]) -> usize {
    const LETTERS: &[u8] = b"etaoinsrydlcumpghkfbvwxjqz";
    let rarity = |byte: &u8| match byte {
        b' ' => 0,
        b'.' | b'/' | b'0'..=b'9' => 10,
        b'-' => 16,
        b'A'..=b'Z' => 24,
        _ => LETTERS.iter().position(|letter| letter == byte).unwrap_or(30),
    };
    let words = bytes.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b' ');
    bytes.iter().map(rarity).sum::<usize>() + if words { 0 } else { 20 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LITERALS: [&str; 4] = ["abc", "machine ", "password=", "://"];

    fn sieve() -> Sieve {
        Sieve::new(LITERALS.into_iter())
    }

    #[test]
    fn most_texts_are_held_back() {
        for text in [
            "",
            "ab",
            "the quick brown fox",
            "registry.example.com/app",
            "password: x",
        ] {
            assert!(!sieve().passes(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_literal_is_held_back(before in "\\PC{0,5}", literal in 0..4_usize, after in "\\PC{0,5}") {
            let text = format!("{before}{}{after}", LITERALS[literal]);
            prop_assert!(sieve().passes(&text));
        }
    }
}
