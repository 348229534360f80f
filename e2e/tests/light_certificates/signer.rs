//! The signer's parts, in a thread of this process, with the rights that they are meant to have and no others.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use countersign_identity::Bundle;
use countersign_identity::bundle::Root;
use countersign_runtime::lease::{Elector, Place};
use countersign_signer::authority::{Authority, Certificate};
use countersign_signer::books::{BookMetrics, Ledger};
use countersign_signer::identities::{self, Identities};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::PublicKey;
use countersign_signer::secret::{Scope, Secrets};
use countersign_signer::status::{SecretStates, StatusWriter};
use countersign_signer::{csr, pod_certificate};
use e2e::{Testbed, chart, wait_for};
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use tokio::sync::{OnceCell, watch};
use tokio_util::sync::CancellationToken;

static ROOT: OnceLock<CertificateDer<'static>> = OnceLock::new();
/// What the signer knows and issues by, for what it would have issued at another time.
static ISSUING: OnceLock<(Identities, Issuer)> = OnceLock::new();
static STARTED: OnceCell<()> = OnceCell::const_new();

/// The root of the signer, which is started once for all tests.
pub async fn root(testbed: &Testbed) -> CertificateDer<'static> {
    STARTED.get_or_init(|| start(testbed)).await;
    ROOT.get().unwrap().clone()
}

/// A certificate for a Secret of the service account `api`, as the signer would have issued it at this time.
pub fn issued_at(namespace: &str, key: &KeyPair, time: Timestamp) -> Certificate {
    let (identities, issuer) = ISSUING.get().unwrap();
    let grant = identities.grant(namespace, "api", Path::Secret, None).unwrap();
    let key = PublicKey::from_info(&key.subject_public_key_info()).unwrap();
    issuer.issue(Path::Secret, "a test", &grant, &key, time).unwrap()
}

async fn start(testbed: &Testbed) {
    chart::install_kinds(testbed).await.unwrap();
    chart::install_signer_account(testbed, &[]).await.unwrap();
    chart::allow_secrets(testbed).await.unwrap();
    let config = Kubeconfig::read_from(testbed.data().join("admin.kubeconfig")).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .unwrap();
    config.auth_info.impersonate = Some(chart::SIGNER_USER.to_owned());
    let (authority, root) = authority();
    ROOT.set(root.clone()).unwrap();
    let identities = Identities::new("example.org".parse().unwrap());
    let known = identities.clone();
    // A test's own runtime ends with the test.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(config, authority, root, known));
    });
    wait_for("the signer to know the identities", Duration::from_secs(20), || async {
        anyhow::ensure!(identities.complete());
        Ok(())
    })
    .await
    .unwrap();
}

fn authority() -> (Authority, CertificateDer<'static>) {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let root = CertifiedIssuer::self_signed(params("root"), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let intermediate = params("intermediate").signed_by(&key, &root).unwrap();
    let authority = Authority::new(vec![intermediate.der().clone()], key).unwrap();
    (authority, root.der().clone())
}

async fn run(config: kube::Config, authority: Authority, root: CertificateDer<'static>, identities: Identities) {
    let client = kube::Client::try_from(config).unwrap();
    let place = Place {
        namespace: chart::NAMESPACE.to_owned(),
        name: "countersign-signer",
        field_manager: "countersign.dev/signer-lease",
    };
    let (elector, leadership) = Elector::new(client.clone(), place, "one".to_owned());
    let current = Current::default();
    current.set(Some(Arc::new(authority)));
    let ledger = Arc::new(Ledger::default());
    let issuer = Issuer::new(current, Arc::new(IssueMetrics::default()), Arc::clone(&ledger) as _);
    let _ = ISSUING.set((identities.clone(), issuer.clone()));
    let secret_states = SecretStates::default();
    let mut bundle = Bundle::new("example.org".parse().unwrap());
    bundle.add_root(Root::read(root).unwrap());
    let (_roots, roots) = watch::channel(Some(Arc::new(bundle)));
    let stop = CancellationToken::new();
    let status = StatusWriter::new(
        client.clone(),
        "one".to_owned(),
        identities.clone(),
        ledger,
        secret_states.clone(),
        BookMetrics::default(),
        leadership.clone(),
    );
    let secrets = Secrets::new(
        client.clone(),
        Scope::All,
        identities.clone(),
        issuer.clone(),
        roots,
        secret_states,
        leadership.clone(),
    );
    tokio::join!(
        elector.run(stop.clone()),
        identities::run(identities.clone(), client.clone(), stop.clone()),
        pod_certificate::run(
            client.clone(),
            identities.clone(),
            issuer.clone(),
            leadership.clone(),
            stop.clone()
        ),
        csr::run(client, identities, issuer, leadership, stop.clone()),
        secrets.run(stop.clone()),
        status.run(stop),
    );
}
