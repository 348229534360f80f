//! For people.

use std::io::{self, Write};

use countersign_scan::Action;

use super::{ERROR, FAINT, Judged, NOTE, Report, WARNING, count, shown};
use crate::waivers::time;

/// Prints a report.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut file = None;
    for judged in report.shown() {
        if file.is_some_and(|file| file != &judged.file) {
            writeln!(out)?;
        }
        file = Some(&judged.file);
        print_one(judged, report.has_key, out)?;
    }
    if file.is_some() {
        writeln!(out)?;
    }
    let inputs = if report.is_live {
        count(report.inputs, "object", "objects")
    } else {
        count(report.inputs, "file", "files")
    };
    let found = count(report.judged.len(), "finding", "findings");
    let to = |action| report.count(|judged| judged.waiver.is_none() && judged.action == action);
    let (deny, warn) = (to(Action::Deny), to(Action::Warn));
    write!(out, "{inputs} read, {found}: {deny} to deny, {warn} to warn of")?;
    match report.count(|judged| judged.waiver.is_some()) {
        0 => writeln!(out),
        waived => writeln!(out, ", {waived} waived"),
    }
}

/// `deploy.yaml:12:18  deny  github-token (proven)  /spec/…/value → base64`, and below it what it is and what to do.
fn print_one(judged: &Judged, has_key: bool, out: &mut impl Write) -> io::Result<()> {
    let found = &judged.found;
    let finding = &found.finding;
    let at = found
        .position
        .map(|at| format!(":{}:{}", at.line, at.column))
        .unwrap_or_default();
    let (word, style) = match (&judged.waiver, judged.action) {
        (Some(_), _) => ("waived", NOTE),
        (None, Action::Deny) => ("deny", ERROR),
        (None, _) => ("warn", WARNING),
    };
    let place = format!("{}{at}", judged.file);
    writeln!(
        out,
        "{}  {style}{word}{style:#}  {} ({})  {}",
        shown(&place),
        finding.rule.id,
        finding.tier,
        shown(&found.location().to_string()),
    )?;
    let of = if found.object.is_known() {
        format!("{}: ", found.object)
    } else {
        String::new()
    };
    let lifetime = finding
        .lifetime
        .map(|lifetime| format!(", {lifetime}"))
        .unwrap_or_default();
    let mitigation = finding
        .mitigation
        .map(|mitigation| format!(", {mitigation}"))
        .unwrap_or_default();
    writeln!(out, "    {}{}{lifetime}{mitigation}", shown(&of), finding.rule.title)?;
    writeln!(out, "    {FAINT}{}{FAINT:#}", finding.rule.remedy)?;
    if let Some(waiver) = &judged.waiver {
        let (name, end, reason) = (shown(&waiver.name), time(waiver.expires), shown(&waiver.reason));
        writeln!(out, "    waived by {name} until {end}: {reason}")?;
    }
    if has_key {
        writeln!(out, "    {FAINT}fingerprint {}{FAINT:#}", finding.fingerprint)?;
    }
    Ok(())
}
