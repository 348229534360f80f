//! The cluster's own keys: its certificate authority, the API server's certificate, and a token for each component.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::network::NODE;

/// Who has a token: name of the kubeconfig, user, groups.
const IDENTITIES: &[(&str, &str, &str)] = &[
    ("admin", "admin", "system:masters"),
    ("kube-controller-manager", "system:kube-controller-manager", ""),
    ("kube-scheduler", "system:kube-scheduler", ""),
    ("kube-proxy", "system:kube-proxy", ""),
    ("kubelet", "system:node:node-1", "system:nodes"),
    ("coredns", "testbed:coredns", "system:masters"),
];

/// Writes keys, certificates, tokens, and a kubeconfig for every identity.
pub(super) fn write(data: &Path) -> Result<()> {
    let pki = data.join("pki");
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "testbed");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let addresses = ["localhost", "127.0.0.1", NODE, "10.96.0.1"];
    let key = KeyPair::generate()?;
    let names: Vec<String> = names.iter().chain(&addresses).map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names)?.signed_by(&key, &ca)?;

    fs::write(pki.join("ca.crt"), ca.pem())?;
    fs::write(pki.join("ca.key"), ca.key().serialize_pem())?;
    fs::write(pki.join("apiserver.crt"), certificate.pem())?;
    fs::write(pki.join("apiserver.key"), key.serialize_pem())?;
    let accounts = KeyPair::generate()?;
    fs::write(pki.join("service-accounts.key"), accounts.serialize_pem())?;
    fs::write(pki.join("service-accounts.pub"), accounts.public_key_pem())?;

    let mut tokens = String::new();
    for (name, user, groups) in IDENTITIES {
        let token = uuid::Uuid::new_v4().simple().to_string();
        writeln!(tokens, "{token},{user},{user},\"{groups}\"")?;
        super::kubeconfig::write(&data.join(format!("{name}.kubeconfig")), &ca.pem(), &token)?;
    }
    fs::write(pki.join("tokens.csv"), tokens).context("cannot write the tokens")
}
