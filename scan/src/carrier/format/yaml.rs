//! YAML, with limits against documents that grow when they are read.

mod plain;
#[cfg(test)]
mod tests;

use serde_saphyr::{DuplicateKeyPolicy, Options};

use crate::tree::Node;
use plain::Unread;

/// How deep a config file may be nested. The parser recurses, and the stack of a thread is small.
const DEEPEST: usize = 40;
/// How deep a manifest may be: schemas are.
const DEEPEST_MANIFEST: usize = 64;
/// How many documents one text may have.
const MOST_DOCUMENTS: usize = 1000;
/// How many values, and keys beside them.
const MOST_NODES: usize = 200_000;

fn options(depth: usize) -> Options {
    let mut options = serde_saphyr::options! {
        emit_comments: false,
        // What does not count is there all the same.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_depth: depth,
            flow_nesting_limit: depth,
            max_documents: MOST_DOCUMENTS,
            max_nodes: MOST_NODES,
            max_aliases: 200,
            max_anchors: 200,
            max_recorded_anchor_events: 20_000,
            max_recorded_anchor_bytes: 1 << 20,
        },
    };
    options.alias_limits.max_total_replayed_events = 20_000;
    options
}

/// The documents of a text that are not null.
fn documents(text: &str, depth: usize) -> Option<Vec<Node<'_>>> {
    match plain::read(text, depth) {
        Ok(documents) => Some(documents),
        Err(Unread::Broken) => None,
        Err(Unread::Unusual) => serde_saphyr::from_multiple_with_options(text, options(depth)).ok(),
    }
}

/// The documents of a text, if it is YAML with at least one mapping or sequence.
pub(super) fn read(text: &str) -> Option<Vec<Node<'_>>> {
    documents(text, DEEPEST).filter(|documents| {
        documents
            .iter()
            .any(|document| matches!(document, Node::Object(_) | Node::Array(_)))
    })
}

/// Reads a rendered manifest.
pub(in crate::carrier) fn manifest(text: &str) -> Option<Vec<Node<'_>>> {
    documents(text, DEEPEST_MANIFEST)
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
