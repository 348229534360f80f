//! The socket, and who connects to it.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;
use tonic::transport::server::Connected;
use tracing::{debug, warn};

use super::attest::Attestor;
use super::refusal::Refusal;

/// How many connections one Pod may have. Further ones are closed.
const PER_POD: usize = 64;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// It has no folder.
    #[error("--socket: {0} is no path of a file")]
    Path(PathBuf),
    /// Something else has the name.
    #[error("--socket: {0} is there and is no socket: remove it, or set another path")]
    Taken(PathBuf),
    /// The system refuses.
    #[error("--socket: {0}: {1}")]
    Io(PathBuf, io::Error),
}

/// Listens on a socket that everybody on the node may connect to. That of an earlier run is replaced at once, so that there
/// is always one.
///
/// # Errors
///
/// If something else is in its place, or the system refuses.
pub fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |error| SocketError::Io(path.to_owned(), error);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(SocketError::Path(path.to_owned()));
    };
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(failed)?;
        fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(failed)?;
    }
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => return Err(SocketError::Taken(path.to_owned())),
        _ => {}
    }
    let mut new = name.to_owned();
    new.push(".new");
    let new = folder.join(new);
    let _ = fs::remove_file(&new);
    let listener = UnixListener::bind(&new).map_err(failed)?;
    fs::set_permissions(&new, Permissions::from_mode(0o666)).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    Ok(listener)
}

/// Who is at the other end: an extension of each request. The UID of a Pod, or why there is none.
#[derive(Clone, Debug)]
pub struct Peer(pub Result<String, Refusal>);

/// A connection of somebody.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    peer: Peer,
    _seat: Seat,
}

/// The connections to a socket.
pub fn connections(listener: UnixListener, attestor: Arc<dyn Attestor>) -> impl Stream<Item = io::Result<Connection>> {
    let seats = Seats::default();
    stream::unfold((listener, attestor, seats), |(listener, attestor, seats)| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let peer = attestor.attest(&stream);
                    let Some(seat) = seats.take(peer.as_ref().map_or("", String::as_str)) else {
                        warn!(pod_uid = ?peer.ok(), most = PER_POD, "a Pod has too many connections: closes the new one");
                        continue;
                    };
                    debug!(?peer, "a connection");
                    let connection = Connection {
                        stream,
                        peer: Peer(peer),
                        _seat: seat,
                    };
                    return Some((Ok(connection), (listener, attestor, seats)));
                }
                Err(error) => {
                    warn!(%error, "a connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    })
}

/// How many connections each Pod has. Those of nobody share one count.
#[derive(Clone, Debug, Default)]
struct Seats(Arc<Mutex<HashMap<String, usize>>>);

/// One of them.
#[derive(Debug)]
struct Seat {
    seats: Seats,
    of: String,
}

impl Seats {
    fn take(&self, of: &str) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(of.to_owned()).or_default();
        if *count >= PER_POD {
            return None;
        }
        *count += 1;
        Some(Seat {
            seats: self.clone(),
            of: of.to_owned(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn everybody_may_connect_and_a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workload/api.sock");
        drop(bind(&path).unwrap());
        assert!(UnixStream::connect(&path).await.is_err(), "it is stale");
        let _listener = bind(&path).unwrap();
        UnixStream::connect(&path).await.unwrap();
        assert_eq!(mode(&path), 0o666);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(SocketError::Taken(_))));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn a_pod_has_so_many_connections_and_others_have_theirs() {
        let seats = Seats::default();
        let mut held: Vec<_> = (0..PER_POD).map(|_| seats.take("u1").unwrap()).collect();
        assert!(seats.take("u1").is_none());
        assert!(seats.take("u2").is_some());
        held.pop();
        assert!(seats.take("u1").is_some());
    }
}
