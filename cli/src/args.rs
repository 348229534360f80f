//! What the command line takes.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use countersign_scan::Action;

/// Finds credentials in Kubernetes manifests, and says what to use instead.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find credentials in files, on standard input or in a cluster
    Scan(Box<Scan>),
    /// List the kinds of credential that are known, and what to use instead of each
    Rules(Rules),
}

const EXAMPLES: &str = "\
Examples:
  countersign scan .                           all manifests below this directory
  helm template ./chart | countersign scan -   a rendered chart
  kustomize build . | countersign scan -       a kustomization
  countersign scan -o sarif . > scan.sarif     a report for a code host
  countersign scan --cluster -A                everything in the cluster that you may list

Exit codes:
  0  there is nothing to deny
  1  there is something to deny
  2  something could not be read; what could be is reported all the same

A value that is found is never printed, nor a part of it.";

/// Find credentials in files, on standard input or in a cluster.
///
/// Reads YAML and JSON, with several documents and lists, and templates as far as they go. Needs no cluster.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Scan {
    /// Files and directories; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present_any = ["filename", "cluster"])]
    pub paths: Vec<PathBuf>,

    /// The same as PATH, as kubectl has it
    #[arg(short, long, value_name = "PATH", hide_short_help = true)]
    pub filename: Vec<PathBuf>,

    /// How to print what was found
    #[arg(short, long, value_name = "FORMAT", default_value = "human")]
    pub output: Output,

    /// What makes the exit code 1
    #[arg(long, value_name = "ACTION", default_value = "deny")]
    pub fail_on: FailOn,

    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub rules: RuleSettings,
    #[command(flatten)]
    pub cluster: Cluster,
}

/// Which files of a directory.
#[derive(Args, Debug)]
#[command(next_help_heading = "Files of a directory (.yaml, .yml, .json and .tpl are read)")]
pub struct Files {
    /// Read files that match too, such as '*.env'
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Leave out files and directories that match, such as 'testdata'
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Leave out what .gitignore names
    #[arg(long)]
    pub gitignore: bool,
}

/// What counts.
#[derive(Args, Debug)]
#[command(next_help_heading = "What counts")]
pub struct RuleSettings {
    /// Settings: `limits`, `forbidLiteralSecrets` and `actions`, as the webhook has them
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// `CredentialWaiver` objects that count, beside those among the manifests
    #[arg(long, value_name = "PATH")]
    pub waivers: Vec<PathBuf>,
    /// Report what is waived too
    #[arg(long)]
    pub show_waived: bool,
    /// A file with 32 random bytes or more: print fingerprints made with it, and honour waivers by fingerprint
    #[arg(long, value_name = "FILE")]
    pub fingerprint_key_file: Option<PathBuf>,
}

/// What to read from a cluster.
#[derive(Args, Debug)]
#[command(next_help_heading = "Cluster")]
pub struct Cluster {
    /// Scan the live objects of the cluster
    #[arg(id = "cluster", long = "cluster")]
    pub is_live: bool,
    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "cluster")]
    pub context: Option<String>,
    /// The namespace; for manifests, that of objects which name none
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// All namespaces, and objects without one
    #[arg(short = 'A', long, requires = "cluster", conflicts_with = "namespace")]
    pub all_namespaces: bool,
}

/// List the kinds of credential that are known.
#[derive(Args, Debug)]
pub struct Rules {
    /// How to print them
    #[arg(short, long, value_name = "FORMAT", default_value = "human")]
    pub output: ListOutput,
}

/// How to print what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Human,
    /// One object, with all findings
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

/// How to print a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    /// For people
    Human,
    /// An array
    Json,
}

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// What the webhook would refuse
    Deny,
    /// What the webhook would warn of, too
    Warn,
}

impl FailOn {
    /// The least that fails.
    pub fn action(self) -> Action {
        match self {
            Self::Deny => Action::Deny,
            Self::Warn => Action::Warn,
        }
    }
}
