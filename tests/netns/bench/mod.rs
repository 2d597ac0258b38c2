//! `netns bench NAME`: measurements, never a test. Those beside an original run both in turn on the same kernel, and what
//! counts are the ratios: the machine may be emulated and is never idle.
//!
//! `ipvs` and `beside` (ldirectord, keepalived) need a kernel that has IPVS; `native` is the daemon as it is, on a kernel of the
//! tests'. `heartbeat` needs no IPVS. Each prints a table.

mod beside;
mod director;
mod heartbeat;
mod ipvs;
mod native;

use std::process::ExitCode;

/// `netns bench heartbeat`, `netns bench ipvs`, `netns bench ldirectord native|beside`, and the daemon that `native` measures.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    match words {
        ["ipvs"] => ipvs::run()?,
        ["ldirectord", "native"] => native::run()?,
        ["ldirectord", "beside"] => beside::run()?,
        ["heartbeat"] => heartbeat::run()?,
        ["director", file] => return director::run(file),
        _ => anyhow::bail!("bench: heartbeat, ipvs, ldirectord native, ldirectord beside"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The middle of some figures, and the largest.
fn middle_and_largest(mut of: Vec<f64>) -> (f64, f64) {
    of.sort_by(f64::total_cmp);
    (of.get(of.len() / 2).copied().unwrap_or(f64::NAN), of.last().copied().unwrap_or(f64::NAN))
}

/// Processor time of a process so far, seconds, and its resident memory, MiB.
fn used(pid: u32) -> anyhow::Result<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // Own and waited-for children's, user and system: fields 14 to 17 of proc(5), the first here being the third.
    let ticks: f64 = fields.iter().skip(11).take(4).filter_map(|f| f.parse::<f64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rss =
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
    Ok((ticks / 100.0, rss.unwrap_or(f64::NAN) / 1024.0))
}
