//! A closed loop: every worker sends its next batch when the last one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::process::{self, Memory};
use crate::service::Service;
use crate::settings::Settings;

/// One connection's end of the load.
pub trait Worker: Send + 'static {
    /// Sends one batch and waits until it is acknowledged. Gives the number of alerts in it and the time that took,
    /// without what it took to prepare it.
    fn once(&mut self) -> impl Future<Output = anyhow::Result<(usize, Duration)>> + Send;
}

/// What one cell showed.
#[derive(Debug, Clone)]
pub struct Sample {
    pub alerts_per_second: f64,
    /// 50th, 95th and 99th percentile, in milliseconds.
    pub ms: [f64; 3],
    /// Seconds of processor time a second, of service, Postgres and this generator.
    pub cpu: [f64; 3],
    pub memory: Memory,
    /// Acknowledged batches, those outside the measured time too.
    pub all_batches: u64,
}

struct Done {
    at: Instant,
    took: Duration,
    alerts: usize,
}

/// Runs the workers through warm-up and measured time; the first failed request ends everything.
pub async fn run<W: Worker>(
    settings: &Settings,
    service: &Service,
    workers: Vec<W>,
) -> anyhow::Result<Sample> {
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|worker| tokio::spawn(work(worker, stop.clone())))
        .collect();
    tokio::time::sleep(settings.warm_up).await;
    let (begun, cpu_before) = (Instant::now(), cpu(service));
    tokio::time::sleep(settings.measured).await;
    let (ended, cpu_after) = (Instant::now(), cpu(service));
    let memory = Memory::of(service);
    stop.store(true, Ordering::Relaxed);
    let mut done = Vec::new();
    for task in tasks {
        done.extend(task.await??);
    }
    let all_batches = done.len() as u64;
    done.retain(|d| d.at >= begun && d.at < ended);
    let mut times: Vec<Duration> = done.iter().map(|d| d.took).collect();
    times.sort_unstable();
    let seconds = (ended - begun).as_secs_f64();
    let alerts: usize = done.iter().map(|d| d.alerts).sum();
    let mut used = [0.0; 3];
    for (n, slot) in used.iter_mut().enumerate() {
        *slot = (cpu_after[n] - cpu_before[n]) / seconds;
    }
    Ok(Sample {
        alerts_per_second: alerts as f64 / seconds,
        ms: [
            percentile(&times, 50).context("nothing was acknowledged")?,
            percentile(&times, 95).unwrap_or_default(),
            percentile(&times, 99).unwrap_or_default(),
        ],
        cpu: used,
        memory,
        all_batches,
    })
}

async fn work<W: Worker>(mut worker: W, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Done>> {
    let mut done = Vec::with_capacity(1 << 14);
    while !stop.load(Ordering::Relaxed) {
        let (alerts, took) = worker.once().await?;
        done.push(Done {
            at: Instant::now(),
            took,
            alerts,
        });
    }
    Ok(done)
}

fn cpu(service: &Service) -> [f64; 3] {
    [
        process::cpu_seconds(service.pid),
        process::cpu_of_cluster(service.postmaster),
        process::cpu_seconds(std::process::id()),
    ]
}

/// Nearest rank, in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).map(|d| d.as_secs_f64() * 1000.0)
}
