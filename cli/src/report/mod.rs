//! What is told of a scan.

mod human;
mod json;
mod sarif;

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use countersign_scan::{Action, Actions, Waiver, Waivers};

use crate::args::{Output, Scan};
use crate::examine::Found;
use crate::reader::Outcome;
use crate::settings::What;
use crate::waivers;

/// How many inputs that could not be read as documents are named.
const NAMED: usize = 10;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTE: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// What a scan gave.
#[derive(Debug)]
pub struct Report {
    /// What was found, in the order of the inputs.
    pub judged: Vec<Judged>,
    /// Why inputs could not be read.
    pub failures: Vec<String>,
    notes: Vec<String>,
    inputs: usize,
    templates: usize,
    actions: Actions,
    namespace: String,
    /// Whether fingerprints mean anything outside this run.
    has_key: bool,
    is_live: bool,
    show_waived: bool,
}

/// A finding, and what becomes of it.
#[derive(Debug)]
pub struct Judged {
    /// The input.
    pub file: String,
    /// The finding.
    pub found: Found,
    /// What becomes of it.
    pub action: Action,
    /// What lets it stand, if anything does.
    pub waiver: Option<Waiver>,
}

impl Report {
    /// An empty report.
    pub fn new(what: &What, args: &Scan) -> Self {
        Self {
            judged: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            inputs: 0,
            templates: 0,
            actions: what.actions.clone(),
            namespace: args.cluster.namespace.clone().unwrap_or_default(),
            has_key: what.key.is_some(),
            is_live: args.cluster.is_live,
            show_waived: args.rules.show_waived,
        }
    }

    /// Adds what became of an input.
    pub fn add(&mut self, name: &str, outcome: Outcome) {
        let Outcome {
            contents,
            failure,
            note,
        } = outcome;
        self.inputs += usize::from(failure.is_none());
        self.templates += usize::from(contents.is_template);
        self.failures.extend(failure);
        self.notes.extend(note);
        for found in contents.found {
            let namespace = match found.object.namespace.as_str() {
                "" => self.namespace.as_str(),
                own => own,
            };
            let action = self.actions.of(&found.finding, namespace);
            if action > Action::Audit {
                self.judged.push(Judged {
                    file: name.to_owned(),
                    found,
                    action,
                    waiver: None,
                });
            }
        }
    }

    /// Lets stand what a waiver covers. `now` is in seconds since 1970.
    pub fn waive(&mut self, waivers: &Waivers, now: i64) {
        for judged in &mut self.judged {
            judged.waiver = waivers::covering(waivers, &judged.found, now).cloned();
        }
    }

    /// The worst that becomes of anything.
    pub fn worst(&self) -> Option<Action> {
        let standing = self.judged.iter().filter(|judged| judged.waiver.is_none());
        standing.map(|judged| judged.action).max()
    }

    /// Says on standard error what went wrong, and what was not read as it may have been meant.
    pub fn say(&self) {
        for text in self.notes.iter().take(NAMED) {
            note(text);
        }
        if self.notes.len() > NAMED {
            note(&format!("and {} files more like that", self.notes.len() - NAMED));
        }
        if self.templates > 0 {
            let read = count(
                self.templates,
                "template was read as it stands",
                "templates were read as they stand",
            );
            note(&format!(
                "{read}; scan what is rendered too: `helm template … | countersign scan -`"
            ));
        }
        self.failures.iter().for_each(|text| error(text));
    }

    /// Prints it on standard output.
    pub fn print(&self, output: Output) -> io::Result<()> {
        let mut out = io::BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()));
        match output {
            Output::Human => human::print(self, &mut out)?,
            Output::Json => json::print(self, &mut out)?,
            Output::Sarif => sarif::print(self, &mut out)?,
        }
        out.flush()
    }

    /// What is printed: what counts, and what is waived if that is asked for.
    fn shown(&self) -> impl Iterator<Item = &Judged> {
        self.judged
            .iter()
            .filter(|judged| self.show_waived || judged.waiver.is_none())
    }

    fn count(&self, is: impl Fn(&Judged) -> bool) -> usize {
        self.judged.iter().filter(|judged| is(judged)).count()
    }
}

/// Says on standard error what went wrong.
pub fn error(text: &str) {
    say("error", ERROR, text);
}

/// Says something on standard error.
pub fn note(text: &str) {
    say("note", NOTE, text);
}

fn say(word: &str, style: Style, text: &str) {
    // There is no other place to say that standard error is gone.
    let _ = writeln!(anstream::stderr(), "{style}{word}:{style:#} {}", shown(text));
}

/// A text without what would control a terminal: names and keys come from whoever wrote the manifest.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
