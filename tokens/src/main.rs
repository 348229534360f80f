//! `countersign-tokens`: short tokens for machines, partners and users.

use clap::Parser as _;
use countersign_runtime::{process, telemetry};
use countersign_tokens::{Flags, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    // It holds private keys in memory.
    process::forbid_core_dumps()?;
    let flags = Flags::parse();
    let _records = telemetry::start("countersign-tokens", flags.log_format, &flags.export)?;
    process::log_panics();
    run(flags).await?;
    Ok(())
}
