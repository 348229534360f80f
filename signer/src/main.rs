//! `countersign-signer`: workloads get a SPIFFE identity whose key never leaves them. As `countersign-signer agent` it is the
//! agent of a node.

use clap::{Parser, Subcommand};
use countersign_runtime::{process, telemetry};
use countersign_signer::{Flags, agent, run};

/// What is to be run: the signer, if nothing else is said.
#[derive(Debug, Parser)]
#[command(name = "countersign-signer", version, args_conflicts_with_subcommands = true)]
struct Command {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    signer: Flags,
}

#[derive(Debug, Subcommand)]
enum Other {
    /// Gives the workloads of one node their SVIDs over a Unix socket: the SPIFFE Workload API and Envoy's SDS.
    Agent(agent::Flags),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    // Both hold private keys in memory.
    process::forbid_core_dumps()?;
    let command = Command::parse();
    let _records = match &command.other {
        Some(Other::Agent(flags)) => telemetry::start("countersign-agent", flags.log_format, &flags.export),
        None => telemetry::start("countersign-signer", command.signer.log_format, &command.signer.export),
    }?;
    process::log_panics();
    match command.other {
        Some(Other::Agent(flags)) => agent::run(flags).await?,
        None => run(command.signer).await?,
    }
    Ok(())
}
