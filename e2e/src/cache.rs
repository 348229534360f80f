//! The folder outside the checkout that holds what is built once: tools, images, and the data of running testbeds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_lc_rs::digest;
use nix::fcntl::{Flock, FlockArg};

/// The cache folder: `$COUNTERSIGN_CACHE`, or `~/.cache/countersign`.
pub fn root() -> Result<PathBuf> {
    let root = match std::env::var_os("COUNTERSIGN_CACHE") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME").context("neither COUNTERSIGN_CACHE nor HOME is set")?)
            .join(".cache/countersign"),
    };
    fs::create_dir_all(&root).with_context(|| format!("cannot create the cache folder {}", root.display()))?;
    fs::canonicalize(&root).with_context(|| format!("cannot resolve {}", root.display()))
}

/// The folder of this crate in the checkout, which holds the pins of the tools and the recipes of the images.
pub fn room() -> PathBuf {
    std::env::var_os("COUNTERSIGN_E2E").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// A lock held until dropped, so that two runs do not build the same thing at once.
pub struct Lock(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

impl Lock {
    /// Takes the lock called `name`, saying so when another run holds it.
    pub fn take(name: &str) -> Result<Self> {
        let path = root()?.join(format!("{name}.lock"));
        let open = || File::create(&path).with_context(|| format!("cannot create {}", path.display()));
        if let Ok(lock) = Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
            return Ok(Self(lock));
        }
        eprintln!("another run is building {name}; waiting for it …");
        let lock = Flock::lock(open()?, FlockArg::LockExclusive).map_err(|(_, errno)| errno);
        Ok(Self(lock.with_context(|| format!("cannot lock {}", path.display()))?))
    }
}

/// Sixteen hexadecimal digits that stand for `parts`.
pub fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finish();
    format!(
        "{:016x}",
        hash.as_ref()
            .iter()
            .take(8)
            .fold(0_u64, |all, byte| all << 8 | u64::from(*byte))
    )
}

/// Fills the folder `place` with `fill`, which works in a folder of another name: `place` is whole or not there.
pub fn fill_once(place: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if place.exists() {
        return Ok(());
    }
    let part = place.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    fill(&part)?;
    fs::rename(&part, place).with_context(|| format!("cannot move {} into place", part.display()))
}
