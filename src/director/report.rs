//! The log lines: the original's texts, which scripts and readers know.

use crate::director::held::{Order, Target};
use crate::director::plan::{Real, Virtual};
use crate::ipvs::model::{Dest, DestKey, ServiceKey};

/// How bad an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Told.
    Info,
    /// Something is out of service or could not be done.
    Warn,
    /// The configuration or the table is not as it should be.
    Error,
}

impl Level {
    /// The word in a status display.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// A decision or an observation, as it is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How bad.
    pub level: Level,
    /// The log line.
    pub text: String,
}

impl Event {
    /// A line of level info.
    pub fn info(text: impl Into<String>) -> Self {
        Self { level: Level::Info, text: text.into() }
    }

    /// A line of level warning.
    pub fn warn(text: impl Into<String>) -> Self {
        Self { level: Level::Warn, text: text.into() }
    }

    /// A line of level error.
    pub fn error(text: impl Into<String>) -> Self {
        Self { level: Level::Error, text: text.into() }
    }
}

/// A virtual service in most lines: `10.0.0.1:80`, `[fd00::1]:80`, `5`.
#[must_use]
pub fn service(key: &ServiceKey) -> String {
    match *key {
        ServiceKey::Addr { addr, port, .. } => DestKey { addr, port }.to_string(),
        ServiceKey::Fwmark { mark, .. } => mark.to_string(),
    }
}

/// A virtual service in lines about counters: `tcp:10.0.0.1:80`, `fwm:5`.
#[must_use]
pub fn identity(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Addr { protocol, .. } => format!("{}:{}", protocol.name(), service(key)),
        ServiceKey::Fwmark { .. } => format!("fwm:{}", service(key)),
    }
}

/// A soft failure.
pub(super) fn soft_failure(v: &Virtual, real: &Real, failures: u32) -> Event {
    let (written, id, limit) = (&real.written, identity(&v.service.key), v.failurecount);
    Event::warn(format!("Soft failure real server: {written} ({id}) failure {failures}/{limit}"))
}

/// A success after failures.
pub(super) fn reset(v: &Virtual, real: &Real) -> Event {
    Event::info(format!("Resetting soft failure count: {} ({})", real.written, identity(&v.service.key)))
}

/// Why a real server goes down. The original says only that it does.
pub(super) fn failed_check(v: &Virtual, real: &Real, why: &str) -> Event {
    Event::warn(format!("Failed check of real server: {} ({}): {why}", real.written, identity(&v.service.key)))
}

/// Somebody has taken a real server out of service or given it back.
pub(super) fn ordered(target: Target, order: Order) -> String {
    match order {
        Order::Drain(None) => format!("Draining real server {target} as asked for"),
        Order::Drain(Some(limit)) => {
            format!("Draining real server {target} as asked for, out of the table in {} s", limit.as_secs())
        }
        Order::Undrain => format!("Real server {target} is no longer drained, as asked for"),
        Order::Maintenance(true) => format!("Real server {target} is in maintenance, as asked for"),
        Order::Maintenance(false) => format!("Real server {target} is no longer in maintenance, as asked for"),
    }
}

/// An agent has said something new.
pub(super) fn agent(v: &Virtual, real: &Real, said: &str) -> Event {
    let said: String = said.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Event::info(format!("Agent of real server: {} ({}): {}", real.written, service(&v.service.key), said.trim_end()))
}

/// The time of a drain is over.
pub(super) fn deadline(v: &Virtual, real: &Real) -> Event {
    Event::info(format!("Drained real server: {} ({}) has had its time", real.written, service(&v.service.key)))
}

/// What somebody should look after though the server works.
pub(super) fn warning(v: &Virtual, real: &Real, what: &str) -> Event {
    Event::warn(format!("Check of real server: {} ({}): {what}", real.written, identity(&v.service.key)))
}

/// A real server has come into the table, or its entry has been set right.
pub(super) fn real_set(v: &Virtual, real: &Real, dest: &Dest, added: bool) -> Event {
    let verb = if added { "Added" } else { "Restored" };
    let (written, virt, weight) = (&real.written, service(&v.service.key), dest.weight);
    Event::info(format!("{verb} real server: {written} ({virt}) (Weight set to {weight})"))
}

/// A real server has been quiesced; `readded`: put into the table for that.
pub(super) fn real_quiesced(v: &Virtual, real: &Real, readded: bool) -> Event {
    let verb = if readded { "Readd Quiescent" } else { "Quiescent" };
    let (name, virt) = (mapped(real), service(&v.service.key));
    Event::warn(format!("{verb} real server: {name} ({virt}) (Weight set to 0)"))
}

/// A real server has left the table.
pub(super) fn real_deleted(v: &Virtual, real: &Real) -> Event {
    Event::warn(format!("Deleted real server: {} ({})", mapped(real), service(&v.service.key)))
}

/// The fallback has come into the table or left it.
pub(super) fn fallback(v: &Virtual, key: DestKey, added: bool) -> Event {
    let virt = service(&v.service.key);
    if added {
        Event::warn(format!("Added fallback server: {key} ({virt}) (Weight set to 1)"))
    } else {
        Event::info(format!("Deleted fallback server: {key} ({virt})"))
    }
}

/// An entry has been removed at the start, on reload (`start`) or at the stop.
pub(super) fn real_purged(virt: &ServiceKey, name: &str, when: &str) -> Event {
    Event::info(format!("Purged real server ({when}): {name} ({})", service(virt)))
}

/// A virtual service has been added or changed.
pub(super) fn virtual_set(key: &ServiceKey, added: bool) -> Event {
    Event::info(format!("{} virtual server: {}", if added { "Added" } else { "Changed" }, service(key)))
}

/// A virtual service has been removed.
pub(super) fn virtual_purged(key: &ServiceKey, when: &str) -> Event {
    Event::info(format!("Purged virtual server ({when}): {}", service(key)))
}

/// A real server as the table has it, and as the file has it where that differs (another port).
fn mapped(real: &Real) -> String {
    let key = real.dest.key.to_string();
    if key == real.written { key } else { format!("{key} mapped from {}", real.written) }
}
