//! What is said to who wrote an object. No value of a credential is in it.

use std::fmt::Write as _;

use countersign_scan::{Finding, ObjectId};

/// The longest warning in bytes: an API server cuts what is longer.
pub const WARNING_LIMIT: usize = 256;
/// How many findings a refusal tells.
const SHOWN: usize = 10;
/// How many bytes it spends on each.
const SHOWN_BYTES: usize = 1024;
/// How many warnings an answer has at most.
const WARNINGS: usize = 20;

/// Why an object does not get in: each finding with its place, its kind and what to use instead.
pub fn refusal<'f>(object: &ObjectId<'_>, findings: impl ExactSizeIterator<Item = &'f Finding>) -> String {
    let count = findings.len();
    let mut message = match count {
        1 => format!("a credential must not be in {}:", name(object)),
        _ => format!("{count} credentials must not be in {}:", name(object)),
    };
    for finding in findings.take(SHOWN) {
        let text = shortened(&finding.to_string(), SHOWN_BYTES);
        let _ = write!(
            message,
            "\n- {text} [rule {}, fingerprint {}]",
            finding.rule.id, finding.fingerprint
        );
    }
    if count > SHOWN {
        let _ = write!(message, "\n- and {} more", count - SHOWN);
    }
    message.push_str("\nA CredentialWaiver that names the rule and the fingerprint lets one stand until a date.");
    message
}

/// Warnings of findings, each short enough to arrive whole.
pub fn warnings<'f>(findings: impl ExactSizeIterator<Item = &'f Finding>) -> Vec<String> {
    let count = findings.len();
    let mut warnings: Vec<String> = findings.take(WARNINGS).map(warning).collect();
    if count > WARNINGS {
        warnings.push(format!("and {} more credentials", count - WARNINGS));
    }
    warnings
}

fn warning(finding: &Finding) -> String {
    let whole = format!("{finding} [{}]", finding.rule.id);
    if whole.len() <= WARNING_LIMIT {
        return whole;
    }
    // Where and what it is matters more than what to use instead, which its name finds in the documentation.
    let what = format!(" is {} ({}) [{}]", finding.rule.title, finding.tier, finding.rule.id);
    let place = shortened(&finding.location.to_string(), WARNING_LIMIT.saturating_sub(what.len()));
    shortened(&format!("{place}{what}"), WARNING_LIMIT)
}

/// An object, as people name it: `Deployment shop/api`.
fn name(object: &ObjectId<'_>) -> String {
    match (object.namespace, object.name) {
        ("", "") => object.kind.to_owned(),
        ("", name) => format!("{} {name}", object.kind),
        (namespace, "") => format!("{} in {namespace}", object.kind),
        (namespace, name) => format!("{} {namespace}/{name}", object.kind),
    }
}

/// A text of at most so many bytes; what is left out leaves a mark.
fn shortened(text: &str, limit: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= limit {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(limit.saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests;
