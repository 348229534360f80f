//! Keys of a few dozen characters, which carry a checksum or have their length and their name: age, NATS, one-time
//! passwords, WireGuard, Vault, OpenVPN.

use std::ops::Range;

use data_encoding::{BASE32_NOPAD, HEXLOWER_PERMISSIVE};

use super::armor;
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::rule::{Remedy::ExternalSecret, Rule};

pub(super) static AGE: Rule = Rule {
    id: "age-key",
    title: "a secret key of age",
    remedy: ExternalSecret,
};
pub(super) static NATS: Rule = Rule {
    id: "nats-seed",
    title: "a seed of a NATS key",
    remedy: ExternalSecret,
};
pub(super) static TOTP: Rule = Rule {
    id: "totp-seed",
    title: "a seed of one-time passwords",
    remedy: ExternalSecret,
};
pub(super) static WIREGUARD: Rule = Rule {
    id: "wireguard-key",
    title: "a WireGuard key",
    remedy: ExternalSecret,
};
pub(super) static UNSEAL: Rule = Rule {
    id: "vault-unseal-key",
    title: "an unseal key of Vault",
    remedy: ExternalSecret,
};
pub(super) static OPENVPN: Rule = Rule {
    id: "openvpn-key",
    title: "a static key of OpenVPN",
    remedy: ExternalSecret,
};

pub(super) const AGE_PREFIX: &str = "AGE-SECRET-KEY-1";
/// Of age's keys that withstand quantum computers.
pub(super) const AGE_PQ_PREFIX: &str = "AGE-SECRET-KEY-PQ-1";
/// 32 bytes and a checksum in Bech32.
const AGE_LENGTH: usize = 58;

/// A secret key of age: Bech32 (BIP 173), whose human-readable part is what is before the last `1`.
pub(super) fn find_age(input: &Input<'_>, at: usize) -> Option<Hit> {
    let rest = input.text.get(at..)?;
    let prefix = [AGE_PREFIX, AGE_PQ_PREFIX]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let data = rest[prefix.len()..]
        .bytes()
        .take(2 * AGE_LENGTH)
        .take_while(u8::is_ascii_alphanumeric)
        .count();
    if data < AGE_LENGTH {
        return None;
    }
    let end = prefix.len() + data;
    let hit = |tier| Hit::new(&AGE, tier, at..at + end);
    if bech32_fits(&rest[..end]) {
        Some(hit(Tier::Proven))
    } else if armor::is_repetition(&rest[prefix.len()..end]) {
        Some(hit(Tier::Shaped).mitigated(Mitigation::Placeholder))
    } else {
        Some(hit(Tier::Shaped).mitigated(Mitigation::Unproven))
    }
}

/// Whether the checksum of Bech32 fits (BIP 173), whatever the length.
fn bech32_fits(text: &str) -> bool {
    const ALPHABET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let Some((human, data)) = text.rsplit_once('1') else {
        return false;
    };
    let step = |sum: u32, value: u8| {
        let top = sum >> 25;
        let next = (sum & 0x1ff_ffff) << 5 ^ u32::from(value);
        (0..5)
            .filter(|bit| top >> bit & 1 == 1)
            .fold(next, |sum, bit| sum ^ GENERATOR[bit])
    };
    let human = human.to_ascii_lowercase();
    let high = human.bytes().map(|byte| byte >> 5);
    let low = human.bytes().map(|byte| byte & 31);
    let sum = high.chain([0]).chain(low).fold(1, step);
    let value = |byte: u8| {
        let at = ALPHABET
            .iter()
            .position(|letter| *letter == byte.to_ascii_lowercase())?;
        u8::try_from(at).ok()
    };
    data.bytes().try_fold(sum, |sum, byte| Some(step(sum, value(byte)?))) == Some(1)
}

/// A seed of NATS: 2 bytes that say what it is for, 32 of the key, 2 of the checksum, in base32.
const NATS_LENGTH: usize = 58;
/// The upper five bits of the first byte of a seed; they make its first letter an `S`.
const NATS_SEED: u8 = 18 << 3;

/// A text that is a seed of NATS as a whole.
pub(super) fn nats(input: &Input<'_>) -> Option<Hit> {
    let text = input.text.trim();
    let start = input.text.len() - input.text.trim_start().len();
    nats_fits(text).then(|| Hit::new(&NATS, Tier::Proven, start..start + text.len()))
}

/// A seed between the lines of its own kind of PEM. `offset` is where the region begins in the text.
pub(super) fn nats_in_armor(region: &str, offset: usize) -> Option<Hit> {
    let at = region.find('S')?;
    let length = region[at..].bytes().take_while(u8::is_ascii_alphanumeric).count();
    let seed = &region[at..at + length];
    let hit = |tier| Hit::new(&NATS, tier, offset + at..offset + at + length);
    if nats_fits(seed) {
        Some(hit(Tier::Proven))
    } else if length == NATS_LENGTH {
        let why = if armor::is_repetition(&seed[2..]) {
            Mitigation::Placeholder
        } else {
            Mitigation::Unproven
        };
        Some(hit(Tier::Shaped).mitigated(why))
    } else {
        None
    }
}

fn nats_fits(text: &str) -> bool {
    if text.len() != NATS_LENGTH || !text.starts_with('S') {
        return false;
    }
    let Ok(bytes) = BASE32_NOPAD.decode(text.as_bytes()) else {
        return false;
    };
    let Some((data, sum)) = bytes.split_last_chunk() else {
        return false;
    };
    data.first().is_some_and(|first| first & 0xf8 == NATS_SEED) && crc16(data) == u16::from_le_bytes(*sum)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum: u16, _| {
            sum << 1 ^ if sum >> 15 == 1 { 0x1021 } else { 0 }
        })
    })
}

pub(super) const OTPAUTH: &str = "otpauth://";
pub(super) const OTPAUTH_EXPORT: &str = "otpauth-migration://offline?data=";
const SECRET: &str = "secret=";
/// The longest URI of one-time passwords that is read. It has a name, an issuer and a picture's address at most.
const OTPAUTH_CAP: usize = 2048;
/// What the secret of the examples in most documentation decodes to begins with.
const OTPAUTH_EXAMPLE: &[u8] = b"Hello!";

/// The secret in a URI of one-time passwords ("Key URI Format" of Google Authenticator).
pub(super) fn find_otpauth(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + OTPAUTH.len();
    let kind = input.text.get(start..start + 5)?;
    if !["totp/", "hotp/"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return None;
    }
    // It ends with the first sign that a URI cannot have, or where another begins.
    let rest = input
        .text
        .get(start..input.text.floor_char_boundary(start + OTPAUTH_CAP))?;
    let rest = rest.split_once("://").map_or(rest, |(rest, _)| rest);
    let ends = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'\\');
    let uri = &rest[..rest.bytes().position(ends).unwrap_or(rest.len())];
    let is_parameter = |at: &usize| {
        at.checked_sub(1)
            .is_some_and(|at| matches!(uri.as_bytes()[at], b'?' | b'&' | b';'))
    };
    let name = uri.match_indices(SECRET).map(|(at, _)| at).find(is_parameter)?;
    let value = uri[name + SECRET.len()..].split('&').next()?;
    let start = start + name + SECRET.len();
    let hit = |tier| Hit::new(&TOTP, tier, start..start + value.len());
    let text: String = value.trim_end_matches("%3D").trim_end_matches('=').to_ascii_uppercase();
    if value.is_empty() || armor::is_template(value) {
        return None;
    }
    match base32(&text) {
        Some(_) if armor::is_repetition(&text) => Some(hit(Tier::Shaped).mitigated(Mitigation::Placeholder)),
        Some(secret) if secret.starts_with(OTPAUTH_EXAMPLE) => Some(hit(Tier::Proven).mitigated(Mitigation::Test)),
        Some(secret) if secret.len() >= 10 => Some(hit(Tier::Proven)),
        Some(secret) if secret.len() >= 5 => Some(hit(Tier::Shaped)),
        _ => Some(hit(Tier::Shaped).mitigated(Mitigation::Placeholder)),
    }
}

fn base32(text: &str) -> Option<Vec<u8>> {
    // Many secrets have a length that no whole number of bytes has; what is left over is zero or ignored.
    let whole = text.len() - usize::from(matches!(text.len() % 8, 1 | 3 | 6));
    let mut spec = BASE32_NOPAD.specification();
    spec.check_trailing_bits = false;
    spec.encoding().ok()?.decode(&text.as_bytes()[..whole]).ok()
}

/// The export of all secrets of an authenticator: a Protocol Buffer in base64 in a URI.
pub(super) fn find_otpauth_export(input: &Input<'_>, at: usize) -> Option<Hit> {
    let data = input.text.get(at + OTPAUTH_EXPORT.len()..)?;
    let length = data
        .bytes()
        .take_while(|byte| armor::is_base64(*byte) || matches!(byte, b'%' | b'='))
        .count();
    (length >= 32).then(|| Hit::new(&TOTP, Tier::Shaped, at..at + OTPAUTH_EXPORT.len() + length))
}

/// A key that its name tells: WireGuard's and Vault's.
pub(super) fn named(input: &Input<'_>) -> Option<Hit> {
    let text = input.text.trim();
    if !matches!(text.len(), 43 | 44 | 64 | 66) {
        return None;
    }
    // What stands before the last dot is a section: `server.WG0_PRIVATE_KEY`.
    let name = input.name?;
    let name: String = name
        .rsplit_once('.')
        .map_or(name, |(_, last)| last)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    let start = input.text.len() - input.text.trim_start().len();
    let span = start..start + text.len();
    wireguard(&name, text, &span).or_else(|| unseal(&name, text, &span))
}

fn wireguard(name: &str, text: &str, span: &Range<usize>) -> Option<Hit> {
    let key = if text.len() == 44 {
        armor::base64(text)?
    } else {
        return None;
    };
    let told = name.contains("wireguard") || name.starts_with("wg");
    let shared = name.ends_with("presharedkey") || told && name.ends_with("psk");
    let private = name.ends_with("privatekey") || told && name.ends_with("key") && !name.ends_with("publickey");
    // What `wg genkey` makes has these bits set and cleared (RFC 7748 section 5).
    let clamped = key.len() == 32 && key[0].trailing_zeros() >= 3 && key[31] & 0xc0 == 0x40;
    let fits = key.len() == 32
        && !armor::is_repetition(text.trim_end_matches('='))
        && (shared || private && (told || clamped));
    fits.then(|| Hit::new(&WIREGUARD, Tier::Shaped, span.clone()))
}

/// A share of Vault's key has one byte more than the key, for its place among the shares.
fn unseal(name: &str, text: &str, span: &Range<usize>) -> Option<Hit> {
    if !["unseal", "recoverykey", "keysbase64", "keyshare"]
        .iter()
        .any(|word| name.contains(word))
    {
        return None;
    }
    let share = match text.len() {
        64 | 66 => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?,
        _ => armor::base64(text)?,
    };
    let fits = matches!(share.len(), 32 | 33) && !armor::is_repetition(text.trim_end_matches('='));
    fits.then(|| Hit::new(&UNSEAL, Tier::Shaped, span.clone()))
}

/// A static key of OpenVPN: 2048 bits in hexadecimal digits, or, for `tls-crypt-v2`, base64.
pub(super) fn openvpn(region: &str, span: Range<usize>) -> Option<Hit> {
    let mut body = String::new();
    for (_, line) in armor::lines(region) {
        body.extend(line.split_ascii_whitespace());
    }
    let hex = body.len() >= 512 && body.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key = hex || armor::base64(&body).is_some_and(|bytes| bytes.len() >= 128);
    let hit = Hit::new(&OPENVPN, Tier::Shaped, span);
    if key && !armor::is_repetition(&body) {
        Some(hit)
    } else if !body.is_empty() && armor::is_placeholder(region) {
        Some(hit.mitigated(Mitigation::Placeholder))
    } else {
        None
    }
}
