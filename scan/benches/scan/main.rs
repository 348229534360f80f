//! What a scan costs. `COUNTERSIGN_CORPUS` may name a file with one JSON object a line: it is measured too.
//!
//! Means are criterion's. A webhook is judged by its slowest answers, so every object is also timed by itself, and beside
//! each scan the parsing of the same bytes to a `serde_json::Value`, which tells a slow scanner from a slow machine.

#![expect(clippy::print_stdout, reason = "the table is the result")]

mod hostile;
mod mix;

use std::hint::black_box;
use std::time::Duration;

use countersign_scan::{FingerprintKey, Scanner, Settings};
use criterion::{Criterion, Throughput};
use serde_json::Value;

const NOW: i64 = 1_800_000_000;
const ROUNDS: usize = 5;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let scanner = scanner();
    let objects = mix::objects(1, 10_000);
    means(&mut criterion, &scanner, &objects);

    println!("\n| objects | count | bytes | p50 µs | p90 µs | p99 µs | max µs | MB/s | of parsing |");
    println!("|---|---|---|---|---|---|---|---|---|");
    percentiles("mix", &scanner, &objects);
    if let Some(corpus) = corpus() {
        percentiles("corpus", &scanner, &corpus);
    }
    for (name, object) in hostile::objects() {
        percentiles(name, &scanner, &[object]);
    }
}

fn scanner() -> Scanner {
    Scanner::new(Settings::default(), FingerprintKey::new([7; 32]))
}

fn means(criterion: &mut Criterion, scanner: &Scanner, objects: &[Vec<u8>]) {
    let mut group = criterion.benchmark_group("scan");
    group.bench_function("start", |bencher| bencher.iter(self::scanner));
    group.throughput(Throughput::Bytes(
        objects.iter().map(|object| object.len() as u64).sum(),
    ));
    group.bench_function("mix", |bencher| {
        bencher.iter(|| objects.iter().flat_map(|object| scanner.scan_json(object, NOW)).count());
    });
    group.bench_function("parse only", |bencher| {
        bencher.iter(|| {
            objects
                .iter()
                .flat_map(|object| serde_json::from_slice::<Value>(object))
                .count()
        });
    });
    group.finish();
}

#[expect(clippy::expect_used, reason = "whoever names a file wants it measured")]
fn corpus() -> Option<Vec<Vec<u8>>> {
    let path = std::env::var_os("COUNTERSIGN_CORPUS")?;
    let text = std::fs::read_to_string(path).expect("COUNTERSIGN_CORPUS names a file with an object a line");
    Some(text.lines().map(|line| line.as_bytes().to_vec()).collect())
}

/// Times each object by itself, in rounds over all of them, so that no object finds the caches warm from itself. What
/// counts is the median of its rounds: other programs of the machine are not what is measured.
#[expect(clippy::cast_precision_loss, reason = "for a figure of three digits")]
fn percentiles(name: &str, scanner: &Scanner, objects: &[Vec<u8>]) {
    let (mut scans, mut parses) = (vec![Vec::new(); objects.len()], vec![Vec::new(); objects.len()]);
    for _ in 0..ROUNDS {
        for (object, (scans, parses)) in objects.iter().zip(scans.iter_mut().zip(&mut parses)) {
            scans.push(time(|| drop(black_box(scanner.scan_json(object, NOW)))));
            parses.push(time(|| drop(black_box(serde_json::from_slice::<Value>(object)))));
        }
    }
    let mut times: Vec<f64> = scans.iter_mut().map(|times| median(times)).collect();
    let scanning: f64 = times.iter().sum();
    let parsing: f64 = parses.iter_mut().map(|times| median(times)).sum();
    times.sort_by(f64::total_cmp);
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1000];
    let bytes: usize = objects.iter().map(Vec::len).sum();
    println!(
        "| {name} | {} | {bytes} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {:.2} |",
        objects.len(),
        at(500),
        at(900),
        at(990),
        at(1000),
        bytes as f64 / scanning,
        scanning / parsing,
    );
}

/// The median, in microseconds.
fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e6
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is what reads a clock")]
fn time(work: impl FnOnce()) -> Duration {
    let start = std::time::Instant::now();
    work();
    start.elapsed()
}
