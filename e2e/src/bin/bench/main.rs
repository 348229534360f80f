//! `bench`: how the operator does with ten thousand policies, and the signer with ten thousand workloads. Its figures go to `target/bench.json`.
//!
//! `testbed run --light -- cargo run -p countersign-e2e --bin bench`, after
//! `cargo build --release -p countersign-operator -p countersign-signer`.

mod certificates;
mod load;
mod process;
mod watches;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use e2e::{Testbed, chart, wait_for};
use serde_json::{Value, json};

use load::Load;
use process::Process;
use watches::Watches;

/// How the operator calls itself to the API server.
const AGENT: &str = "countersign-operator/";
/// How many policies there are when the time of a change is taken for comparison.
const FEW: usize = 100;

/// How the operator does with many policies.
#[derive(Parser)]
struct Arguments {
    /// How many namespaces.
    #[arg(long, default_value_t = 500)]
    namespaces: usize,
    /// How many policies, spread over the namespaces.
    #[arg(long, default_value_t = 10_000)]
    policies: usize,
    /// How many policies are changed, one after the other.
    #[arg(long, default_value_t = 500)]
    changes: usize,
    /// How many workloads ask for a certificate.
    #[arg(long, default_value_t = 10_000)]
    workloads: usize,
    /// What to measure.
    #[arg(long, value_enum, default_value = "all")]
    only: Part,
}

/// What there is to measure.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    All,
    Policies,
    Certificates,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let testbed = Testbed::from_env().await?;
    chart::install_kinds(&testbed).await?;
    let mut figures = Figures::default();
    if arguments.only != Part::Policies {
        certificates::measure(&testbed, arguments.workloads, &mut figures).await?;
    }
    if arguments.only != Part::Certificates {
        measure(&testbed, &arguments, &mut figures).await?;
    }
    figures.write()
}

async fn measure(testbed: &Testbed, arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let mut watches = Watches::start(testbed.client());
    let load = Load::new(testbed.client(), arguments.namespaces);

    let operator = Process::operator(testbed).await?;
    load.create(0..FEW).await?;
    watches.until_ready(FEW).await?;
    let times = change(&load, &mut watches, FEW, arguments.changes.min(FEW)).await?;
    figures.percentiles("operator_change_with_100_policies", times);
    operator.stop().await?;

    step(
        "creates",
        &format!("{} policies in {} namespaces", arguments.policies, arguments.namespaces),
    );
    load.create(FEW..arguments.policies).await?;
    step("starts", "the operator, which has not seen them");
    let (start, before) = (Instant::now(), calls(testbed)?);
    let operator = Process::operator(testbed).await?;
    watches.until_ready(arguments.policies).await?;
    figures.put("operator_converge_cold", start.elapsed().as_secs_f64(), "s");
    let made = calls(testbed)? - before;
    figures.put(
        "operator_calls_per_new_policy",
        per(made, arguments.policies - FEW),
        "calls",
    );
    figures.put("operator_memory_peak_cold", operator.memory("VmHWM")?, "MiB");

    step(
        "changes",
        &format!("{} policies, one after the other", arguments.changes),
    );
    let before = calls(testbed)?;
    let times = change(&load, &mut watches, arguments.policies, arguments.changes).await?;
    figures.percentiles("operator_change_with_all_policies", times);
    tokio::time::sleep(Duration::from_secs(2)).await;
    figures.put(
        "operator_calls_per_change",
        per(calls(testbed)? - before, arguments.changes),
        "calls",
    );
    figures.put("operator_memory", operator.memory("VmRSS")?, "MiB");
    operator.stop().await?;

    step("restarts", "the operator, which has nothing to write");
    let (start, before) = (Instant::now(), calls(testbed)?);
    let operator = Process::operator(testbed).await?;
    operator.until_idle().await?;
    figures.put("operator_restart", start.elapsed().as_secs_f64(), "s");
    tokio::time::sleep(Duration::from_secs(5)).await;
    figures.put(
        "operator_writes_after_restart",
        per(calls(testbed)? - before, 1),
        "calls",
    );
    figures.put("operator_memory_after_restart", operator.memory("VmRSS")?, "MiB");
    operator.stop().await
}

/// Changes one policy after the other, and tells how long each took, from when the changed policy came out of a watch until
/// the object that was written for it did.
async fn change(load: &Load, watches: &mut Watches, policies: usize, changes: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(changes);
    for number in 0..changes {
        // A step that has no common divisor with any round number of policies visits all namespaces.
        let policy = number * 7919 % policies;
        let path = format!("/changed/{policies}/{number}");
        load.change(policy, &path).await?;
        let limit = Duration::from_secs(30);
        let time = tokio::time::timeout(limit, watches.written(&path)).await;
        times.push(time.with_context(|| format!("{path} was not written within {} s", limit.as_secs()))?);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(times)
}

/// How many requests the operator made, watches and its Lease aside.
fn calls(testbed: &Testbed) -> Result<usize> {
    calls_of(testbed, AGENT)
}

/// How many requests a program made, watches and its Lease aside.
fn calls_of(testbed: &Testbed, agent: &str) -> Result<usize> {
    let entries = testbed.audit()?;
    let counted = entries.iter().filter(|entry| {
        entry.user_agent.starts_with(agent)
            && !matches!(entry.verb.as_str(), "watch" | "list")
            && !entry.is_about("coordination.k8s.io", "leases")
            && entry.object_ref.is_some()
    });
    Ok(counted.count())
}

fn step(does: &str, what: &str) {
    eprintln!("bench: {does} {what}");
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn per(count: usize, of: usize) -> f64 {
    (count as f64 / of as f64 * 100.0).round() / 100.0
}

/// What was measured, by name.
#[derive(Default)]
struct Figures(BTreeMap<String, Value>);

impl Figures {
    fn put(&mut self, name: &str, value: f64, unit: &str) {
        eprintln!("bench: {name} = {value:.2} {unit}");
        self.0.insert(name.to_owned(), json!({"value": value, "unit": unit}));
    }

    fn percentiles(&mut self, name: &str, mut times: Vec<Duration>) {
        times.sort();
        for (label, percent) in [("p50", 50), ("p99", 99)] {
            let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
            let time = times.get(at).copied().unwrap_or_default();
            self.put(&format!("{name}_{label}"), time.as_secs_f64() * 1000.0, "ms");
        }
    }

    fn write(&self) -> Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench.json");
        std::fs::write(&path, serde_json::to_string_pretty(&self.0)?)?;
        eprintln!("bench: wrote target/bench.json");
        Ok(())
    }
}

/// Waits for something that another process does.
async fn until(what: &str, limit: Duration, check: impl AsyncFn() -> Result<()>) -> Result<()> {
    wait_for(what, limit, || check()).await
}
