//! How fast certificates are issued inside the signer, on one processor, beside how fast that processor signs at all; and what
//! 10,000 workloads cost that renew within an hour. `make bench-signer`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a measurement tells what it measured, and ends if it cannot"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use clap::Parser;
use countersign_crds::ServiceIdentityStatus;
use countersign_crds::certificate_authority::CertificateAuthoritySpec;
use countersign_policy::ObjectName;
use countersign_runtime::clock;
use countersign_signer::authority::Kept;
use countersign_signer::authority::rotation::{Plan, Seen};
use countersign_signer::books::Ledger;
use countersign_signer::grant::Grant;
use countersign_signer::identities::{Entry, Identities};
use countersign_signer::issue::{Current, IssueMetrics, Issuer, Path};
use countersign_signer::key::PublicKey;
use countersign_signer::status::{Summary, summarize};
use jiff::Timestamp;
use kube::core::DynamicObject;
use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};
use serde_json::json;

#[derive(Parser)]
struct Arguments {
    /// How many signatures and certificates are made.
    #[arg(long, default_value_t = 50_000)]
    number: u32,
    /// How many workloads there are.
    #[arg(long, default_value_t = 10_000)]
    workloads: usize,
}

/// How many workloads share a namespace.
const PER_NAMESPACE: usize = 100;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let fleet = Fleet::new(arguments.workloads)?;
    // Memory first: what is freed is not given back.
    fleet.renew_and_report()?;
    inside(arguments.number, &fleet)
}

/// Workloads, and the signer that they have.
struct Fleet {
    accounts: Vec<(String, String)>,
    identities: Identities,
    identities_cost: i64,
    current: Current,
    key: PublicKey,
}

impl Fleet {
    fn new(workloads: usize) -> Result<Self> {
        let plan = Plan::new(&CertificateAuthoritySpec::default())?;
        let kept = Kept::new("cluster.local".parse()?);
        let (kept, _) = kept.advanced(&plan, &Seen::default(), None, clock::now())?;
        let current = Current::default();
        current.set(kept.authority().map(Arc::new));
        let accounts: Vec<_> = (0..workloads)
            .map(|number| (format!("team-{}", number / PER_NAMESPACE), format!("service-{number}")))
            .collect();
        let before = memory()?;
        let identities = Identities::new("cluster.local".parse()?);
        for (namespace, account) in &accounts {
            identities.insert(entry(namespace, account)?);
        }
        identities.listed(|_| true);
        Ok(Self {
            identities_cost: memory()? - before,
            accounts,
            identities,
            current,
            key: PublicKey::from_info(&KeyPair::generate()?.subject_public_key_info())?,
        })
    }

    fn issuer(&self, ledger: &Arc<Ledger>) -> Issuer {
        let metrics = Arc::new(IssueMetrics::default());
        Issuer::new(self.current.clone(), metrics, Arc::clone(ledger) as _)
    }

    fn grant(&self, number: usize) -> Grant {
        let (namespace, account) = &self.accounts[number % self.accounts.len()];
        self.identities
            .grant(namespace, account, Path::PodCertificate, None)
            .unwrap()
    }

    /// An hour in which all renew once: those before are valid still.
    fn renew_and_report(&self) -> Result<()> {
        let count = self.accounts.len();
        let ledger = Arc::new(Ledger::default());
        let issuer = self.issuer(&ledger);
        let before = memory()?;
        for renewal in 0..2 {
            for number in 0..count {
                issuer.issue(
                    Path::PodCertificate,
                    "a Pod",
                    &self.grant(number),
                    &self.key,
                    clock::now(),
                )?;
            }
            println!(
                "{count} workloads, {} certificate(s) live each: {} bytes of books a workload",
                renewal + 1,
                (memory()? - before) / i64::try_from(count)?
            );
        }
        let per = self.identities_cost / i64::try_from(count)?;
        println!(
            "{count} workloads: {per} bytes of identities each, {} MiB in all of the process",
            memory()? >> 20
        );
        for (what, renewed) in [
            ("the first", false),
            ("after all have renewed", true),
            ("at rest", false),
        ] {
            if renewed {
                self.change(|account, status| status.issued = ledger.issued(account, "one").into_iter().collect());
            }
            let (took, summaries) = self.round(clock::now());
            let differing = summaries.iter().filter(|summary| summary.differs).count();
            println!(
                "status round, {what}: {:.1} ms, {differing} objects to write",
                took.as_secs_f64() * 1000.0
            );
            // As the watch shows them then.
            let mut written = summaries
                .into_iter()
                .map(|summary| (summary.name, summary.status))
                .collect::<HashMap<_, _>>();
            self.change(|(namespace, name), status| {
                if let Some(written) = written.remove(&ObjectName::new(namespace.as_str(), name.as_str())) {
                    let counted = std::mem::take(&mut status.issued);
                    *status = ServiceIdentityStatus {
                        issued: counted,
                        ..written
                    };
                }
            });
        }
        println!(
            "writes to the API server: 2 for each renewal, {:.1} a second if {count} renew within an hour",
            2.0 * count as f64 / 3600.0
        );
        Ok(())
    }

    /// Changes what the API server says of all.
    fn change(&self, mut change: impl FnMut(&(String, String), &mut ServiceIdentityStatus)) {
        for account in &self.accounts {
            if let Some(mut entry) = self.identities.holder(&account.0, &account.1) {
                change(account, &mut entry.status);
                self.identities.insert(entry);
            }
        }
    }

    /// What the replica that leads does for each of its rounds, but for the writes.
    fn round(&self, now: Timestamp) -> (Duration, Vec<Summary>) {
        let begin = clock::instant();
        let summaries = self.identities.read(|index| {
            let entries = index.entries();
            entries.map(|entry| summarize(index, entry, None, now)).collect()
        });
        (begin.elapsed(), summaries)
    }
}

fn entry(namespace: &str, account: &str) -> Result<Entry> {
    let object = json!({
        "metadata": {
            "namespace": namespace, "name": account, "uid": format!("{namespace}-{account}"), "generation": 1,
            "creationTimestamp": "2026-11-24T10:00:00Z",
        },
        "spec": {
            "serviceAccountName": account,
            "certificate": {"duration": "2h", "dnsNames": [format!("{account}.{namespace}.svc")]},
        },
    });
    Ok(Entry::read(&serde_json::from_value::<DynamicObject>(object)?))
}

/// Rates of signatures and of certificates, in turns, so that what else the machine does meets all of them.
fn inside(number: u32, fleet: &Fleet) -> Result<()> {
    const TURNS: u32 = 10;
    let random = SystemRandom::new();
    let raw = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let pair = KeyPair::generate()?;
    // As many bytes as a certificate has.
    let message = [7; 480];
    let ledger = Arc::new(Ledger::default());
    let issuer = fleet.issuer(&ledger);
    let grants: Vec<Grant> = (0..1000).map(|number| fleet.grant(number)).collect();
    let log = tracing_subscriber::fmt().json().with_writer(std::io::sink).finish();
    let log = tracing::Dispatch::new(log);
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..TURNS {
        let number = number / TURNS;
        let issue = |at: u32| {
            let grant = &grants[at as usize % grants.len()];
            let certificate = issuer.issue(Path::PodCertificate, "a Pod", grant, &fleet.key, clock::precise());
            std::hint::black_box(certificate).unwrap();
        };
        rates[0].push(rate(number, |_| {
            std::hint::black_box(raw.sign(&random, &message)).unwrap();
        }));
        rates[1].push(rate(number, |_| {
            std::hint::black_box(pair.sign(&message)).unwrap();
        }));
        rates[2].push(rate(number, issue));
        rates[3].push(tracing::dispatcher::with_default(&log, || rate(number, issue)));
    }
    let [raw, pair, silent, logged] = rates.map(median);
    println!(
        "{:<52} {:>10} {:>12} {:>9}",
        "on one processor", "a second", "of aws-lc-rs", "of rcgen"
    );
    for (what, rate) in [
        ("signatures, ECDSA P-256: aws-lc-rs", raw),
        ("signatures, ECDSA P-256: rcgen's key pair", pair),
        ("inside the signer: signed, recorded and counted", silent),
        ("inside the signer, with a line of JSON in the log", logged),
    ] {
        println!(
            "{what:<52} {rate:>10.0} {:>10.0} % {:>7.0} %",
            100.0 * rate / raw,
            100.0 * rate / pair
        );
    }
    Ok(())
}

/// How often something is done in a second.
fn rate(number: u32, mut each: impl FnMut(u32)) -> f64 {
    let begin = clock::instant();
    for at in 0..number {
        each(at);
    }
    f64::from(number) / begin.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// The memory of this process, in bytes.
fn memory() -> Result<i64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let kibibytes: i64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kibibytes << 10)
}
