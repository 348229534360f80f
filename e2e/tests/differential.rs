//! What a policy means to `decide` is what it means to a real sidecar and a real gateway.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test code: a panic is how a test fails, and figures are shown"
)]

use e2e::{Testbed, differential};

const PAIRS: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs testbed run --istio"]
async fn decide_and_the_enforcers_agree() {
    let testbed = Testbed::from_env().await.unwrap();
    let tally = differential::run(&testbed, PAIRS, 1).await.unwrap();
    println!("pairs {} differences {}", tally.pairs, tally.differences);
    assert_eq!(tally.differences, 0, "each is printed above");
    assert!(tally.pairs >= PAIRS);
    assert!(
        tally.admitted * 10 > tally.pairs,
        "only {} of {} were admitted: such a run shows little",
        tally.admitted,
        tally.pairs
    );
}
