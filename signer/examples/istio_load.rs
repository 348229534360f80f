//! How fast certificates are issued through Istio's CA API on one processor, over TLS, with an API server that answers at once,
//! beside how fast that processor signs at all. `make bench-signer`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    dead_code,
    missing_docs,
    reason = "a measurement tells what it measured, and ends if it cannot; it takes its part of the tests' support"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;

use anyhow::{Result, ensure};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use clap::Parser;
use countersign_runtime::clock;
use countersign_signer::istio::Settings;
use rcgen::CertificateParams;
use support::{Signer, Unread, World, connect, csr, message};
use tokio::time::Instant;

#[derive(Parser)]
struct Arguments {
    /// How many signatures and requests are made.
    #[arg(long, default_value_t = 30_000)]
    number: u32,
    /// How many requests are under way at a time.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let bare = signing()?;
    let raw = median((0..10).map(|_| rate(arguments.number / 10, &bare)).collect());
    println!("signatures (ECDSA P-256, aws-lc-rs): {raw:.0} a second on one processor");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(through_the_api(&arguments, raw))
}

/// How often something is done in a second.
fn rate(number: u32, each: &impl Fn()) -> f64 {
    let begin = clock::instant();
    for _ in 0..number {
        each();
    }
    f64::from(number) / begin.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// A signature of as many bytes as a certificate has.
fn signing() -> Result<impl Fn()> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let random = SystemRandom::new();
    let message = [7; 400];
    Ok(move || {
        std::hint::black_box(key.sign(&random, &message)).unwrap();
    })
}

/// Client and server share the processor: TLS, HTTP/2 and the checks of both are in the number.
async fn through_the_api(arguments: &Arguments, raw: f64) -> Result<()> {
    const PODS: usize = 500;
    let world = World::default();
    let settings = Settings::new("cluster.local".parse()?);
    let signer = Signer::serve(settings, world.clone(), &world, Arc::new(Unread)).await?;
    let tokens: Vec<String> = (0..PODS)
        .map(|number| world.pod("shop", "web", &format!("web-{number}"), &format!("u{number}"), "n1"))
        .collect();
    let csr = csr(&CertificateParams::default())?.0;
    let mut clients = Vec::new();
    for _ in 0..arguments.at_once {
        clients.push(connect(signer.address, &signer.ca.root).await?);
    }
    let each = arguments.number as usize / arguments.at_once;
    let begin = clock::instant();
    let asked = clients.into_iter().enumerate().map(|(number, mut client)| {
        let (csr, tokens) = (&csr, &tokens);
        async move {
            let mut times = Vec::with_capacity(each);
            for turn in 0..each {
                let token = &tokens[(number + turn * arguments.at_once) % PODS];
                let sent = clock::instant();
                let answer = client.create_certificate(message(token, csr, 3600, None)?).await?;
                ensure!(answer.into_inner().cert_chain.len() == 3, "an answer without a chain");
                times.push(micros(sent));
            }
            anyhow::Ok(times)
        }
    });
    let times = futures::future::try_join_all(asked).await?;
    let took = begin.elapsed().as_secs_f64();
    let mut times: Vec<u128> = times.into_iter().flatten().collect();
    times.sort_unstable();
    let all = times.len() as f64 / took;
    println!(
        "through Istio's CA API, client and server on one processor: {all:.0} a second, {:.0} % of the signatures; \
         {} at once, p50 {} µs, p99 {} µs; {} token reviews for {} requests",
        100.0 * all / raw,
        arguments.at_once,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        world.reviews(),
        times.len()
    );
    Ok(())
}

fn micros(since: Instant) -> u128 {
    since.elapsed().as_micros()
}
