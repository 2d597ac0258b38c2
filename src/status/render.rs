//! An overview as one screen of plain text: the verdict, the cluster, then each ldirectord instance.

use std::fmt::Write as _;

use super::overview::Overview;
use super::snapshot::{Cluster, Director, Event, LastCheck, Real, Virtual};
use super::table::{Cell, Table, Tone, clean, cut, paint};

/// How the screen looks.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of the terminal; taken as 80 at least and 120 at most.
    pub width: usize,
    /// Whether to mark good and bad by colour.
    pub colour: bool,
}

/// How many of the last decisions a daemon shows.
const EVENTS: usize = 5;

/// The screen. Lines that are too long are cut, but never the verdict's, the configuration errors' and the resources'.
#[must_use]
pub fn screen(overview: &Overview, look: Look) -> String {
    let look = Look { width: look.width.clamp(80, 120), ..look };
    let mut out = String::new();
    let problems = overview.problems();
    if problems.is_empty() {
        let _ = writeln!(out, "{}", paint("All is well.", Tone::Good, look.colour));
    }
    for (index, problem) in problems.iter().enumerate() {
        let head = if index == 0 { "DEGRADED  " } else { "          " };
        let _ = writeln!(out, "{}{}", paint(head, Tone::Bad, look.colour), clean(problem));
    }
    match &overview.heartbeat {
        Some(cluster) => heartbeat(&mut out, cluster, look),
        None if overview.unanswered.iter().any(|u| u.starts_with("heartbeat:")) => {}
        None => out.push_str("\nheartbeat is not running.\n"),
    }
    for director in &overview.ldirectord {
        ldirectord(&mut out, director, look);
    }
    out
}

/// A length of time for people: `0.4 s`, `12 s`, `3 m 12 s`, `2 h 5 m`, `3 d 4 h`; milliseconds below a tenth of a second.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".into();
    }
    if seconds < 0.1 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = std::time::Duration::try_from_secs_f64(seconds.round()).map_or(u64::MAX, |d| d.as_secs());
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, whole / 3600, whole / 60) {
        (1.., _, _) => format!("{days} d {hours} h"),
        (_, 1.., _) => format!("{hours} h {minutes} m"),
        (_, _, 1..) => format!("{minutes} m {} s", whole % 60),
        _ => format!("{whole} s"),
    }
}

fn heartbeat(out: &mut String, cluster: &Cluster, look: Look) {
    let _ = writeln!(
        out,
        "\nheartbeat {} on {}: {}, resources {}, auto_failback {}; pid {}, up {}{}",
        cluster.version,
        cluster.me,
        cluster.status,
        cluster.resources,
        cluster.auto_failback,
        cluster.pid,
        duration(cluster.uptime),
        // What is less than this nobody has to know.
        if cluster.late < 0.05 { String::new() } else { format!(", its heartbeats up to {:.2} s late", cluster.late) }
    );
    let mut nodes = Table::new(2, &["NODE", "STATUS", ">SINCE", ">HEARD", "LINKS"]);
    for node in &cluster.nodes {
        let tone = match node.status.as_str() {
            "active" | "ping" => Tone::Good,
            "dead" => Tone::Bad,
            _ => Tone::Plain,
        };
        let me = node.name == cluster.me;
        let links: Vec<_> = node.links.iter().map(|l| format!("{} {}", l.name, if l.up { "up" } else { "dead" })).collect();
        nodes.row(vec![
            Cell::plain(&node.name),
            Cell::new(&node.status, tone),
            Cell::plain(&duration(node.since)),
            Cell::plain(&node.heard.filter(|_| !me).map_or_else(|| "-".into(), |h| duration(h) + " ago")),
            Cell::plain(&if me { "(this node)".into() } else { links.join(", ") }),
        ]);
    }
    out.push_str(&nodes.render(look.width, look.colour));
    if !cluster.groups.is_empty() {
        out.push('\n');
        let mut groups = Table::new(2, &["OWNER", "PREFERS", ">SINCE", "RESOURCES, AND WHY THEY ARE THERE"]);
        for group in &cluster.groups {
            let (owner, tone) = match (&group.moving, &group.owner) {
                (Some(moving), _) => (moving.as_str(), Tone::Plain),
                (None, Some(owner)) => (owner.as_str(), Tone::Good),
                (None, None) => ("nobody", Tone::Bad),
            };
            groups.row(vec![
                Cell::new(owner, tone),
                Cell::plain(&group.node),
                Cell::plain(&duration(group.since)),
                Cell::plain(&group.resources.join(" ")).whole(),
            ]);
            if !group.reason.is_empty() {
                groups.row(vec![Cell::plain(""), Cell::plain(""), Cell::plain(""), Cell::plain(&group.reason)]);
            }
        }
        out.push_str(&groups.render(look.width, look.colour));
    }
    events(out, &cluster.events, look);
}

fn ldirectord(out: &mut String, director: &Director, look: Look) {
    let _ = writeln!(
        out,
        "\nldirectord {} on {}; pid {}, up {}",
        director.version,
        clean(&director.file),
        director.pid,
        duration(director.uptime)
    );
    if let Some(error) = &director.config_error {
        let _ = writeln!(out, "  {} {}", paint("The file is in error:", Tone::Bad, look.colour), clean(error));
        out.push_str("  The configuration read before it is in force.\n");
    }
    for (name, before) in &director.sysctls {
        let _ = writeln!(out, "  {} is set to 1 while it runs, was {}", clean(name), clean(before));
    }
    if director.virtuals.is_empty() {
        out.push_str("  No virtual services.\n");
    } else {
        let columns = ["REAL SERVER", "METHOD", ">WEIGHT", "STATE", ">SINCE", ">ACTIVE", ">INACT", ">CONNS", "LAST CHECK"];
        let mut table = Table::new(2, &columns);
        for service in &director.virtuals {
            table.line(virtual_line(service));
            for real in &service.reals {
                table.row(real_row(real, ""));
                bad_check(real).into_iter().chain(leaves(real)).for_each(|line| table.line(line));
            }
            if let Some(fallback) = &service.fallback {
                table.row(real_row(fallback, " fallback"));
            }
        }
        out.push_str(&table.render(look.width, look.colour));
    }
    events(out, &director.events, look);
}

fn virtual_line(service: &Virtual) -> String {
    let persistent = service.persistent.map(|p| format!(", persistent {p} s")).unwrap_or_default();
    let missing = if service.installed { "" } else { ": NOT IN THE KERNEL'S TABLE" };
    format!("{} {}{persistent}{missing}", service.key, service.scheduler)
}

/// The weight is the kernel's; where the configured one differs it follows in brackets.
fn real_row(real: &Real, what: &str) -> Vec<Cell> {
    use crate::ipvs::model::Forward;
    let method = match real.forward {
        Forward::Masq => "masq",
        Forward::Local => "local",
        Forward::Ipip => "ipip",
        Forward::Gate => "gate",
        Forward::Other(_) => "other",
    };
    let weight = match real.installed_weight {
        Some(weight) if weight == real.weight => weight.to_string(),
        Some(weight) => format!("{weight} ({})", real.weight),
        None => "-".into(),
    };
    let tone = match (&real.held, real.state.as_str()) {
        (Some(_), _) => Tone::Plain,
        (None, "up" | "active") => Tone::Good,
        (None, "down") => Tone::Bad,
        (None, _) => Tone::Plain,
    };
    // What the check says goes on being counted while somebody holds it out of service.
    let state = real.held.as_ref().map_or_else(|| real.state.clone(), |held| format!("{held}, {}", real.state));
    vec![
        Cell::plain(&format!("  {}{what}", real.address)),
        Cell::plain(method),
        Cell::plain(&weight),
        Cell::new(&state, tone),
        Cell::plain(&duration(real.since)),
        Cell::plain(&real.active.to_string()),
        Cell::plain(&real.inactive.to_string()),
        Cell::plain(&real.conns.to_string()),
        Cell::plain(&real.last_check.as_ref().map_or_else(|| "-".into(), last_check)),
    ]
}

/// The last check in its column. What a bad one saw has a line of its own, see [`bad_check`].
fn last_check(check: &LastCheck) -> String {
    let ago = duration(check.ago);
    if check.up { format!("good {ago} ago in {}: {}", duration(check.took), check.text) } else { format!("bad {ago} ago") }
}

/// The line below a real server whose last check was bad.
fn bad_check(real: &Real) -> Option<String> {
    let check = real.last_check.as_ref().filter(|c| !c.up)?;
    let row = if real.failures > 1 { format!("{} times in a row, ", real.failures) } else { String::new() };
    Some(clean(&format!("      {row}after {}: {}", duration(check.took), check.text)))
}

/// The line below a drained server that is to leave the table.
fn leaves(real: &Real) -> Option<String> {
    let left = real.deadline.filter(|_| real.held.is_some())?;
    Some(format!("      leaves the table in {}", duration(left.max(0.0))))
}

fn events(out: &mut String, events: &[Event], look: Look) {
    if events.is_empty() {
        return;
    }
    out.push_str("\n  LAST DECISIONS\n");
    for event in events.iter().take(EVENTS) {
        let line = format!("  {:>11} ago  {:5} {}", duration(event.ago), event.level, clean(&event.text));
        let _ = writeln!(out, "{}", cut(&line, look.width));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_for_people() {
        let said = [0.0, 0.0034, 0.4, 9.94, 9.96, 59.4, 59.6, 192.0, 7500.0, 273_600.0].map(duration);
        let expected = ["0 ms", "3 ms", "0.4 s", "9.9 s", "10 s", "59 s", "1 m 0 s", "3 m 12 s", "2 h 5 m", "3 d 4 h"];
        assert_eq!(said, expected);
        assert_eq!([f64::NAN, f64::INFINITY, -1.0].map(duration), ["?", "?", "?"]);
        assert_eq!(duration(1e300), "213503982334601 d 7 h");
    }
}
