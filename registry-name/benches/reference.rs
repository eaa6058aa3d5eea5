//! How long a reference takes to parse, beside `oci-spec`'s: `cargo bench -p registry-name`.

#![allow(clippy::print_stdout, reason = "a benchmark reports there")]

use std::hint::black_box;
use std::time::{Duration, Instant};

const INPUTS: [&str; 4] = [
    "ubuntu",
    "ubuntu:22.04",
    "localhost:5000/acme/app:v1.2.3",
    "ghcr.io/acme/team/app:v1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

fn main() {
    println!("{:>8} {:>8} {:>6}   ns per reference", "ours", "oci-spec", "ratio");
    for input in INPUTS {
        let ours = measure(|| input.parse::<registry_name::Reference>().is_ok());
        let theirs = measure(|| input.parse::<oci_spec::distribution::Reference>().is_ok());
        println!("{ours:8.0} {theirs:8.0} {:6.1}   {input}", theirs / ours);
    }
}

/// The fastest of several rounds, in nanoseconds per call.
fn measure(call: impl Fn() -> bool) -> f64 {
    const CALLS: u32 = 20_000;
    let round = || {
        let start = Instant::now();
        for _ in 0..CALLS {
            assert!(black_box(call()));
        }
        start.elapsed()
    };
    let best: Duration = (0..15).map(|_| round()).min().unwrap_or_default();
    best.as_secs_f64() * 1e9 / f64::from(CALLS)
}
