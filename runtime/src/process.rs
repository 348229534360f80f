//! How a process begins and is told to end.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::info;

/// What keeps a process from beginning.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Something was faster.
    #[error("another TLS crypto provider was installed before aws-lc-rs")]
    CryptoProvider,
    /// A crash would write down what is in memory.
    #[error("core dumps cannot be turned off: {0}")]
    CoreDumps(std::io::Error),
    /// No signal handlers.
    #[error("signals cannot be received: {0}")]
    Signals(#[from] std::io::Error),
}

/// Makes aws-lc-rs what TLS uses, before anything can choose by itself.
pub fn install_crypto_provider() -> Result<(), ProcessError> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| ProcessError::CryptoProvider)
}

/// Keeps what is in memory out of files: from now on a crash leaves no core dump, not by a handler of the machine either, and
/// no process of the same user can read this one's memory. For processes that hold keys, before they have read any.
///
/// # Errors
///
/// If the system does not allow it.
pub fn forbid_core_dumps() -> Result<(), ProcessError> {
    // A handler that a pipe leads to does not heed the limit, but heeds the other.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .and_then(|()| prctl::set_dumpable(false))
        .map_err(|error| ProcessError::CoreDumps(error.into()))
}

/// What is cancelled by SIGTERM and SIGINT.
pub fn stop_on_signal() -> Result<CancellationToken, ProcessError> {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("told to stop");
        stopped.cancel();
    });
    Ok(stop)
}

/// The host's name, which is the Pod's in a cluster.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "countersign".to_owned(), |name| name.trim().to_owned())
}

/// Logs where a panic was, and not what it says: that may quote what was being worked on.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
