//! What the director is to do: `ldirectord.cf` with every name resolved and every default filled in.

use std::time::Duration;

use crate::checks::spec::Spec;
use crate::director::alert::Phase;
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
    /// How often the file's modification time and `maintenancedir` are looked at: the global `checkinterval`.
    pub check_interval: Duration,
    /// The folder whose files take real servers out.
    pub maintenance_dir: Option<String>,
    /// The instances that are started and stopped with this one (`execute`), as written.
    pub execute: Vec<String>,
    /// Have the kernel end connections to real servers that are gone or quiesced (`#lvs-ha: expire-flows`).
    pub expire_flows: bool,
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
    /// Run with `start` when no real server is up and with `stop` when one is again; a shell's command line.
    pub fallback_command: Option<String>,
    /// Who is told of changes.
    pub alerts: Alerts,
    /// `servicename`, for alerts.
    pub name: Option<String>,
    /// `comment`, for alerts.
    pub comment: Option<String>,
    /// The file that has a line for every check.
    pub monitor: Option<String>,
    /// Good checks in a row before a server that was down is up, at least 1 (`#lvs-ha: rise`).
    pub rise: u32,
    /// The interval while a server is between up and down (`#lvs-ha: fastinterval`).
    pub fast_interval: Option<Duration>,
    /// The time that a returning server takes to get its whole weight (`#lvs-ha: slowstart`).
    pub slow_start: Option<Duration>,
    /// Line of `virtual=` in the file, from 1.
    pub line: usize,
}

/// Who is told when a real server comes or goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerts {
    /// By mail.
    pub mail: Option<Mail>,
    /// How often again while a server is down; zero: once.
    pub repeat: Duration,
    /// JSON goes there by POST (`#lvs-ha: webhook`).
    pub webhook: Option<String>,
    /// A shell's command line (`#lvs-ha: hook`).
    pub hook: Option<String>,
}

impl Alerts {
    /// Whether there is nobody to be told.
    #[must_use]
    pub fn nobody(&self) -> bool {
        self.mail.is_none() && self.webhook.is_none() && self.hook.is_none()
    }
}

/// `emailalert` and its family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Each address; one without `@` is a user of this host.
    pub to: Vec<String>,
    /// `From:`; `None`: root at this host.
    pub from: Option<String>,
    /// The relay, port 25; `None`: the local mailer.
    pub smtp: Option<String>,
    /// When mails are wanted.
    pub phases: Vec<Phase>,
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
    /// How it is asked for its weight (`#lvs-ha: agent-check`).
    pub agent: Option<Spec>,
    /// The check in a line of the monitor file.
    pub label: String,
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
