//! The programs: one line of JSON each way.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::rig::Rig;

/// How long a program may take for what it says next. The first start of a browser takes longest.
const PATIENCE: Duration = Duration::from_mins(2);

fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/peers");
        let mut command = std::process::Command::new(&script);
        let brought = command.arg("tokens").stderr(Stdio::inherit()).output().unwrap();
        let place = PathBuf::from(String::from_utf8(brought.stdout).unwrap().trim());
        assert!(
            brought.status.success() && place.join("bin/peers").is_file(),
            "a program that this test needs is missing: run scripts/peers, and see what it says"
        );
        place
    })
}

/// A library, and how a program that uses it is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    OpenidClient,
    Oauth4webapi,
    Authlib,
    XOauth2,
}

impl Library {
    /// Its name, as it is published.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenidClient => "openid-client",
            Self::Oauth4webapi => "oauth4webapi",
            Self::Authlib => "authlib",
            Self::XOauth2 => "golang.org/x/oauth2",
        }
    }

    /// Begins a task of an application that uses it, at the issuer below the task's `path` if it has one.
    pub async fn begin(self, rig: &Rig, task: &Value) -> Program {
        let mut command = match self {
            Self::OpenidClient | Self::Oauth4webapi => node("client.mjs"),
            Self::Authlib => {
                let mut command = Command::new("python3");
                command.arg(folder().join("python/client.py"));
                command.env("PYTHONPATH", folder().join("python"));
                command
            }
            Self::XOauth2 => Command::new(folder().join("bin/peers")),
        };
        // What a person with an authority of one's own sets, too.
        command.env("NODE_EXTRA_CA_CERTS", &rig.ca);
        let mut program = Program::start(self.name(), command);
        let mut whole = task.clone();
        whole["library"] = self.name().into();
        whole["issuer"] = rig.url(task["path"].as_str().unwrap_or_default()).into();
        whole["ca"] = json!(rig.ca);
        program.say(&whole).await;
        program
    }

    /// Does a task to its end.
    pub async fn does(self, rig: &Rig, task: &Value) -> Value {
        let mut program = self.begin(rig, task).await;
        program.hear().await["done"].take()
    }
}

fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder().join("node").join(program));
    command
}

/// A running program.
pub struct Program {
    name: String,
    /// None at the end.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    complaints: Arc<Mutex<String>>,
    complains: JoinHandle<()>,
    child: Child,
    /// What a browser leaves behind goes with it.
    _scratch: TempDir,
}

impl Drop for Program {
    /// Whichever program it was, all that took part may say why it failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            eprintln!("{}:\n{complaints}", self.name);
        }
        // The end of its input is the end of its work. A browser that is killed writes on into a folder that is being removed.
        drop(self.input.take());
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Program {
    fn start(name: &str, mut command: Command) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        command
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let started = command.spawn();
        let mut child =
            started.unwrap_or_else(|error| panic!("{name} cannot be started: {error}. Run scripts/peers first."));
        let complaints = Arc::<Mutex<String>>::default();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            name: name.to_owned(),
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()).lines(),
            complains: tokio::spawn(collect(errors, Arc::clone(&complaints))),
            complaints,
            child,
            _scratch: scratch,
        }
    }

    /// The OpenID provider at which users sign in.
    pub fn upstream(trusted: &Path) -> Self {
        let mut command = node("upstream.mjs");
        command.env("NODE_EXTRA_CA_CERTS", trusted);
        Self::start("oidc-provider", command)
    }

    /// A user with a browser.
    pub fn browser() -> Self {
        Self::start("chromium", node("browser.mjs"))
    }

    /// Tells it something.
    pub async fn say(&mut self, what: &Value) {
        let line = format!("{what}\n");
        let input = self.input.as_mut().unwrap();
        if input.write_all(line.as_bytes()).await.is_err() {
            self.gave_up().await;
        }
    }

    /// What it says next. Panics if it ended instead.
    pub async fn hear(&mut self) -> Value {
        let said = timeout(PATIENCE, self.output.next_line()).await;
        match said.unwrap_or_else(|_| panic!("{} says nothing", self.name)).unwrap() {
            Some(line) => serde_json::from_str(&line).unwrap(),
            None => self.gave_up().await,
        }
    }

    async fn gave_up(&mut self) -> ! {
        let _ = timeout(Duration::from_secs(5), &mut self.complains).await;
        panic!("{} gave up", self.name)
    }
}

async fn collect(mut errors: Lines<BufReader<ChildStderr>>, complaints: Arc<Mutex<String>>) {
    while let Ok(Some(line)) = errors.next_line().await {
        let mut complaints = complaints.lock().unwrap();
        complaints.push_str(&line);
        complaints.push('\n');
    }
}
