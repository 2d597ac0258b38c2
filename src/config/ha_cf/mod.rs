//! `ha.cf`: the text to a model of its lines, every value with its place.
//!
//! Checks what a line alone can tell. What needs the host (interfaces, names, users), or several lines at once, is
//! `config::resolve::cluster`'s. Texts are Heartbeat 3.0.6's; where it says nothing but "configuration error" the text is
//! ours. Nothing that Heartbeat would act on is dropped silently: what this version cannot do is an error or a warning.

mod client;
mod line;
mod medium;
mod option;
mod value;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::diag::{Diagnostic, Span, Spanned};
use super::settings::{Failback, GenerationFrom, Monitor, MsgFmt, Stonith};
pub(in crate::config) use client::invalid_apiauth;
use line::{Cut, Line};
pub(in crate::config) use line::{is_blank, words};

/// The lines of `ha.cf`. `None`: not written. A directive written twice has its last value, as in the original.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct File {
    /// `node`, lower case, in the order written; may have duplicates.
    pub nodes: Vec<Spanned<String>>,
    /// `keepalive`, above zero.
    pub keepalive: Option<Spanned<Duration>>,
    /// `deadtime`.
    pub deadtime: Option<Spanned<Duration>>,
    /// `warntime`, above zero.
    pub warntime: Option<Spanned<Duration>>,
    /// `initdead`.
    pub initdead: Option<Spanned<Duration>>,
    /// `deadping`.
    pub deadping: Option<Spanned<Duration>>,
    /// `hopfudge`.
    pub hopfudge: Option<Spanned<u8>>,
    /// `udpport`.
    pub udpport: Option<Spanned<u16>>,
    /// `baud`.
    pub baud: Option<Spanned<u32>>,
    /// The links, in the order written; may have duplicates.
    pub media: Vec<Spanned<Medium>>,
    /// `ping` and `ping_group`.
    pub ping: Vec<Ping>,
    /// `auto_failback`, after what `nice_failback` makes of it.
    pub auto_failback: Option<Spanned<Failback>>,
    /// `logfile`.
    pub logfile: Option<Spanned<String>>,
    /// `debugfile`.
    pub debugfile: Option<Spanned<String>>,
    /// `logfacility`: a valid name, or `none`.
    pub logfacility: Option<Spanned<String>>,
    /// `use_logd`.
    pub use_logd: Option<Spanned<bool>>,
    /// `syslogmsgfmt`.
    pub syslogmsgfmt: Option<Spanned<bool>>,
    /// `log_badpack`.
    pub log_badpack: Option<Spanned<bool>>,
    /// `debug`.
    pub debug: Option<Spanned<u8>>,
    /// `realtime`.
    pub realtime: Option<Spanned<bool>>,
    /// `rtprio`, 1 to 99.
    pub rtprio: Option<Spanned<u8>>,
    /// `hbgenmethod`.
    pub hbgenmethod: Option<Spanned<GenerationFrom>>,
    /// `msgfmt`.
    pub msgfmt: Option<Spanned<MsgFmt>>,
    /// `max_rexmit_delay`, milliseconds, above zero.
    pub max_rexmit_delay: Option<Spanned<u32>>,
    /// `autojoin` with a value other than none.
    pub autojoin: Option<Spanned<String>>,
    /// `respawn` and `failfast`.
    pub clients: Vec<Client>,
    /// `apiauth`.
    pub apiauth: Vec<ApiAuth>,
    /// `env`, in the order written.
    pub env: Vec<(String, String)>,
    /// `#lvs-ha: extensions on|off`.
    pub extensions: Option<Spanned<bool>>,
    /// `#lvs-ha: builtin on|off`.
    pub builtin: Option<Spanned<bool>>,
    /// `#lvs-ha: monitor off`, or `monitor TIME [TIMES]`.
    pub monitor: Option<Option<Monitor>>,
    /// `#lvs-ha: carrier on|off`.
    pub carrier: Option<Spanned<bool>>,
    /// `#lvs-ha: reboot on|off`.
    pub reboot: Option<Spanned<bool>>,
    /// `#lvs-ha: notify PROGRAM`, each.
    pub notify: Vec<Spanned<String>>,
    /// `#lvs-ha: unfenced on|off`: go on where a fencing device cannot be used.
    pub unfenced: Option<Spanned<bool>>,
    /// `stonith` and `stonith_host`.
    pub stonith: Vec<Device>,
    /// The last value of each option, as written, for those who ask (`cl_status hbparameter`).
    pub written: Vec<(String, String)>,
}

/// A link as written; whether its interface and its host exist is asked later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// `bcast IF`.
    Bcast {
        /// The interface.
        interface: String,
    },
    /// `ucast IF HOST`.
    Ucast {
        /// The interface.
        interface: String,
        /// Address or name.
        host: Spanned<String>,
    },
    /// `ucast6 IF HOST`.
    Ucast6 {
        /// The interface.
        interface: String,
        /// Address or name.
        host: Spanned<String>,
    },
    /// `mcast6 IF GROUP PORT HOPS LOOP`.
    Mcast6 {
        /// The interface.
        interface: String,
        /// The group.
        group: Ipv6Addr,
        /// The port.
        port: u16,
        /// Hop limit.
        hops: u8,
        /// Whether this host receives its own packets.
        looped: bool,
    },
    /// `serial DEVICE`.
    Serial {
        /// The device.
        device: String,
    },
    /// `mcast IF GROUP PORT TTL LOOP`.
    Mcast {
        /// The interface.
        interface: String,
        /// The group.
        group: Ipv4Addr,
        /// The port.
        port: u16,
        /// Time to live.
        ttl: u8,
        /// Whether this host receives its own packets.
        looped: bool,
    },
}

/// A ping node as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Its name on the cluster: the host as written, or the group's name.
    pub name: Spanned<String>,
    /// One host for `ping`, at least one for `ping_group`.
    pub hosts: Vec<Spanned<String>>,
    /// Whether it is a `ping_group`.
    pub group: bool,
}

/// A `respawn` or `failfast` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The user's name.
    pub user: Spanned<String>,
    /// The command's path.
    pub path: Spanned<String>,
    /// The command with its arguments.
    pub command: String,
    /// Whether the machine is to be restarted when the command ends abnormally.
    pub failfast: bool,
    /// The whole directive.
    pub span: Span,
}

/// A `stonith` or `stonith_host` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The node it is attached to; `None` and `*`: any.
    pub host: Option<String>,
    /// Type and parameters.
    pub stonith: Stonith,
    /// The whole directive.
    pub span: Span,
}

/// An `apiauth` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAuth {
    /// The client's name.
    pub client: String,
    /// Users.
    pub users: Vec<Spanned<String>>,
    /// Groups.
    pub groups: Vec<Spanned<String>>,
    /// What follows `apiauth`, as written.
    pub text: String,
    /// The whole directive.
    pub span: Span,
}

/// Reads the file; `shown` is its path as messages print it. All findings at once; with an error among them the model is
/// not to be used.
#[must_use]
pub fn parse(bytes: &[u8], shown: &str) -> (File, Vec<Diagnostic>) {
    let mut reader = Reader { file: File::default(), found: Vec::new(), shown };
    for cut in line::lines(bytes) {
        match cut {
            Cut::Directive(line) => reader.directive(&line),
            Cut::Own(line) => reader.own(&line),
        }
    }
    (reader.file, reader.found)
}

/// A decimal number without sign.
pub(in crate::config) fn plain_number(word: &str) -> Option<u32> {
    value::number(word, 0..=u32::MAX)
}

/// The model as it grows.
struct Reader<'a> {
    file: File,
    found: Vec<Diagnostic>,
    shown: &'a str,
}

impl Reader<'_> {
    fn directive(&mut self, line: &Line<'_>) {
        match line.name.value.as_str() {
            "bcast" | "udp" | "serial" | "ping" | "ping6" | "ping_group" | "ucast" | "ucast6" | "mcast" | "mcast6" => {
                self.medium(line);
            }
            "respawn" | "failfast" | "apiauth" | "stonith" | "stonith_host" => self.client(line),
            name if option::is(name) => self.options(line),
            name => {
                let hint = option::nearest(name).map(|n| format!("did you mean `{n}`?"));
                let mut d = Diagnostic::error(line.name.span, format!("Illegal directive [{name}] in {}", self.shown));
                d.hint = hint;
                self.found.push(d);
            }
        }
    }

    /// `#lvs-ha: name value`.
    fn own(&mut self, line: &Line<'_>) {
        let values = line.values();
        let name = line.name.value.as_str();
        let known = ["builtin", "carrier", "extensions", "monitor", "notify", "reboot", "unfenced"];
        let Some(word) = values.first().filter(|_| known.contains(&name)) else {
            if known.contains(&name) {
                return self.no_value(line);
            }
            let what = format!("Illegal directive [#lvs-ha: {name}] in {}", self.shown);
            return self.found.push(Diagnostic::error(line.name.span, what).hint(format!("known: {}", known.join(", "))));
        };
        match name {
            "monitor" => self.monitor(word, values.get(1)),
            "notify" if word.value.starts_with('/') => self.file.notify.push(word.clone()),
            "notify" => self.illegal(name, word, "the full path of a program"),
            _ => match value::truth(&word.value) {
                Some(on) => {
                    let target = match name {
                        "builtin" => &mut self.file.builtin,
                        "carrier" => &mut self.file.carrier,
                        "extensions" => &mut self.file.extensions,
                        "reboot" => &mut self.file.reboot,
                        _ => &mut self.file.unfenced,
                    };
                    *target = Some(Spanned::new(on, word.span));
                }
                None => self.illegal(name, word, "on or off"),
            },
        }
    }

    /// `monitor off`, `monitor TIME`, `monitor TIME TIMES`. Our own directive takes `10s` as well as `10`.
    fn monitor(&mut self, word: &Spanned<String>, times: Option<&Spanned<String>>) {
        if value::truth(&word.value) == Some(false) {
            self.file.monitor = Some(None);
            return;
        }
        let seconds = word.value.strip_suffix('s').filter(|t| t.ends_with(|c: char| c.is_ascii_digit()));
        let every = value::time(seconds.unwrap_or(&word.value)).filter(|t| !t.is_zero());
        let Some(every) = every else { return self.illegal("monitor", word, "a time such as 10s, or off") };
        let mut monitor = Monitor { every, ..Monitor::default() };
        if let Some(times) = times {
            match plain_number(&times.value).filter(|n| *n > 0) {
                Some(n) => monitor.moves_at = n,
                None => return self.illegal("monitor", times, "a number of failures, 1 or more"),
            }
        }
        self.file.monitor = Some(Some(monitor));
    }

    /// A value that Heartbeat refuses without a word about it.
    fn illegal(&mut self, directive: &str, word: &Spanned<String>, expected: &str) {
        let what = format!("Illegal value [{}] for {directive} in {}", word.value, self.shown);
        self.found.push(Diagnostic::error(word.span, what).hint(format!("expected {expected}")));
    }

    fn error(&mut self, span: Span, what: impl Into<String>) {
        self.found.push(Diagnostic::error(span, what));
    }

    /// A line that goes before the one that shows the place.
    fn preface(&mut self, what: impl Into<String>) {
        self.found.push(Diagnostic::error(Span::default(), what).whole_file());
    }

    fn warn(&mut self, span: Span, what: impl Into<String>, hint: impl Into<String>) {
        self.found.push(Diagnostic::warning(span, what).hint(hint));
    }

    /// A directive without a value, which the original ignores.
    fn no_value(&mut self, line: &Line<'_>) {
        let what = format!("Directive [{}] in {} has no value: ignored", line.name.value, self.shown);
        self.found.push(Diagnostic::warning(line.name.span, what));
    }
}

#[cfg(test)]
mod tests;
