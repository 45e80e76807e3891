//! How long decisions take to the servers of a fleet, and how fast what waited goes out.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::rows;
use crate::service::{Place, Service};
use crate::settings::Settings;

const RATE: u32 = 1000;
const SERVERS: usize = 8;

/// 1,000 decisions a second to eight servers: undisturbed, beside an open snapshot, and with two bad servers.
pub async fn lag(settings: &Settings, place: &Place) -> anyhow::Result<()> {
    let service = Service::start(place, None).await?;
    rows::Store::open(place).await?.clear().await?;
    let mut fleet = Fleet::of(&service, place).await?;
    fleet.join(SERVERS).await?;
    let all: Vec<usize> = (0..SERVERS).collect();
    let good = &all[..SERVERS - 2];
    let count = RATE * settings.replication;
    let warm_up = fleet.push(2 * RATE, RATE).await?;
    fleet.arrival(&warm_up, &all).await?;
    println!(
        "\n| {RATE} decisions/s for {} s into {SERVERS} servers | pushed/s | arrived/s and server | lag p50 ms | lag p99 ms | of p99 undisturbed | claim p50 ms |\n|---|--:|--:|--:|--:|--:|--:|",
        settings.replication
    );
    // An undisturbed stream before each disturbed one: the tables grow from stream to stream.
    let mut before = f64::NAN;
    for phase in [
        "undisturbed",
        "a pinned snapshot",
        "undisturbed again",
        "one dead, one slow: the other six",
    ] {
        let pin = rows::connect(place).await?;
        let mut servers = &all[..];
        match phase {
            "a pinned snapshot" => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM decision";
                pin.batch_execute(begin).await?;
            }
            "undisturbed" | "undisturbed again" => before = f64::NAN,
            _ => {
                fleet.lapis[SERVERS - 2].down().await;
                fleet.lapis[SERVERS - 1].set(|mood| mood.slow = Duration::from_secs(30));
                servers = good;
            }
        }
        let stream = fleet.push(count, RATE).await?;
        let claim = claim(&rows::connect(place).await?).await?;
        let arrival = fleet.arrival(&stream, servers).await?;
        if before.is_nan() {
            before = arrival.ms[1];
        }
        println!(
            "| {phase} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {claim:.2} |",
            stream.per_second(),
            arrival.per_second,
            arrival.ms[0],
            arrival.ms[1],
            arrival.ms[1] / before
        );
    }
    println!(
        "\nGoals: p99 below 3,000 ms; beside a pinned snapshot a claim at most 2 times as long; the six beside bad ones at \
         most 2 times the p99 of the undisturbed stream before."
    );
    fleet.leave().await?;
    service.stop().await
}

/// Milliseconds of the statement that gives out lanes, as the workers run it; what it claims is given back at once.
async fn claim(store: &Client) -> anyhow::Result<f64> {
    let sql = include_str!("../../sql/lane/claim.sql");
    let claim = store.prepare(sql).await?;
    let mut took = Vec::new();
    for _ in 0..101 {
        store.batch_execute("BEGIN").await?;
        let begun = Instant::now();
        let limit: [&(dyn ToSql + Sync); 4] = [&8_i64, &8_i64, &20.0_f64, &Uuid::nil()];
        store.query(&claim, &limit).await?;
        took.push(begun.elapsed());
        store.batch_execute("ROLLBACK").await?;
        sleep(Duration::from_millis(10)).await;
    }
    took.sort_unstable();
    Ok(took[took.len() / 2].as_secs_f64() * 1000.0)
}

/// What waited while a server was down, against what goes out while it is up.
pub async fn backlog(settings: &Settings, place: &Place) -> anyhow::Result<()> {
    let service = Service::start(place, None).await?;
    rows::Store::open(place).await?.clear().await?;
    let mut fleet = Fleet::of(&service, place).await?;
    fleet.join(1).await?;
    let warm_up = fleet.push(2000, RATE).await?;
    fleet.arrival(&warm_up, &[0]).await?;
    let steady = fleet.push(settings.backlog / 5, 1_000_000).await?;
    let steady = fleet.arrival(&steady, &[0]).await?.per_second;

    fleet.lapis[0].down().await;
    let waiting = fleet.push(settings.backlog, 1_000_000).await?;
    let store = rows::connect(place).await?;
    let begun = Instant::now();
    loop {
        // Everything is in the set once its log is taken up.
        let row = store
            .query_one("SELECT count(*) FROM outbox WHERE topic = 4", &[])
            .await?;
        if row.get::<_, i64>(0) == 0 {
            break;
        }
        ensure!(
            begun.elapsed() < Duration::from_mins(5),
            "the set does not take everything up"
        );
        sleep(Duration::from_millis(200)).await;
    }
    let there = fleet.lapis[0].store().decisions.len();
    fleet.lapis[0].up().await;
    fleet.hurry(0).await?;
    while fleet.lapis[0].store().decisions.len() == there {
        sleep(Duration::from_millis(5)).await;
    }
    let (begun, first) = (Instant::now(), fleet.lapis[0].store().decisions.len());
    fleet.arrival(&waiting, &[0]).await?;
    let drained = {
        let store = fleet.lapis[0].store();
        let last = store.decisions.iter().map(|d| d.at).max().unwrap_or(begun);
        (store.decisions.len() - first) as f64 / (last - begun).as_secs_f64()
    };
    println!(
        "\n{} decisions waiting for one server go out at {drained:.0}/s; while it is up and signals come as fast as they \
         are taken, {steady:.0}/s: {:.0} % (goal: 80).",
        waiting.len(),
        100.0 * drained / steady
    );
    fleet.leave().await?;
    service.stop().await
}
