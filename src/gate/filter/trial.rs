//! What rules would do, shown before they do it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{Expr, Geo, Mode, Rule, Ruleset, judge};
use super::queries::{self, StoredBatch};
use super::routes::ModeName;
use crate::db::{DbError, Tenant};
use crate::gate::Gate;
use crate::gate::signal::model::{self as signal, Signal};
use crate::http::ApiError;
use crate::outbound::geoip::Files;

/// Most stored alerts that one trial looks at.
const LOOKED_AT: usize = 100_000;
/// Longest replay; what was not reached is said.
const REPLAY: Duration = Duration::from_secs(15);
/// Most examples that are shown of each kind of change.
const EXAMPLES: usize = 20;

/// What to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialBody {
    /// Signals to judge.
    #[serde(default)]
    #[schema(value_type = Option<Vec<Object>>)]
    signals: Option<Vec<Value>>,
    /// Judge the alerts of so many last days again instead, 1 to 90.
    #[serde(default)]
    days: Option<i32>,
    /// Conditions to judge by instead of the stored rules.
    #[serde(default)]
    rules: Option<Vec<TrialRule>>,
    /// How to read them.
    #[serde(default)]
    mode: Option<ModeName>,
}

/// A condition to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialRule {
    #[serde(default)]
    name: String,
    #[schema(value_type = Object)]
    filter: Value,
}

/// What would become of one given signal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    filtered: bool,
    /// Names of the rules that match.
    rules: Vec<String>,
    reasons: Vec<String>,
}

/// What would change for stored alerts.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Alerts looked at, newest first.
    examined: usize,
    /// False when there are more than were looked at.
    complete: bool,
    filtered_now: usize,
    filtered_then: usize,
    /// How many would newly be kept back, and examples.
    newly_filtered: usize,
    newly_filtered_ids: Vec<i64>,
    /// How many would newly leave, and examples.
    newly_passed: usize,
    newly_passed_ids: Vec<i64>,
}

/// The outcome of a trial.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrialView {
    /// One for each given signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    signals: Option<Vec<Judged>>,
    /// For stored alerts.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Replay>,
}

/// Runs a trial.
pub async fn run(gate: &Gate, tenant: Tenant, body: TrialBody) -> Result<TrialView, ApiError> {
    let stored = gate.rules.of(&gate.app.db, tenant).await?;
    let mode = body.mode.map_or(stored.mode, Mode::from);
    let ruleset = match body.rules {
        Some(drafts) => Ruleset::new(mode, 0, compile(drafts)?),
        None if body.mode.is_some() => Ruleset::new(
            mode,
            0,
            queries::load(&gate.app.db, tenant, None)
                .await?
                .map_or_else(Vec::new, |set| set.rules),
        ),
        None => (*stored).clone(),
    };
    match (body.signals, body.days) {
        (Some(signals), None) => {
            if signals.len() > signal::ITEM_LIMIT {
                return Err(ApiError::field(
                    "signals",
                    format!("must be at most {}", signal::ITEM_LIMIT),
                ));
            }
            let places = gate.app.geoip.files();
            let judged = in_turn(move || judge_all(&signals, &ruleset, &places)).await?;
            let judged =
                judged.ok_or_else(|| ApiError::field("signals", "take too long to judge by these rules"))?;
            Ok(TrialView {
                signals: Some(judged),
                replay: None,
            })
        }
        (None, Some(days)) if (1..=90).contains(&days) => Ok(TrialView {
            signals: None,
            replay: Some(replay(gate, tenant, days, ruleset).await?),
        }),
        (None, Some(_)) => Err(ApiError::field("days", "must be 1 to 90")),
        _ => Err(ApiError::field("body", "must hold either signals or days")),
    }
}

fn compile(drafts: Vec<TrialRule>) -> Result<Vec<Rule>, ApiError> {
    if drafts.len() > 200 {
        return Err(ApiError::field("rules", "must be at most 200"));
    }
    let rule = |(n, draft): (usize, TrialRule)| {
        let expr = Expr::parse(&draft.filter)
            .map_err(|e| ApiError::field(format!("rules[{n}].filter"), e.to_string()))?;
        let name = if draft.name.is_empty() {
            format!("rule {}", n + 1)
        } else {
            draft.name
        };
        Ok(Rule {
            id: i64::try_from(n).unwrap_or(0),
            name,
            expr,
        })
    };
    drafts.into_iter().enumerate().map(rule).collect()
}

/// Runs work that takes a core for a while: one at a time in this process, and not where requests are answered.
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    static TURN: Semaphore = Semaphore::const_new(1);
    let turn = tokio::time::timeout(Duration::from_secs(10), TURN.acquire()).await;
    let _turn = turn.map_err(|_| ApiError::Unavailable(5))?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| DbError::Internal(e.to_string()).into())
}

/// None when it takes longer than five seconds.
fn judge_all(signals: &[Value], rules: &Ruleset, places: &Files) -> Option<Vec<Judged>> {
    let begun = Instant::now();
    let one = |value| (begun.elapsed() < Duration::from_secs(5)).then(|| judged(value, rules, places));
    signals.iter().map(one).collect()
}

fn judged(value: &Value, rules: &Ruleset, places: &Files) -> Judged {
    let geo = signal::parse(&value.to_string())
        .map_or_else(|_| Geo::default(), |(signal, _)| looked_up(signal, places).geo);
    let verdict = judge(value, &geo, rules);
    let name = |id: &i64| {
        rules
            .rules
            .iter()
            .find(|r| r.id == *id)
            .map_or_else(String::new, |r| r.name.clone())
    };
    Judged {
        filtered: verdict.filtered,
        rules: verdict.rule_ids.iter().map(name).collect(),
        reasons: verdict.reasons,
    }
}

/// As a push of it now would be.
fn looked_up(mut signal: Signal, places: &Files) -> Signal {
    if let Some(place) = signal::address(&signal).and_then(|address| places.place(address)) {
        signal::enrich(&mut signal, place);
    }
    signal
}

async fn replay(gate: &Gate, tenant: Tenant, days: i32, rules: Ruleset) -> Result<Replay, ApiError> {
    let mut total = Replay {
        complete: true,
        ..Replay::default()
    };
    let mut before = Uuid::max();
    let rules = Arc::new(rules);
    let places = gate.app.geoip.files();
    let begun = Instant::now();
    loop {
        let batches = queries::list_batches(&gate.app.db, tenant, before, days, 8).await?;
        let Some(last) = batches.last() else {
            return Ok(total);
        };
        before = last.id;
        if total.examined >= LOOKED_AT {
            total.complete = false;
            return Ok(total);
        }
        let (rules, places) = (rules.clone(), places.clone());
        total = in_turn(move || {
            for batch in &batches {
                if begun.elapsed() > REPLAY {
                    total.complete = false;
                    break;
                }
                examine(batch, &rules, &places, &mut total);
            }
            total
        })
        .await?;
        if !total.complete {
            return Ok(total);
        }
    }
}

fn examine(batch: &StoredBatch, rules: &Ruleset, places: &Files, total: &mut Replay) {
    let Ok(body) = zstd::decode_all(batch.body.as_slice()) else {
        return;
    };
    for &(id, offset, length, then) in &batch.alerts {
        let (Ok(from), Ok(length)) = (usize::try_from(offset), usize::try_from(length)) else {
            continue;
        };
        let Some(text) = body
            .get(from..from.saturating_add(length))
            .and_then(|b| std::str::from_utf8(b).ok())
        else {
            continue;
        };
        let Ok((signal, value)) = signal::parse(text) else {
            continue;
        };
        let now = judge(&value, &looked_up(signal, places).geo, rules).filtered;
        total.examined += 1;
        total.filtered_then += usize::from(then);
        total.filtered_now += usize::from(now);
        let (count, ids) = match (then, now) {
            (false, true) => (&mut total.newly_filtered, &mut total.newly_filtered_ids),
            (true, false) => (&mut total.newly_passed, &mut total.newly_passed_ids),
            _ => continue,
        };
        *count += 1;
        if ids.len() < EXAMPLES {
            ids.push(id);
        }
    }
}
