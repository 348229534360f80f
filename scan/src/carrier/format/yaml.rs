//! YAML, with limits against documents that grow when they are read.

use serde_saphyr::{DuplicateKeyPolicy, Options};

use crate::tree::Node;

/// How deep a config file may be nested. The parser recurses, and the stack of a thread is small.
const DEEPEST: usize = 40;
/// How deep a manifest may be: schemas are.
const DEEPEST_MANIFEST: usize = 64;

fn options(depth: usize) -> Options {
    let mut options = serde_saphyr::options! {
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        budget: serde_saphyr::budget! {
            max_depth: depth,
            flow_nesting_limit: depth,
            max_documents: 1000,
            max_nodes: 200_000,
            max_aliases: 200,
            max_anchors: 200,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 1 << 20,
        },
    };
    options.alias_limits.max_total_replayed_events = 20_000;
    options
}

/// The documents of a text, if it is YAML with at least one mapping or sequence.
pub(super) fn read(text: &str) -> Option<Vec<Node<'_>>> {
    let documents: Vec<Node<'_>> = serde_saphyr::from_multiple_with_options(text, options(DEEPEST)).ok()?;
    documents
        .iter()
        .any(|document| matches!(document, Node::Object(_) | Node::Array(_)))
        .then_some(documents)
}

/// Reads a rendered manifest.
pub(in crate::carrier) fn manifest(text: &str) -> Option<Vec<Node<'_>>> {
    serde_saphyr::from_multiple_with_options(text, options(DEEPEST_MANIFEST)).ok()
}

/// Whether the first lines look like a mapping or a list.
pub(super) fn is_likely(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim_end).filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let is_entry = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ");
        let key = line.split(':').next().unwrap_or_default();
        let after = line.get(key.len()..).unwrap_or_default();
        (after == ":" || after.starts_with(": "))
            && !key.is_empty()
            && key.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'"' | b'\'' | b' ')
            })
    };
    match lines.next() {
        Some("---") => true,
        Some(first) => {
            is_entry(first)
                || (first.starts_with("- ") && lines.next().is_none_or(|line| is_entry(line) || line.starts_with("- ")))
        }
        None => false,
    }
}
