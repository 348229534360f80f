//! Makes keys, certificates and tokens of every kind, for tests. None is in the repository: each is drawn when a test
//! runs.

mod asn1;
mod doubtful;
mod files;
mod negative;
mod positive;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::finding::{Mitigation, Tier};

pub use doubtful::doubtful;
pub use negative::negatives;
pub use positive::positives;

/// A rule's name, how sure it should be, a text that it finds, and the name that must stand beside the text, if the rule
/// asks for one. For whoever looks at it with the usual limits, at the time that it was made for.
pub type Positive = (&'static str, Tier, String, Option<&'static str>);

/// The same of something that is worth a warning only.
pub type Doubtful = (&'static str, Mitigation, String, Option<&'static str>);

/// The rule that must not refuse a text, the text, and the name beside it.
pub type Negative = (&'static str, String, Option<&'static str>);

/// In seconds.
const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;

/// How many ways there are to dress a text.
const DRESSES: usize = 10;

/// A text of several lines, in one of the ways that such texts stand in manifests.
fn dressed(text: &str, dress: usize) -> String {
    match dress % DRESSES {
        0 => text.to_owned(),
        1 => text.replace('\n', "\r\n"),
        2 => format!("some.key = \"{}\"", text.replace('\n', "\\n")),
        3 => format!("files:\n  a.pem: |\n{}", indented(text, 6)),
        4 => format!("{{\"body\": \"{}\"}}", text.replace('\n', "\\\\n")),
        5 => format!("# müßig, was hier steht\n{text}\n# ende"),
        6 => format!("run --file <(echo {} | base64 -d)", STANDARD.encode(text)),
        7 => format!(
            "run --file <(echo {} | base64 -d)",
            STANDARD.encode(format!("\n{text}"))
        ),
        8 => format!(
            "run --file <(echo {} | base64 -d)",
            STANDARD.encode(format!("\n\n{text}"))
        ),
        _ => format!("\"{}\"", text.trim_end().replace('\n', "\\n\" +\n  \"")),
    }
}

fn indented(text: &str, spaces: usize) -> String {
    let indent = " ".repeat(spaces);
    let lines = text.lines().flat_map(|line| [&indent, line, "\n"]);
    lines.collect()
}
