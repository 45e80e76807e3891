//! One address among a million decisions, in the database.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rand::RngExt as _;

use crate::rows;
use crate::service::{Place, Service};
use crate::settings::Settings;

const STATEMENT: &str = include_str!("../../sql/decision/list_by_address.sql");
const SEARCHES: usize = 2000;
/// As one of the service's transactions; behind row-level security.
const NARROW: &str = "BEGIN; SET LOCAL ROLE garrison_service; SET LOCAL app.tenant = '1'";

/// The statement of a search, prepared once, as the service does it.
pub async fn measure(settings: &Settings, place: &Place) -> anyhow::Result<()> {
    // Its cluster is what counts; it has nothing to do itself.
    let service = Service::start(place, None).await?;
    let db = rows::connect(place).await?;
    db.batch_execute("TRUNCATE decision").await?;
    let count = i64::from(settings.search);
    // Addresses from 11.0.0.0 on; one in a hundred is a range of 256.
    db.execute(
        "INSERT INTO decision (tenant_id, key, source, source_id, origin, scope, value, type, scenario, lo, hi, until)
         SELECT 1, gen_random_uuid(), 1, 1, 'crowdsec', CASE WHEN r THEN 'Range' ELSE 'Ip' END, CASE WHEN r THEN lo || '/24' ELSE host(lo) END,
           'ban', 'crowdsecurity/ssh-bf', lo, CASE WHEN r THEN lo + 255 ELSE lo END, now() + interval '4 hours'
         FROM (SELECT n % 100 = 0 AS r, CASE WHEN n % 100 = 0 THEN '11.0.0.0'::inet + (n / 100) * 256 ELSE '11.0.0.0'::inet + n * 7 % 16000000 END AS lo
               FROM generate_series(1, $1::bigint) AS n) a",
        &[&count],
    )
    .await?;
    db.batch_execute("VACUUM ANALYZE decision").await?;
    let statement = db.prepare(STATEMENT).await?;
    let (mut times, mut found) = (Vec::new(), 0);
    for _ in 0..SEARCHES {
        let address = (11 << 24) + rand::rng().random_range(0..16_000_000u32);
        let around: Vec<IpAddr> = (0..32)
            .map(|length| address & u32::MAX.checked_shl(32 - length).unwrap_or(0))
            .map(|lo| IpAddr::from(Ipv4Addr::from(lo)))
            .collect();
        let address = IpAddr::from(Ipv4Addr::from(address));
        db.batch_execute(NARROW).await?;
        let begun = Instant::now();
        let rows = db
            .query(&statement, &[&1_i32, &address, &address, &around])
            .await?;
        times.push(begun.elapsed());
        found += rows.len();
        db.batch_execute("COMMIT").await?;
    }
    ensure!(found > 0, "nothing was found");
    times.sort_unstable();
    let rank = |percent: usize| {
        let time: Option<&Duration> = times.get(times.len() * percent / 100);
        time.map(|t| t.as_secs_f64() * 1000.0).context("a time")
    };
    println!(
        "\nOne address among {count} active decisions, as garrison_service behind row-level security: p50 {:.2} ms, \
         p99 {:.2} ms of {SEARCHES} searches, {found} rows found (goal: p99 below 10 ms).",
        rank(50)?,
        rank(99)?
    );
    db.batch_execute("TRUNCATE decision").await?;
    service.stop().await
}
