//! The table, and what it says about the goals.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::load::Sample;
use crate::process;
use crate::settings::Settings;

/// Signals a batch, and how many connections send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub connections: usize,
    pub batch: usize,
}

/// The cell that the goals are about.
pub const GOAL: Cell = Cell {
    connections: 8,
    batch: 50,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    Service,
    Limit,
    Forwarding,
}

#[derive(Default)]
pub struct Results {
    samples: BTreeMap<(Cell, Side), Vec<Sample>>,
    /// Signals a second that reached the stand-in of CAPI, round by round.
    pub forwarded: Vec<f64>,
    /// Connections the service's pool opened.
    pub pool: u32,
    /// The most memory the service had, in megabytes.
    pub peak: f64,
}

pub fn title(settings: &Settings, postgres: &str, load: &str) -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{}: {cores} cores ({}), PostgreSQL {postgres}, fsync on, load average {load}\n\
         {} rounds, {} s a cell after {} ms of warm-up",
        jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
        process::processor(),
        settings.rounds,
        settings.measured.as_secs(),
        settings.warm_up.as_millis()
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

impl Results {
    pub fn add(&mut self, side: Side, cell: Cell, sample: Sample) {
        self.samples.entry((cell, side)).or_default().push(sample);
    }

    fn of(&self, cell: Cell, side: Side) -> &[Sample] {
        self.samples.get(&(cell, side)).map_or(&[], Vec::as_slice)
    }

    /// The median over the rounds of one figure.
    fn figure(&self, cell: Cell, side: Side, figure: impl Fn(&Sample) -> f64) -> f64 {
        median(self.of(cell, side).iter().map(figure).collect())
    }

    fn ratio(&self, cell: Cell, side: Side, figure: impl Fn(&Sample) -> f64) -> f64 {
        self.figure(cell, side, &figure) / self.figure(cell, Side::Limit, &figure)
    }

    /// The last round of a cell, in a few words.
    pub fn progress(&self, cell: Cell) -> String {
        let last = |side| {
            self.of(cell, side)
                .last()
                .map_or(f64::NAN, |s| s.alerts_per_second)
        };
        let (service, limit) = (last(Side::Service), last(Side::Limit));
        format!(
            "{} x {}: service {service:.0}/s, limit {limit:.0}/s, {:.2}",
            cell.connections,
            cell.batch,
            service / limit
        )
    }

    pub fn table(&self) -> String {
        let mut out = "\n| connections × batch | | alerts/s | p50 ms | p95 ms | p99 ms | CPU service | CPU Postgres | CPU generator | RSS service MB | memory Postgres MB | of the limit | p99 to the limit's |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
            .to_owned();
        for (cell, side) in self.samples.keys() {
            let of = |figure: fn(&Sample) -> f64| self.figure(*cell, *side, figure);
            let name = match side {
                Side::Service => "service",
                Side::Limit => "limit",
                Side::Forwarding => "service, forwarding ¹",
            };
            let ratios = if *side == Side::Limit {
                "| ".to_owned()
            } else {
                format!(
                    "{:.0} % | {:.1}",
                    100.0 * self.ratio(*cell, *side, |s| s.alerts_per_second),
                    self.ratio(*cell, *side, |s| s.ms[2])
                )
            };
            let memory = if *side == Side::Limit {
                "–".to_owned()
            } else {
                format!("{:.0}", of(|s| s.memory.service))
            };
            let _ = writeln!(
                out,
                "| {} × {} | {name} | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} | {memory} | {:.0} | {ratios} |",
                cell.connections,
                cell.batch,
                of(|s| s.alerts_per_second),
                of(|s| s.ms[0]),
                of(|s| s.ms[1]),
                of(|s| s.ms[2]),
                of(|s| s.cpu[0]),
                of(|s| s.cpu[1]),
                of(|s| s.cpu[2]),
                of(|s| s.memory.postgres),
            );
        }
        out.push_str("\nCPU: seconds of processor time a second. ");
        if !self.forwarded.is_empty() {
            let _ = write!(
                out,
                "¹ To a stand-in of CAPI inside the generator, which took {:.0} signals a second meanwhile; not to be compared with the limit.",
                median(self.forwarded.clone())
            );
        }
        out.push('\n');
        out
    }

    pub fn verdict(&self) -> String {
        let mut out = format!(
            "No request failed, and every acknowledged alert is stored once. The service's pool opened {} connections; \
             its memory peaked at {:.0} MB (goal: below 150).\n",
            self.pool, self.peak
        );
        if self.of(GOAL, Side::Service).is_empty() {
            return out;
        }
        let rounds: Vec<String> = self
            .of(GOAL, Side::Service)
            .iter()
            .zip(self.of(GOAL, Side::Limit))
            .map(|(s, l)| format!("{:.0} %", 100.0 * s.alerts_per_second / l.alerts_per_second))
            .collect();
        let _ = write!(
            out,
            "8 connections x 50: {:.0} % of the limit (goal: 60; round by round {}), p99 {:.1} times the limit's (goal: 4).",
            100.0 * self.ratio(GOAL, Side::Service, |s| s.alerts_per_second),
            rounds.join(", "),
            self.ratio(GOAL, Side::Service, |s| s.ms[2])
        );
        out
    }
}
