//! Printing and summing up figures.

use std::{fmt, time::Duration};

/// Writes a line of the report.
pub(crate) fn print_line(line: impl fmt::Display) {
    #[expect(clippy::print_stdout, reason = "a benchmark is its report")]
    {
        println!("{line}");
    }
}

/// A clock for how long something takes.
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The middle one; the upper of two.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How many a second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let count = count as f64;
    count / time.as_secs_f64().max(f64::EPSILON)
}

/// `181.2 k/s`.
pub(crate) fn thousands(rate: f64) -> String {
    format!("{:.1} k/s", rate / 1_000.0)
}

/// The most memory that this process has used, in MiB, as Linux counts it.
pub(crate) fn peak_memory_mib() -> Option<u64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The peak memory that a process's status tells, in MiB.
pub(crate) fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}
