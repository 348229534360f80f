//! The same in a small database and in a full one of the same server.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::load::{Load, Measured, PARTS};
use crate::operation::Operation;

/// How many times as long the median may be in the full one.
const MOST: f64 = 1.2;

/// Measures each operation on both, in turn and part by part: so what else the machine does meanwhile slows both.
pub async fn measure(small: &Load, full: &Load) -> Result<()> {
    let both = [small, full];
    for load in both {
        load.begin().await?;
    }
    println!(
        "{:<18} {:>9} {:>9} {:>9} {:>9} {:>12} {:>6} {:>6}",
        "", "small p50", "p99", "full p50", "p99", "ratio of p50", "p99", "mean"
    );
    let mut slower = Vec::new();
    for operation in Operation::ALL {
        for load in both {
            load.warm_up(operation).await?;
        }
        let mut measured = [Measured::default(), Measured::default()];
        for part in PARTS {
            for turn in [part % 2, 1 - part % 2] {
                let turn = turn as usize;
                measured[turn].add(both[turn].measure(operation, part).await?);
            }
        }
        let ratio = print(operation, &measured);
        if ratio > MOST {
            slower.push(format!("{} takes {ratio:.2} times as long", operation.name()));
        }
    }
    ensure!(slower.is_empty(), "the full database is slower: {}", slower.join(", "));
    Ok(())
}

/// Prints what was measured, and gives the ratio of the medians.
fn print(operation: Operation, [small, full]: &[Measured; 2]) -> f64 {
    let ratio = |of: &dyn Fn(&Measured) -> Duration| of(full).as_secs_f64() / of(small).as_secs_f64();
    let median = ratio(&|measured| measured.percentile(50));
    println!(
        "{:<18} {:>9.1?} {:>9.1?} {:>9.1?} {:>9.1?} {median:>12.2} {:>6.2} {:>6.2}",
        operation.name(),
        small.percentile(50),
        small.percentile(99),
        full.percentile(50),
        full.percentile(99),
        ratio(&|measured| measured.percentile(99)),
        ratio(&Measured::mean)
    );
    median
}
