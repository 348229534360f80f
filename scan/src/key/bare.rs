//! Private keys in base64 without a header, in the middle of a text. What is base64 as a whole is decoded by the walk.

use super::pem::PRIVATE_KEY;
use super::{armor, der, ssh};
use crate::finding::Tier;
use crate::hit::{Anchor, Hit, Input};

/// How the keys in use begin, from the first characters that do not depend on their length.
pub(super) const ANCHORS: [Anchor; 10] = [
    // PKCS#8: version 0, then the algorithm: RSA, Ed25519 or X25519, curves of 256 bits or less, larger curves.
    Anchor {
        literal: "IBADANBgkqhkiG9w0BAQEFAASC",
        find: |input, at| find(input, at, 6),
    },
    Anchor {
        literal: "MC4CAQAwBQYDK2V",
        find: |input, at| find(input, at, 0),
    },
    Anchor {
        literal: "AgEAMBMGByqGSM49AgEG",
        find: |input, at| find(input, at, 4),
    },
    Anchor {
        literal: "AgEAMBAGByqGSM49AgEG",
        find: |input, at| find(input, at, 4),
    },
    // PKCS#1: version 0, then a modulus of 1024 bits or more.
    Anchor {
        literal: "IBAAKC",
        find: |input, at| find(input, at, 6),
    },
    // SEC 1: version 1, then the private number, of 256, 384 or 521 bits.
    Anchor {
        literal: "MHcCAQEEI",
        find: |input, at| find(input, at, 0),
    },
    Anchor {
        literal: "MGsCAQEEI",
        find: |input, at| find(input, at, 0),
    },
    Anchor {
        literal: "MIGkAgEBBD",
        find: |input, at| find(input, at, 0),
    },
    Anchor {
        literal: "MIHcAgEBBEI",
        find: |input, at| find(input, at, 0),
    },
    Anchor {
        literal: "b3BlbnNzaC1rZXktdjE",
        find: openssh,
    },
];

/// The longest key that is read: one of RSA with 16384 bits.
const LONGEST: usize = 12 << 10;
/// How many characters of a key of OpenSSH have its magic, its cipher and its key derivation.
const HEAD: usize = 128;

/// A key in DER. Its first bytes say how long it is.
fn find(input: &Input<'_>, at: usize, before: usize) -> Option<Hit> {
    let start = at.checked_sub(before)?;
    let text = input.text.get(start..).filter(|text| text.starts_with('M'))?;
    let head = armor::base64(text.get(..8)?)?;
    let length = match *head.get(1..4)? {
        [short @ 0..=0x7f, ..] => 2 + usize::from(short),
        [0x81, one, _] => 3 + usize::from(one),
        [0x82, high, low] => 4 + usize::from(u16::from_be_bytes([high, low])),
        _ => return None,
    };
    if length > LONGEST {
        return None;
    }
    let mut decoded = Vec::with_capacity(length);
    armor::Decoder::new(text).read(length.div_ceil(3) * 4, &mut decoded);
    der::private_key(&decoded).filter(|form| *form == der::Form::Plain)?;
    hit(input, start, length)
}

/// A key in OpenSSH's format, which goes as far as base64 does.
fn openssh(input: &Input<'_>, at: usize) -> Option<Hit> {
    let text = input.text.get(at..)?;
    let mut reader = armor::Decoder::new(text);
    let mut decoded = Vec::new();
    reader.read(HEAD, &mut decoded);
    if !ssh::has_head(&decoded) {
        return None;
    }
    reader.read(LONGEST / 3 * 4, &mut decoded);
    let form = ssh::openssh(&decoded)?;
    hit(input, at, decoded.len()).filter(|_| form == der::Form::Plain)
}

fn hit(input: &Input<'_>, start: usize, decoded: usize) -> Option<Hit> {
    if armor::is_whole(input.text) {
        return None;
    }
    let end = start + armor::length_of(&input.text[start..], decoded);
    Some(Hit::new(&PRIVATE_KEY, Tier::Proven, start..end))
}
