//! Writes the CRDs, as templates of the Helm chart, into the folder that is given.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args().nth(1).ok_or("usage: crdgen FOLDER")?);
    fs::create_dir_all(&folder)?;
    for manifest in countersign_crds::manifest::manifests()? {
        let path = folder.join(format!("crd-{}.yaml", manifest.plural));
        fs::write(path, countersign_crds::manifest::chart_template(&manifest)?)?;
    }
    Ok(())
}
