//! Counts that are kept against a count of the rows, in one snapshot, while everything moves.
use crate::support::fixtures;
use crate::support::http::Api;
use crate::support::machine::{address, new_uuid};
use crate::support::wait;
use crate::support::world::World;
use rand::RngExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient, Row};

const NO_CONDITIONS: &str = "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL";

/// Zones whose hours are UTC's.
const WHOLE_HOURS: [&str; 4] = ["UTC", "Europe/Paris", "Pacific/Apia", "Africa/Casablanca"];

fn sql(name: &str) -> String {
    std::fs::read_to_string(format!("sql/stats/{name}.sql")).expect("a statement")
}

/// A window as the service cuts it, computed by Postgres: since, from, day_from, day_to, to, until.
const CUT: &str = "
  WITH w AS (SELECT $1::text::timestamptz AS since, $2::text::timestamptz AS until, $3::text::interval AS piece),
  p AS (SELECT *, date_bin(piece, since + piece - interval '1 microsecond', 'epoch') AS a,
          date_bin(piece, until + interval '1 microsecond', 'epoch') AS b FROM w),
  d AS (SELECT *, date_bin('1 day', a + interval '1 day' - interval '1 microsecond', 'epoch') AS da, date_bin('1 day', b, 'epoch') AS db FROM p)
  SELECT since::text, a::text AS from, (CASE WHEN da > db THEN a ELSE da END)::text AS day_from,
         (CASE WHEN da > db THEN a ELSE db END)::text AS day_to, b::text AS to,
         (until + interval '1 microsecond')::text AS until, a <= b AS whole FROM d";

struct Cut {
    times: Vec<String>,
    whole: bool,
}

async fn cut(client: &impl GenericClient, since: &str, until: &str, piece: &str) -> Cut {
    let row = client
        .query_one(CUT, &[&since, &until, &piece])
        .await
        .expect("a window");
    Cut {
        times: (0..6).map(|n| row.get(n)).collect(),
        whole: row.get(6),
    }
}

impl Cut {
    fn all(&self) -> String {
        self.of(&[0, 1, 2, 3, 4, 5])
    }

    fn bounds(&self) -> String {
        self.of(&[0, 1, 4, 5])
    }

    fn of(&self, which: &[usize]) -> String {
        let quoted: Vec<String> = which.iter().map(|n| format!("'{}'", self.times[*n])).collect();
        quoted.join(", ")
    }
}

/// The rows of a statement as text, by the columns named, zeros and empty texts alike.
async fn rows(client: &impl GenericClient, name: &str, args: &str, columns: &[&str]) -> Vec<String> {
    let columns: Vec<String> = columns
        .iter()
        .map(|c| format!("coalesce(nullif({c}::text, ''), '-')"))
        .collect();
    client
        .batch_execute(&format!("DEALLOCATE ALL; PREPARE p AS {}", sql(name)))
        .await
        .expect(name);
    let table = format!("CREATE TEMP TABLE seen ON COMMIT DROP AS EXECUTE p(1, {args})");
    client
        .batch_execute(&format!("DROP TABLE IF EXISTS seen; {table}"))
        .await
        .expect(name);
    let list = format!(
        "SELECT concat_ws(' | ', {}) FROM seen ORDER BY 1",
        columns.join(", ")
    );
    let rows = client.query(&list, &[]).await.expect(name);
    rows.iter().map(|row: &Row| row.get(0)).collect()
}

/// One question, asked of the counts and of the rows within one snapshot.
async fn compare(client: &mut Client, since: &str, until: &str, zone: &str) {
    let start = client.build_transaction();
    let tx = start
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .start()
        .await
        .expect("a snapshot");
    let whole = cut(&tx, since, until, "1 hour").await;
    let raw = format!("{NO_CONDITIONS}, '{since}', '{until}'");
    let label = format!("{since} to {until} in {zone}");
    if whole.whole {
        let zoned = format!("{}, '{zone}'", whole.all());
        let bounds = format!("{}, '{zone}'", whole.bounds());
        let charts = "chart, label, CASE WHEN chart = 5 THEN name END, n, CASE WHEN chart < 4 THEN filtered END, CASE WHEN chart < 4 THEN forwarded END, \
                      CASE WHEN chart = 0 THEN first END, CASE WHEN chart = 0 THEN last END";
        let charts: Vec<&str> = charts.split(", ").collect();
        for (rolled, kept, naive, named, columns) in [
            (
                "list_rolled_alerts",
                format!("{zoned}, 15, false"),
                "list_alerts",
                format!("'{zone}', 15, NULL"),
                charts,
            ),
            (
                "list_rolled_decisions",
                format!("{zoned}, 15, false"),
                "list_decisions",
                format!("'{zone}', 15, NULL"),
                vec!["chart", "label", "CASE WHEN chart = 5 THEN name END", "n"],
            ),
            (
                "list_rolled_heatmap",
                bounds.clone(),
                "list_heatmap",
                format!("'{zone}', NULL"),
                vec!["weekday", "hour", "n"],
            ),
            (
                "list_rolled_buckets",
                format!("{bounds}, 'hour'"),
                "list_buckets",
                format!("'{zone}', 'hour', NULL"),
                vec!["at", "n", "filtered", "forwarded"],
            ),
            (
                "list_rolled_buckets",
                format!("{bounds}, 'week'"),
                "list_buckets",
                format!("'{zone}', 'week', NULL"),
                vec!["at", "n", "filtered", "forwarded"],
            ),
        ] {
            let kept = rows(&tx, rolled, &kept, &columns).await;
            let counted = rows(&tx, naive, &format!("{raw}, {named}"), &columns).await;
            assert_eq!(kept, counted, "{rolled}, {label}");
        }
        if WHOLE_HOURS.contains(&zone) {
            let (columns, name) = (["weekday", "hour", "n"], "list_rolled_heatmap_of");
            let few = "ARRAY['crowdsecurity/ssh-bf', 'crowdsecurity/http-probing', 'nothing']";
            let kept = rows(&tx, name, &format!("{bounds}, 1, {few}"), &columns).await;
            let counted = rows(&tx, "list_heatmap", &format!("{raw}, '{zone}', {few}"), &columns).await;
            assert_eq!(kept, counted, "of scenarios, {label}");
            let kept = rows(&tx, name, &format!("{bounds}, 2, ARRAY['FR']"), &columns).await;
            let french = raw.replacen("NULL, NULL, NULL, NULL", "NULL, NULL, NULL, 'FR'", 1);
            let counted = rows(
                &tx,
                "list_heatmap",
                &format!("{french}, '{zone}', NULL"),
                &columns,
            )
            .await;
            assert_eq!(kept, counted, "of a country, {label}");
        }
    }
    let pieces = cut(&tx, since, until, "6 hours").await;
    if pieces.whole {
        let columns = [
            "of_country",
            "code",
            "CASE WHEN of_country THEN name END",
            "latitude",
            "longitude",
            "n",
            "scenario",
        ];
        let counted = rows(&tx, "list_places", &format!("{raw}, 5000, NULL"), &columns).await;
        let kept = rows(
            &tx,
            "list_rolled_places",
            &format!("{}, false, 5000", pieces.all()),
            &columns,
        )
        .await;
        assert_eq!(kept, counted, "places, {label}");
        if since.starts_with("1970") && until.starts_with("9998") {
            let kept = rows(
                &tx,
                "list_rolled_places",
                &format!("{}, true, 5000", pieces.all()),
                &columns,
            )
            .await;
            assert_eq!(kept, counted, "places of all time");
        }
    }
    tx.commit().await.expect("commit");
}

/// A few alerts move in time and place, some are delivered, some go.
async fn shake(client: &mut Client) {
    let change = "WITH picked AS (SELECT tenant_id, key FROM alert ORDER BY random() LIMIT 40)
      UPDATE alert a SET received_at = now() - random() * interval '50 days',
        geo_country_code = (ARRAY['FR', 'DE', '', NULL, 'US'])[1 + floor(random() * 5)::int],
        geo_country_name = (ARRAY['France', 'Germany', NULL, ''])[1 + floor(random() * 4)::int],
        geo_latitude = CASE WHEN random() < 0.8 THEN random() * 180 - 90 END, geo_longitude = random() * 20 - 10,
        filtered = random() < 0.3, local_audit = random() < 0.02
      FROM picked p WHERE a.tenant_id = p.tenant_id AND a.key = p.key";
    let deliver = "UPDATE alert SET forwarded_at = now() WHERE forwarded_at IS NULL AND random() < 0.05";
    let gone = "CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT tenant_id, key FROM alert ORDER BY received_at LIMIT floor(random() * 20)::int;
      DELETE FROM alert_decision d USING gone g WHERE d.tenant_id = g.tenant_id AND d.alert_key = g.key;
      DELETE FROM alert a USING gone g WHERE a.tenant_id = g.tenant_id AND a.key = g.key";
    for script in [change, deliver, gone] {
        let tx = client.transaction().await.expect("begin");
        // The service's own updates may win a deadlock.
        let done = tx.batch_execute(script).await;
        let lost = done.as_ref().err().and_then(tokio_postgres::Error::code)
            == Some(&SqlState::T_R_DEADLOCK_DETECTED);
        // Now and then nothing comes of it.
        if !lost && rand::rng().random_bool(0.9) {
            done.expect("a change");
            tx.commit().await.expect("commit");
        }
    }
}

/// Whether a sweep ended alerts.
async fn swept(world: &World) -> bool {
    for server in &world.servers {
        let scrape = Api::new(server.url(), None).get("/metrics").await.expect(200);
        let text = String::from_utf8_lossy(&scrape.body).into_owned();
        if text.contains("garrison_retention_deleted_total{what=\"alert\"}") {
            return true;
        }
    }
    false
}

fn some_signals(all: &[Value], n: u32) -> Vec<Value> {
    let mut rng = rand::rng();
    (0..rng.random_range(1..40))
        .map(|i| {
            let mut one = all[rng.random_range(0..all.len())].clone();
            one["uuid"] = json!(new_uuid());
            one["source"]["ip"] = json!(address(n * 100 + i));
            one
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn kept_counts_are_what_the_rows_say_while_everything_moves() {
    // Rows are moved up to fifty days back.
    let mut world = World::with(2, &[("GARRISON_RETENTION_ALERTS_DAYS", "40")]).await;
    let all = fixtures::list("signals-v3-all.json");
    let machine = world.machine("default").await;
    let other = world.tenant("other").await;
    let theirs = world.machine(&other.name).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut asking = world.db.client().await;
    let mut shaking = world.db.client().await;
    let pushing = async {
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) {
            let server = &world.servers[n as usize % 2];
            machine.push_ok(server, &some_signals(&all, n)).await;
            if n % 5 == 0 {
                theirs.push_ok(server, &some_signals(&all, n)).await;
            }
            n += 1;
        }
    };
    let moving = async {
        while !stop.load(Ordering::Relaxed) {
            shake(&mut shaking).await;
        }
    };
    let checking = async {
        let zones = [
            "UTC",
            "Europe/Paris",
            "Asia/Kathmandu",
            "America/St_Johns",
            "Pacific/Apia",
            "Africa/Casablanca",
        ];
        let start = Instant::now();
        let mut n = 0;
        // Until retention took alerts out, too: it looks every 20 s what is due.
        while start.elapsed() < Duration::from_secs(12) || n < 12 || !swept(&world).await {
            asking
                .batch_execute("UPDATE sweep SET swept_at = '-infinity' WHERE lease_until <= now()")
                .await
                .expect("an hour");
            assert!(start.elapsed() < Duration::from_secs(120), "nothing is swept");
            let (a, b, zone) = {
                let mut rng = rand::rng();
                let zone = zones[rng.random_range(0..zones.len())];
                (
                    rng.random_range(0..60 * 86400),
                    rng.random_range(0..60 * 86400),
                    zone,
                )
            };
            let at = |seconds: i64| {
                (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds)).to_string()
            };
            match n % 4 {
                0 => compare(&mut asking, "1970-01-01T00:00:00Z", "9998-12-31T00:00:00Z", zone).await,
                1 => compare(&mut asking, &at(7 * 86400), "9998-12-31T00:00:00Z", zone).await,
                2 => compare(&mut asking, &at(a.max(b)), &at(a.min(b)), zone).await,
                _ => compare(&mut asking, &at(a % 40_000 + 5000), &at(0), zone).await,
            }
            n += 1;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(pushing, moving, checking);
    // A replica dies; what it left is folded by the other, once.
    world.servers[1].kill9();
    let client = world.db.client().await;
    wait::until_true("all is folded", wait::secs(30), async || {
        let left = client
            .query_one("SELECT count(*) FROM stat_delta", &[])
            .await
            .expect("count");
        left.get::<_, i64>(0) == 0
    })
    .await;
    let sums = "SELECT t.tenant_id, sum(alerts)::bigint, (SELECT count(*) FROM alert a WHERE a.tenant_id = t.tenant_id AND NOT local_audit)
      FROM stat_total t GROUP BY 1";
    for row in client.query(sums, &[]).await.expect("sums") {
        assert_eq!(
            row.get::<_, i64>(1),
            row.get::<_, i64>(2),
            "tenant {}",
            row.get::<_, i32>(0)
        );
    }
    compare(&mut asking, "1970-01-01T00:00:00Z", "9998-12-31T00:00:00Z", "UTC").await;
    let said = world.api().get("/api/stats").await.expect(200).json();
    let count = "SELECT count(*) FROM alert WHERE tenant_id = 1 AND NOT local_audit";
    let rows: i64 = client.query_one(count, &[]).await.expect("count").get(0);
    assert_eq!(said["total"], rows);
}
