//! Keys of tools that sign releases: minisign, signify, cosign.

use super::armor;
use super::der::Form;
use super::pem::PRIVATE_KEY;
use crate::finding::{Mitigation, Tier};
use crate::hit::{Hit, Input};
use crate::tree::Node;

/// The first line of a key of minisign or signify, secret or public.
pub(super) const COMMENT: &str = "untrusted comment: ";
/// The longest comment that is read. Those that the tools write have some 50 bytes.
const LONGEST_COMMENT: usize = 256;

/// How many bytes minisign's secret keys have, and signify's. Public keys have 42, signatures 74.
const MINISIGN: usize = 158;
const SIGNIFY: usize = 104;

/// A secret key of minisign or signify.
pub(super) fn find(input: &Input<'_>, at: usize) -> Option<Hit> {
    let start = at + COMMENT.len();
    let head = input
        .text
        .get(start..input.text.floor_char_boundary(start + LONGEST_COMMENT))?;
    let (_, comment) = armor::lines(head).next()?;
    let body = start + comment.len();
    let after = input.text.get(body..)?;
    let skipped = armor::line_break(after.as_bytes());
    let after = after.get(skipped..)?.trim_start();
    let body = input.text.len() - after.len();
    let length = after
        .bytes()
        .take(SIGNIFY.max(MINISIGN) * 2)
        .take_while(|byte| armor::is_base64(*byte) || *byte == b'=')
        .count();
    let form = secret(&armor::base64(&after[..length])?)?;
    let hit = Hit::new(&PRIVATE_KEY, Tier::Proven, body..body + length);
    Some(match form {
        Form::Plain => hit,
        Form::Encrypted => hit.mitigated(Mitigation::Encrypted),
    })
}

/// Both formats begin with the algorithm of signatures, then that of the encryption.
fn secret(bytes: &[u8]) -> Option<Form> {
    match (bytes.len(), bytes.get(..4)?) {
        (MINISIGN, b"EdSc") => Some(Form::Encrypted),
        (MINISIGN, b"Ed\0\0") => Some(Form::Plain),
        // The number of rounds follows. 0: not encrypted.
        (SIGNIFY, b"EdBK") if bytes.get(4..8)? == [0; 4] => Some(Form::Plain),
        (SIGNIFY, b"EdBK") => Some(Form::Encrypted),
        _ => None,
    }
}

/// Whether the body of cosign's block is an encrypted key: a box in JSON.
pub(super) fn cosign(body: &[u8]) -> Option<Form> {
    let sealed: Node<'_> = serde_json::from_slice(body).ok()?;
    let text = sealed.get("ciphertext")?.as_str()?;
    (sealed.get("kdf").is_some() && !text.is_empty()).then_some(Form::Encrypted)
}
