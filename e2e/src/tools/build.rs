//! Building one family of tools with `go build`, into a folder named by the hash of its pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::families::Family;
use crate::{cache, shell};

/// The lines that a person reads while tools are built.
pub(super) struct Progress {
    done: usize,
    total: usize,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self { done: 0, total }
    }

    /// One step, which `work` carries out unless it is `cached`.
    pub(super) fn step(&mut self, what: &str, cached: bool, work: impl FnOnce() -> Result<()>) -> Result<()> {
        self.done += 1;
        let count = format!("[{}/{}]", self.done, self.total);
        if cached {
            eprintln!("{count} {what}: cached");
            return Ok(());
        }
        eprintln!("{count} building {what} …");
        let start = Instant::now();
        work().with_context(|| format!("cannot build {what}"))?;
        eprintln!("{count} {what}: done in {} s", start.elapsed().as_secs());
        Ok(())
    }
}

/// Builds `family` unless the cache has it, and gives its folder.
pub(super) fn family(family: &Family, home: &Path, progress: &mut Progress) -> Result<PathBuf> {
    let source = source(family);
    let version = version(&source, family.module)?;
    let variables = variables(family, &version);
    let place = place(family, home)?;
    let cached = place.exists();
    if family.packages.is_empty() {
        progress.step(&format!("{} {version}", family.name), cached, || {
            cache::fill_once(&place, |part| keep_files(family, &source, part))
        })?;
    } else if cached {
        for package in family.packages {
            progress.step(&format!("{} {version}", program(package)), true, || Ok(()))?;
        }
    } else {
        cache::fill_once(&place, |part| {
            for package in family.packages {
                progress.step(&format!("{} {version}", program(package)), false, || {
                    let out = part.join("bin").join(program(package));
                    go_build(family, &source, &variables, package, &out)
                })?;
            }
            keep_files(family, &source, part)
        })?;
    }
    Ok(place)
}

/// Where `family` is in the cache, or will be.
pub(super) fn place(family: &Family, home: &Path) -> Result<PathBuf> {
    let source = source(family);
    let variables = variables(family, &version(&source, family.module)?);
    Ok(home.join(format!("{}-{}", family.name, key(family, &source, &variables)?)))
}

fn source(family: &Family) -> PathBuf {
    cache::room().join("tools").join(family.name)
}

fn go_build(family: &Family, source: &Path, variables: &[String], package: &str, out: &Path) -> Result<()> {
    let mut flags = String::from("-s -w");
    for variable in variables {
        flags.push_str(" -X ");
        flags.push_str(variable);
    }
    let mut go = go(source);
    go.env("CGO_ENABLED", if family.cgo { "1" } else { "0" });
    go.args(["build", "-trimpath", "-ldflags", &flags, "-tags", family.tags, "-o"])
        .arg(out)
        .arg(package);
    shell::run(&mut go).map(drop)
}

/// Copies what the module brings besides programs out of Go's module cache, which is read-only.
fn keep_files(family: &Family, source: &Path, part: &Path) -> Result<()> {
    if family.share.is_empty() {
        return Ok(());
    }
    let answer = shell::run(go(source).args(["mod", "download", "-json", family.module]))?;
    let answer: serde_json::Value = serde_json::from_str(&answer).context("go mod download: not JSON")?;
    let module = Path::new(answer["Dir"].as_str().context("go mod download gave no folder")?);
    fs::create_dir_all(part.join("share"))?;
    for (from, to) in family.share {
        let (from, to) = (module.join(from), part.join("share").join(to));
        shell::run(Command::new("cp").args(["-r", "--no-preserve=mode"]).arg(from).arg(to))?;
    }
    Ok(())
}

fn go(source: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(source)
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off");
    go
}

fn key(family: &Family, source: &Path, variables: &[String]) -> Result<String> {
    let mut parts = Vec::new();
    for name in ["go.mod", "go.sum", "main.go"] {
        match fs::read(source.join(name)) {
            Ok(bytes) => parts.push(bytes),
            Err(_) if name == "main.go" => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {name} of {}", family.name)),
        }
    }
    let flags = [
        variables.join(" "),
        family.packages.join(" "),
        family.tags.to_owned(),
        format!("{:?}", family.share),
    ];
    parts.extend(flags.map(String::into_bytes));
    Ok(cache::key(parts.iter().map(Vec::as_slice)))
}

fn variables(family: &Family, version: &str) -> Vec<String> {
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let fill = |text: &&str| {
        text.replace("{version}", version)
            .replace("{major}", major)
            .replace("{minor}", minor)
    };
    family.variables.iter().map(fill).collect()
}

/// The version of `module` that go.mod requires, without its `v`.
fn version(source: &Path, module: &str) -> Result<String> {
    let path = source.join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    text.lines()
        .filter(|line| !line.contains("=>"))
        .find_map(|line| {
            let mut words = line.trim_start_matches("require").split_whitespace();
            (words.next() == Some(module)).then(|| words.next()).flatten()
        })
        .map(|version| version.trim_start_matches('v').to_owned())
        .with_context(|| format!("{} does not require {module}", path.display()))
}

fn program(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}
