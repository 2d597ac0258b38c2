//! The directives of `ha.cf` that set one value, and `node` and `env`.

use std::time::Duration;

use super::line::Line;
use super::value::{number, time, truth};
use super::{Diagnostic, Failback, GenerationFrom, MsgFmt, Reader, Span, Spanned};
use crate::config::settings;

/// Directives read here.
const OPTIONS: &[&str] = &[
    "node",
    "env",
    "keepalive",
    "deadtime",
    "warntime",
    "initdead",
    "deadping",
    "hopfudge",
    "udpport",
    "baud",
    "auto_failback",
    "nice_failback",
    "logfile",
    "debugfile",
    "logfacility",
    "use_logd",
    "conn_logd_time",
    "syslogmsgfmt",
    "log_badpack",
    "debug",
    "realtime",
    "rtprio",
    "memreserve",
    "watchdog",
    "hbgenmethod",
    "msgfmt",
    "uuidfrom",
    "autojoin",
    "compression",
    "compression_threshold",
    "traditional_compression",
    "max_rexmit_delay",
    "cluster",
    "coredumps",
    "coreroot",
    "crm",
    "pacemaker",
    "quorum_server",
    "record_config_changes",
    "record_pengine_inputs",
    "enable_config_writes",
    "crm_daemon_dir",
    "crmd_spawns_pengine",
    "use_apphbd",
];

/// Directives read elsewhere, for hints.
const OTHERS: &[&str] = &[
    "bcast",
    "serial",
    "ping",
    "ping_group",
    "ucast",
    "ucast6",
    "mcast",
    "mcast6",
    "ping6",
    "respawn",
    "failfast",
    "apiauth",
    "stonith",
    "stonith_host",
];

const A_TIME: &str = "seconds, or a number with ms, such as 2 or 500ms";
const A_TRUTH: &str = "on or off";

/// Whether the directive is read here.
pub(super) fn is(name: &str) -> bool {
    OPTIONS.contains(&name)
}

/// The directive that was probably meant: the same in another case, or with one letter wrong, missing or too many.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    OPTIONS.iter().chain(OTHERS).copied().find(|known| lower == *known || one_off(&lower, known))
}

fn one_off(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = |s: &[u8], skip: usize| s.get(same + skip..).unwrap_or_default().to_vec();
    match a.len().abs_diff(b.len()) {
        0 => tail(a, 1) == tail(b, 1),
        1 if a.len() > b.len() => tail(a, 1) == tail(b, 0),
        1 => tail(a, 0) == tail(b, 1),
        _ => false,
    }
}

impl Reader<'_> {
    /// Takes every value of the line in turn, so that the last one counts.
    pub(super) fn options(&mut self, line: &Line<'_>) {
        let values = line.values();
        if values.is_empty() {
            return self.no_value(line);
        }
        let name = line.name.value.as_str();
        for word in &values {
            match name {
                "node" => self.file.nodes.push(Spanned::new(word.value.to_lowercase(), word.span)),
                "env" => self.env(word),
                _ => {
                    self.option(name, word);
                    self.remember(name, word);
                }
            }
        }
    }

    fn remember(&mut self, name: &str, word: &Spanned<String>) {
        match self.file.written.iter_mut().find(|(n, _)| n == name) {
            Some((_, value)) if name != "nice_failback" => {
                let what = format!("Directive [{name}] in {} is given again: the last value counts", self.shown);
                self.found.push(Diagnostic::warning(word.span, what).hint(format!("instead of [{value}]")));
                value.clone_from(&word.value);
            }
            Some(_) => {}
            None => self.file.written.push((name.to_owned(), word.value.clone())),
        }
    }

    fn option(&mut self, name: &str, word: &Spanned<String>) {
        let span = word.span;
        let text = word.value.as_str();
        match name {
            "keepalive" => self.file.keepalive = self.a_time(name, word, true).or(self.file.keepalive.take()),
            "deadtime" => self.file.deadtime = self.a_time(name, word, false).or(self.file.deadtime.take()),
            "initdead" => self.file.initdead = self.a_time(name, word, false).or(self.file.initdead.take()),
            "deadping" => self.file.deadping = self.a_time(name, word, false).or(self.file.deadping.take()),
            "warntime" => match time(text).filter(|t| *t > Duration::ZERO) {
                Some(t) => self.file.warntime = Some(Spanned::new(t, span)),
                None => {
                    self.found.push(
                        Diagnostic::error(span, format!("Warn time [{text}] is invalid.")).hint(format!("expected {A_TIME}")),
                    );
                }
            },
            "conn_logd_time" => drop(self.a_time(name, word, true)),
            "hopfudge" => self.file.hopfudge = self.a_number(name, word, 0..=255, "a number from 0 to 255"),
            "debug" => self.file.debug = self.a_number(name, word, 0..=255, "a number from 0 to 255"),
            "memreserve" => drop(self.a_number(name, word, 1..=u32::MAX, "kilobytes, more than 0")),
            "udpport" => match number(text, 1..=u16::MAX) {
                Some(port) => self.file.udpport = Some(Spanned::new(port, span)),
                None => {
                    let what = format!("heartbeat: invalid port [{text}] specified.");
                    self.found.push(Diagnostic::error(span, what).hint("expected a number from 1 to 65535"));
                }
            },
            "baud" => {
                if matches!(text, "9600" | "19200" | "38400" | "57600" | "115200" | "230400" | "460800") {
                    self.file.baud = number(text, 1..=u32::MAX).map(|n| Spanned::new(n, span));
                } else {
                    self.error(span, format!("heartbeat: invalid baudrate [{text}] specified."));
                }
            }
            "auto_failback" | "nice_failback" => self.failback(name, word),
            "logfile" => self.file.logfile = Some(word.clone()),
            "debugfile" => self.file.debugfile = Some(word.clone()),
            "logfacility" => {
                if text == "none" || settings::facility_number(text).is_some() {
                    self.file.logfacility = Some(word.clone());
                } else {
                    let what = format!("Log facility({text}) not valid");
                    self.found.push(Diagnostic::error(span, what).hint("expected daemon, user, local0 to local7 or none"));
                }
            }
            "use_logd" => self.file.use_logd = self.a_truth(name, word),
            "syslogmsgfmt" => self.file.syslogmsgfmt = self.a_truth(name, word),
            "log_badpack" => self.file.log_badpack = self.a_truth(name, word),
            "coredumps" => drop(self.a_truth(name, word)),
            "realtime" => self.file.realtime = self.a_truth(name, word),
            "rtprio" => match number(text, 1..=99_u8) {
                Some(n) => self.file.rtprio = Some(Spanned::new(n, span)),
                None => self.error(span, format!("Illegal realtime priority [{text}]")),
            },
            "hbgenmethod" => match text {
                "file" => self.file.hbgenmethod = Some(Spanned::new(GenerationFrom::File, span)),
                "time" => self.file.hbgenmethod = Some(Spanned::new(GenerationFrom::Time, span)),
                _ => self.error(span, format!("Illegal hb generation method [{text}]")),
            },
            "msgfmt" => match text {
                "classic" => self.file.msgfmt = Some(Spanned::new(MsgFmt::Classic, span)),
                "netstring" => self.file.msgfmt = Some(Spanned::new(MsgFmt::Netstring, span)),
                _ => self.illegal(name, word, "classic or netstring"),
            },
            "max_rexmit_delay" => match number(text, 1..=u32::MAX) {
                Some(n) => self.file.max_rexmit_delay = Some(Spanned::new(n, span)),
                None => {
                    let what = format!("Invalid max_rexmit_delay time({text})");
                    self.found.push(Diagnostic::error(span, what).hint("expected milliseconds, without a unit"));
                }
            },
            "autojoin" => match text {
                "none" => self.file.autojoin = None,
                "other" | "any" => self.file.autojoin = Some(word.clone()),
                _ => self.error(span, format!("Invalid autojoin directive [{text}]")),
            },
            _ => self.without_effect(name, word),
        }
    }

    /// Options that are checked and then either change nothing here, or are refused.
    fn without_effect(&mut self, name: &str, word: &Spanned<String>) {
        let (span, text) = (word.span, word.value.as_str());
        match name {
            "uuidfrom" => match text {
                "file" => {}
                "nodename" => self.warn(span, "uuidfrom nodename has no effect here", "the node's uuid is kept in hb_uuid"),
                _ => self.error(span, format!("Invalid uuidfrom directive [{text}]")),
            },
            "compression" if !matches!(text, "zlib" | "bz2") => self.error(span, format!("Compression module({text}) not found")),
            "compression_threshold" if number(text, 1..=u32::MAX).is_none() => {
                self.error(span, format!("set_compression_threshold: compress_threshhold({text}) invalid"));
            }
            "traditional_compression" => match truth(text) {
                Some(true) => {
                    self.warn(
                        span,
                        "traditional_compression has no effect here",
                        "messages are sent uncompressed: every node can read them",
                    );
                }
                Some(false) => {}
                None => self.error(span, format!("set_traditional_compression:Invalid directive value {text}")),
            },
            "watchdog" => self.warn(
                span,
                format!("watchdog {text} is not opened by lvs-ha"),
                "a hung machine is not reset; a node that was late beyond its dead time gives up its resources",
            ),
            "crm" | "pacemaker" => {
                let on = truth(text).or_else(|| matches!(text, "respawn" | "manual").then_some(true));
                match on {
                    Some(true) => {
                        self.found.push(Diagnostic::info(format!("Pacemaker support: {text}")));
                        let what = format!(
                            "{name} {text}: a later release of lvs-ha hands resources to Pacemaker, this one runs those of haresources"
                        );
                        let hint = "remove the line to run the resources of haresources, or stay with Heartbeat";
                        self.found.push(Diagnostic::error(span, what).hint(hint));
                    }
                    Some(false) => {}
                    None => self.illegal(name, word, A_TRUTH),
                }
            }
            "quorum_server" => {
                self.warn(span, "quorum_server has no effect without crm", "resources of haresources run without quorum");
            }
            "use_apphbd" => match truth(text) {
                Some(true) => self.warn(span, "use_apphbd has no effect here", "no application heartbeat daemon is told"),
                Some(false) => {}
                None => self.illegal(name, word, A_TRUTH),
            },
            // Good compression settings (nothing is compressed), a name, a folder for cores, and the settings of a cluster resource manager: without effect in the original
            // as well, unless `crm` is on.
            _ => {}
        }
    }

    /// `auto_failback`, and `nice_failback` of version 1, which changes what was set before it.
    fn failback(&mut self, name: &str, word: &Spanned<String>) {
        let (span, text) = (word.span, word.value.as_str());
        if name == "auto_failback" {
            let value = if text.eq_ignore_ascii_case("legacy") {
                Some(Failback::Legacy)
            } else {
                truth(text).map(|on| if on { Failback::On } else { Failback::Off })
            };
            match value {
                Some(v) => self.file.auto_failback = Some(Spanned::new(v, span)),
                None => self.illegal(name, word, "on, off or legacy"),
            }
            return;
        }
        let obsolete = "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead.";
        if truth(text).is_none() {
            self.preface(obsolete);
            return self.illegal(name, word, A_TRUTH);
        }
        let (value, text) = match &self.file.auto_failback {
            Some(Spanned { value: Failback::On | Failback::Off, .. }) => {
                (Failback::Off, format!("'nice_failback {text}' has been changed to 'auto_failback off'"))
            }
            _ => (Failback::Legacy, format!("nice_failback {text} has been strictly interpreted as 'auto_failback legacy'")),
        };
        self.found.push(Diagnostic::warning(Span::default(), obsolete).whole_file());
        self.warn(span, text, "write `auto_failback off` for what nice_failback on once meant");
        self.file.auto_failback = Some(Spanned::new(value, span));
    }

    fn env(&mut self, word: &Spanned<String>) {
        match word.value.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.file.env.retain(|(n, _)| n != name);
                self.file.env.push((name.to_owned(), value.to_owned()));
            }
            // The original takes a name without a value and sets nothing.
            None => self.warn(word.span, format!("env {} sets nothing", word.value), "expected NAME=VALUE"),
            Some(_) => self.error(word.span, format!("set_env: invalid nvpair({})", word.value)),
        }
    }

    fn a_time(&mut self, name: &str, word: &Spanned<String>, above_zero: bool) -> Option<Spanned<Duration>> {
        match time(&word.value).filter(|t| !above_zero || *t > Duration::ZERO) {
            Some(t) => Some(Spanned::new(t, word.span)),
            None => {
                self.illegal(name, word, A_TIME);
                None
            }
        }
    }

    fn a_truth(&mut self, name: &str, word: &Spanned<String>) -> Option<Spanned<bool>> {
        let value = truth(&word.value);
        if value.is_none() {
            self.illegal(name, word, A_TRUTH);
        }
        Some(Spanned::new(value?, word.span))
    }

    fn a_number<T: std::str::FromStr + PartialOrd>(
        &mut self,
        name: &str,
        word: &Spanned<String>,
        range: std::ops::RangeInclusive<T>,
        expected: &str,
    ) -> Option<Spanned<T>> {
        let value = number(&word.value, range);
        if value.is_none() {
            self.illegal(name, word, expected);
        }
        Some(Spanned::new(value?, word.span))
    }
}
