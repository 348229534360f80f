//! How credentials are carried: under names, in headers, URLs, connection strings, command lines and config files.

mod anchor;
mod command;
mod format;
mod literal;
mod name;
mod named;
mod rules;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use crate::hit::{Anchor, Hit, Input};
use crate::rule::Rule;
use crate::tree::Node;

/// Every rule of this module.
pub(crate) const RULES: &[&Rule] = rules::ALL;

/// What to search texts for.
pub(crate) const ANCHORS: &[Anchor] = anchor::ANCHORS;

/// Whether a text as a whole is a hash of a password by argon2id.
pub(crate) fn is_argon2id(text: &str) -> bool {
    text.starts_with("$argon2id$") && anchor::hash::is_hash(text)
}

/// Whether a name may ask for a secret at all. Cheap: it is asked of every key of every object.
pub(crate) fn may_name_secret(name: &str) -> bool {
    name::may_name_secret(name)
}

/// A literal under a name that asks for a secret. The span is the whole text, or the part of it that is secret
/// (what follows `Bearer`).
pub(crate) fn named(input: &Input<'_>) -> Option<Hit> {
    named::named(input)
}

/// A text that was read as a config file.
#[derive(Debug)]
pub(crate) struct Parsed<'a> {
    /// The format's name, as in a location: `yaml`, `json`, `properties`, `toml`, `xml`, `hcl`, `ini`, `netrc` …
    pub format: &'static str,
    /// Its documents. A file of lines is one object with a member for each.
    pub documents: Vec<Node<'a>>,
}

/// Reads a text as a config file, if it is one and can carry a credential. `name` is what it is called, such as the key
/// in a ConfigMap.
pub(crate) fn read<'a>(text: &'a str, name: Option<&str>) -> Option<Parsed<'a>> {
    format::read(text, name)
}

/// A name and a value in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    /// The flag, variable or header that the value belongs to.
    pub name: Cow<'a, str>,
    pub value: Cow<'a, str>,
    /// Which item of the list has the value; which line, from 0, of a script.
    pub index: usize,
}

/// The pairs of a list of arguments: `--password=x`, `--password x`, `curl -u a:b`, `FOO_TOKEN=x`, `sh -c '…'`.
pub(crate) fn arguments<'a>(items: &[&'a str]) -> Vec<Pair<'a>> {
    command::arguments(items)
}

/// The pairs of a shell script.
pub(crate) fn script(text: &str) -> Vec<Pair<'_>> {
    command::script(text)
}

/// Whether a value is a literal: no reference, template or placeholder.
pub(crate) fn is_literal(value: &str) -> bool {
    literal::judge(value) == literal::Value::Literal
}

/// Reads a rendered manifest: YAML documents, however many.
pub(crate) fn manifest(text: &str) -> Option<Vec<Node<'_>>> {
    format::manifest(text)
}
