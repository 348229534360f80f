//! `countersign rules`: the kinds of credential that are known.

use std::io::{self, Write};
use std::process::ExitCode;

use countersign_scan::rules;
use serde_json::{Value, json};

use crate::args::{ListOutput, Rules};
use crate::report;

/// Runs the command.
pub fn run(args: &Rules) -> ExitCode {
    match print(args.output, &mut io::stdout().lock()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            report::error(&format!("the list cannot be written: {error}"));
            2.into()
        }
        _ => ExitCode::SUCCESS,
    }
}

fn print(output: ListOutput, out: &mut impl Write) -> io::Result<()> {
    let rules = rules();
    if output == ListOutput::Json {
        let list = rules
            .iter()
            .map(|rule| json!({ "id": rule.id, "title": rule.title, "remedy": rule.remedy.to_string() }));
        serde_json::to_writer_pretty(&mut *out, &list.collect::<Value>())?;
        return writeln!(out);
    }
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or_default();
    for rule in rules {
        writeln!(out, "{:width$}  {}", rule.id, rule.title)?;
        writeln!(out, "{:width$}    {}", "", rule.remedy)?;
    }
    Ok(())
}
