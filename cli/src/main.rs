//! `countersign`, also `kubectl countersign`: finds credentials in manifests, without a cluster or in one.

mod args;
mod clock;
mod cluster;
mod document;
mod examine;
mod inner;
mod inputs;
mod object;
mod panics;
mod progress;
mod reader;
mod report;
mod rules;
mod scan;
mod settings;
mod waivers;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command};

fn main() -> ExitCode {
    panics::silence();
    let arguments: Vec<_> = std::env::args_os().collect();
    let command = match arguments.first().and_then(|path| Path::new(path).file_stem()?.to_str()) {
        Some(name) if name.starts_with("kubectl-") => Cli::command().bin_name("kubectl countersign"),
        _ => Cli::command(),
    };
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // There is no other place to say that the terminal is gone.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2).into();
        }
    };
    let run = panics::contain(|| match &cli.command {
        Command::Scan(args) => scan::run(args),
        Command::Rules(args) => rules::run(args),
    });
    run.unwrap_or_else(|place| {
        report::error(&format!("countersign failed at {place}; please report this"));
        2.into()
    })
}
