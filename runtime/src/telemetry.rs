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

/// What holds whatever levels are asked for.
const ALWAYS: [&str; 4] = [
    // At lower levels it quotes what the API server answered, Secrets too, if it cannot read that.
    "kube_client::client=error",
    // It logs what it also returns, which is told where somebody knows what was tried.
    "rustls_platform_verifier=off",
    // Records of decisions are no talk.
    "countersign_decision=info",
    "countersign_security=info",
];

/// Starts logging to standard output. `RUST_LOG` sets the level, by module if need be; the default is `info`.
pub fn start(format: LogFormat) {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(discreet(levels));
    match format {
        LogFormat::Json => logs.json().flatten_event(true).init(),
        LogFormat::Text => logs.init(),
    }
}

/// Takes out of a log what may quote the content of objects, and leaves the records of decisions in, whatever levels are asked for.
pub fn discreet(levels: EnvFilter) -> EnvFilter {
    ALWAYS.iter().fold(levels, |levels, always| match always.parse() {
        Ok(directive) => levels.add_directive(directive),
        // They are constants, so this is never reached; a log that is too talkative would be worse than none.
        Err(_) => EnvFilter::new("off"),
    })
}
