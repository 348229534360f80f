//! Logs, and the records in them that are sent on.

use std::sync::OnceLock;

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

use crate::records::{Export, ExportError, ExportFlags, Fates, RECORDS};

/// What became of the records of this process: they are logged process-wide, and counted so.
static FATES: OnceLock<Fates> = OnceLock::new();

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// What holds whatever levels are asked for, beside that records are no talk.
const ALWAYS: [&str; 2] = [
    // At lower levels it quotes what the API server answered, Secrets too, if it cannot read that.
    "kube_client::client=error",
    // It logs what it also returns, which is told where somebody knows what was tried.
    "rustls_platform_verifier=off",
];

/// Starts logging to standard output, and sends records on if that is asked for. `RUST_LOG` sets the level of the log, by module
/// if need be; the default is `info`. `service` is the `service.name` of the records. Where records are sent on, it is called within
/// a Tokio runtime of several threads, and what it gives is kept until the end: when it is dropped, the records that wait are sent.
///
/// # Errors
///
/// If the flags do not say where to send records. Logging has started then.
pub fn start(service: &'static str, format: LogFormat, flags: &ExportFlags) -> Result<Option<Export>, ExportError> {
    let levels = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let export = Export::begin(service, flags);
    let begun = export.as_ref().ok().and_then(Option::as_ref);
    subscriber(format, levels, begun).init();
    if let Some(begun) = begun {
        FATES.get_or_init(|| begun.fates());
    }
    export
}

/// What became of the records of this process, if they are sent on.
pub fn fates() -> Option<&'static Fates> {
    FATES.get()
}

/// What takes in all that is logged.
pub fn subscriber(
    format: LogFormat,
    levels: EnvFilter,
    export: Option<&Export>,
) -> impl Subscriber + Send + Sync + use<> {
    let levels = discreet(levels);
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = vec![match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_filter(levels).boxed(),
        LogFormat::Text => fmt::layer().with_filter(levels).boxed(),
    }];
    layers.extend(export.map(Export::layer));
    tracing_subscriber::registry().with(layers)
}

/// Takes out of a log what may quote the content of objects, and leaves the records in, whatever levels are asked for.
pub fn discreet(levels: EnvFilter) -> EnvFilter {
    let records = RECORDS.iter().map(|target| format!("{target}=info"));
    let always = ALWAYS.iter().map(ToString::to_string).chain(records);
    always.fold(levels, |levels, always| match always.parse() {
        Ok(directive) => levels.add_directive(directive),
        // They are constants, so this is never reached; a log that is too talkative would be worse than none.
        Err(_) => EnvFilter::new("off"),
    })
}
