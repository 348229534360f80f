//! Reads inputs, several at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::document;
use crate::examine::{Contents, Examiner};
use crate::inputs::Input;
use crate::panics;
use crate::progress::Progress;

/// The stack of a thread that reads, in bytes: values may be nested deep, and hold text that is read again.
const STACK: usize = 32 << 20;

/// What became of an input.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found.
    pub contents: Contents,
    /// Why it does not count as read.
    pub failure: Option<String>,
    /// What to tell about it.
    pub note: Option<String>,
}

/// Reads every input, and gives what became of them in their order.
pub fn read_all(inputs: &[Input], examiner: &Examiner, give: impl FnMut(&Input, Outcome)) {
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(inputs.len()) {
            let (sender, next) = (sender.clone(), &next);
            let work = move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else { break };
                    if sender.send((index, read(input, examiner))).is_err() {
                        break;
                    }
                }
            };
            // With no thread at all nothing is read, and each input says so.
            let _ = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        }
        drop(sender);
        in_order(inputs, receiver, give);
    });
}

fn in_order(inputs: &[Input], outcomes: mpsc::Receiver<(usize, Outcome)>, mut give: impl FnMut(&Input, Outcome)) {
    let progress = Progress::new(inputs.len());
    // What is read before its turn waits here.
    let mut early = BTreeMap::new();
    let mut turn = 0;
    for (index, outcome) in outcomes {
        progress.step();
        early.insert(index, outcome);
        while let Some(outcome) = early.remove(&turn) {
            give(&inputs[turn], outcome);
            turn += 1;
        }
    }
    for input in &inputs[turn..] {
        give(input, Outcome::failed(format!("{}: it was not read", input.name())));
    }
}

fn read(input: &Input, examiner: &Examiner) -> Outcome {
    let name = input.name();
    let bytes = match input.read() {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::failed(format!("{name}: {error}")),
    };
    let outcome = panics::contain(|| match document::text(&bytes) {
        Some(text) if input.is_document() => documents(input, &name, &text, examiner),
        Some(text) => Outcome {
            contents: examiner.plain(&name, &text),
            ..Outcome::default()
        },
        None => not_text(input, &name, &bytes, examiner),
    });
    outcome
        .unwrap_or_else(|place| Outcome::failed(format!("{name}: the scanner failed at {place}; please report this")))
}

fn documents(input: &Input, name: &str, text: &str, examiner: &Examiner) -> Outcome {
    let contents = examiner.text(name, text);
    // What is filled in later need not be YAML before. What comes from a pipe should be filled in.
    let may_be_unread = contents.is_template && !input.is_stdin();
    let unread = contents.unread.first().filter(|_| !may_be_unread);
    let problem = unread.map(|(at, why)| {
        let (line, column) = (at.line, at.column);
        format!("{name}:{line}:{column}: {why}; it was read as text")
    });
    Outcome::with(input, contents, problem)
}

fn not_text(input: &Input, name: &str, bytes: &[u8], examiner: &Examiner) -> Outcome {
    // A few bytes of another encoding, in a comment for example, hide nothing. What is no text at all has no lines.
    let contents = if bytes.contains(&0) {
        Contents::default()
    } else {
        examiner.plain(name, &String::from_utf8_lossy(bytes))
    };
    Outcome::with(input, contents, Some(format!("{name}: it is not UTF-8")))
}

impl Outcome {
    /// What was read, and what was wrong with it: a failure where the command line asked for it.
    fn with(input: &Input, contents: Contents, problem: Option<String>) -> Self {
        let (failure, note) = if input.is_named {
            (problem, None)
        } else {
            (None, problem)
        };
        Self {
            contents,
            failure,
            note,
        }
    }

    /// What was read.
    pub fn of(contents: Contents) -> Self {
        Self {
            contents,
            ..Self::default()
        }
    }

    /// What could not be read.
    pub fn failed(failure: String) -> Self {
        Self {
            failure: Some(failure),
            ..Self::default()
        }
    }
}
