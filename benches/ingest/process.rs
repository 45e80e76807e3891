//! What the kernel tells of processes, in /proc.

use std::fs;

use crate::service::Service;

/// Clock ticks a second, on every Linux that Rust runs on.
const TICKS: f64 = 100.0;

/// Resident memory in megabytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// `VmRSS` of the service.
    pub service: f64,
    /// Of the cluster: what its processes have for themselves, and the shared buffers they touched, once.
    pub postgres: f64,
}

impl Memory {
    pub fn of(service: &Service) -> Self {
        let cluster = cluster(service.postmaster);
        let own: f64 = cluster.iter().map(|pid| status(*pid, "RssAnon:")).sum();
        let shared = cluster
            .iter()
            .map(|pid| status(*pid, "RssShmem:"))
            .fold(0.0, f64::max);
        Self {
            service: status(service.pid, "VmRSS:"),
            postgres: own + shared,
        }
    }
}

/// A field of /proc/PID/status in megabytes.
pub fn status(pid: u32, field: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes: f64 = value
        .and_then(|v| v.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    kilobytes / 1024.0
}

/// The fields of /proc/PID/stat from the third on: those after the name in parentheses.
fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split_whitespace().map(str::to_owned).collect()
}

/// The sum of some fields of /proc/PID/stat, numbered as in proc(5), in seconds.
fn times(pid: u32, fields: std::ops::RangeInclusive<usize>) -> f64 {
    let stat = stat(pid);
    let of = |n: usize| {
        stat.get(n - 3)
            .and_then(|v| v.parse::<f64>().ok())
            .unwrap_or_default()
    };
    fields.map(of).sum::<f64>() / TICKS
}

/// Processor time of a process: utime and stime.
pub fn cpu_seconds(pid: u32) -> f64 {
    times(pid, 14..=15)
}

/// Processor time of a cluster: the postmaster's with its ended children's (cutime, cstime), and its living children's.
pub fn cpu_of_cluster(postmaster: u32) -> f64 {
    let children = cluster(postmaster).into_iter().filter(|pid| *pid != postmaster);
    times(postmaster, 14..=17) + children.map(cpu_seconds).sum::<f64>()
}

/// The postmaster and its children.
fn cluster(postmaster: u32) -> Vec<u32> {
    let parent = postmaster.to_string();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid == postmaster || stat(*pid).get(1) == Some(&parent))
        .collect()
}

/// How busy the machine was, in the kernel's words.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The name of the processor.
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or_else(
        || "unknown".to_owned(),
        |n| n.trim_start_matches([':', '\t', ' ']).to_owned(),
    )
}
