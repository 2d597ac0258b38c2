//! What `check` prints besides the findings: the summary of a file, and the changes that a reload would make.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::director::plan::{Plan, Watch};
use crate::ipvs::model::{Command, Dest, DestKey, Forward, Service, ServiceKey, Table};

/// The closing line of a file. `good` says more about one without errors.
#[must_use]
pub fn summary(name: &str, errors: usize, warnings: usize, good: &str) -> String {
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    if errors == 0 && !good.is_empty() {
        parts.push(good.to_owned());
    }
    let verdict = if errors > 0 { "not usable" } else { "good" };
    let rest = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{name}: {verdict}{rest}\n")
}

/// How much there is in a plan.
#[must_use]
pub fn size(plan: &Plan) -> String {
    let reals = plan.virtuals.iter().map(|v| v.reals.len()).sum();
    format!("{}, {}", count(plan.virtuals.len(), "virtual service"), count(reals, "real server"))
}

/// Real servers that are to be watched and would not be in service at first: those of `plan` that `goal` does not have with a
/// weight, but for those in `known`, which are down now.
#[must_use]
pub fn later(plan: &Plan, goal: &Table, known: &BTreeSet<(ServiceKey, DestKey)>) -> Vec<(ServiceKey, Dest)> {
    let mut out = Vec::new();
    let mut told = BTreeSet::new();
    for v in plan.virtuals.iter().filter(|v| v.watch == Watch::Checks) {
        let key = v.service.key;
        let served = |dest: &DestKey| goal.services.get(&key).and_then(|s| s.dests.get(dest)).is_some_and(|d| d.weight > 0);
        for real in v.reals.iter().filter(|r| r.dest.weight > 0 && !served(&r.dest.key)) {
            if !known.contains(&(key, real.dest.key)) && told.insert((key, real.dest.key)) {
                out.push((key, real.dest.clone()));
            }
        }
    }
    out
}

/// The changes, one a line, and their number.
#[must_use]
pub fn changes(actual: &Table, commands: &[Command], later: &[(ServiceKey, Dest)]) -> String {
    let mut rows: Vec<[String; 3]> = commands.iter().map(|c| row(actual, c)).collect();
    rows.extend(later.iter().map(|(key, dest)| {
        ["later".into(), key.to_string(), format!("real server {} {}, once its check says up", dest.key, server(dest))]
    }));
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let (verb, key) = (width(0), width(1));
    let mut out = String::new();
    for [a, b, c] in &rows {
        let _ = writeln!(out, "  {a:verb$}  {b:key$}  {c}");
    }
    let _ = match commands.len() {
        0 => writeln!(out, "A reload would change nothing in the kernel's table now."),
        n => writeln!(out, "A reload would make {} in the kernel's table now.", count(n, "change")),
    };
    out
}

fn row(actual: &Table, command: &Command) -> [String; 3] {
    let (verb, key, what) = match command {
        Command::AddService(s) => ("add", &s.key, service(s)),
        Command::EditService(s) => {
            let before = actual.services.get(&s.key).map(|t| service(&t.service)).unwrap_or_default();
            ("edit", &s.key, arrow(&before, &service(s)))
        }
        Command::DeleteService(key) => {
            let reals = actual.services.get(key).map_or(0, |s| s.dests.len());
            ("delete", key, format!("with {}", count(reals, "real server")))
        }
        Command::AddDest(key, d) => ("add", key, format!("real server {} {}", d.key, server(d))),
        Command::EditDest(key, d) => {
            let before = actual.services.get(key).and_then(|s| s.dests.get(&d.key)).map(server).unwrap_or_default();
            ("edit", key, format!("real server {} {}", d.key, arrow(&before, &server(d))))
        }
        Command::DeleteDest(key, d) => ("delete", key, format!("real server {d}")),
    };
    [verb.to_owned(), key.to_string(), what]
}

fn arrow(before: &str, after: &str) -> String {
    format!("{before} -> {after}")
}

fn service(service: &Service) -> String {
    let mut out = service.scheduler.clone();
    if let Some(p) = &service.persistence {
        let _ = write!(out, " persistent {}", p.timeout);
    }
    if service.flags.0 != 0 {
        let _ = write!(out, " flags {:#x}", service.flags.0);
    }
    out
}

fn server(dest: &Dest) -> String {
    let method = match dest.forward {
        Forward::Masq => "masq",
        Forward::Local => "local",
        Forward::Ipip => "ipip",
        Forward::Gate => "gate",
        Forward::Other(_) => "unknown",
    };
    let mut out = format!("{method} {}", dest.weight);
    if dest.lower > 0 {
        let _ = write!(out, " l:{}", dest.lower);
    }
    if dest.upper > 0 {
        let _ = write!(out, " u:{}", dest.upper);
    }
    out
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_summed_up_on_one_line() {
        assert_eq!(summary("f", 0, 0, ""), "f: good\n");
        assert_eq!(summary("f", 0, 1, "2 virtual services"), "f: good: 1 warning, 2 virtual services\n");
        assert_eq!(summary("f", 2, 1, "ignored"), "f: not usable: 2 errors, 1 warning\n");
    }
}
