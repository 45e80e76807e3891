//! What the kernel knows of this process, under the names that every Prometheus client gives it.

use std::fs;

/// Of /proc a second, on every Linux.
const TICKS: f64 = 100.0;

/// Reads /proc; what is not there is left out.
pub fn record() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    if let Some(kilobytes) = resident.and_then(|line| field(line, 0)) {
        metrics::gauge!("process_resident_memory_bytes").set(kilobytes * 1024.0);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    if let (Some(user), Some(system), Some(threads)) = (field(rest, 11), field(rest, 12), field(rest, 17)) {
        metrics::gauge!("process_cpu_seconds_total").set((user + system) / TICKS);
        metrics::gauge!("process_threads").set(threads);
    }
    if let (Some(after_boot), Some(booted)) = (field(rest, 19), boot_time()) {
        metrics::gauge!("process_start_time_seconds").set(booted + after_boot / TICKS);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory that is being read.
        let open = u32::try_from(open.count()).unwrap_or(u32::MAX).saturating_sub(1);
        metrics::gauge!("process_open_fds").set(open);
    }
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    if let Some(most) = files.and_then(|line| field(line, 0)) {
        metrics::gauge!("process_max_fds").set(most);
    }
}

fn field(text: &str, n: usize) -> Option<f64> {
    text.split_ascii_whitespace().nth(n)?.parse().ok()
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    field(stat.lines().find_map(|line| line.strip_prefix("btime"))?, 0)
}
