//! Puts generated requests to `decide` and to the real enforcers of the testbed around it, and counts the differences.
#![allow(clippy::print_stdout, reason = "what it prints is its result")]

use anyhow::Result;
use clap::Parser;
use e2e::{Testbed, differential};

/// Puts generated policies and requests to `decide` and to real sidecars and gateways, and counts the differences.
#[derive(Parser)]
struct Arguments {
    /// How many pairs of policy and request, at least.
    #[arg(long, default_value_t = 2000)]
    pairs: usize,
    /// What policies and requests are made from. The same seed gives the same ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { pairs, seed } = Arguments::parse();
    let testbed = Testbed::from_env().await?;
    let tally = differential::run(&testbed, pairs, seed).await?;
    println!("{} pairs were admitted by both", tally.admitted);
    println!("pairs {} differences {}", tally.pairs, tally.differences);
    anyhow::ensure!(tally.differences == 0, "decide and the enforcers differ");
    Ok(())
}
