//! Private keys of SSH that are not DER: OpenSSH's own format, PuTTY's and that of RFC 4716's authors.

use super::armor;
use super::der::{Form, u32_of};
use super::pem::PRIVATE_KEY;
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};

/// What OpenSSH's format starts with (`PROTOCOL.key` of OpenSSH).
pub(super) const MAGIC: &[u8] = b"openssh-key-v1\0";
pub(super) const PUTTY: &str = "PuTTY-User-Key-File-";
pub(super) const SSH2: &str = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----";
/// What the body of an SSH2 key starts with.
const SSH2_MAGIC: &[u8] = &[0x3f, 0x6f, 0xf9, 0xeb];
/// The longest key of PuTTY that is read, in bytes; one of RSA with 8192 bits has about 7 kB.
const PUTTY_CAP: usize = 16 << 10;
const PUTTY_LINES: usize = 200;
/// The longest first line, with a version and an algorithm.
const LONGEST_HEADER: usize = 64;

/// Whether bytes are a private key in OpenSSH's format.
pub(super) fn openssh(bytes: &[u8]) -> Option<Form> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (cipher, rest) = string(rest)?;
    let (_function, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let (keys, rest) = u32_of(rest)?;
    let (_public, rest) = string(rest)?;
    let (private, _) = string(rest)?;
    if keys == 0 {
        return None;
    }
    if cipher != b"none" {
        return (!private.is_empty()).then_some(Form::Encrypted);
    }
    // Two equal numbers show who decrypts it that the passphrase was right.
    let (first, rest) = u32_of(private)?;
    let (second, _) = u32_of(rest)?;
    (first == second).then_some(Form::Plain)
}

/// Whether bytes begin as OpenSSH's format does: its magic, a cipher, a function that makes a key of a passphrase.
pub(super) fn has_head(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(MAGIC).and_then(string);
    rest.and_then(|(_cipher, rest)| string(rest)).is_some()
}

/// Bytes with their length before them (RFC 4251 section 5), and what follows.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = u32_of(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// A key file of PuTTY (appendix C of its manual).
pub(super) fn find_putty(input: &Input<'_>, at: usize) -> Option<Hit> {
    let end = input.text.floor_char_boundary(at + PUTTY_CAP);
    let text = input.text.get(at..end)?;
    // Before anything else: the rest of the text can be one line of this header again and again.
    let mut head = text.get(PUTTY.len()..)?.bytes().take(LONGEST_HEADER);
    if !matches!(head.next()?, b'1'..=b'3') || head.next()? != b':' || !head.any(|byte| matches!(byte, b'\n' | b'\\')) {
        return None;
    }
    let mut lines = armor::lines(text).map(|(start, line)| (start + line.len(), line.trim()));
    lines.next()?;
    let (_, cipher) = lines.next()?;
    let cipher = cipher.strip_prefix("Encryption: ")?;
    let mut headers = lines.by_ref().take(PUTTY_LINES);
    let count = headers.find_map(|(_, line)| line.strip_prefix("Private-Lines: "))?;
    let count: usize = count.parse().ok().filter(|count| (1..PUTTY_LINES).contains(count))?;
    let mut body = String::new();
    let mut end = 0;
    for _ in 0..count {
        let line;
        (end, line) = lines.next()?;
        body.push_str(line);
    }
    let hit = |tier| Hit::new(&PRIVATE_KEY, tier, at..at + end);
    match armor::base64(&body) {
        None if armor::is_placeholder(&body) => Some(hit(Tier::Shaped).mitigated(Mitigation::Placeholder)),
        None => Some(hit(Tier::Shaped).mitigated(Mitigation::Unproven)),
        Some(bytes) if bytes.is_empty() => None,
        Some(_) if cipher == "none" => Some(hit(Tier::Proven)),
        Some(_) => Some(hit(Tier::Proven).mitigated(Mitigation::Encrypted)),
    }
}

/// A key in the format of ssh.com. Its header says "encrypted" also where it is not.
pub(super) fn find_ssh2(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + SSH2.len();
    let body = input.text.get(start..)?;
    let until = body.find("----")?;
    let mut base64 = String::new();
    let mut continued = false;
    for line in body[..until].replace("\\n", "\n").lines() {
        if !continued && !line.contains(": ") {
            base64.extend(line.split_ascii_whitespace());
        }
        continued = line.ends_with('\\');
    }
    let bytes = armor::base64(&base64)?;
    let (_length, rest) = u32_of(bytes.strip_prefix(SSH2_MAGIC)?)?;
    let (_kind, rest) = string(rest)?;
    let (cipher, _) = string(rest)?;
    let hit = Hit::new(&PRIVATE_KEY, Tier::Proven, at..start + until);
    Some(if cipher == b"none" {
        hit
    } else {
        hit.mitigated(Mitigation::Encrypted)
    })
}
