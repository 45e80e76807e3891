//! How fast signals are taken in, beside what the same Postgres takes without us; how fast decisions come to a fleet. `make bench`; docs/benchmarks.md says
//! what is measured and what is not.
#![allow(missing_docs, clippy::cast_precision_loss)]

#[path = "ingest/capi.rs"]
mod capi;
#[path = "ingest/fleet.rs"]
mod fleet;
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::pedantic)]
#[path = "../tests/support/lapi.rs"]
mod lapi;
#[allow(dead_code, clippy::pedantic)]
#[path = "../tests/support/lapi_store.rs"]
mod lapi_store;
#[path = "ingest/large/mod.rs"]
mod large;
#[path = "ingest/limit.rs"]
mod limit;
#[path = "ingest/load.rs"]
mod load;
#[path = "ingest/process.rs"]
mod process;
#[path = "ingest/push.rs"]
mod push;
#[path = "ingest/replication.rs"]
mod replication;
#[path = "ingest/report.rs"]
mod report;
#[path = "ingest/rows.rs"]
mod rows;
#[path = "ingest/search.rs"]
mod search;
#[path = "ingest/service.rs"]
mod service;
#[path = "ingest/settings.rs"]
mod settings;
#[path = "ingest/signals.rs"]
mod signals;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};

use load::Sample;
use report::{Cell, Results, Side};
use rows::{Rows, Store};
use service::Service;
use settings::Settings;
use signals::Template;

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` runs benches, too, to see that they start.
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("nothing is measured without --bench: use `make bench`");
        return Ok(());
    }
    let settings = Settings::read()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&settings))
}

async fn measure(settings: &Settings) -> anyhow::Result<()> {
    let place = service::Place::make(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    if settings.has("ingest") {
        ingest(settings, &place).await?;
    }
    let load = process::load_average();
    if settings.has("replication") {
        replication::lag(settings, &place).await?;
    }
    if settings.has("backlog") {
        replication::backlog(settings, &place).await?;
    }
    if settings.has("search") {
        search::measure(settings, &place).await?;
    }
    if settings.has("large") {
        large::measure(settings, &place).await?;
    }
    println!("load average before {load}, after {}", process::load_average());
    Ok(())
}

/// Signals taken in, beside the limit.
async fn ingest(settings: &Settings, place: &service::Place) -> anyhow::Result<()> {
    let mut results = Results::default();
    let load_before = process::load_average();
    let signals = signals::fixtures()?;
    {
        let service = Service::start(place, None).await?;
        let store = Store::open(place).await?;
        let machines = service
            .machines(*settings.connections.iter().max().unwrap_or(&1))
            .await?;
        println!(
            "{}",
            report::title(settings, &store.version().await?, &load_before)
        );
        let sets = prepare(settings, &service, &store, &machines, &signals).await?;
        for round in 0..settings.rounds {
            for &connections in &settings.connections {
                for (batch, templates, rows) in &sets {
                    let cell = Cell {
                        batch: *batch,
                        connections,
                    };
                    // Who comes first changes from round to round.
                    for turn in 0..2 {
                        let side = if (turn + round) % 2 == 0 {
                            Side::Service
                        } else {
                            Side::Limit
                        };
                        store.clear().await?;
                        let sample = match side {
                            Side::Service => {
                                let workers =
                                    push::workers(&service, &machines[..connections], templates).await?;
                                load::run(settings, &service, workers).await
                            }
                            _ => {
                                let workers = limit::workers(place, connections, rows).await?;
                                load::run(settings, &service, workers).await
                            }
                        };
                        let sample = sample.with_context(|| format!("{side:?} {connections} x {batch}"))?;
                        check(&store, &sample, *batch).await?;
                        results.add(side, cell, sample);
                    }
                    eprintln!(
                        "round {} of {}: {}",
                        round + 1,
                        settings.rounds,
                        results.progress(cell)
                    );
                }
            }
        }
        results.pool = service.pool_connections().await?;
        results.peak = service.peak_resident();
        service.stop().await?;
    }
    if settings.forward {
        forwarding(settings, place, &signals, &mut results).await?;
    }
    println!("{}", results.table());
    println!("{}", results.verdict());
    println!(
        "load average before {load_before}, after {}",
        process::load_average()
    );
    Ok(())
}

/// The bodies of each batch size, and the very rows that the service makes of them.
async fn prepare(
    settings: &Settings,
    service: &Service,
    store: &Store,
    machines: &[service::Machine],
    signals: &[serde_json::Value],
) -> anyhow::Result<Vec<(usize, Arc<Vec<Template>>, Arc<Vec<Rows>>)>> {
    let mut sets = Vec::new();
    for &batch in &settings.batches {
        let templates = signals::templates(signals, batch)?;
        let mut rows = Vec::new();
        for template in &templates {
            store.clear().await?;
            push::once(service, &machines[0], template).await?;
            rows.push(store.read().await?);
        }
        sets.push((batch, Arc::new(templates), Arc::new(rows)));
    }
    Ok(sets)
}

/// One cell with forwarding on, to a stand-in of CAPI in this process.
async fn forwarding(
    settings: &Settings,
    place: &service::Place,
    signals: &[serde_json::Value],
    results: &mut Results,
) -> anyhow::Result<()> {
    let capi = capi::Capi::start().await?;
    let service = Service::start(place, Some(&capi.url())).await?;
    let store = Store::open(place).await?;
    let (batch, connections) = (report::GOAL.batch, report::GOAL.connections);
    let machines = service.machines(connections).await?;
    let templates = Arc::new(signals::templates(signals, batch)?);
    for _ in 0..settings.rounds {
        store.clear().await?;
        let before = capi.taken();
        let workers = push::workers(&service, &machines, &templates).await?;
        let sample = load::run(settings, &service, workers)
            .await
            .context("with forwarding")?;
        results
            .forwarded
            .push((capi.taken() - before) as f64 / settings.whole().as_secs_f64());
        check(&store, &sample, batch).await?;
        results.add(Side::Forwarding, report::GOAL, sample);
    }
    service.stop().await
}

/// What was acknowledged is there, and nothing else.
async fn check(store: &Store, sample: &Sample, batch: usize) -> anyhow::Result<()> {
    let (alerts, batches) = store.count().await?;
    ensure!(
        (alerts, batches) == (sample.all_batches * batch as u64, sample.all_batches),
        "{} batches of {batch} were acknowledged, but {alerts} alerts in {batches} batches are stored",
        sample.all_batches
    );
    Ok(())
}
