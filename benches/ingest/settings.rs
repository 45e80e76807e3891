//! What may be changed from outside: `BENCH_*` variables.

use std::time::Duration;

use anyhow::{Context as _, ensure};

pub struct Settings {
    pub warm_up: Duration,
    pub measured: Duration,
    pub rounds: usize,
    pub batches: Vec<usize>,
    pub connections: Vec<usize>,
    pub forward: bool,
    /// What is measured.
    parts: Vec<String>,
    /// Seconds of each stream to the fleet.
    pub replication: u32,
    /// Decisions that wait for one server.
    pub backlog: u32,
    /// Decisions among which one address is searched.
    pub search: u32,
    /// Alerts of the large tables, one run each.
    pub large: Vec<i64>,
}

/// All parts, in their order.
const PARTS: &str = "ingest,replication,backlog,search,large";
/// Those measured when nothing is said: the last takes an hour.
const USUAL: &str = "ingest,replication,backlog,search";

impl Settings {
    pub fn read() -> anyhow::Result<Self> {
        let settings = Self {
            warm_up: Duration::from_millis(number("BENCH_WARMUP_MS", 1000)?),
            measured: Duration::from_millis(number("BENCH_SECONDS", 4)? * 1000),
            rounds: usize::try_from(number("BENCH_ROUNDS", 3)?)?,
            batches: list("BENCH_BATCHES", &[1, 10, 50, 100])?,
            connections: list("BENCH_CONNECTIONS", &[1, 8, 32])?,
            forward: number("BENCH_FORWARD", 1)? != 0,
            parts: std::env::var("BENCH_PARTS")
                .unwrap_or_else(|_| USUAL.to_owned())
                .split(',')
                .map(|part| part.trim().to_owned())
                .collect(),
            replication: u32::try_from(number("BENCH_REPLICATION_SECONDS", 10)?)?,
            backlog: u32::try_from(number("BENCH_BACKLOG", 100_000)?)?,
            search: u32::try_from(number("BENCH_SEARCH", 1_000_000)?)?,
            large: list("BENCH_ALERTS", &[1_000_000, 10_000_000])?
                .into_iter()
                .map(i64::try_from)
                .collect::<Result<_, _>>()?,
        };
        ensure!(
            settings
                .parts
                .iter()
                .all(|part| PARTS.split(',').any(|known| known == part)),
            "BENCH_PARTS: some of {PARTS}"
        );
        ensure!(
            (1..=3600).contains(&settings.replication) && (1000..=4_000_000).contains(&settings.backlog),
            "BENCH_REPLICATION_SECONDS: 1 to 3600; BENCH_BACKLOG: 1000 to 4000000"
        );
        ensure!(
            settings.rounds > 0 && !settings.measured.is_zero(),
            "nothing to measure"
        );
        let fits = |n: usize, most: usize| (1..=most).contains(&n);
        ensure!(
            settings.batches.iter().all(|n| fits(*n, 300)),
            "BENCH_BATCHES: 1 to 300 each"
        );
        ensure!(
            settings.connections.iter().all(|n| fits(*n, 64)),
            "BENCH_CONNECTIONS: 1 to 64 each"
        );
        Ok(settings)
    }

    /// Whether this part is measured.
    pub fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|p| p == part)
    }

    /// How long a cell runs.
    pub fn whole(&self) -> Duration {
        self.warm_up + self.measured
    }
}

fn number(name: &str, default: u64) -> anyhow::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text
            .trim()
            .parse()
            .with_context(|| format!("{name} is no number")),
        Err(_) => Ok(default),
    }
}

fn list(name: &str, default: &[usize]) -> anyhow::Result<Vec<usize>> {
    let Ok(text) = std::env::var(name) else {
        return Ok(default.to_vec());
    };
    let items: Result<Vec<usize>, _> = text.split(',').map(|item| item.trim().parse()).collect();
    items.with_context(|| format!("{name} is no list of numbers"))
}
