//! Who is at the other end of the socket: the kernel says which process, its cgroup says which Pod.

pub mod cgroup;
mod process;

use tokio::net::UnixStream;

pub use process::ProcFs;

use super::refusal::Refusal;

/// Says which Pod is at the other end of a connection.
pub trait Attestor: Send + Sync + 'static {
    /// The UID of the Pod. It is asked for as soon as there is a connection: the process may end soon.
    ///
    /// # Errors
    ///
    /// If no Pod can be named without doubt.
    fn attest(&self, stream: &UnixStream) -> Result<String, Refusal>;
}
