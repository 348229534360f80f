//! The webhook under load, over TLS on the loopback: `cargo run --release -p countersign-webhook --example load`.
//!
//! The server is a process of its own on one processor. Requests are sent when their time has come, whether or not those
//! before were answered: a pause of the server is seen by every request that falls into it.
#![allow(
    dead_code,
    clippy::print_stdout,
    reason = "a program for people at a terminal, which takes its part of what tests share"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use countersign_runtime::clock;
use countersign_runtime::https::Server;
use countersign_runtime::tls::Current;
use countersign_webhook::LIMITS;
use countersign_webhook::handler::router;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use support::Client;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

/// Requests before anything is measured.
const WARM_UP: usize = 2000;
/// How many different objects are sent.
const OBJECTS: usize = 500;
/// How many connections there are: an API server keeps one or two.
const CONNECTIONS: usize = 2;

#[derive(Parser)]
struct Arguments {
    /// How many requests are sent.
    #[arg(long, default_value_t = 100_000)]
    requests: usize,
    /// How many are sent in a second.
    #[arg(long, default_value_t = 1000)]
    rate: usize,
    /// Be the server.
    #[arg(long, hide = true)]
    serve: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build()?;
    if arguments.serve {
        runtime.block_on(serve())
    } else {
        runtime.block_on(load(&arguments))
    }
}

/// Serves until standard input ends. Prints its address and the authority that it is trusted by.
async fn serve() -> Result<()> {
    let current = Current::default();
    let issued = support::certificate()?;
    current.set(issued.served.clone());
    let server = Server::bind("127.0.0.1:0".parse()?, &current, LIMITS).await?;
    let (state, _) = support::state()?;
    let authority = STANDARD.encode(&issued.authority);
    println!("{} {authority}", server.address()?);
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.run(router(state, support::reader()?), stop.clone()));
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    stop.cancel();
    Ok(serving.await?)
}

async fn load(arguments: &Arguments) -> Result<()> {
    let mut server = start()?;
    let stdout = server.stdout.take().context("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let (address, authority) = line.trim().split_once(' ').context("the server did not start")?;
    let authority = CertificateDer::from(STANDARD.decode(authority)?);
    let address: SocketAddr = address.parse()?;
    let bodies = bodies();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Client::connect(address, &[&authority], "h2").await?);
    }
    send(&clients, &bodies, WARM_UP, arguments.rate).await?;
    let before = resident(server.id())?;
    let times = send(&clients, &bodies, arguments.requests, arguments.rate).await?;
    let after = resident(server.id())?;
    tell(&bodies, times, arguments.rate);
    println!("memory of the server: {before} KiB before, {after} KiB after");
    drop(server.stdin.take());
    ensure!(server.wait()?.success(), "the server failed");
    Ok(())
}

fn start() -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).arg("--serve");
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    pipes.spawn().context("taskset cannot be started")
}

/// Sends requests at their times; gives how long each took, in microseconds.
async fn send(clients: &[Client], bodies: &[Vec<u8>], requests: usize, rate: usize) -> Result<Vec<u64>> {
    let period = Duration::from_secs(1) / u32::try_from(rate)?;
    let begin = clock::instant() + period;
    let mut under_way = JoinSet::new();
    let mut times = Vec::with_capacity(requests);
    for number in 0..requests {
        let due = begin + period * u32::try_from(number)?;
        // The timer has whole milliseconds, so what is timed begins when it is sent.
        sleep_until(due).await;
        let mut client = clients[number % clients.len()].try_clone()?;
        let body = bodies[number % bodies.len()].clone();
        under_way.spawn(async move {
            let sent = clock::instant();
            let (code, answer) = client.send("POST", "/validate?timeout=3s", body).await?;
            ensure!(code == 200 && answer.starts_with(b"{"), "answered with {code}");
            anyhow::Ok(u64::try_from(sent.elapsed().as_micros())?)
        });
        while let Some(done) = under_way.try_join_next() {
            times.push(done??);
        }
    }
    while let Some(done) = under_way.join_next().await {
        times.push(done??);
    }
    Ok(times)
}

fn tell(bodies: &[Vec<u8>], mut times: Vec<u64>, rate: usize) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let mut sizes: Vec<usize> = bodies.iter().map(Vec::len).collect();
    sizes.sort_unstable();
    println!(
        "{} requests at {rate}/s over TLS on one processor: p50 {} µs, p90 {} µs, p99 {} µs, p99.9 {} µs, longest {} µs",
        times.len(),
        at(500),
        at(900),
        at(990),
        at(999),
        at(1000)
    );
    println!(
        "reviews of {} bytes at the median, {} at p90, {} at p99, at most {}",
        sizes[sizes.len() / 2],
        sizes[sizes.len() * 9 / 10],
        sizes[sizes.len() * 99 / 100],
        sizes[sizes.len() - 1]
    );
    let _ = std::io::stdout().flush();
}

/// The resident memory of a process in KiB.
fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("no VmRSS")?;
    Ok(number.parse()?)
}

/// Reviews of objects as clusters have them: half below 300 bytes, one in a hundred above 20 KB.
fn bodies() -> Vec<Vec<u8>> {
    let mut random = StdRng::seed_from_u64(4);
    (0..OBJECTS)
        .map(|number| {
            let (resource, object) = match number % 100 {
                0 => (
                    "configmaps",
                    config_map(number, 20_000 + random.random_range(0..20_000), &mut random),
                ),
                1..10 => (
                    "configmaps",
                    config_map(number, random.random_range(2000..15_000), &mut random),
                ),
                10..50 => ("deployments", deployment(number)),
                _ => (
                    "configmaps",
                    config_map(number, random.random_range(20..120), &mut random),
                ),
            };
            let review = json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
                    "uid": format!("8e1c6b0e-0000-4000-8000-{number:012}"), "operation": "CREATE", "namespace": "shop",
                    "name": object["metadata"]["name"],
                    "kind": {"group": "", "version": "v1", "kind": object["kind"]},
                    "resource": {"group": "", "version": "v1", "resource": resource},
                    "userInfo": {"username": "ann", "groups": ["devs", "system:authenticated"]},
                    "object": object, "oldObject": null, "dryRun": false,
                },
            });
            serde_json::to_vec(&review).unwrap_or_default()
        })
        .collect()
}

fn config_map(number: usize, size: usize, random: &mut StdRng) -> serde_json::Value {
    const WORDS: &[&str] = &[
        "server", "port", "level", "info", "path", "/var/lib", "true", "retry", "cache", "listen",
    ];
    let mut text = String::new();
    while text.len() < size {
        let words = [0; 2].map(|_| WORDS[random.random_range(0..WORDS.len())]);
        let number = random.random_range(0..10_000);
        let _ = writeln!(text, "{}.{} = {number}", words[0], words[1]);
    }
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("config-{number}"), "namespace": "shop"},
        "data": {"app.properties": text},
    })
}

fn deployment(number: usize) -> serde_json::Value {
    let name = format!("service-{number}");
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "shop"});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "serviceAccountName": name,
                "containers": [{
                    "name": "app", "image": format!("registry.example.com/shop/{name}:1.{number}.0"),
                    "args": ["--listen=:8080", "--log-level=info"],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [
                        {"name": "DB_HOST", "value": "db.shop.svc"}, {"name": "DB_USER", "value": name},
                        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": "password"}}},
                    ],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
                }],
                "volumes": [{"name": "config", "configMap": {"name": name}}],
            }},
        },
    })
}
