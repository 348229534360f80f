//! Which files are read.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;
use ignore::types::TypesBuilder;

use crate::args::Files;

/// Files that are read in a directory.
const MANIFESTS: [&str; 4] = ["*.yaml", "*.yml", "*.json", "*.tpl"];

/// Endings of files that are read as documents, as far as they are ones. Others are read as text.
const DOCUMENTS: [&str; 9] = ["yaml", "yml", "json", "jsonl", "ndjson", "tpl", "tmpl", "gotmpl", "j2"];

/// What is called `-` on the command line.
const STDIN: &str = "-";

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// Whether the command line names it, so that it has to be readable.
    pub is_named: bool,
}

impl Input {
    /// How it is called in reports.
    pub fn name(&self) -> String {
        let name = self.path.display().to_string();
        name.strip_prefix("./").map(str::to_owned).unwrap_or(name)
    }

    /// Whether it holds documents, by its name. What has no ending may: standard input, or a pipe.
    pub fn is_document(&self) -> bool {
        self.path
            .extension()
            .is_none_or(|extension| DOCUMENTS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path.as_os_str() == STDIN
    }

    /// Its bytes.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        if !self.is_stdin() {
            return fs::read(&self.path);
        }
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        if bytes.trim_ascii().is_empty() {
            // Whatever was to write here has failed, and its own exit code is lost in most shells.
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "standard input is empty"));
        }
        Ok(bytes)
    }
}

/// What can be read, in the order of the command line and of names below it, and what is wrong with the rest.
pub fn collect(paths: &[PathBuf], files: &Files) -> (Vec<Input>, Vec<String>) {
    let (mut inputs, mut failures) = (Vec::new(), Vec::new());
    for path in paths {
        if path.is_dir() {
            match walk(path, files, &mut failures) {
                Ok(found) => inputs.extend(found),
                Err(error) => failures.push(error.to_string()),
            }
        } else {
            inputs.push(Input {
                path: path.clone(),
                is_named: true,
            });
        }
    }
    (inputs, failures)
}

fn walk(root: &Path, files: &Files, failures: &mut Vec<String>) -> Result<Vec<Input>, ignore::Error> {
    let mut types = TypesBuilder::new();
    for glob in MANIFESTS
        .iter()
        .copied()
        .chain(files.include.iter().map(String::as_str))
    {
        types.add("manifest", glob)?;
    }
    let types = types.select("manifest").build()?;
    let mut excluded = OverrideBuilder::new(root);
    for glob in &files.exclude {
        excluded.add(&format!("!{glob}"))?;
    }
    let walk = WalkBuilder::new(root)
        .standard_filters(false)
        .git_ignore(files.gitignore)
        .git_exclude(files.gitignore)
        .parents(files.gitignore)
        .types(types)
        .overrides(excluded.build()?)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    let mut inputs = Vec::new();
    for entry in walk {
        match entry {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => inputs.push(Input {
                path: entry.into_path(),
                is_named: false,
            }),
            Ok(_) => {}
            Err(error) => failures.push(error.to_string()),
        }
    }
    inputs.sort();
    Ok(inputs)
}
