//! The Collector as a process of the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the Collector may take for what it says next.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running Collector.
pub struct Collector {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    pub port: u16,
}

impl Collector {
    /// Starts it in a folder that has its certificate and its key.
    pub fn start(folder: &Path, siem: SocketAddr) -> Self {
        let file = folder.join("collector.yaml");
        fs::write(&file, configuration(folder, siem)).unwrap();
        let mut command = Command::new(program());
        command.arg("--config").arg(file).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || log.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut this = Self {
            child,
            lines,
            log: Vec::new(),
            port: 0,
        };
        let listens = this.says("Starting GRPC server").unwrap();
        let (_, address) = listens.split_once(r#""endpoint":""#).unwrap();
        let (address, _) = address.split_once('"').unwrap();
        this.port = address.parse::<SocketAddr>().unwrap().port();
        this
    }

    /// The next line that has this in it; none if it has ended.
    fn says(&mut self, text: &str) -> Option<String> {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => panic!("the Collector says no more"),
            }
            let line = self.log.last()?;
            if line.contains(text) {
                return Some(line.clone());
            }
        }
    }

    /// Tells it to end, and gives its log. It hands on what it has before it ends.
    pub fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        while self.says("").is_some() {}
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "it ended with {ended}");
        self.log.join("\n")
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the Collector's log\n{}", self.log.join("\n"));
        }
    }
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/peers");
        let mut command = Command::new(&script);
        let built = command.arg("records").stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "{}: {}", script.display(), built.status);
        Path::new(String::from_utf8(built.stdout).unwrap().trim()).join("collector")
    })
}

/// What the docs show, with the addresses and the folder of this test.
fn configuration(folder: &Path, siem: SocketAddr) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decision-records.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, rest) = docs.split_once("```yaml\nreceivers:\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    let places = [
        ("0.0.0.0:4317", "127.0.0.1:0".to_owned()),
        ("/etc/collector", folder.display().to_string()),
        ("https://siem.example", format!("http://{siem}")),
    ];
    places
        .iter()
        .fold(format!("receivers:\n{shown}"), |text, (shown, here)| {
            assert!(text.contains(shown), "the docs have no {shown}");
            text.replace(shown, here)
        })
}
