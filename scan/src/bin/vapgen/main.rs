//! Writes the `ValidatingAdmissionPolicy` bundle, as a template of the Helm chart, into the folder that is given.
//!
//! The API server evaluates these policies itself. They hold what can be told from the structure of an object alone, also
//! while the webhook is down.

mod cel;
mod policies;
mod template;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("usage: vapgen FOLDER")?);
    fs::create_dir_all(&folder)?;
    let text = template::bundle(&policies::all())?;
    fs::write(folder.join("admission-policies.yaml"), text)?;
    Ok(())
}
