//! `countersign scan`: reads all inputs, judges what is found, prints it.

use std::process::ExitCode;

use countersign_scan::{FingerprintKey, Scanner};

use crate::args::Scan;
use crate::examine::Examiner;
use crate::reader::{self, Outcome};
use crate::report::{self, Report};
use crate::settings;
use crate::waivers::Written;
use crate::{clock, cluster, inputs};

/// Nothing to deny.
const CLEAN: u8 = 0;
/// Something to deny.
const DENIED: u8 = 1;
/// Something could not be read.
const UNREADABLE: u8 = 2;

/// What keeps the scan from being made at all.
#[derive(Debug, thiserror::Error)]
enum ScanError {
    #[error(transparent)]
    Settings(#[from] settings::SettingsError),
    #[error("there is no randomness: {0}")]
    Random(#[from] getrandom::Error),
    #[error("the report cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs the command.
pub fn run(args: &Scan) -> ExitCode {
    match scan(args) {
        Ok(report) if !report.failures.is_empty() => UNREADABLE.into(),
        Ok(report) if report.worst() >= Some(args.fail_on.action()) => DENIED.into(),
        Ok(_) => CLEAN.into(),
        Err(error) => {
            report::error(&error.to_string());
            UNREADABLE.into()
        }
    }
}

fn scan(args: &Scan) -> Result<Report, ScanError> {
    let what = settings::load(&args.rules)?;
    what.notes.iter().for_each(|note| report::note(note));
    let examiner = Examiner {
        scanner: Scanner::new(what.settings.clone(), what.key.clone().map_or_else(random_key, Ok)?),
        now: clock::now(),
    };
    let mut report = Report::new(&what, args);
    let paths: Vec<_> = args.paths.iter().chain(&args.filename).cloned().collect();
    let (inputs, failures) = inputs::collect(&paths, &args.files);
    report.failures.extend(failures);
    let mut written = Written::default();
    let mut add = |name: &str, mut outcome: Outcome| {
        written.add(name, std::mem::take(&mut outcome.contents.waivers));
        report.add(name, outcome);
    };
    reader::read_all(&inputs, &examiner, |input, outcome| add(&input.name(), outcome));
    let cluster = args
        .cluster
        .is_live
        .then(|| cluster::scan(&args.cluster, &examiner, &mut add));
    if let Some(Err(error)) = cluster {
        report.failures.push(error.to_string());
    }
    let (inputs, failures) = inputs::collect(&args.rules.waivers, &args.files);
    report.failures.extend(failures);
    reader::read_all(&inputs, &examiner, |input, outcome| {
        report.failures.extend(outcome.failure);
        written.add(&input.name(), outcome.contents.waivers);
    });
    let waivers = written.read(args.cluster.namespace.as_deref(), what.key.is_some(), examiner.now);
    report.waive(&waivers, examiner.now);
    report.say();
    match report.print(args.output) {
        // Whoever reads the report, such as `head`, has enough of it.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(report),
        printed => Ok(printed.map(|()| report)?),
    }
}

/// A key for telling values apart in this run only.
fn random_key() -> Result<FingerprintKey, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(FingerprintKey::new(bytes))
}
