//! What was measured, for people.

use std::time::Duration;

use crate::client::Sent;
use crate::orders::Raw;

/// One kind of request.
pub struct Line {
    pub name: &'static str,
    pub sent: Sent,
    /// How long the processor worked for who answered.
    pub busy: Duration,
    /// What it did of itself before and after.
    pub raw: Raw,
    /// The server's memory then, in bytes.
    pub memory: u64,
}

impl Line {
    fn number(&self) -> f64 {
        self.sent.times.len() as f64
    }

    fn rate(&self) -> f64 {
        self.number() / self.sent.took.as_secs_f64()
    }

    /// The server's time for a request, in microseconds.
    fn each(&self) -> f64 {
        self.busy.as_secs_f64() * 1e6 / self.number()
    }

    /// In milliseconds.
    fn percentile(&self, percent: usize) -> f64 {
        self.sent.times[(self.sent.times.len() * percent / 100).min(self.sent.times.len() - 1)] as f64 / 1000.0
    }
}

#[derive(Default)]
pub struct Table {
    lines: Vec<Line>,
    /// What Hydra did, the line of ours that it goes with, and its version.
    hydra: Option<(Line, usize, String)>,
}

impl Table {
    pub fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Adds what Hydra did after the last line.
    pub fn add_hydra(&mut self, line: Line, version: &str) {
        self.hydra = Some((line, self.lines.len() - 1, version.to_owned()));
    }

    pub fn print(&self) {
        println!(
            "{:<42} {:>8} {:>8} {:>8} {:>7} {:>9} {:>10} {:>9} {:>6}",
            "", "a second", "p50 ms", "p99 ms", "CPU µs", "busy", "per CPU s", "of ES256", "MiB"
        );
        for line in self.lines.iter().chain(self.hydra.iter().map(|(line, ..)| line)) {
            println!(
                "{:<42} {:>8.0} {:>8.1} {:>8.1} {:>7.0} {:>7.0} % {:>10.0} {:>7.0} % {:>6}",
                line.name,
                line.rate(),
                line.percentile(50),
                line.percentile(99),
                line.each(),
                100.0 * line.busy.as_secs_f64() / line.sent.took.as_secs_f64(),
                1e6 / line.each(),
                100.0 * line.raw.pair() / line.each(),
                line.memory >> 20
            );
        }
        let number = self.lines.len().max(1) as f64;
        let mean = |of: fn(&Raw) -> f64| self.lines.iter().map(|line| of(&line.raw)).sum::<f64>() / number;
        let (sign, verify) = (mean(|raw| raw.sign), mean(|raw| raw.verify));
        println!(
            "ES256 by aws-lc-rs on the server's processor: a signature takes {sign:.0} µs, a verification {verify:.0} µs. \
             \"of ES256\" is what one of each is of the time of a request; \"busy\" is the part of its processor that the \
             server had: with much less than 100 %, others had it, or the load was not enough."
        );
        self.print_ratio();
    }

    fn print_ratio(&self) {
        let Some((theirs, at, version)) = &self.hydra else {
            return;
        };
        let ours = &self.lines[*at];
        println!(
            "{}, ours to Hydra {version}: {:.2} times as many a second, {:.2} times as many for each second of the processor; \
             Hydra takes {:.2} times as long at the median, {:.2} times at the 99th percentile, and {:.2} times the memory.",
            ours.name,
            ours.rate() / theirs.rate(),
            theirs.each() / ours.each(),
            theirs.percentile(50) / ours.percentile(50),
            theirs.percentile(99) / ours.percentile(99),
            theirs.memory as f64 / ours.memory as f64
        );
    }

    /// How this differs from what was measured before.
    pub fn print_against(&self, before: &Self) {
        for (line, before) in self.lines.iter().zip(&before.lines) {
            let percent = |now: f64, then: f64| 100.0 * (now / then - 1.0);
            println!(
                "{:<42} p50 {:+.0} %, p99 {:+.0} %, CPU {:+.0} %",
                line.name,
                percent(line.percentile(50), before.percentile(50)),
                percent(line.percentile(99), before.percentile(99)),
                percent(line.each(), before.each())
            );
        }
    }
}
