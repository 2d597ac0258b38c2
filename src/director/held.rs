//! Real servers that somebody holds out of service: drained or in maintenance by command, or by a file in `maintenancedir`.
//! What the checks say goes on being counted; it decides again when the hold ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::cluster::io::Mono;
use crate::director::plan::Real;
use crate::director::report::Event;
use crate::director::{Director, report};

/// A real server by its address, all ports or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Its address.
    pub addr: IpAddr,
    /// Its port, as the file or as the table has it; `None`: any.
    pub port: Option<u16>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(addr) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self { addr, port: None });
        }
        let with_port = text.parse::<SocketAddr>().map(|a| Self { addr: a.ip(), port: Some(a.port()) });
        with_port.map_err(|_| format!("{text}: expected ADDRESS, ADDRESS:PORT or [ADDRESS6]:PORT of a real server"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.addr, port).fmt(f),
            None => self.addr.fmt(f),
        }
    }
}

impl Target {
    /// Whether it means this real server.
    #[must_use]
    pub fn means(&self, real: &Real) -> bool {
        let port = |p: u16| real.dest.key.port == p || real.written.rsplit(':').next() == Some(&p.to_string());
        self.addr == real.dest.key.addr && self.port.is_none_or(port)
    }
}

/// What is wanted of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Weight 0, and out of the table after this time.
    Drain(Option<Duration>),
    /// The end of it.
    Undrain,
    /// As if the check had failed, or the end of that.
    Maintenance(bool),
}

/// The holds by command: what is kept over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// Drained servers, and when they leave the table.
    pub drains: BTreeMap<Target, Option<Mono>>,
    /// Servers in maintenance.
    pub maintenance: BTreeSet<Target>,
}

/// The files in `maintenancedir`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Their names.
    pub names: BTreeSet<String>,
    /// The host names of real servers' addresses, as far as they are known; needed only where a file's name is no address.
    pub hosts: BTreeMap<IpAddr, String>,
}

impl Files {
    /// Whether one of the files takes the server out: `IP:PORT`, `IP`, and the same with its host name, whole or up to the
    /// first dot (lower-case letters and digits, at least two).
    fn hold(&self, real: &Real) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let (host, port) = real.written.rsplit_once(':').unwrap_or((&real.written, ""));
        let named = |name: &str| self.names.contains(name) || self.names.contains(&format!("{name}:{port}"));
        let short = |name: &str| {
            let (short, _) = name.split_once('.')?;
            let plain = short.len() > 1 && short.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            plain.then(|| short.to_owned())
        };
        let name = self.hosts.get(&real.dest.key.addr);
        named(host) || name.is_some_and(|n| named(n) || short(n).is_some_and(|s| named(&s)))
    }
}

/// How one real server is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// Weight 0; until then, if there is an end.
    Drained(Option<Mono>),
    /// Drained, and its time is over: not in the table.
    Removed,
    /// As if down.
    Maintenance,
}

impl Hold {
    /// The word in a status display.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Drained(_) => "drained",
            Self::Removed => "removed",
            Self::Maintenance => "maintenance",
        }
    }
}

impl Director {
    /// Carries an order out. Refused, with a line that says why, where no virtual service has the server or it is not held.
    ///
    /// # Errors
    /// See above; nothing has changed then.
    pub fn order(&mut self, now: Mono, target: Target, order: Order) -> Result<(), String> {
        self.known(target)?;
        self.opened();
        match order {
            Order::Drain(deadline) => {
                self.holds.drains.insert(target, deadline.map(|d| now + d));
            }
            Order::Maintenance(true) => {
                self.holds.maintenance.insert(target);
            }
            Order::Undrain => {
                let held = self.holds.drains.remove(&target).is_some();
                ended(held, target, self.holds.drains.keys(), "drained")?;
            }
            Order::Maintenance(false) => {
                let held = self.holds.maintenance.remove(&target);
                ended(held, target, self.holds.maintenance.iter(), "in maintenance")?;
            }
        }
        self.event(Event::info(report::ordered(target, order)));
        self.rehold(now);
        self.start_due(now);
        Ok(())
    }

    /// Takes over the holds of an earlier run. Those of servers that no service has any more wait for their return.
    pub fn restore(&mut self, now: Mono, holds: Holds) {
        self.holds = holds;
        self.rehold(now);
    }

    /// The holds by command, for the record.
    #[must_use]
    pub fn holds(&self) -> &Holds {
        &self.holds
    }

    /// Whether any virtual service has such a real server.
    ///
    /// # Errors
    /// A line that says so.
    pub fn known(&self, target: Target) -> Result<(), String> {
        let known = self.plan.virtuals.iter().flat_map(|v| &v.reals).any(|r| target.means(r));
        if known { Ok(()) } else { Err(format!("no virtual service has a real server {target}")) }
    }

    /// The files in `maintenancedir` are others now.
    pub(super) fn take_files(&mut self, now: Mono, files: Files) {
        if self.files != files {
            self.files = files;
            self.rehold(now);
        }
    }

    /// Applies the holds to the real servers.
    pub(super) fn rehold(&mut self, now: Mono) {
        let mut events = Vec::new();
        for (v, service) in self.plan.virtuals.iter().zip(&mut self.services) {
            for (real, health) in v.reals.iter().zip(&mut service.reals) {
                let hold = hold(&self.holds, &self.files, real, now);
                if health.hold == hold {
                    continue;
                }
                if hold == Some(Hold::Removed) {
                    events.push(report::deadline(v, real));
                }
                health.hold = hold;
                if health.in_service() {
                    health.climbs(now, v, real);
                }
                self.dirty = true;
            }
        }
        events.into_iter().for_each(|e| self.event(e));
        if self.dirty {
            self.update_fallbacks(now);
        }
    }

    /// The next end of a drain's time that has not been acted upon.
    pub(super) fn next_deadline(&self) -> Option<Mono> {
        // Asked each time that anything happens; mostly nothing is drained.
        let drained = if self.holds.drains.is_empty() { &[] } else { self.services.as_slice() };
        let holds = drained.iter().flat_map(|s| &s.reals).filter_map(|h| h.hold);
        holds.filter_map(|hold| if let Hold::Drained(until) = hold { until } else { None }).min()
    }
}

fn hold(holds: &Holds, files: &Files, real: &Real, now: Mono) -> Option<Hold> {
    if files.hold(real) || holds.maintenance.iter().any(|t| t.means(real)) {
        return Some(Hold::Maintenance);
    }
    let mut drains = holds.drains.iter().filter(|(t, _)| t.means(real)).map(|(_, until)| *until);
    let first = drains.next()?;
    // Of two the earlier end counts.
    let until = drains.fold(first, |a, b| [a, b].into_iter().flatten().min());
    Some(if until.is_some_and(|at| at <= now) { Hold::Removed } else { Hold::Drained(until) })
}

/// Whether something was held; else why not, with the name under which it is.
fn ended<'a>(held: bool, target: Target, mut others: impl Iterator<Item = &'a Target>, how: &str) -> Result<(), String> {
    match others.find(|t| t.addr == target.addr) {
        _ if held => Ok(()),
        Some(other) => Err(format!("{target} is not {how} under that name: {other} is")),
        None => Err(format!("{target} is not {how}")),
    }
}
