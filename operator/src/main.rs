//! `countersign-operator`: makes the mesh mean what the cluster's `ApiAuthPolicy` objects say.

use clap::Parser;
use countersign_operator::{Settings, run};
use countersign_runtime::{process, telemetry};

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    process::install_crypto_provider()?;
    let settings = Settings::parse();
    let _records = telemetry::start("countersign-operator", settings.log_format, &settings.export)?;
    run(settings).await?;
    Ok(())
}
