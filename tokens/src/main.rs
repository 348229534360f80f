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
    telemetry::start(flags.log_format);
    process::log_panics();
    run(flags).await?;
    Ok(())
}
