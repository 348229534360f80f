//! `countersign-signer`: workloads get a SPIFFE identity whose key never leaves them.

use clap::Parser;
use countersign_runtime::{process, telemetry};
use countersign_signer::{Flags, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    let flags = Flags::parse();
    telemetry::start(flags.log_format);
    process::log_panics();
    run(flags).await?;
    Ok(())
}
