//! Images: the wrapper for buildah, and the images that a testbed itself needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools::{Scope, Tools};
use crate::{cache, shell};

/// Builds the image `tag` from a folder and a Containerfile, into an archive that containerd imports.
pub fn build(context: &Path, file: &Path, tag: &str, out: &Path) -> Result<()> {
    // A storage of its own, so that two builds do not wait for each other and nothing stays behind.
    let scratch = cache::root()?
        .join("run")
        .join(format!("image-{}", uuid::Uuid::new_v4().simple()));
    let buildah = || {
        let mut buildah = Command::new("buildah");
        buildah
            .arg("--root")
            .arg(scratch.join("root"))
            .arg("--runroot")
            .arg(scratch.join("runroot"));
        buildah.args(["--storage-driver", "vfs"]);
        buildah
    };
    let part = out.with_extension("part");
    let _ = fs::remove_file(&part);
    let result = shell::run(
        buildah()
            .args(["bud", "--quiet", "--isolation", "chroot", "--tag", tag, "--file"])
            .arg(file)
            .arg(context),
    )
    .and_then(|_| {
        let place = format!("oci-archive:{}:{tag}", part.display());
        shell::run(buildah().args(["push", "--quiet", "--disable-compression", tag, &place]))
    });
    let _ = fs::remove_dir_all(&scratch);
    result.with_context(|| format!("cannot build the image {tag}"))?;
    fs::rename(&part, out).with_context(|| format!("cannot write {}", out.display()))
}

/// The images that every testbed of `scope` has: pause, echo, and Istio's with Istio.
pub fn own(scope: Scope, tools: &Tools) -> Result<Vec<PathBuf>> {
    if scope == Scope::Light {
        return Ok(Vec::new());
    }
    let _lock = cache::Lock::take("images")?;
    let mut images = vec![pause()?];
    let echo = std::env::current_exe()?.with_file_name("echo");
    if echo.exists() {
        images.push(simple("echo", &[(&echo, "echo")], "ENTRYPOINT [\"/echo\"]\n")?);
    }
    if scope == Scope::Istio {
        let pilot = tools.bin("pilot-discovery")?;
        let text = "USER 1337:1337\nENTRYPOINT [\"/usr/local/bin/pilot-discovery\"]\n";
        images.push(simple("pilot", &[(&pilot, "usr/local/bin/pilot-discovery")], text)?);
        images.push(proxy(tools)?);
    }
    Ok(images)
}

/// The container that holds a Pod's namespaces.
fn pause() -> Result<PathBuf> {
    let source = cache::room().join("images/pause/pause.c");
    let place = cache::root()?
        .join("images")
        .join(format!("pause-{}", cache::key([fs::read(&source)?.as_slice()])));
    cache::fill_once(&place, |part| {
        let mut cc = Command::new("cc");
        shell::run(
            cc.args(["-static", "-Os", "-s", "-o"])
                .arg(part.join("pause"))
                .arg(&source),
        )
        .map(drop)
    })?;
    simple("pause", &[(&place.join("pause"), "pause")], "ENTRYPOINT [\"/pause\"]\n")
}

/// Istio's proxy: a Debian with iptables, pilot-agent, Envoy, and the bootstrap that pilot-agent fills in.
fn proxy(tools: &Tools) -> Result<PathBuf> {
    let agent = tools.bin("pilot-agent")?;
    let envoy = fs::canonicalize(tools.bin("envoy")?)?;
    let bootstrap = tools.share("envoy_bootstrap.json")?;
    let base = base()?;
    let files = [
        (base.as_path(), ""),
        (agent.as_path(), "usr/local/bin/pilot-agent"),
        (envoy.as_path(), "usr/local/bin/envoy"),
        (bootstrap.as_path(), "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"),
    ];
    simple("proxyv2", &files, "ENTRYPOINT [\"/usr/local/bin/pilot-agent\"]\n")
}

/// The root file system of a small Debian with iptables and nftables.
fn base() -> Result<PathBuf> {
    const PACKAGES: &str = "iptables,nftables";
    const SUITE: &str = "bookworm";
    let place = cache::root()?
        .join("images")
        .join(format!("base-{}", cache::key([PACKAGES.as_bytes(), b"1"])));
    if !place.exists() {
        eprintln!("building the base image (about 90 s) …");
    }
    cache::fill_once(&place, |part| {
        let mut debootstrap = Command::new("debootstrap");
        debootstrap
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE])
            .arg(part);
        shell::run(&mut debootstrap).context("cannot make the base file system")?;
        for waste in [
            "var/cache/apt",
            "var/lib/apt",
            "usr/share/doc",
            "usr/share/locale",
            "usr/share/man",
            "dev",
        ] {
            fs::remove_dir_all(part.join(waste))?;
        }
        fs::create_dir(part.join("dev")).context("cannot make the base file system's /dev")
    })?;
    Ok(place)
}

/// An image from scratch of files and folders, each with its place, and the last lines of the Containerfile.
fn simple(name: &str, files: &[(&Path, &str)], text: &str) -> Result<PathBuf> {
    let cache = cache::root()?;
    let images = cache.join("images");
    fs::create_dir_all(&images)?;
    let mut parts = vec![text.as_bytes().to_vec()];
    for (from, to) in files {
        parts.push(to.as_bytes().to_vec());
        // What is in the cache already has a hash in its path.
        let cached = from.starts_with(&cache);
        parts.push(if cached {
            from.as_os_str().as_encoded_bytes().to_vec()
        } else {
            fs::read(from)?
        });
    }
    let out = images.join(format!("{name}-{}.tar", cache::key(parts.iter().map(Vec::as_slice))));
    if out.exists() {
        return Ok(out);
    }
    eprintln!("building the image localhost/{name}:1 …");
    let context = images.join(format!("{name}.context"));
    let _ = fs::remove_dir_all(&context);
    for (from, to) in files {
        let to = context.join("root").join(to);
        fs::create_dir_all(to.parent().context("no folder")?)?;
        shell::run(
            Command::new("cp")
                .args(["--archive", "--no-target-directory"])
                .arg(from)
                .arg(&to),
        )?;
    }
    let file = context.join("Containerfile");
    fs::write(&file, format!("FROM scratch\nCOPY root/ /\n{text}"))?;
    build(&context, &file, &format!("localhost/{name}:1"), &out)?;
    fs::remove_dir_all(&context)?;
    remove_older(&images, name, &out)?;
    Ok(out)
}

/// Removes archives of earlier builds of an image: a test server changes often.
fn remove_older(images: &Path, name: &str, keep: &Path) -> Result<()> {
    const DAY: std::time::Duration = std::time::Duration::from_hours(24);
    for entry in fs::read_dir(images)? {
        let path = entry?.path();
        let ours = path
            .file_name()
            .is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}-")));
        let old = path.metadata()?.modified()?.elapsed().unwrap_or_default() > DAY;
        if ours && old && path != keep && path.extension().is_some_and(|end| end == "tar") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
