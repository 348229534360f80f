//! The mesh's certificate authority, made anew for each testbed and known to the tests, which mint certificates of any
//! identity with it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// Writes `root-cert.pem`, `ca-cert.pem`, `ca-key.pem` and `cert-chain.pem`, as Istio's plug-in CA wants them.
pub(super) fn write(folder: &Path) -> Result<()> {
    let root = CertifiedIssuer::self_signed(authority("testbed mesh root")?, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let intermediate = authority("testbed mesh")?.signed_by(&key, &root)?;
    fs::create_dir_all(folder)?;
    let files = [
        ("root-cert.pem", root.pem()),
        ("ca-cert.pem", intermediate.pem()),
        ("ca-key.pem", key.serialize_pem()),
        ("cert-chain.pem", intermediate.pem() + &root.pem()),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn authority(name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
