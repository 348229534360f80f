//! Private keys, certificates and tokens that can be parsed: PEM, DER, JWK, JWT, OpenSSH, age and others.

use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;
use crate::tree::Node;

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = &[];

/// What to search texts for.
pub(crate) const ANCHORS: &[Anchor] = &[];

/// A private or symmetric key in bytes that were decoded and are no text: DER, PKCS#12, Java key stores.
pub(crate) fn in_bytes(_bytes: &[u8], _input: &Input<'_>) -> Option<Hit> {
    None
}

/// A credential that only the whole object shows, and the path to the value that makes it one: a JWK with private
/// members, a service-account key of Google Cloud.
pub(crate) fn in_object<'n>(_object: &'n Node<'_>, _input: &Input<'_>) -> Option<(&'static str, &'n str, Hit)> {
    None
}

/// A key that only the name beside it tells: WireGuard's `PrivateKey`.
pub(crate) fn named(_input: &Input<'_>) -> Option<Hit> {
    None
}

/// A key that is the whole of a text, with no prefix to search for: DER in base64, an nkey seed.
pub(crate) fn whole(_input: &Input<'_>) -> Option<Hit> {
    None
}
