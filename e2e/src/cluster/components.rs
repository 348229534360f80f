//! The processes of a cluster, each with a log file.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell;
use crate::tools::Tools;

/// The components started so far.
pub(super) struct Components<'a> {
    tools: &'a Tools,
    logs: PathBuf,
    running: Mutex<Vec<(String, Child)>>,
}

impl<'a> Components<'a> {
    pub(super) fn new(tools: &'a Tools, data: &Path) -> Self {
        Self {
            tools,
            logs: data.join("logs"),
            running: Mutex::default(),
        }
    }

    /// Starts the tool `program` in the background.
    pub(super) fn start<S: AsRef<OsStr>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Result<()> {
        let log = File::create(self.log(program))?;
        let mut command = Command::new(self.tools.bin(program)?);
        command.args(args).env("PATH", self.tools.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((program.to_owned(), child));
        Ok(())
    }

    /// What the tool `program` says of its version.
    pub(super) fn version(&self, program: &str) -> Result<String> {
        shell::run(Command::new(self.tools.bin(program)?).arg("--version"))
    }

    /// Waits until `check` succeeds. When `program` ends, or at the limit, the error says what was waited for and shows
    /// the end of the log.
    pub(super) async fn until<F>(
        &self,
        program: &str,
        what: &str,
        limit: Duration,
        mut check: impl FnMut() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        let end = Instant::now() + limit;
        loop {
            let Err(error) = check().await else { return Ok(()) };
            let ended = self.ended(program);
            if ended || Instant::now() > end {
                let log = fs::read_to_string(self.log(program)).unwrap_or_default();
                let why = if ended {
                    "it ended".to_owned()
                } else {
                    format!("not after {} s", limit.as_secs())
                };
                bail!(
                    "{program}: waited for {what}, but {why}: {error:#}\n{}",
                    shell::tail(&log, 25)
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn ended(&self, program: &str) -> bool {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .iter_mut()
            .any(|(name, child)| name == program && matches!(child.try_wait(), Ok(Some(_))))
    }

    /// The log of `program`.
    fn log(&self, program: &str) -> PathBuf {
        self.logs.join(format!("{program}.log"))
    }

    /// What each component is doing, with the end of its log, for a person who looks for the cause of a failure.
    pub(super) fn report(&self) -> String {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = String::new();
        for (program, child) in running.iter_mut() {
            let state = match child.try_wait() {
                Ok(Some(status)) => format!("ENDED: {status}"),
                Ok(None) => "running".to_owned(),
                Err(error) => error.to_string(),
            };
            let log = fs::read_to_string(self.log(program)).unwrap_or_default();
            let _ = writeln!(report, "--- {program} ({state})\n{}", shell::tail(&log, 12));
        }
        report
    }
}
