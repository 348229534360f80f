//! `countersign-operator`: makes the mesh mean what the cluster's `ApiAuthPolicy` objects say.

use clap::Parser;
use countersign_operator::{Settings, run, telemetry};

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS crypto provider was installed before aws-lc-rs"))?;
    let settings = Settings::parse();
    telemetry::start(settings.log_format);
    run(settings).await?;
    Ok(())
}
