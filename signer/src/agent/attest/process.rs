//! The process at the other end, by the kernel's word, and its cgroup.
//!
//! A process can end and its number be given to another while it is looked at. So what is read counts only if the process
//! still lives afterwards: a handle of it (`SO_PEERPIDFD`, Linux 6.5) cannot be mistaken. Without handles the time at which
//! the process began must be the same before and after (`proc_pid_stat(5)`, field 22).

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerPidfd;
use tokio::net::UnixStream;

use super::Attestor;
use super::cgroup::{NoPod, pod_uid};
use crate::agent::refusal::{Reason, Refusal};

/// The longest text that is read of a process, in bytes.
const LONGEST: u64 = 64 << 10;

/// The real thing.
#[derive(Clone, Debug)]
pub struct ProcFs(PathBuf);

impl Default for ProcFs {
    fn default() -> Self {
        Self(PathBuf::from("/proc"))
    }
}

impl Attestor for ProcFs {
    fn attest(&self, stream: &UnixStream) -> Result<String, Refusal> {
        let credentials = stream.peer_cred().map_err(|_| ended())?;
        let handle = handle(stream)?;
        let pid = credentials.pid().filter(|pid| *pid > 0).ok_or_else(|| {
            Refusal::new(
                Reason::NoPid,
                "the calling process cannot be seen by the agent: its Pod needs hostPID: true",
            )
        })?;
        let before = self.began(pid)?;
        let cgroups = self.read(pid, "cgroup")?;
        let lives = handle.is_none_or(|handle| lives(&handle));
        if !lives || self.began(pid)? != before {
            return Err(ended());
        }
        pod_uid(&cgroups).map_err(|none| {
            let reason = match none {
                NoPod::None => Reason::NotAPod,
                NoPod::Several => Reason::Ambiguous,
            };
            Refusal::new(reason, none.to_string())
        })
    }
}

impl ProcFs {
    fn read(&self, pid: i32, name: &str) -> Result<String, Refusal> {
        let path = self.0.join(pid.to_string()).join(name);
        let mut text = Vec::new();
        let file = File::open(path).map_err(|_| ended())?;
        file.take(LONGEST).read_to_end(&mut text).map_err(|_| ended())?;
        // The name of a program, in parentheses in `stat`, can be any bytes.
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn began(&self, pid: i32) -> Result<String, Refusal> {
        began(&self.read(pid, "stat")?).ok_or_else(ended)
    }
}

/// When a process began, in ticks since the machine did: field 22. The name, field 2, may have spaces and parentheses.
fn began(stat: &str) -> Option<String> {
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(19).map(str::to_owned)
}

/// A handle of the process at the other end; none if the kernel has no such handles.
fn handle(stream: &UnixStream) -> Result<Option<OwnedFd>, Refusal> {
    match getsockopt(stream, PeerPidfd) {
        Ok(handle) => Ok(Some(handle)),
        Err(Errno::ENOPROTOOPT) => Ok(None),
        Err(_) => Err(ended()),
    }
}

/// A handle becomes readable when its process ends (`pidfd_open(2)`).
fn lives(handle: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(handle.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut asked, PollTimeout::ZERO), Ok(0))
}

fn ended() -> Refusal {
    Refusal::new(Reason::ProcessEnded, "the calling process has ended: connect again")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_does_not_move_the_fields() {
        let fields: Vec<String> = (3..=52).map(|number| format!("f{number}")).collect();
        let stat = format!("7 (a) 1 2 (b)) {}", fields.join(" "));
        assert_eq!(began(&stat).as_deref(), Some("f22"));
        assert_eq!(began("7 (a) R 1"), None);
    }

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[tokio::test]
    async fn this_process_is_no_pod_s() {
        let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        assert!(
            !cgroups.contains("kubepods"),
            "this test is for machines outside of Kubernetes"
        );
        let refusal = ProcFs::default().attest(&pair().0).unwrap_err();
        assert_eq!(refusal.reason, Reason::NotAPod, "{refusal}");
    }

    /// The file system of processes, as far as it is read, with a Pod's cgroup for this process.
    #[tokio::test]
    async fn a_pods_process_is_its_pods() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join(std::process::id().to_string());
        std::fs::create_dir(&own).unwrap();
        std::fs::copy("/proc/self/stat", own.join("stat")).unwrap();
        let uid = "0f7d9c1e-3a52-4c0b-9d1c-5e6f7a8b9c0d";
        std::fs::write(own.join("cgroup"), format!("0::/kubepods/burstable/pod{uid}/4c2e\n")).unwrap();
        let attested = ProcFs(folder.path().to_owned()).attest(&pair().0).unwrap();
        assert_eq!(attested, uid);
    }

    /// Its number may be another's by now.
    #[tokio::test]
    async fn a_process_that_ended_is_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let script = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])";
        let python = Command::new("python3")
            .arg("-c")
            .arg(script)
            .arg(&path)
            .stdin(Stdio::null())
            .status();
        assert!(python.unwrap().success());
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(stream).unwrap();
        let refusal = ProcFs::default().attest(&stream).unwrap_err();
        assert_eq!(refusal.reason, Reason::ProcessEnded);
    }
}
