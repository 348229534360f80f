//! `countersign-webhook`: what carries a static key or a long-lived token does not get into the cluster.

use clap::Parser;
use countersign_runtime::{process, telemetry};
use countersign_webhook::{Flags, run};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    let flags = Flags::parse();
    telemetry::start(flags.log_format);
    process::log_panics();
    run(flags).await?;
    Ok(())
}
