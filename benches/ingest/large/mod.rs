//! What is read when the tables are large: every endpoint over HTTP, beside the statement it rests on.

mod fill;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use tokio_postgres::Client;

use crate::push::{self, Connection};
use crate::rows::{self};
use crate::service::{Place, Service};
use crate::settings::Settings;
use crate::{load, process, signals};

/// Times that each question is asked, after some that do not count: its statement is planned once a connection, and what is
/// asked for the first time comes from a disk. Of 200 the 99th percentile is not yet the slowest.
const ASKED: usize = 200;
const BEFORE: usize = 10;

/// A question, and the goal of its 99th percentile in milliseconds at ten million.
struct Question {
    name: &'static str,
    path: String,
    goal: f64,
}

fn questions(cursor: Option<String>) -> Vec<Question> {
    let mut all = Vec::new();
    let mut add = |name, path: &str, goal| {
        all.push(Question {
            name,
            path: path.to_owned(),
            goal,
        });
    };
    for (name, route) in [
        ("stats", "/api/stats"),
        ("distribution", "/api/stats/distribution"),
        ("decisions", "/api/stats/decisions"),
        ("heatmap", "/api/stats/heatmap"),
        ("map", "/api/stats/map"),
        ("timeline", "/api/stats/timeline"),
    ] {
        add(name, &format!("{route}?period=all&tz=Europe%2FParis"), 100.0);
        add(name, &format!("{route}?period=7d&tz=Asia%2FKolkata"), 50.0);
    }
    add(
        "heatmap of a country",
        "/api/stats/heatmap?period=all&country=AC",
        100.0,
    );
    add(
        "heatmap of an address",
        "/api/stats/heatmap?period=all&ip=11.0.0.251",
        100.0,
    );
    for (name, path) in [
        ("list", "/api/alerts"),
        ("list by country", "/api/alerts?country=AC"),
        ("list by agent", "/api/alerts?machineId=agent-150"),
        ("list by scenario", "/api/alerts?scenario=scenario-57"),
        ("list by some scenarios", "/api/alerts?scenario=scenario-5"),
        ("list by a common scenario", "/api/alerts?scenario=crowdsecurity"),
        ("list by no scenario", "/api/alerts?scenario=nothing-like-it"),
        ("list by network", "/api/alerts?ip=11.9.0.0%2F20"),
        ("list, filtered", "/api/alerts?filtered=true"),
        ("list by two", "/api/alerts?country=KJ&machineId=agent-199"),
    ] {
        add(name, path, 30.0);
    }
    add("list of an address", "/api/alerts?ip=11.1.0.175", 10.0);
    add("list, estimated", "/api/alerts?limit=1&count=estimate", 30.0);
    add(
        "list by country, estimated",
        "/api/alerts?limit=1&count=estimate&country=AC",
        30.0,
    );
    add("explain an address", "/api/ips/11.1.0.175/explain", 10.0);
    if let Some(cursor) = cursor {
        add("list, page 10,000", &cursor, 30.0);
    }
    all
}

/// Fills and measures, one size after the other.
pub async fn measure(settings: &Settings, place: &Place) -> anyhow::Result<()> {
    let mut service = Service::start(place, None).await?;
    let mut db = rows::connect(place).await?;
    let empty = ingest(settings, &service).await?;
    println!(
        "\nIngest into empty tables, 8 x 50: {empty:.0} alerts/s (median of {} cells)",
        settings.rounds
    );
    for &alerts in &settings.large {
        let begun = Instant::now();
        fill::prepare(&db).await?;
        fill_all(place, alerts).await?;
        let filled = begun.elapsed();
        db.batch_execute("VACUUM ANALYZE").await?;
        // What was filled in minutes came in over 90 days: its pages are on the disk before anything is asked.
        db.batch_execute("CHECKPOINT").await?;
        println!(
            "\n{alerts} alerts over {} days, {} tenants, one with half: filled and counted in {:.0} s",
            fill::DAYS,
            fill::TENANTS,
            filled.as_secs_f64()
        );
        let cursor = deep(&service, &place.admin_token()?).await?;
        endpoints(&service, place, &db, questions(cursor)).await?;
        // Its memory is that of a service that does nothing else.
        service.stop().await?;
        service = Service::start(place, None).await?;
        export(&service, place).await?;
        db = rows::connect(place).await?;
        let large = ingest(settings, &service).await?;
        println!(
            "ingest 8 x 50: {large:.0} alerts/s, {:.0} % of that into empty tables (goal 85); resident at its peak {:.0} MB",
            100.0 * large / empty,
            service.peak_resident()
        );
        // None of the newest alerts has one of the scenarios that were filled, or a country.
        println!("\nlists once more, after what came in meanwhile:");
        let mut lists = questions(None);
        lists.retain(|question| question.name.starts_with("list"));
        endpoints(&service, place, &db, lists).await?;
    }
    service.stop().await
}

/// Two tenants at a time: there are two cores.
async fn fill_all(place: &Place, alerts: i64) -> anyhow::Result<()> {
    let one = rows::connect(place).await?;
    let two = rows::connect(place).await?;
    let others = (alerts / 2) / i64::from(fill::TENANTS - 1);
    let rest = async {
        for tenant in 2..=fill::TENANTS {
            fill::fill(&two, tenant, others).await?;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(fill::fill(&one, 1, alerts / 2), rest)?;
    one.batch_execute("VACUUM ANALYZE").await?;
    for tenant in 1..=fill::TENANTS {
        fill::count(&one, tenant).await?;
    }
    Ok(())
}

async fn ask(
    connection: &mut Connection,
    host: &str,
    token: &str,
    path: &str,
) -> anyhow::Result<(Duration, Bytes)> {
    let request = Request::get(path)
        .header("host", host)
        .header("authorization", format!("Bearer {token}"))
        .body(Full::default())?;
    let begun = Instant::now();
    let (status, body) = connection.call(request).await?;
    let took = begun.elapsed();
    ensure!(
        status == 200,
        "{path}: {status} {}",
        String::from_utf8_lossy(&body)
    );
    Ok((took, body))
}

async fn endpoints(
    service: &Service,
    place: &Place,
    db: &Client,
    questions: Vec<Question>,
) -> anyhow::Result<()> {
    let (host, token) = (service.address.to_string(), place.admin_token()?);
    let mut connection = Connection::open(service.address).await?;
    println!("| question | p50 ms | p99 ms | goal | bare SQL p50 ms | ratio |\n|---|--:|--:|--:|--:|--:|");
    for question in questions {
        let mut times = Vec::new();
        for n in 0..BEFORE + ASKED {
            let (took, _) = ask(&mut connection, &host, &token, &question.path).await?;
            if n >= BEFORE {
                times.push(took);
            }
        }
        let (p50, p99) = ranks(times);
        let limit = bare(db, question.name).await?;
        let beside = limit.map_or("| |".to_owned(), |ms| format!("{ms:.1} | {:.1} |", p50 / ms));
        let mark = if p99 > question.goal { " **missed**" } else { "" };
        let path = question.path.split("cursor=").next().unwrap_or_default();
        println!(
            "| {} `{path}` | {p50:.1} | {p99:.1}{mark} | {} | {beside}",
            question.name, question.goal
        );
    }
    Ok(())
}

fn ranks(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let rank = |percent: usize| {
        let at = (times.len() * percent).div_ceil(100).max(1) - 1;
        times.get(at).map_or(0.0, |t| t.as_secs_f64() * 1000.0)
    };
    (rank(50), rank(99))
}

/// The path of the 10,000th page of a hundred, or of the last that there is.
async fn deep(service: &Service, token: &str) -> anyhow::Result<Option<String>> {
    let mut path = "/api/alerts?limit=1000".to_owned();
    let host = service.address.to_string();
    let mut sender = Connection::open(service.address).await?;
    for _ in 0..1000 {
        let request = Request::get(&path)
            .header("host", &host)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::default())?;
        let Some(next) = sender.link(request).await? else {
            break;
        };
        path = next;
    }
    Ok(path
        .contains("cursor=")
        .then(|| path.replace("limit=1000", "limit=100")))
}

/// The statement behind a question as the tables' owner would ask it by hand, without a tenant's wall.
async fn bare(db: &Client, name: &str) -> anyhow::Result<Option<f64>> {
    let sql = match name {
        "list" => "SELECT * FROM alert WHERE tenant_id = 1 ORDER BY received_at DESC, id DESC LIMIT 100",
        "list by country" => {
            "SELECT * FROM alert WHERE tenant_id = 1 AND geo_country_code = 'AC' ORDER BY received_at DESC, id DESC LIMIT 100"
        }
        "list of an address" => {
            "SELECT * FROM alert WHERE tenant_id = 1 AND source_lo = '11.1.0.175' ORDER BY received_at DESC, id DESC LIMIT 100"
        }
        "stats" => {
            "SELECT key, sum(n) FROM stat_count WHERE tenant_id = 1 AND dim IN (1, 2) AND span = 0 GROUP BY dim, key"
        }
        "heatmap" => {
            "SELECT extract(dow FROM at), extract(hour FROM at), sum(alerts) FROM stat_total WHERE tenant_id = 1 GROUP BY 1, 2"
        }
        _ => return Ok(None),
    };
    let statement = db.prepare(sql).await?;
    let mut times = Vec::new();
    for _ in 0..ASKED {
        let begun = Instant::now();
        db.query(&statement, &[]).await?;
        times.push(begun.elapsed());
    }
    Ok(Some(ranks(times).0))
}

/// Twenty seconds of an export, as fast as it comes.
async fn export(service: &Service, place: &Place) -> anyhow::Result<()> {
    let (host, token) = (service.address.to_string(), place.admin_token()?);
    for format in ["ndjson", "csv"] {
        let mut connection = Connection::open(service.address).await?;
        let request = Request::get(format!("/api/alerts/export?format={format}"))
            .header("host", &host)
            .header("authorization", format!("Bearer {token}"))
            .body(Full::default())?;
        let mut body = connection.stream(request).await?;
        let (begun, mut lines, mut bytes) = (Instant::now(), 0usize, 0usize);
        while begun.elapsed() < Duration::from_secs(20) {
            let Some(frame) = body.frame().await else { break };
            let data = frame?.into_data().unwrap_or_default();
            lines += data.split(|byte| *byte == b'\n').count() - 1;
            bytes += data.len();
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "export as {format}: {:.0} rows/s, {:.1} MB/s (goal 20000 rows/s), resident {:.0} MB meanwhile (goal 64)",
            lines as f64 / seconds,
            bytes as f64 / seconds / 1e6,
            process::status(service.pid, "VmRSS:")
        );
    }
    Ok(())
}

/// Alerts a second at eight connections and batches of fifty; the median of the rounds.
async fn ingest(settings: &Settings, service: &Service) -> anyhow::Result<f64> {
    let templates = Arc::new(signals::templates(&signals::fixtures()?, 50)?);
    let machines = service.machines(8).await?;
    let mut rates = Vec::new();
    for _ in 0..settings.rounds {
        let workers = push::workers(service, &machines, &templates).await?;
        rates.push(load::run(settings, service, workers).await?.alerts_per_second);
    }
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().context("a rate")
}
