//! `countersign-webhook`: what carries a static key or a long-lived token does not get into the cluster.

use clap::Parser;
use countersign_runtime::{process, telemetry};
use countersign_webhook::{Flags, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    let flags = Flags::parse();
    let _records = telemetry::start("countersign-webhook", flags.log_format, &flags.export)?;
    process::log_panics();
    run(flags).await?;
    Ok(())
}
