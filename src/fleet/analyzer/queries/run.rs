//! Runs: what they find is acted upon and remembered in one transaction.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::db::{By, Db, DbError, Entry, Tenant, TenantTx, sql};
use crate::fleet::analyzer::model::{
    Analyzer, DAYS_KEPT, DECISION_LIMIT, Finding, Found, Outcome, Push, RESULT_LIMIT, RUNS_KEPT, Run,
};
use crate::fleet::decision::{self, ANALYZER_ORIGIN, Claim, Fact, Source};
use crate::fleet::lapi::Server;
use crate::fleet::{allowlist, lapi};
use crate::jobs::{Lease, hold};

/// How long the lease is prolonged by the transaction that ends a run.
const TERM: Duration = Duration::from_secs(20);

fn run(row: &Row) -> Run {
    Run {
        id: row.get("id"),
        analyzer: row.get("analyzer_id"),
        by_hand: row.get("by_hand"),
        started_at: row.get("started_at"),
        completed_at: row.get("completed_at"),
        error: row.get("error"),
        lines: row.get("lines"),
        skipped: row.get("skipped"),
        detections: row.get("detections"),
        decisions: row.get("decisions"),
        refused: row.get("refused"),
        truncated: row.get("truncated"),
        results: row.try_get("results").ok(),
        pushes: row.get("pushes"),
    }
}

/// The runs of an analyzer that are kept, newest first.
///
/// # Errors
/// As the statement fails.
pub async fn list_runs(db: &Db, tenant: Tenant, analyzer: i64, limit: i64) -> Result<Vec<Run>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(
            sql!("analyzer/list_runs"),
            &[&tenant.id(), &analyzer, &limit, &DAYS_KEPT],
        )
        .await?;
    tx.commit().await?;
    Ok(rows.iter().map(run).collect())
}

/// The last run of each analyzer, or of one, by its number.
///
/// # Errors
/// As the statement fails.
pub async fn list_last(db: &Db, tenant: Tenant, analyzer: Option<i64>) -> Result<HashMap<i64, Run>, DbError> {
    let mut connection = db.read_connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("analyzer/list_last"), &[&tenant.id(), &analyzer])
        .await?;
    tx.commit().await?;
    Ok(rows.iter().map(run).map(|run| (run.analyzer, run)).collect())
}

/// Up to which line each of these values was acted upon.
///
/// # Errors
/// As the statement fails.
pub async fn list_marks(
    db: &Db,
    tenant: Tenant,
    analyzer: i64,
    values: &[&str],
) -> Result<HashMap<String, i64>, DbError> {
    let mut connection = db.connection().await?;
    let tx = db.tenant(&mut connection, tenant).await?;
    let rows = tx
        .query(sql!("analyzer/list_marks"), &[&tenant.id(), &analyzer, &values])
        .await?;
    tx.commit().await?;
    let mark = |row: &Row| (row.get("value"), row.get("acted_ns"));
    Ok(rows.iter().map(mark).collect())
}

/// A run that has looked.
pub struct Turn<'a> {
    /// The right to act.
    pub lease: &'a Lease,
    /// Whose.
    pub analyzer: &'a Analyzer,
    /// Whether a person asked for it.
    pub by_hand: bool,
    /// When it began.
    pub started: Timestamp,
}

/// What a run did.
#[derive(Default)]
struct Done {
    lines: usize,
    skipped: usize,
    detections: usize,
    decisions: usize,
    refused: usize,
    truncated: Vec<String>,
    results: Vec<Finding>,
    pushes: Vec<Push>,
}

/// Acts upon what was found, and remembers the run; or remembers why nothing was found. None when somebody else has the
/// lane by now: nothing was done.
///
/// # Errors
/// As the statements fail.
pub async fn finish(db: &Db, turn: &Turn<'_>, found: Result<Found, String>) -> Result<Option<Run>, DbError> {
    let tenant = turn.lease.tenant;
    let servers = lapi::list(db, tenant).await?;
    let found = found.and_then(|found| match places(turn.analyzer, &servers) {
        Ok(places) => Ok((found, places)),
        Err(why) => Err(why),
    });
    let mut connection = db.connection().await?;
    let tx = db.planned(&mut connection, tenant).await?;
    let (done, error) = match found {
        Ok((found, places)) => (act(&tx, turn, found, places).await?, None),
        Err(why) => (Done::default(), Some(why)),
    };
    let run = insert_run(&tx, turn, done, error).await?;
    let id = turn.analyzer.id;
    tx.execute(
        sql!("analyzer/delete_runs"),
        &[&tenant.id(), &id, &RUNS_KEPT, &DAYS_KEPT],
    )
    .await?;
    // Last but one: whoever wakes the lanes of all tenants waits for this row.
    if !hold(&tx, turn.lease, TERM).await? {
        return Ok(None);
    }
    // What it found by itself and did nothing about is among its runs.
    if turn.by_hand || run.decisions > 0 {
        let by_itself = By::auto("analyzer");
        let details = json!({ "decisions": run.decisions, "detections": run.detections, "error": run.error });
        let entry = Entry::done("analyzer.run", &turn.analyzer.slug, details);
        if turn.by_hand {
            tx.record_entry(entry).await?;
        } else {
            tx.record_by(&by_itself, entry).await?;
        }
    }
    tx.commit().await?;
    Ok(Some(run))
}

/// Where the decisions are to go: the servers' numbers, none for everywhere, and what is said of each.
struct Places {
    servers: Option<Vec<i64>>,
    pushes: Vec<Push>,
}

fn places(analyzer: &Analyzer, servers: &[Server]) -> Result<Places, String> {
    let push = |server: &str, error: Option<&str>| Push {
        server: server.to_owned(),
        success: error.is_none(),
        decisions_pushed: 0,
        error: error.map(str::to_owned),
    };
    let of = |server: &Server| {
        let error = (!server.can_ban()).then_some("has no machine credentials configured");
        push(&server.name, error)
    };
    if analyzer.rule.is_everywhere() {
        return Ok(Places {
            servers: None,
            pushes: servers.iter().map(of).collect(),
        });
    }
    let (mut numbers, mut pushes) = (Vec::new(), Vec::new());
    for name in &analyzer.rule.targets {
        match servers.iter().find(|server| server.name == *name) {
            Some(server) => {
                numbers.push(server.id);
                pushes.push(of(server));
            }
            None => pushes.push(push(name, Some("LAPI server not found"))),
        }
    }
    if numbers.is_empty() {
        return Err("none of the targets is a LAPI server".to_owned());
    }
    Ok(Places {
        servers: Some(numbers),
        pushes,
    })
}

async fn act(tx: &TenantTx<'_>, turn: &Turn<'_>, found: Found, places: Places) -> Result<Done, DbError> {
    let (analyzer, rule) = (turn.analyzer, &turn.analyzer.rule);
    let mut done = Done {
        lines: found.lines,
        skipped: found.skipped,
        detections: found.wanted.len() + found.refused.len(),
        truncated: found.truncated,
        results: found.refused,
        ..Done::default()
    };
    let mut wanted = found.wanted;
    let later = wanted.split_off(wanted.len().min(DECISION_LIMIT));
    let now = Timestamp::now();
    let length = SignedDuration::from_secs(rule.decision.seconds());
    let until = now.checked_add(length).unwrap_or(now);
    let claim = |(_, fact, _): &(Finding, Fact, i64)| Claim {
        fact: fact.clone(),
        source: Source::Analyzer(analyzer.id),
        origin: ANALYZER_ORIGIN.to_owned(),
        scenario: rule.decision.scenario.clone(),
        until,
        uuid: None,
    };
    let claims: Vec<Claim> = wanted.iter().map(claim).collect();
    let changed = decision::upsert(tx, &claims).await?;
    let (reason, actor) = (&rule.decision.reason, format!("analyzer {}", analyzer.slug));
    decision::update_told(
        tx,
        analyzer.id,
        &changed,
        places.servers.as_deref(),
        reason,
        &actor,
    )
    .await?;
    decision::announce(tx, &changed, true).await?;
    let changed: HashSet<Uuid> = changed.into_iter().collect();
    let mut marks = (Vec::new(), Vec::new());
    for (mut finding, fact, last) in wanted {
        // What the set did not take up is on an allowlist, or holds for longer already.
        if let Some(why) = refusal(tx, &changed, &fact).await? {
            (finding.outcome, finding.reason) = (Outcome::Refused, Some(why));
        } else {
            done.decisions += 1;
            marks.0.push(finding.group_value.clone());
            marks.1.push(last);
        }
        done.results.push(finding);
    }
    done.refused = done.results.len() - done.decisions;
    tx.execute(
        sql!("analyzer/upsert_marks"),
        &[&tx.tenant().id(), &analyzer.id, &marks.0, &marks.1],
    )
    .await?;
    let (from, _) = analyzer.window(turn.started);
    // A little earlier: Grafana counts in milliseconds.
    let from = i64::try_from(from.as_nanosecond()).unwrap_or(0) - 1_000_000_000;
    tx.execute(
        sql!("analyzer/delete_marks"),
        &[&tx.tenant().id(), &analyzer.id, &from],
    )
    .await?;
    if !later.is_empty() {
        done.truncated.push(format!(
            "{} detections are left to the next run: a run takes up {DECISION_LIMIT}",
            later.len()
        ));
    }
    let left = |(mut finding, _, _): (Finding, Fact, i64)| {
        finding.outcome = Outcome::Later;
        finding
    };
    done.results.extend(later.into_iter().map(left));
    done.results
        .sort_by(|a, b| (b.distinct_count, &a.group_value).cmp(&(a.distinct_count, &b.group_value)));
    if done.results.len() > RESULT_LIMIT {
        done.truncated.push(format!(
            "{RESULT_LIMIT} of {} detections are listed",
            done.results.len()
        ));
        done.results.truncate(RESULT_LIMIT);
    }
    done.pushes = places.pushes;
    for push in done.pushes.iter_mut().filter(|push| push.success) {
        push.decisions_pushed = done.decisions;
    }
    Ok(done)
}

async fn refusal(tx: &TenantTx<'_>, changed: &HashSet<Uuid>, fact: &Fact) -> Result<Option<String>, DbError> {
    let Some(block) = fact.block.filter(|_| !changed.contains(&fact.key())) else {
        return Ok(None);
    };
    let covering = allowlist::covering(tx, &block).await?;
    Ok(covering.map(|covering| format!("{} is on the allowlist {}", covering.value, covering.list)))
}

async fn insert_run(
    tx: &TenantTx<'_>,
    turn: &Turn<'_>,
    done: Done,
    error: Option<String>,
) -> Result<Run, DbError> {
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let json = |value: serde_json::Result<Value>| value.map_err(|e| DbError::Internal(e.to_string()));
    let results = json(serde_json::to_value(&done.results))?;
    let pushes = json(serde_json::to_value(&done.pushes))?;
    let mut run = Run {
        id: 0,
        analyzer: turn.analyzer.id,
        by_hand: turn.by_hand,
        started_at: turn.started,
        completed_at: turn.started,
        error: error.map(|text| text.chars().take(500).collect()),
        lines: count(done.lines),
        skipped: count(done.skipped),
        detections: count(done.detections),
        decisions: count(done.decisions),
        refused: count(done.refused),
        truncated: done.truncated,
        results: Some(results),
        pushes,
    };
    let row = tx
        .query_opt(
            sql!("analyzer/insert_run"),
            &[
                &tx.tenant().id(),
                &run.analyzer,
                &run.by_hand,
                &run.started_at,
                &run.error,
                &run.lines,
                &run.skipped,
                &run.detections,
                &run.decisions,
                &run.refused,
                &run.truncated,
                &run.results,
                &run.pushes,
            ],
        )
        .await?;
    let row = row.ok_or_else(|| DbError::Internal("a run was not stored".to_owned()))?;
    run.id = row.get("id");
    run.completed_at = row.get("completed_at");
    Ok(run)
}
