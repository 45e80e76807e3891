//! Files that nobody vouches for: refused before anything is done, or gone again when the database refuses.
use crate::support::garrison::Cli;
use crate::support::machine::{signal, undecided};
use crate::support::wait;
use crate::support::world::World;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::path::Path;
use tokio_postgres::Client;

/// A file's lines, the last one left out.
fn lines(path: &Path) -> Vec<String> {
    let packed = std::fs::read(path).expect("the file");
    let text = String::from_utf8(zstd::decode_all(packed.as_slice()).expect("zstd")).expect("UTF-8");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(lines.pop().expect("a last line").starts_with("{\"end\":"));
    lines
}

/// Writes lines as a file that is whole.
fn sealed(path: &Path, lines: &[String]) {
    let mut counts: Value = json!({});
    for part in garrison::manage::transfer::PARTS {
        counts[part.table] = json!(0);
    }
    for line in lines {
        let said: Value = serde_json::from_str(line).unwrap_or_default();
        if let Some(table) = said["table"].as_str() {
            counts[table] = json!(counts[table].as_u64().unwrap_or_default() + 1);
        }
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let hash: String = digest(&SHA256, text.as_bytes())
        .as_ref()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let end = json!({"end": {"counts": counts, "sha256": hash}});
    let whole = format!("{text}{end}\n");
    std::fs::write(path, zstd::encode_all(whole.as_bytes(), 3).expect("zstd")).expect("a file");
}

/// Where the first row of a table stands.
fn first(lines: &[String], table: &str) -> usize {
    let head = format!("{{\"table\":\"{table}\",");
    lines
        .iter()
        .position(|line| line.starts_with(&head))
        .unwrap_or_else(|| panic!("a row of {table}"))
}

fn changed(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(line).expect("JSON");
    change(&mut value);
    value.to_string()
}

async fn tenants(cli: &Cli) -> Vec<String> {
    let all = cli.json(&["tenant", "list"]).await;
    let mut names: Vec<String> = all
        .as_array()
        .expect("tenants")
        .iter()
        .map(|one| one["name"].to_string())
        .collect();
    names.sort();
    names
}

/// Rows of tenants that are none.
async fn left(client: &Client) -> i64 {
    let tables =
        "SELECT string_agg(format('SELECT tenant_id FROM %s', oid::regclass), ' UNION ALL ') FROM pg_class
                  WHERE relrowsecurity AND relname NOT IN ('erasure', 'tenant_erasure')";
    let all: String = client.query_one(tables, &[]).await.expect("tables").get(0);
    let sql = format!(
        "SELECT count(*) FROM ({all}) x WHERE tenant_id NOT IN (SELECT id FROM tenant WHERE removed_at IS NULL)"
    );
    client.query_one(&sql, &[]).await.expect("a count").get(0)
}

async fn written(world: &World) -> std::path::PathBuf {
    world.tenant("acme").await;
    let machine = world.machine("acme").await;
    let sent = [signal("192.0.2.1"), undecided("192.0.2.2"), signal("192.0.2.3")];
    machine.push_ok(world.server(), &sent).await;
    let file = world.dir.join("acme.garrison");
    let path = file.display().to_string();
    let args = ["tenant", "export", "--tenant", "acme", "--out", &path];
    world.cli.run(&args).await.expect_ok();
    file
}

type Change = Box<dyn Fn(&mut Vec<String>)>;

fn hostile() -> Vec<(&'static str, Change, &'static str)> {
    let row = |table: &'static str, change: fn(&mut Value)| -> Change {
        Box::new(move |lines| {
            let n = first(lines, table);
            lines[n] = changed(&lines[n], |line| change(&mut line["row"]));
        })
    };
    vec![
        (
            "an unknown table",
            Box::new(|lines| lines.push(json!({"table": "tenant", "row": {"id": 1}}).to_string())),
            "there is no table tenant",
        ),
        (
            "another tenant's number",
            row("alert", |row| row["tenant_id"] = json!(1)),
            "alert has no column tenant_id",
        ),
        (
            "an unknown column",
            row("machine", |row| row["upstream_token"] = json!("\\xaa")),
            "machine has no column upstream_token",
        ),
        (
            "a table twice",
            Box::new(|lines| lines.push(lines[first(lines, "machine")].clone())),
            "out of its order",
        ),
        (
            "an endless line",
            Box::new(|lines| {
                let n = first(lines, "alert");
                lines[n] = changed(&lines[n], |line| {
                    line["row"]["message"] = json!("x".repeat(41 << 20))
                });
            }),
            "longer than any",
        ),
        (
            "a bomb",
            row("signal_batch", |row| {
                let bomb =
                    zstd::encode_all(std::io::Read::take(std::io::repeat(b' '), 1 << 30), 1).expect("zstd");
                let hex: String = bomb.iter().map(|b| format!("{b:02x}")).collect();
                row["body"] = json!(format!("\\x{hex}"));
            }),
            "body is larger",
        ),
        (
            "a hash that costs an hour",
            row("machine", |row| {
                let hash = row["password_hash"]
                    .as_str()
                    .expect("a hash")
                    .replace("m=19456", "m=4194304");
                row["password_hash"] = json!(hash);
            }),
            "password_hash is none",
        ),
        (
            "a rule that is none",
            Box::new(|lines| {
                let n = first(lines, "filter_rule");
                lines[n] = changed(&lines[n], |line| {
                    line["row"]["expression"] = json!({"op": "explode"})
                });
            }),
            "line ",
        ),
        (
            "a trail with a gap",
            Box::new(|lines| drop(lines.remove(first(lines, "audit")))),
            "the trail has a gap",
        ),
        (
            "no line of ours",
            Box::new(|lines| lines.push("{\"table\":\"audit\"}".to_owned())),
            "is no line of ours",
        ),
        (
            "another form",
            Box::new(|lines| lines[0] = changed(&lines[0], |head| head["format"] = json!(2))),
            "has form 2",
        ),
        (
            "something else",
            Box::new(|lines| lines[0] = "{}".to_owned()),
            "is no tenant that Garrison wrote",
        ),
        (
            "a day that never comes",
            row("alert", |row| row["received_at"] = json!("infinity")),
            "received_at is no time",
        ),
        (
            "a list with a gap",
            row("machine", |row| row["scenarios"] = json!([null])),
            "scenarios holds something else",
        ),
        // What only the database sees: nothing of it stays.
        (
            "an alert twice",
            Box::new(|lines| lines.insert(first(lines, "alert"), lines[first(lines, "alert")].clone())),
            "lines ",
        ),
        (
            "a decision of an alert that is another's",
            row("alert_decision", |row| {
                row["alert_key"] = json!("01900000-0000-7000-8000-000000000001")
            }),
            "alerts that the file has not",
        ),
        (
            "two engines of one number",
            Box::new(|lines| {
                let n = first(lines, "machine");
                let other = changed(&lines[n], |line| line["row"]["login"] = json!("another"));
                lines.insert(n + 1, other);
            }),
            "two rows of number",
        ),
        (
            "no address",
            row("alert", |row| row["source_lo"] = json!("nowhere")),
            "lines ",
        ),
        (
            "a zero",
            row("alert", |row| row["message"] = json!("\u{0}")),
            "lines ",
        ),
        (
            "far in the future",
            row("alert", |row| {
                row["key"] = json!("ffffffff-0000-7000-8000-000000000001")
            }),
            "lines ",
        ),
        (
            "somebody else's rule set",
            row("filter_set", |row| row["mode"] = json!(77)),
            "lines ",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_as_it_was_written_leaves_nothing_behind() {
    let world = World::with(1, &[("GARRISON_FORWARD_ENABLED", "false")]).await;
    let file = written(&world).await;
    let before = tenants(&world.cli).await;
    let whole = std::fs::read(&file).expect("the file");
    let path = world.dir.join("hostile");
    let shown = path.display().to_string();
    let args = ["tenant", "import", &shown, "--name", "new"];
    for (what, bytes) in [
        ("cut", whole[..whole.len() * 2 / 3].to_vec()),
        ("cut at its end", whole[..whole.len() - 1].to_vec()),
        ("one byte", {
            let mut bytes = whole.clone();
            bytes[whole.len() / 2] ^= 1;
            bytes
        }),
        ("empty", Vec::new()),
        ("no zstd", b"hello".to_vec()),
        (
            "with something behind",
            [whole.clone(), zstd::encode_all(&b"{}\n"[..], 1).unwrap()].concat(),
        ),
    ] {
        std::fs::write(&path, bytes).expect("a file");
        let refused = world.cli.run(&args).await.expect_refused();
        assert!(refused.stderr.contains("hostile"), "{what}: {}", refused.stderr);
    }
    // Lines that are good each, without the seal that fits.
    let mut good = lines(&file);
    let row = first(&good, "alert");
    sealed(&path, &good);
    let text = zstd::decode_all(std::fs::read(&path).unwrap().as_slice()).unwrap();
    let text = String::from_utf8(text).unwrap();
    for (what, forged) in [
        ("a changed row", text.replacen("192.0.2.1", "192.0.2.9", 1)),
        ("a row less", text.replacen(&format!("{}\n", good[row]), "", 1)),
        (
            "no end",
            text.lines().take(row + 1).map(|l| format!("{l}\n")).collect(),
        ),
        ("half a line", text[..text.len() - 30].to_owned()),
    ] {
        std::fs::write(&path, zstd::encode_all(forged.as_bytes(), 1).unwrap()).unwrap();
        let refused = world.cli.run(&args).await.expect_refused();
        assert!(refused.stderr.contains("line "), "{what}: {}", refused.stderr);
    }
    for (what, change, why) in hostile() {
        let mut bad = good.clone();
        change(&mut bad);
        sealed(&path, &bad);
        let refused = world.cli.run(&args).await.expect_refused();
        assert!(
            refused.stderr.contains(why) && refused.stderr.contains("line"),
            "{what}: {}",
            refused.stderr
        );
        assert_eq!(tenants(&world.cli).await, before, "{what}");
    }
    let client = world.db.client().await;
    wait::until_true("nothing is left", wait::secs(30), || async {
        left(&client).await == 0
    })
    .await;
    world.cli.run(&["audit", "verify"]).await.expect_ok();
    // A lie about its own name harms nobody, and what is good comes in.
    good[0] = changed(&good[0], |head| head["tenant"]["name"] = json!("default"));
    sealed(&path, &good);
    let made = world.cli.json(&args).await;
    assert_eq!(made["counts"]["alert"], 3, "{made}");
    assert_eq!(tenants(&world.cli).await.len(), before.len() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_import_left_is_neither_seen_nor_kept() {
    let world = World::start().await;
    let client = world.db.client().await;
    // As an import has it that works, and then as one that was killed.
    let sql = "WITH t AS (INSERT INTO tenant (name, dedupe_key, removed_at) VALUES ('importing x', decode(repeat('00', 32), 'hex'), now())
                 RETURNING id),
               e AS (INSERT INTO tenant_erasure (tenant_id, actor, asked_at, owner, lease_until, importing)
                 SELECT id, 'x', now() - interval '1 minute', gen_random_uuid(), now() + interval '1 hour', true FROM t),
               a AS (INSERT INTO alert (tenant_id, key, received_at, forward_state, filtered, has_decisions, scenario)
                 SELECT id, gen_random_uuid(), now() - interval '9000 days', 1, false, false, 'x' FROM t)
               SELECT id FROM t";
    let sql = sql.replace(
        "gen_random_uuid(), now() - interval '9000",
        "time_key(now()), now() - interval '9000",
    );
    let id: i32 = client.query_one(&sql, &[]).await.expect("rows").get(0);
    assert_eq!(tenants(&world.cli).await, ["\"default\""]);
    let root = super::tenants::admin(&world).await;
    root.get(&format!("/api/tenants/{id}")).await.expect(404);
    let rows = "SELECT count(*) FROM alert WHERE tenant_id = $1";
    world.settle().await;
    assert_eq!(
        client
            .query_one(rows, &[&id])
            .await
            .expect("rows")
            .get::<_, i64>(0),
        1
    );
    let lapse = "UPDATE tenant_erasure SET lease_until = now() WHERE tenant_id = $1";
    client.execute(lapse, &[&id]).await.expect("lapse");
    wait::until_true("it is erased", wait::secs(30), || async {
        let done = "SELECT done_at IS NOT NULL FROM tenant_erasure WHERE tenant_id = $1";
        client.query_one(done, &[&id]).await.expect("state").get(0)
    })
    .await;
    assert_eq!(
        client
            .query_one(rows, &[&id])
            .await
            .expect("rows")
            .get::<_, i64>(0),
        0
    );
}
