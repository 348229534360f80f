//! Logs.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// The level of kube's client: at lower ones it quotes what the API server answered, Secrets too, if it cannot read that.
const QUIET: &str = "kube_client::client=error";

/// Starts logging to standard output. `RUST_LOG` sets the level, by module if need be; the default is `info`.
pub fn start(format: LogFormat) {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(discreet(levels));
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Text => logs.init(),
    }
}

/// Takes out of a log what may quote the content of objects, whatever levels are asked for.
pub fn discreet(levels: EnvFilter) -> EnvFilter {
    match QUIET.parse() {
        Ok(directive) => levels.add_directive(directive),
        // It is a constant, so this is never reached; a log that is too talkative would be worse than none.
        Err(_) => EnvFilter::new("off"),
    }
}
