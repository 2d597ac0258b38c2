//! The live view: what each service and real server got per second between two looks.

use std::collections::HashMap;

use serde::Serialize;

use crate::cli::ipvsadm::render::json;
use crate::ipvs::model::{DestKey, Forward, ServiceEntry, ServiceKey, Stats};

/// Counters at one look, by service and, for its own, no real server.
pub(in crate::cli::ipvs) type Counters = HashMap<(ServiceKey, Option<DestKey>), Stats>;

/// What happened per second between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(in crate::cli::ipvs) struct Rates {
    connections: f64,
    incoming_packets: f64,
    outgoing_packets: f64,
    incoming_bytes: f64,
    outgoing_bytes: f64,
}

/// The counters of a look.
pub(in crate::cli::ipvs) fn counters(entries: &[ServiceEntry]) -> Counters {
    let all = entries.iter().flat_map(|entry| {
        let key = entry.service.key;
        let dests = entry.dests.iter().map(move |d| ((key, Some(d.dest.key)), d.stats));
        dests.chain([((key, None), entry.stats)])
    });
    all.collect()
}

/// The counters before and the seconds since then.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli::ipvs) struct Since<'a> {
    pub(in crate::cli::ipvs) before: &'a Counters,
    pub(in crate::cli::ipvs) seconds: f64,
}

impl Since<'_> {
    /// `None` for what was not there before.
    fn rates(&self, key: (ServiceKey, Option<DestKey>), now: &Stats) -> Option<Rates> {
        let before = self.before.get(&key)?;
        // Counters that went back were set to zero in between.
        let rate = |now: u64, before: u64| to_f64(now.checked_sub(before).unwrap_or(now)) / self.seconds;
        Some(Rates {
            connections: rate(now.conns, before.conns),
            incoming_packets: rate(now.in_packets, before.in_packets),
            outgoing_packets: rate(now.out_packets, before.out_packets),
            incoming_bytes: rate(now.in_bytes, before.in_bytes),
            outgoing_bytes: rate(now.out_bytes, before.out_bytes),
        })
    }
}

/// The look as lines. `time`: for the first one. The first look, `since` `None`, has no rates yet.
pub(in crate::cli::ipvs) fn table(time: &str, entries: &[ServiceEntry], since: Option<Since<'_>>) -> String {
    let mut out = format!(
        "{time}\n{:<40} {:>7} {:>6} {:>8} {:>8} {:>8} {:>9} {:>9} {:>10} {:>10}\n",
        "SERVICE -> REAL SERVER",
        "FORWARD",
        "WEIGHT",
        "ACTIVE",
        "INACTIVE",
        "CONN/s",
        "IN PKT/s",
        "OUT PKT/s",
        "IN BYTE/s",
        "OUT BYTE/s"
    );
    if entries.is_empty() {
        out.push_str("(no services)\n");
    }
    for entry in entries {
        let key = entry.service.key;
        let numbers = |dest, stats: &Stats| {
            let rates = since.and_then(|s| s.rates((key, dest), stats));
            let r = |of: fn(&Rates) -> f64| rates.as_ref().map_or_else(|| "-".to_owned(), |r| short(of(r)));
            format!(
                "{:>8} {:>9} {:>9} {:>10} {:>10}",
                r(|r| r.connections),
                r(|r| r.incoming_packets),
                r(|r| r.outgoing_packets),
                r(|r| r.incoming_bytes),
                r(|r| r.outgoing_bytes)
            )
        };
        let sum = |of: fn(&crate::ipvs::model::DestEntry) -> u32| entry.dests.iter().map(|d| u64::from(of(d))).sum::<u64>();
        let (name, scheduler) = (key.to_string(), &entry.service.scheduler);
        let (active, inactive) = (sum(|d| d.active), sum(|d| d.inactive));
        out.push_str(&format!("{name:<40} {scheduler:>7} {:>6} {active:>8} {inactive:>8} {}\n", "", numbers(None, &entry.stats)));
        for d in &entry.dests {
            let (name, weight) = (format!("  -> {}", d.dest.key), d.dest.weight);
            let numbers = numbers(Some(d.dest.key), &d.stats);
            let forward = method(d.dest.forward);
            out.push_str(&format!("{name:<40} {forward:>7} {weight:>6} {:>8} {:>8} {numbers}\n", d.active, d.inactive));
        }
    }
    out
}

/// One look as one line of JSON.
#[derive(Debug, Serialize)]
struct Look<'a> {
    /// RFC 3339.
    time: &'a str,
    /// Since the look before; `null` for the first.
    seconds: Option<f64>,
    services: Vec<Looked<json::Service<'a>>>,
    real_servers: Vec<Real>,
}

#[derive(Debug, Serialize)]
struct Looked<T> {
    #[serde(flatten)]
    of: T,
    /// `null` where there was no look before.
    per_second: Option<Rates>,
}

/// The rates of one real server; the rest is in its service.
#[derive(Debug, Serialize)]
struct Real {
    service: String,
    real_server: String,
    per_second: Option<Rates>,
}

/// The look as one line of JSON, without its newline.
pub(in crate::cli::ipvs) fn line(time: &str, entries: &[ServiceEntry], since: Option<Since<'_>>) -> String {
    let rates = |key, stats| since.and_then(|s| s.rates(key, stats));
    let services = entries
        .iter()
        .map(|e| Looked { of: json::service(e, true), per_second: rates((e.service.key, None), &e.stats) })
        .collect();
    let real_servers = entries.iter().flat_map(|e| {
        e.dests.iter().map(move |d| Real {
            service: e.service.key.to_string(),
            real_server: d.dest.key.to_string(),
            per_second: rates((e.service.key, Some(d.dest.key)), &d.stats),
        })
    });
    let look = Look { time, seconds: since.map(|s| s.seconds), services, real_servers: real_servers.collect() };
    serde_json::to_string(&look).unwrap_or_default()
}

/// What fits a screen, drawn over what was there: no line is longer than the screen, and the rest is counted.
pub(in crate::cli::ipvs) fn screen(text: &str, columns: usize, rows: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = rows.saturating_sub(1).max(1);
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    let mut out = String::from("\x1b[H");
    for line in lines.iter().take(shown) {
        out.extend(line.chars().take(columns));
        out.push_str("\x1b[K\n");
    }
    if shown < lines.len() {
        out.push_str(&format!("... {} more lines\x1b[K\n", lines.len() - shown));
    }
    out.push_str("\x1b[J");
    out
}

fn method(forward: Forward) -> &'static str {
    match forward {
        Forward::Masq => "masq",
        Forward::Local => "local",
        Forward::Ipip => "tunnel",
        Forward::Gate | Forward::Other(_) => "route",
    }
}

/// Few digits: a tenth below 10, thousands and millions above.
fn short(rate: f64) -> String {
    match rate {
        0.0 => "0".to_owned(),
        r if r < 9.95 => format!("{r:.1}"),
        r if r < 99_999.5 => format!("{r:.0}"),
        r if r < 99_999_500.0 => format!("{:.0}k", r / 1e3),
        r if r < 99_999_500_000.0 => format!("{:.0}M", r / 1e6),
        r => format!("{:.0}G", r / 1e9),
    }
}

/// Exact below 2^53, more than a machine counts between two looks.
#[allow(clippy::cast_precision_loss)]
fn to_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{Dest, DestEntry, Protocol, Service, ServiceFlags, Tunnel};

    fn look(conns: u64) -> Vec<ServiceEntry> {
        let key = ServiceKey::Addr { protocol: Protocol::Tcp, addr: "10.0.0.1".parse().unwrap(), port: 80 };
        let service =
            Service { key, scheduler: "rr".to_owned(), flags: ServiceFlags::default(), persistence: None, engine: None };
        let dest = |n: u8, conns| {
            let key = DestKey { addr: [10, 0, 1, n].into(), port: 80 };
            let dest = Dest { key, forward: Forward::Gate, weight: 1, upper: 0, lower: 0, tunnel: Tunnel::default() };
            let stats = Stats { conns, in_bytes: conns * 100, ..Stats::default() };
            DestEntry { dest, active: 2, inactive: 3, persistent: 0, stats }
        };
        let stats = Stats { conns: conns * 2, ..Stats::default() };
        vec![ServiceEntry { service, stats, dests: vec![dest(1, conns), dest(2, conns)] }]
    }

    #[test]
    fn rates_are_what_was_counted_between_two_looks() {
        let before = counters(&look(100));
        let text = table("12:00:00", &look(130), Some(Since { before: &before, seconds: 2.0 }));
        let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines[2], ["tcp", "10.0.0.1:80", "rr", "4", "6", "30", "0", "0", "0", "0"]);
        assert_eq!(lines[3], ["->", "10.0.1.1:80", "route", "1", "2", "3", "15", "0", "0", "1500", "0"]);
        let first = table("12:00:00", &look(130), None);
        assert!(first.lines().nth(3).unwrap().ends_with(" -"), "{first}");
    }

    #[test]
    fn counters_that_were_zeroed_begin_anew_and_new_servers_have_no_rate_yet() {
        let before = counters(&look(100));
        let since = Since { before: &before, seconds: 1.0 };
        assert_eq!(
            since.rates(*before.keys().next().unwrap(), &Stats { conns: 7, ..Stats::default() }).unwrap().connections,
            7.0
        );
        let none = Counters::new();
        let text = table("t", &look(1), Some(Since { before: &none, seconds: 1.0 }));
        assert!(text.lines().nth(2).unwrap().ends_with('-'));
    }

    #[test]
    fn a_line_of_json_has_the_table_and_the_rates() {
        let before = counters(&look(100));
        let line = line("2026-01-01T00:00:00Z", &look(110), Some(Since { before: &before, seconds: 5.0 }));
        let seen: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(seen["services"][0]["per_second"]["connections"], 4.0);
        assert_eq!(seen["services"][0]["real_servers"][0]["active_connections"], 2);
        assert_eq!(seen["real_servers"][1]["real_server"], "10.0.1.2:80");
        assert_eq!(seen["real_servers"][1]["per_second"]["incoming_bytes"], 200.0);
    }

    #[test]
    fn a_screen_is_never_overrun() {
        let text: String = (0..100).map(|n| format!("line {n} is long\n")).collect();
        let screen = screen(&text, 6, 10);
        assert_eq!(screen.lines().count(), 10); // the last one is the cursor's
        assert!(screen.contains("line 7\x1b[K") && !screen.contains("line 8") && screen.contains("... 92 more lines"));
    }

    #[test]
    fn numbers_stay_short() {
        let all = [0.0, 0.5, 9.96, 1234.4, 99_999.6, 5e6, 5e9, 5e12].map(short);
        assert_eq!(all, ["0", "0.5", "10", "1234", "100k", "5000k", "5000M", "5000G"]);
    }
}
