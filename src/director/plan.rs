//! What the director is to do: `ldirectord.cf` with every name resolved and every default filled in.

use std::time::Duration;

use crate::checks::spec::Spec;
use crate::ipvs::model::{Dest, Service};

/// A whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Global settings.
    pub globals: Globals,
    /// Virtual services in the file's order; no two with one key.
    pub virtuals: Vec<Virtual>,
}

/// Settings that belong to no virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Globals {
    /// Whether a changed file is read by itself; otherwise the change is only logged.
    pub autoreload: bool,
    /// Command run after a reload that a change of the file brought about.
    pub callback: Option<String>,
    /// Where log lines go.
    pub log: LogTo,
    /// Add quiesced servers that are missing from the table.
    pub readdquiescent: bool,
    /// Stay in the foreground, log to standard output.
    pub supervised: bool,
    /// How often the file's modification time is looked at: the global `checkinterval`.
    pub check_interval: Duration,
}

/// Value of `logfile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTo {
    /// A file, opened and closed for every line.
    File(String),
    /// A syslog facility.
    Syslog(String),
}

/// A virtual service and how its real servers are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// The kernel's service.
    pub service: Service,
    /// The real servers in the file's order, ranges expanded; the same one may stand twice.
    pub reals: Vec<Real>,
    /// What serves when no real server is up; port and method as they go into the table, weight 1.
    pub fallback: Option<Dest>,
    /// A failed server stays in the table with weight 0 instead of being removed.
    pub quiescent: bool,
    /// Failed checks in a row before a server is down, at least 1.
    pub failurecount: u32,
    /// From the end of one check of a server to the start of its next.
    pub interval: Duration,
    /// What `checktype` demands.
    pub watch: Watch,
    /// Whether a stop of the daemon removes the service.
    pub cleanstop: bool,
    /// Line of `virtual=` in the file, from 1.
    pub line: usize,
}

/// A real server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Real {
    /// What goes into the table: port already replaced by the service's for gate and ipip (not for marks).
    pub dest: Dest,
    /// `IP:PORT` as the file has it, for logs.
    pub written: String,
    /// How it is checked.
    pub check: Spec,
    /// Line of `real=` in the file, from 1.
    pub line: usize,
}

/// Who decides whether a server is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Its check.
    Checks,
    /// Nobody: always up (`checktype=on`).
    On,
    /// Nobody: never changed after the start (`checktype=off`).
    Off,
}
