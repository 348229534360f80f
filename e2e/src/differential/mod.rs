//! The same requests, put to `decide` and to real enforcers: every difference is a bug.
//!
//! A round gives each target, sidecars and gateways, policies of its own, and sends it requests. Policies and requests
//! come from a seed: the same seed gives the same pairs.

#![allow(
    clippy::print_stdout,
    reason = "a run of minutes shows how far it is, and each difference at once"
)]

mod judge;
mod place;
mod policies;
mod requests;
mod shrink;
mod world;

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::Testbed;
use judge::{Case, Outcome};
use place::Place;
use world::Scenario;

/// Requests under way at once: more would queue in the proxies.
const CONCURRENCY: usize = 16;
/// Requests to each target in a round.
const REQUESTS_PER_TARGET: usize = 40;
/// How long a proxy may take to run what was written, before an answer counts against it.
const SETTLING: Duration = Duration::from_secs(3);

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many requests were put to both.
    pub pairs: usize,
    /// How many of them both admitted. A run that admits nothing shows nothing.
    pub admitted: usize,
    /// How many were answered differently.
    pub differences: usize,
}

/// Puts at least `pairs` requests to both, from `seed`, and prints each difference, shrunk.
pub async fn run(testbed: &Testbed, pairs: usize, seed: u64) -> Result<Tally> {
    let place = Place::set_up(testbed).await?;
    let mut random = StdRng::seed_from_u64(seed);
    let mut tally = Tally {
        pairs: 0,
        admitted: 0,
        differences: 0,
    };
    let mut round = 0;
    while tally.pairs < pairs {
        let scenario = Scenario::generate(&mut random, &place);
        place.program(&scenario, round).await?;
        let cases = scenario.cases(&mut random, &place, REQUESTS_PER_TARGET);
        let outcomes = ask_all(&place, &scenario, &cases).await;
        tally.pairs += outcomes.len();
        tally.admitted += outcomes.iter().filter(|outcome| outcome.both_admit()).count();
        for (case, outcome) in cases.iter().zip(&outcomes).filter(|(_, outcome)| outcome.differs()) {
            let Some(outcome) = confirm(&place, &scenario, case, outcome).await else {
                continue;
            };
            tally.differences += 1;
            println!("{}", shrink::describe(&place, &scenario, case, &outcome, round).await?);
            // Shrinking leaves other policies on the targets.
            place.program(&scenario, round).await?;
        }
        println!(
            "round {round}: {} of {pairs} pairs, {} admitted by both, {} differences",
            tally.pairs, tally.admitted, tally.differences
        );
        round += 1;
    }
    Ok(tally)
}

async fn ask_all(place: &Place, scenario: &Scenario, cases: &[Case]) -> Vec<Outcome> {
    let resolved: Vec<_> = (0..place.targets.len())
        .map(|target| scenario.resolved(place, target))
        .collect();
    futures::stream::iter(cases)
        .map(|case| judge::ask(place, &resolved[case.target], case))
        .buffered(CONCURRENCY)
        .collect()
        .await
}

/// Asks again, for a proxy that was late.
async fn confirm(place: &Place, scenario: &Scenario, case: &Case, outcome: &Outcome) -> Option<Outcome> {
    let mut outcome = outcome.clone();
    let resolved = scenario.resolved(place, case.target);
    let started = tokio::time::Instant::now();
    while outcome.differs() && started.elapsed() < SETTLING {
        tokio::time::sleep(Duration::from_millis(500)).await;
        outcome = judge::ask(place, &resolved, case).await;
    }
    outcome.differs().then_some(outcome)
}
