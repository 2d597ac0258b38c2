//! heartbeat's log lines, and the targets that `ha.cf` names.

use std::io;

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::file::{LogFile, Stderr};
use super::syslog::{DEV_LOG, Syslog};
use super::{Entry, Log, Sink};
use crate::cluster::io::Level;
use crate::config::settings::LogTargets;

/// Who writes a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// The node's name.
    pub node: String,
    /// The program's name.
    pub tag: String,
    /// Its process.
    pub pid: u32,
    /// `syslogmsgfmt`.
    pub syslog_format: bool,
}

impl Writer {
    /// This process as `tag` on `node`.
    #[must_use]
    pub fn new(node: &str, tag: &str, syslog_format: bool) -> Self {
        Self { node: node.to_owned(), tag: tag.to_owned(), pid: std::process::id(), syslog_format }
    }

    /// A line of a log file and of standard error, without its end: `Nov 20 21:49:12 alpha heartbeat: [725]: info: TEXT`, or
    /// with `syslogmsgfmt false` `heartbeat[725]: 2026/11/20_21:48:46 info: TEXT`.
    #[must_use]
    pub fn line(&self, when: &Zoned, level: &str, text: &str) -> String {
        let Self { node, tag, pid, syslog_format } = self;
        if *syslog_format {
            format!("{} {node} {tag}: [{pid}]: {level}: {text}", when.strftime("%b %d %T"))
        } else {
            format!("{tag}[{pid}]: {} {level}: {text}", when.strftime("%Y/%m/%d_%T"))
        }
    }
}

/// The level's word in a line.
#[must_use]
pub fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Notice => "notice",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
        Level::Crit => "CRIT",
    }
}

impl Log {
    /// Starts the log of `ha.cf`: its files, its syslog facility, and standard error if `foreground`.
    ///
    /// # Errors
    /// The system gives no thread. A file that cannot be opened is no error: the other targets tell of it, and it is used as
    /// soon as it can be.
    pub fn open(targets: &LogTargets, node: &str, tag: &str, foreground: bool) -> io::Result<Self> {
        let writer = Writer::new(node, tag, targets.syslog_format);
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(path) = &targets.file {
            sinks.push(Box::new(LogFile::new(path, lines(&writer, false))));
        }
        // The same path twice would give every line twice.
        if let Some(path) = targets.debug_file.as_ref().filter(|p| targets.file.as_ref() != Some(p)) {
            sinks.push(Box::new(LogFile::new(path, lines(&writer, true))));
        }
        let pid = writer.pid;
        let text = Box::new(move |e: &Entry| Some(format!("[{pid}]: {}: {}", word(e.level), e.text)));
        if let Some(syslog) = targets.facility.as_deref().and_then(|f| Syslog::new(DEV_LOG, f, tag, text)) {
            sinks.push(Box::new(syslog));
        }
        if foreground {
            sinks.push(Box::new(Stderr::new(lines(&writer, true))));
        }
        Self::start(sinks, targets.debug)
    }
}

/// Lines of a file: all, or all but debug ones.
fn lines(writer: &Writer, debug: bool) -> super::file::Format {
    let (writer, zone) = (writer.clone(), TimeZone::system());
    Box::new(move |e| {
        let wanted = debug || e.level != Level::Debug;
        wanted.then(|| writer.line(&e.time.to_zoned(zone.clone()), word(e.level), &e.text))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn when() -> Zoned {
        "2026-11-05T02:00:05Z".parse::<jiff::Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    #[test]
    fn both_forms_are_the_originals() {
        let mut w = Writer { node: "alpha".into(), tag: "heartbeat".into(), pid: 725, syslog_format: true };
        assert_eq!(w.line(&when(), word(Level::Info), "TEXT"), "Nov 05 02:00:05 alpha heartbeat: [725]: info: TEXT");
        w.syslog_format = false;
        assert_eq!(w.line(&when(), word(Level::Crit), "TEXT"), "heartbeat[725]: 2026/11/05_02:00:05 CRIT: TEXT");
    }

    #[test]
    fn the_debug_file_has_the_same_lines_and_the_debug_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let targets = LogTargets {
            file: Some(path("ha-log")),
            debug_file: Some(path("ha-debug")),
            facility: None,
            syslog_format: true,
            debug: 1,
        };
        let log = Log::open(&targets, "alpha", "heartbeat", false).unwrap();
        log.write(Level::Warn, "node beta: is dead");
        log.write(Level::Debug, "detail");
        assert!(log.flush(Duration::from_secs(60)));
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        let (lines, debug) = (read("ha-log"), read("ha-debug"));
        let end = format!(" alpha heartbeat: [{}]: WARN: node beta: is dead\n", std::process::id());
        assert!(lines.ends_with(&end), "{lines}");
        assert_eq!(lines.len(), "Nov 05 02:00:05".len() + end.len());
        assert!(debug.starts_with(&lines) && debug.lines().count() == 2, "{debug}");
        assert!(debug.ends_with("debug: detail\n"));
    }
}
