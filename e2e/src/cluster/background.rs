//! A testbed that stays up while a person works with it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::harness;
use super::sandbox::Whereabouts;
use crate::{cache, shell};

const LIMIT: Duration = Duration::from_mins(5);

/// The file that says where the testbed in the background is.
pub fn state() -> Result<PathBuf> {
    Ok(cache::root()?.join("up.json"))
}

/// Starts `testbed run` with `args` in the background, with a command that does nothing, and waits until it is up.
pub fn up(args: &[String]) -> Result<()> {
    if let Ok(running) = read()
        && alive(running.parent)
    {
        bail!("a testbed is up already; `testbed shell` looks into it, `testbed down` ends it");
    }
    let state = state()?;
    let log = state.with_extension("log");
    let _ = fs::remove_file(&state);
    let output = File::create(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("run")
        .args(args)
        .arg("--state")
        .arg(&state)
        .args(["--", "sleep", "infinity"]);
    // A group of its own: it stays when the terminal goes.
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let mut child = command.spawn()?;
    let end = Instant::now() + LIMIT;
    loop {
        if read().is_ok_and(|running| running.data.join("ready").exists()) {
            eprint!("{}", fs::read_to_string(&log).unwrap_or_default());
            return Ok(());
        }
        let ended = child.try_wait()?;
        if ended.is_some() || Instant::now() > end {
            let _ = child.kill();
            bail!(
                "the testbed did not come up:\n{}",
                shell::tail(&fs::read_to_string(&log)?, 80)
            );
        }
        sleep(Duration::from_millis(100));
    }
}

/// Runs `command`, or a shell, inside the testbed; gives the exit code.
pub fn enter(command: &[String]) -> Result<u8> {
    let running = read().context("no testbed is up; `testbed up` starts one")?;
    let target = first_process(running.unshare)?;
    let mut nsenter = Command::new("nsenter");
    nsenter.args([
        "--target", &target, "--net", "--mount", "--pid", "--ipc", "--uts", "--wdns=.",
    ]);
    if command.is_empty() {
        nsenter.arg(std::env::var_os("SHELL").unwrap_or_else(|| "sh".into()));
    } else {
        nsenter.args(command);
    }
    let status = harness::environment(&mut nsenter, &running.data, &running.path).status()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(u8::MAX))
}

/// Ends the testbed in the background and waits until its places are gone.
pub fn down() -> Result<()> {
    let Ok(running) = read() else {
        eprintln!("no testbed is up");
        return Ok(());
    };
    if alive(running.parent) {
        kill(Pid::from_raw(i32::try_from(running.parent)?), Signal::SIGTERM)?;
    }
    let end = Instant::now() + Duration::from_mins(1);
    while running.data.exists() {
        if Instant::now() > end {
            bail!(
                "{} is still there 60 s after the testbed was ended",
                running.data.display()
            );
        }
        sleep(Duration::from_millis(50));
    }
    fs::remove_file(state()?)?;
    Ok(())
}

fn read() -> Result<Whereabouts> {
    Ok(serde_json::from_slice(&fs::read(state()?)?)?)
}

/// Whether `pid` is one of our processes, and not another that got its number.
fn alive(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.windows(7).any(|word| word == b"testbed"))
}

fn first_process(unshare: u32) -> Result<String> {
    let children = fs::read_to_string(format!("/proc/{unshare}/task/{unshare}/children"))
        .context("the testbed is no longer up; `testbed up` starts one")?;
    children
        .split_whitespace()
        .next()
        .map(str::to_owned)
        .context("the testbed is ending")
}
