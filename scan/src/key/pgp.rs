//! OpenPGP secret keys (RFC 9580, and RFC 4880 before it).

use super::der::Form;

/// The secret-key packet (RFC 9580 section 5.5.1.3).
const SECRET_KEY: u8 = 5;

/// Whether bytes start with a secret key.
pub(super) fn secret_key(bytes: &[u8]) -> Option<Form> {
    let packet = secret_packet(bytes)?;
    let (&version, rest) = packet.split_first()?;
    // After the version, the time when the key was made; version 3 has days of validity too.
    let (algorithm, rest) = rest.get(if version == 3 { 6 } else { 4 }..)?.split_first()?;
    let secret = match version {
        3 | 4 => skip_public(*algorithm, rest)?,
        5 | 6 => {
            let (length, rest) = super::der::u32_of(rest)?;
            rest.get(usize::try_from(length).ok()?..)?
        }
        _ => return None,
    };
    // How the secret part is protected (section 3.7.2.1). 0: not at all.
    match secret {
        [0, _, ..] => Some(Form::Plain),
        [_, _, ..] => Some(Form::Encrypted),
        _ => None,
    }
}

/// The body of the first packet, if it is a secret key (sections 4.2.1 and 4.2.2). It may be cut short.
fn secret_packet(bytes: &[u8]) -> Option<&[u8]> {
    let (&header, rest) = bytes.split_first()?;
    let (tag, skipped) = match header {
        0xc0.. => {
            let skipped = match rest.first()? {
                0..192 => 1,
                192..224 => 2,
                255 => 5,
                _ => return None,
            };
            (header & 0x3f, skipped)
        }
        0x80.. => {
            let skipped = match header & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            (header >> 2 & 0xf, skipped)
        }
        _ => return None,
    };
    (tag == SECRET_KEY).then(|| rest.get(skipped..)).flatten()
}

/// What follows the public part of a key of that algorithm (section 9.1).
fn skip_public(algorithm: u8, bytes: &[u8]) -> Option<&[u8]> {
    let numbers = |count: usize, bytes| (0..count).try_fold(bytes, |rest, _| skip_number(rest));
    match algorithm {
        1..=3 => numbers(2, bytes),
        16 => numbers(3, bytes),
        17 => numbers(4, bytes),
        18 => skip_short(numbers(1, skip_short(bytes)?)?),
        19 | 22 => numbers(1, skip_short(bytes)?),
        25 | 27 => bytes.get(32..),
        26 => bytes.get(56..),
        28 => bytes.get(57..),
        _ => None,
    }
}

/// Skips a number, which has its length in bits before it (section 3.2).
fn skip_number(bytes: &[u8]) -> Option<&[u8]> {
    let (bits, rest) = bytes.split_first_chunk()?;
    rest.get(usize::from(u16::from_be_bytes(*bits)).div_ceil(8)..)
}

/// Skips what has its length in the byte before it.
fn skip_short(bytes: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = bytes.split_first()?;
    rest.get(usize::from(length)..)
}
