//! Programs of others.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};

/// One of the programs that `scripts/peers` brings.
pub fn peer(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scripts/peers");
        let built = Command::new(&script)
            .arg("certificates")
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(built.status.success(), "{}: {}", script.display(), built.status);
        PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
    });
    folder.join(name)
}

/// Runs a program to its end and gives what it printed; an error says what it complained of.
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", program.display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        bail!("{} {}", text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}
