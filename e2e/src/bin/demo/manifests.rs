//! What the API server says of manifests: one that carries credentials, and the same done right.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

/// Puts both to the API server, prints what it says, and counts what is not as expected.
pub(crate) fn show() -> Result<usize> {
    let mut wrong = 0;
    for (file, taken) in [("refused.yaml", false), ("right.yaml", true)] {
        let line = format!("kubectl apply --dry-run=server -f examples/admission/{file}");
        println!("\n$ {line}");
        let mut words = line.split(' ');
        let output = Command::new(words.next().unwrap_or_default())
            .args(words)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .output()
            .with_context(|| line.clone())?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        println!("{}", said.trim_end());
        let documents = if taken {
            said.matches("(server dry run)").count()
        } else {
            refusals(&said)
        };
        if output.status.success() != taken || documents != 2 {
            wrong += 1;
            println!("<== NOT AS EXPECTED");
        }
    }
    Ok(wrong)
}

/// How many of the two objects are refused, and for what is in them.
fn refusals(said: &str) -> usize {
    ["/type makes this", "/env/1/value is a literal password"]
        .iter()
        .filter(|part| said.contains(**part))
        .count()
}
