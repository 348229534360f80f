//! The checksums that providers put into their tokens.

use data_encoding::BASE32_NOPAD;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ENTRA: &[u8; 66] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";

/// CRC-32 (IEEE 802.3) in six digits of base 62, as GitHub and npm end their tokens.
pub(super) fn crc32_base62(data: &str) -> [u8; 6] {
    digits(crc32fast::hash(data.as_bytes()), BASE62)
}

/// The same, in six digits of Entra ID's own alphabet, of a Marvin-32 checksum.
pub(super) fn entra(data: &str) -> [u8; 6] {
    // The seed spells "AadPwd00".
    digits(marvin32(data.as_bytes(), 0x4161_6450_7764_3030), ENTRA)
}

/// A number in six digits, the highest first.
fn digits(mut number: u32, alphabet: &[u8]) -> [u8; 6] {
    let mut text = [alphabet[0]; 6];
    let base = u32::try_from(alphabet.len()).unwrap_or(u32::MAX);
    for digit in text.iter_mut().rev() {
        *digit = alphabet[usize::try_from(number % base).unwrap_or_default()];
        number /= base;
    }
    text
}

/// Marvin-32, folded to 32 bits, with which Microsoft marks the keys of its services. The seed tells the kind of key.
pub(super) fn marvin32(data: &[u8], seed: u64) -> u32 {
    let (low, high) = marvin(data, seed);
    low ^ high
}

fn marvin(data: &[u8], seed: u64) -> (u32, u32) {
    let mut state = (low_half(seed), low_half(seed >> 32));
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        state.0 = state.0.wrapping_add(u32::from_le_bytes(*word));
        mix(&mut state);
    }
    // What is left of the data, and the bit that ends it.
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    state.0 = state.0.wrapping_add(u32::from_le_bytes(last));
    mix(&mut state);
    mix(&mut state);
    state
}

fn mix((a, b): &mut (u32, u32)) {
    *b ^= *a;
    *a = a.rotate_left(20).wrapping_add(*b);
    *b = b.rotate_left(9) ^ *a;
    *a = a.rotate_left(27).wrapping_add(*b);
    *b = b.rotate_left(19);
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// Whether the last four bytes are the Marvin-32 checksum of those before.
pub(super) fn marvin_ends(bytes: &[u8], seed: u64) -> bool {
    bytes
        .split_last_chunk::<4>()
        .is_some_and(|(data, checksum)| marvin32(data, seed) == u32::from_le_bytes(*checksum))
}

/// The 32 bytes of an Azure DevOps token, which is 52 characters of lower-case base 32.
pub(super) fn devops_bytes(text: &str) -> Option<[u8; 32]> {
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
    bytes.try_into().ok()
}

/// Where Azure DevOps keeps the checksum of a token among its bytes, the lowest byte first.
pub(super) const DEVOPS_CHECKSUM: [usize; 4] = [22, 8, 7, 2];
/// What the checksum is combined with, by the kind of token: of a user, of an application.
pub(super) const DEVOPS_SEEDS: [u32; 2] = [0xE0B9_692D, 0x1019_F92E];

/// The CRC-32 that an Azure DevOps token should have before it is combined with the seed of its kind, and what it has.
pub(super) fn devops(bytes: &[u8; 32]) -> (u32, u32) {
    let mut data = crc32fast::Hasher::new();
    for (at, byte) in bytes.iter().enumerate() {
        if !DEVOPS_CHECKSUM.contains(&at) {
            data.update(&[*byte]);
        }
    }
    (data.finalize(), u32::from_le_bytes(DEVOPS_CHECKSUM.map(|at| bytes[at])))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The check value that every description of CRC-32 gives.
    const CHECK: u32 = 0xCBF4_3926;

    #[test]
    fn writes_a_crc_in_base_62_with_the_highest_digit_first() {
        let number = crc32_base62("123456789").iter().fold(0, |number, digit| {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'A'..=b'Z' => digit - b'A' + 10,
                _ => digit - b'a' + 36,
            };
            number * 62 + u32::from(value)
        });
        assert_eq!(number, CHECK);
    }

    // From the self-test of SymCrypt, and from the tests of an implementation that is not Microsoft's.
    #[rstest]
    #[case(0xd53c_d9ce_cd08_93b7, b"abc", 0x22c7_4339_4927_69bf)]
    #[case(0x0ddd_deee_efff_f000, b"abcdefghijklmnopqrstuvwxyz", 0xa128_eb7e_7260_aca2)]
    #[case(0x004f_b61a_001b_dbcc, &[], 0x30ed_35c1_00cd_3c7d)]
    #[case(0x004f_b61a_001b_dbcc, &[175], 0x48e7_3fc7_7d75_ddc1)]
    #[case(0x004f_b61a_001b_dbcc, &[231, 15], 0xb5f6_e1fc_485d_bff8)]
    #[case(0x004f_b61a_001b_dbcc, &[134, 66, 220, 89], 0x7008_f2e8_7e9c_f556)]
    #[case(0x804f_b61a_801b_dbcc, &[255, 0, 255, 0, 255, 0, 255], 0xfdfd_187b_1d3c_e784)]
    fn agrees_with_the_vectors_of_marvin(#[case] seed: u64, #[case] data: &[u8], #[case] expected: u64) {
        let (low, high) = marvin(data, seed);
        assert_eq!(u64::from(high) << 32 | u64::from(low), expected);
    }

    #[test]
    fn agrees_with_the_example_of_an_entra_secret() {
        let data = format!("zzz8Q~{}", "z".repeat(31));
        assert_eq!(&entra(&data)[..3], b"blP");
    }
}
