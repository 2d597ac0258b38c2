//! `ha.cf`, `haresources` and `authkeys` to [`Settings`]: defaults, checks across lines and files, names of the host.
//!
//! Only what the parsers could not know is found here; a caller that had errors from a parser gives these too and does not
//! start. The traps that the field's tutorials hide are warnings.

mod client;
mod medium;
mod timing;
mod trap;

use std::time::Duration;

use super::super::diag::{Diagnostic, Span, Spanned};
use super::super::lookup::Lookup;
use super::super::report::{Finding, Which};
use super::super::settings::{Failback, GenerationFrom, LogTargets, MsgFmt, Settings};
use super::super::{authkeys, ha_cf, haresources};

/// The three files.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// `ha.cf`.
    pub ha_cf: &'a ha_cf::File,
    /// `haresources`.
    pub haresources: &'a haresources::File,
    /// The path of `haresources` as messages print it.
    pub haresources_shown: &'a str,
    /// `authkeys`.
    pub authkeys: &'a authkeys::File,
}

/// The settings of the node `node_name`, and what is wrong; none if there is an error, or if `authkeys` has no usable key.
#[must_use]
pub fn settings(files: Files<'_>, node_name: &str, lookup: &dyn Lookup) -> (Option<Settings>, Vec<Finding>) {
    let mut found = Vec::new();
    let settings = Resolver { files, lookup, found: &mut found }.run(node_name);
    let failed = super::super::report::has_errors(&found);
    (settings.filter(|_| !failed), found)
}

/// The facility for those who configured no log at all.
const DEFAULT_FACILITY: &str = "daemon";

/// The original's largest delay before it asks for a lost message, in milliseconds.
const MAX_REXMIT_DELAY: u32 = 250;

/// The files, the host, and the findings as they grow.
struct Resolver<'a> {
    files: Files<'a>,
    lookup: &'a dyn Lookup,
    found: &'a mut Vec<Finding>,
}

impl Resolver<'_> {
    fn run(&mut self, node_name: &str) -> Option<Settings> {
        let cf = self.files.ha_cf;
        let (media, udpport) = self.media();
        let ping = self.ping();
        let local = self.local(&node_name.to_lowercase());
        let nodes = self.nodes(node_name);
        let timing = self.timing();
        let failback = self.failback();
        if let Some(word) = &cf.autojoin {
            self.late_preface("R1 style resource management conflicts with  autojoin set");
            self.late_error(word.span, "You need either unset autojoin or enable crm", "remove the line");
        }
        let log = self.log();
        let groups = self.groups(&nodes);
        let keys = self.files.authkeys.keys();
        self.traps(&ping);
        let parameters = parameters(cf, &timing, udpport);
        Some(Settings {
            me: node_name.to_lowercase(),
            nodes,
            ping,
            keepalive: timing.keepalive,
            deadtime: timing.deadtime,
            warntime: timing.warntime,
            initdead: timing.initdead,
            deadping: timing.deadping,
            hopfudge: value(&cf.hopfudge, 1),
            udpport,
            media,
            failback,
            keys: keys?,
            groups,
            msgfmt: value(&cf.msgfmt, MsgFmt::Classic),
            max_rexmit_delay: Duration::from_millis(u64::from(value(&cf.max_rexmit_delay, MAX_REXMIT_DELAY))),
            log_badpack: value(&cf.log_badpack, true),
            generation: value(&cf.hbgenmethod, GenerationFrom::File),
            log,
            rtprio: value(&cf.realtime, true).then(|| value(&cf.rtprio, 1)),
            local,
            builtin: value(&cf.builtin, true),
            extensions: value(&cf.extensions, true),
            env: cf.env.clone(),
            parameters,
        })
    }

    fn nodes(&mut self, node_name: &str) -> Vec<String> {
        let mut nodes: Vec<String> = Vec::new();
        for node in &self.files.ha_cf.nodes {
            if nodes.contains(&node.value) {
                self.warn(node.span, format!("node {} is given twice", node.value), "once is enough");
            } else {
                nodes.push(node.value.clone());
            }
        }
        if nodes.is_empty() {
            self.late_preface("no nodes defined");
        }
        if !nodes.contains(&node_name.to_lowercase()) {
            let names = if nodes.is_empty() { "none".to_owned() } else { nodes.join(", ") };
            let what = format!("Current node [{node_name}] not in configuration!");
            let d = Diagnostic::error(Span::default(), what).whole_file();
            self.push_late(d.hint(format!("the nodes of the file: {names}")));
            for line in [
                "By default, cluster nodes are named by `uname -n` and must be declared with a 'node' directive in the ha.cf file.",
                "See also: http://linux-ha.org/wiki/Ha.cf#node_directive",
            ] {
                self.push_late(Diagnostic::info(line));
            }
        }
        nodes
    }

    fn failback(&mut self) -> Failback {
        let set = self.files.ha_cf.auto_failback.as_ref();
        let value = set.map_or(Failback::Legacy, |f| f.value);
        if value == Failback::Legacy {
            for line in [
                "Deprecated 'legacy' auto_failback option selected.",
                "Please convert to 'auto_failback on'.",
                "See documentation for conversion details.",
            ] {
                self.push_late(Diagnostic::warning(Span::default(), line).whole_file());
            }
        }
        value
    }

    fn log(&mut self) -> LogTargets {
        let cf = self.files.ha_cf;
        let none_given = cf.logfile.is_none() && cf.debugfile.is_none() && cf.logfacility.is_none();
        let mut facility = cf.logfacility.as_ref().map(|f| f.value.clone()).filter(|f| f != "none");
        if let Some(on) = cf.use_logd.as_ref().filter(|l| l.value) {
            let hint = "lines go to logfile, debugfile and logfacility, or to syslog if none is set";
            self.warn(on.span, "use_logd has no effect here: no logging daemon is needed", hint);
        }
        if none_given {
            facility = Some(DEFAULT_FACILITY.to_owned());
            let what = format!("No log entry found in ha.cf -- use syslog, facility {DEFAULT_FACILITY}");
            self.push_late(Diagnostic::info(what));
        }
        LogTargets {
            file: cf.logfile.as_ref().map(|f| f.value.clone()),
            debug_file: cf.debugfile.as_ref().map(|f| f.value.clone()),
            facility,
            syslog_format: value(&cf.syslogmsgfmt, true),
            debug: value(&cf.debug, 0),
        }
    }

    fn groups(&mut self, nodes: &[String]) -> Vec<super::super::settings::Group> {
        for line in &self.files.haresources.groups {
            let node = &line.node;
            if !nodes.contains(&node.value) {
                let what = format!("Bad nodename in {} [{}]", self.files.haresources_shown, node.value);
                let names = if nodes.is_empty() { "none".to_owned() } else { nodes.join(", ") };
                let d = Diagnostic::error(node.span, what).hint(format!("the nodes of ha.cf: {names}"));
                self.found.push(Finding::late(Which::Haresources, d));
            }
        }
        self.files.haresources.groups.iter().map(haresources::Line::group).collect()
    }

    fn error(&mut self, span: Span, what: impl Into<String>) {
        self.found.push(Finding::new(Which::HaCf, Diagnostic::error(span, what)));
    }

    fn error_hint(&mut self, span: Span, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Finding::new(Which::HaCf, Diagnostic::error(span, what).hint(hint)));
    }

    /// A line of the original that goes before the one that shows the place.
    fn preface(&mut self, what: impl Into<String>) {
        self.found.push(Finding::new(Which::HaCf, Diagnostic::error(Span::default(), what).whole_file()));
    }

    fn warn(&mut self, span: Span, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Finding::new(Which::HaCf, Diagnostic::warning(span, what).hint(hint)));
    }

    fn push_late(&mut self, diagnostic: Diagnostic) {
        self.found.push(Finding::late(Which::HaCf, diagnostic));
    }

    fn late_preface(&mut self, what: &str) {
        self.push_late(Diagnostic::error(Span::default(), what).whole_file());
    }

    fn late_error(&mut self, span: Span, what: impl Into<String>, hint: &str) {
        self.push_late(Diagnostic::error(span, what).hint(hint));
    }
}

/// A written value, or the default.
fn value<T: Copy>(set: &Option<Spanned<T>>, default: T) -> T {
    set.as_ref().map_or(default, |s| s.value)
}

/// The parameters of a file that sets none, as `heartbeat -D` prints them.
#[must_use]
pub fn defaults() -> Vec<(String, String)> {
    let cf = ha_cf::File::default();
    parameters(&cf, &timing::Timing::of(&cf), medium::HA_CLUSTER)
}

/// What `cl_status hbparameter` shows: what was written, else the original's defaults.
fn parameters(cf: &ha_cf::File, timing: &timing::Timing, udpport: u16) -> Vec<(String, String)> {
    let ms = |d: Duration| format!("{}ms", d.as_millis());
    let defaults = [
        ("hbversion", format!("3.0.6 (lvs-ha {})", env!("CARGO_PKG_VERSION"))),
        ("cluster", "linux-ha".to_owned()),
        ("hopfudge", "1".to_owned()),
        ("keepalive", ms(timing.keepalive)),
        ("deadtime", ms(timing.deadtime)),
        ("deadping", ms(timing.deadping)),
        ("initdead", ms(timing.initdead)),
        ("warntime", ms(timing.warntime)),
        ("baud", "19200".to_owned()),
        ("udpport", udpport.to_string()),
        ("auto_failback", "legacy".to_owned()),
        ("hbgenmethod", "file".to_owned()),
        ("realtime", "true".to_owned()),
        ("debug", "0".to_owned()),
        ("msgfmt", "classic".to_owned()),
        ("conn_logd_time", "60".to_owned()),
        ("log_badpack", "true".to_owned()),
        ("syslogmsgfmt", "true".to_owned()),
        ("coredumps", "true".to_owned()),
        ("crm", "false".to_owned()),
        ("pacemaker", "false".to_owned()),
        ("autojoin", "none".to_owned()),
        ("uuidfrom", "file".to_owned()),
        ("compression", "zlib".to_owned()),
        ("compression_threshold", "2".to_owned()),
        ("traditional_compression", "no".to_owned()),
        ("max_rexmit_delay", MAX_REXMIT_DELAY.to_string()),
        ("record_config_changes", "on".to_owned()),
        ("record_pengine_inputs", "on".to_owned()),
        ("enable_config_writes", "on".to_owned()),
        ("memreserve", "6500".to_owned()),
    ];
    let mut out = cf.written.clone();
    for (name, value) in defaults {
        if !out.iter().any(|(n, _)| n == name) {
            out.push((name.to_owned(), value));
        }
    }
    out
}

#[cfg(test)]
mod tests;
