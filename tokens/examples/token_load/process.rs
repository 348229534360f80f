//! The server's process, as the load sees it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::orders::{Beginning, Order, Raw, Ready};

/// How many of the system's ticks are a second (`USER_HZ` of Linux).
const TICKS: u64 = 100;

/// The server.
pub struct Server {
    process: Child,
    told: BufReader<ChildStderr>,
    /// Where it is.
    pub ready: Ready,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts it, with its log in a folder.
    pub fn start(beginning: &Beginning, folder: &Path) -> Result<Self> {
        let log = File::create(folder.join("log"))?;
        let mut process = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(Stdio::piped())
            .spawn()?;
        let told = BufReader::new(process.stderr.take().context("no standard error")?);
        let nowhere = Ready {
            issuer: String::new(),
            ca: String::new(),
        };
        let mut server = Self {
            process,
            told,
            ready: nowhere,
        };
        server.ready = server.order(beginning)?;
        Ok(server)
    }

    fn order<T: DeserializeOwned>(&mut self, order: &impl Serialize) -> Result<T> {
        let input = self.process.stdin.as_mut().context("no standard input")?;
        writeln!(input, "{}", serde_json::to_string(order)?)?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.told.read_line(&mut line)? == 0 {
                bail!("the server ended");
            }
            match serde_json::from_str(&line) {
                Ok(told) => return Ok(told),
                Err(_) => eprint!("the server says: {line}"),
            }
        }
    }

    /// How long ES256 takes on its processor.
    pub fn raw(&mut self) -> Result<Raw> {
        self.order(&Order::Raw)
    }

    /// Lets it keep families, and gives their refresh tokens.
    pub fn families(&mut self, first: usize, count: usize) -> Result<Vec<String>> {
        self.order(&Order::Families { first, count })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Lets it end.
    pub fn end(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        ensure!(self.process.wait()?.success(), "the server failed");
        Ok(())
    }
}

/// How long the processor has worked for a process.
pub fn busy(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Its name, in parentheses, is the second field. In user mode and in kernel mode are the 14th and the 15th.
    let (_, fields) = stat.rsplit_once(") ").context("no name in the process's statistics")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS))
}

/// The memory of a process, in bytes.
pub fn memory(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("no VmRSS")?;
    Ok(number.parse::<u64>()? << 10)
}

/// What a command prints. An error says what it complained of.
pub fn output(command: &mut Command) -> Result<String> {
    let ended = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let complained = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "{command:?}: {said}{complained}");
    Ok(said)
}
