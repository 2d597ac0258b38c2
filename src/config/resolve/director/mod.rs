//! `ldirectord.cf` to the director's [`Plan`]: names resolved, defaults filled in, ranges expanded, what can't be executed
//! refused. Pure: names are asked of a passed-in [`Lookup`].

mod alerts;
mod ask;
mod check;
mod monitor;
mod server;
mod service;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use self::server::Backup;
use crate::checks::spec::Spec;
use crate::config::diag::{Diagnostic, Source, Span, Spanned, has_errors};
use crate::config::ldirectord_cf::{self, CheckType, File, Virtual as Block};
use crate::config::lookup::Lookup;
use crate::director::plan::{Globals, LogTo, Plan, Virtual, Watch};
use crate::ipvs::model::{Family, Protocol, ServiceKey};

/// What holds where the file says nothing.
mod default {
    /// `checkinterval`, seconds.
    pub(super) const INTERVAL: u32 = 10;
    /// `checktimeout`, seconds.
    pub(super) const CHECK: u32 = 5;
    /// `negotiatetimeout`, seconds.
    pub(super) const NEGOTIATE: u32 = 30;
    /// `failurecount`.
    pub(super) const FAILURES: u32 = 1;
    /// `checkcount`.
    pub(super) const PINGS: u32 = 1;
    /// `scheduler`.
    pub(super) const SCHEDULER: &str = "wrr";
    /// `checkcommand`.
    pub(super) const COMMAND: &str = "/bin/true";
    /// `logfile`.
    pub(super) const LOG: &str = "/var/log/ldirectord.log";
}

/// Syslog's facilities, as `logfile` may name them.
const FACILITIES: &[&str] = &[
    "auth", "authpriv", "cron", "daemon", "ftp", "kern", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7", "lpr", "mail", "news", "syslog", "user", "uucp",
];

/// Parses and resolves a file: its plan, unless there is an error, and all that is to be said, in the file's order.
#[must_use]
pub fn read(source: &Source, lookup: &dyn Lookup) -> (Option<Plan>, Vec<Diagnostic>) {
    let (file, mut found) = ldirectord_cf::parse(&source.bytes);
    let (plan, more) = plan(&file, source, lookup);
    found.extend(more);
    found.sort_by_key(place);
    (plan.filter(|_| !has_errors(&found)), found)
}

/// The plan of a parsed file. `None` when something can't be resolved or done; the parser's own findings are not repeated.
#[must_use]
pub fn plan(file: &File, source: &Source, lookup: &dyn Lookup) -> (Option<Plan>, Vec<Diagnostic>) {
    let newlines = source.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i).collect();
    let mut resolver = Resolver { file, lookup, newlines, hosts: HashMap::new(), patterns: HashSet::new(), found: Vec::new() };
    let globals = resolver.globals();
    let backups = Backups {
        inet: file.globals.fallback.as_ref().and_then(|f| resolver.backup(f, None)),
        inet6: file.globals.fallback6.as_ref().and_then(|f| resolver.backup(f, None)),
    };
    let mut lines: BTreeMap<ServiceKey, usize> = BTreeMap::new();
    let mut virtuals = Vec::new();
    let mut whole = true;
    for block in &file.virtuals {
        let key = resolver.key(block);
        let line = resolver.line(block.head);
        match key.map(|key| lines.entry(key)) {
            Some(Entry::Occupied(first)) => {
                let hint = format!("virtual= on line {line} is the same service as that on line {}", first.get());
                resolver.error(block.end, "duplicate virtual server", hint);
            }
            Some(Entry::Vacant(new)) => {
                new.insert(line);
            }
            None => {}
        }
        match resolver.block(block, key, &backups) {
            Some(planned) => virtuals.push(planned),
            None => whole = false,
        }
    }
    share_checks(file, &mut virtuals);
    let mut found = resolver.found;
    found.sort_by_key(place);
    let plan = (whole && !has_errors(&found)).then_some(Plan { globals, virtuals });
    (plan, found)
}

/// One check for each host where that is asked for: that of the first service that has it.
fn share_checks(file: &File, virtuals: &mut [Virtual]) {
    let wanted: Vec<bool> =
        file.virtuals.iter().map(|block| is(own_or(&block.shared.check_per_host, &file.globals.shared.check_per_host))).collect();
    // One service short, there is an error and no plan.
    if wanted.len() != virtuals.len() {
        return;
    }
    let mut checks: HashMap<IpAddr, Spec> = HashMap::new();
    for (v, share) in virtuals.iter_mut().zip(wanted).filter(|(v, _)| v.watch == Watch::Checks) {
        for real in &mut v.reals {
            let first = checks.entry(real.dest.key.addr).or_insert_with(|| real.check.clone());
            if share {
                real.check = first.clone();
            }
        }
    }
}

/// Findings in the file's order, those about no line last.
fn place(diagnostic: &Diagnostic) -> usize {
    diagnostic.span.map_or(usize::MAX, |s| s.start)
}

/// The global fallbacks.
struct Backups {
    inet: Option<Backup>,
    inet6: Option<Backup>,
}

struct Resolver<'a> {
    file: &'a File,
    lookup: &'a dyn Lookup,
    /// Where the file's lines end.
    newlines: Vec<usize>,
    /// Names asked for, so that each is asked once.
    hosts: HashMap<String, Vec<IpAddr>>,
    /// Patterns that are known to be good: many servers are asked the same.
    patterns: HashSet<String>,
    found: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn error(&mut self, span: Span, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Diagnostic::error(span, what).hint(hint));
    }

    /// The line of a place, from 1.
    fn line(&self, span: Span) -> usize {
        self.newlines.partition_point(|n| *n < span.start) + 1
    }

    /// The first address of a name in a family.
    fn host(&mut self, name: &str, family: Family) -> Option<IpAddr> {
        // The system's resolver takes 10.9.0 and 5 for addresses; nobody writes them.
        if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return name.parse().ok().filter(|a| Family::of(*a) == family);
        }
        let lookup = self.lookup;
        let found = self.hosts.entry(name.to_owned()).or_insert_with(|| lookup.host(name));
        found.iter().copied().find(|a| Family::of(*a) == family)
    }

    /// A port's number, of a number or a service name.
    fn port(&self, text: &str, protocol: Option<Protocol>) -> Option<u16> {
        if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { self.lookup.service(text, protocol) }
    }

    fn globals(&mut self) -> Globals {
        let globals = &self.file.globals;
        let log = match &globals.logfile {
            None => LogTo::File(default::LOG.to_owned()),
            Some(log) => self.log(log),
        };
        Globals {
            autoreload: is(globals.autoreload.as_ref()),
            callback: globals.callback.as_ref().map(|c| c.value.clone()).filter(|c| !c.is_empty()),
            log,
            readdquiescent: is(globals.readdquiescent.as_ref()),
            supervised: is(globals.supervised.as_ref()),
            maintenance_dir: globals.maintenancedir.as_ref().map(|dir| self.maintenance_dir(dir)),
            execute: globals.execute.iter().map(|e| e.value.clone()).collect(),
            expire_flows: is(globals.expire_flows.as_ref()),
            check_interval: seconds(globals.shared.checkinterval.as_ref().map_or(default::INTERVAL, |n| n.value)),
        }
    }

    /// The folder's path; quotes are taken off.
    fn maintenance_dir(&mut self, dir: &Spanned<String>) -> String {
        let path = dir.value.trim_matches('"').to_owned();
        if !self.lookup.directory(&path) {
            let warning = Diagnostic::warning(dir.span, "maintenance directory does not exist");
            self.found.push(warning.hint("it is looked at from the moment that it does"));
        }
        path
    }

    /// The monitor file's path.
    fn monitor(&mut self, block: &Block) -> Option<String> {
        let file = block.monitorfile.as_ref()?;
        if let Err(reason) = self.lookup.appendable(&file.value) {
            let text = format!("unable to open monitorfile {}: {reason}", file.value);
            self.found.push(Diagnostic::error(file.span, text));
        }
        Some(file.value.clone())
    }

    fn log(&mut self, log: &Spanned<String>) -> LogTo {
        let value = log.value.clone();
        if value.starts_with('/') {
            if let Err(reason) = self.lookup.appendable(&value) {
                self.error(log.span, format!("unable to open logfile: {value}"), reason);
            }
            return LogTo::File(value);
        }
        if !FACILITIES.contains(&value.as_str()) {
            let hint = "a path from / on, or a syslog facility such as local0";
            self.error(log.span, format!("unable to open logfile: {value}"), hint);
        }
        LogTo::Syslog(value)
    }

    /// One virtual service. `None` when there was an error in it.
    fn block(&mut self, block: &Block, key: Option<ServiceKey>, backups: &Backups) -> Option<Virtual> {
        let errors = self.found.len();
        let service = key.map(|key| self.service(block, key));
        let asked = self.asked(block, key);
        let mut reals = Vec::new();
        let mut whole = true;
        for real in &block.reals {
            match self.reals(real, block, key, asked.as_ref()) {
                Some(some) => reals.extend(some),
                None => whole = false,
            }
        }
        let fallback = self.fallback(block, key, backups);
        let (alerts, monitor) = (self.alerts(block), self.monitor(block));
        if let (Some(key), Some(_), false) = (key, &block.shared.checkinterval, is(self.file.globals.fork.as_ref())) {
            let id = key.to_string().replacen(' ', ":", 1).replace(" IPv6", "");
            let text = format!("checkinterval in virtual service {id} ignored when fork=no");
            self.found.push(Diagnostic::warning(block.head, text).whole_file());
        }
        if !whole || self.found.iter().skip(errors).any(Diagnostic::is_error) {
            return None;
        }
        let globals = &self.file.globals;
        let (own, shared) = (&block.shared, &globals.shared);
        let forked = own.checkinterval.as_ref().filter(|_| is(globals.fork.as_ref()));
        Some(Virtual {
            service: service?,
            reals,
            fallback,
            quiescent: is(own.quiescent.as_ref().or(shared.quiescent.as_ref())),
            failurecount: first([&own.failurecount, &shared.failurecount], default::FAILURES),
            interval: seconds(forked.or(shared.checkinterval.as_ref()).map_or(default::INTERVAL, |n| n.value)),
            watch: match block.checktype.as_ref().map(|c| c.value) {
                Some(CheckType::On) => Watch::On,
                Some(CheckType::Off) => Watch::Off,
                _ => Watch::Checks,
            },
            fallback_command: own_or(&own.fallbackcommand, &shared.fallbackcommand).map(|c| c.value.clone()),
            alerts,
            name: block.servicename.as_ref().map(|s| s.value.clone()),
            comment: block.comment.as_ref().map(|s| s.value.clone()),
            monitor,
            rise: first([&own.rise, &shared.rise], 1),
            fast_interval: own_or(&own.fastinterval, &shared.fastinterval).map(|n| seconds(n.value)),
            slow_start: own_or(&own.slowstart, &shared.slowstart).map(|n| seconds(n.value)),
            cleanstop: own.cleanstop.as_ref().or(shared.cleanstop.as_ref()).is_none_or(|c| c.value),
            line: self.line(block.head),
        })
    }
}

/// Whether a setting is there and yes.
fn is(setting: Option<&Spanned<bool>>) -> bool {
    setting.is_some_and(|s| s.value)
}

/// The block's value, else the one for all.
fn own_or<'a, T>(own: &'a Option<Spanned<T>>, shared: &'a Option<Spanned<T>>) -> Option<&'a Spanned<T>> {
    own.as_ref().or(shared.as_ref())
}

/// The first value that is set.
fn first<const N: usize>(settings: [&Option<Spanned<u32>>; N], default: u32) -> u32 {
    settings.into_iter().flatten().next().map_or(default, |s| s.value)
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

#[cfg(test)]
mod tests;
