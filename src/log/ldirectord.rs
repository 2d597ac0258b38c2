//! ldirectord's log: the original's line format, to a file, to syslog or to the terminal.
//!
//! [`Sink`] writes at once, for commands; [`Writer`] puts lines on a thread of its own, so that a full disk or a dead
//! syslog never holds up the daemon. What does not fit into the queue is counted, and said when there is room again.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use jiff::Zoned;

/// Where lines go when the file does not say.
pub const DEFAULT_FILE: &str = "/var/log/ldirectord.log";

/// The original's date, as asctime writes it.
const DATE: &str = "%a %b %e %H:%M:%S %Y";

/// Lines that wait at most.
const QUEUE: usize = 4096;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, opened, appended to and closed for every line, so that it may be rotated at any time.
    File(PathBuf),
    /// A syslog facility, by name.
    Syslog(String),
    /// Standard output with the date (`supervised=yes`).
    Stdout,
    /// Standard error without it (`-d`).
    Stderr,
}

/// Writes lines.
#[derive(Debug)]
pub struct Sink {
    instance: String,
    target: Target,
}

impl Sink {
    /// For an instance, whose name stands in the lines of a file.
    pub fn new(instance: impl Into<String>, target: Target) -> Self {
        Self { instance: instance.into(), target }
    }

    /// Writes one line, as of now. What cannot be written goes to standard error, as with the original.
    pub fn line(&self, text: &str) {
        self.write(&Zoned::now(), text);
    }

    fn write(&self, at: &Zoned, text: &str) {
        let line = render(&self.target, &self.instance, at, std::process::id(), text);
        let written = match &self.target {
            Target::File(path) => append(path, line.as_bytes()),
            Target::Syslog(_) => {
                UnixDatagram::unbound().and_then(|socket| socket.send_to(line.as_bytes(), "/dev/log")).map(|_| ())
            }
            Target::Stdout => io::stdout().lock().write_all(line.as_bytes()),
            Target::Stderr => return drop(io::stderr().lock().write_all(line.as_bytes())),
        };
        if written.is_err() {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Opens, appends, closes: the file may be moved away at any time.
fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes)
}

/// The bytes of one line.
fn render(target: &Target, instance: &str, at: &Zoned, pid: u32, text: &str) -> String {
    let text = text.replace('\n', "\\n");
    let date = || at.strftime(DATE);
    match target {
        Target::File(_) => format!("[{}|{instance}|{pid}] {text}\n", date()),
        Target::Stdout => format!("[{}] {text}\n", date()),
        Target::Stderr => format!("{text}\n"),
        Target::Syslog(facility) => {
            let priority = facility_number(facility) * 8 + 6;
            format!("<{priority}>{} ldirectord[{pid}]: {text}", at.strftime("%b %e %H:%M:%S"))
        }
    }
}

/// RFC 3164, section 4.1.1; an unknown name is `daemon`.
fn facility_number(name: &str) -> u32 {
    const NAMES: [&str; 12] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
    let local = name.strip_prefix("local").and_then(|n| n.parse::<u32>().ok()).filter(|n| *n < 8).map(|n| 16 + n);
    let known = || NAMES.iter().position(|n| *n == name).and_then(|n| u32::try_from(n).ok());
    local.or_else(known).unwrap_or(3)
}

enum Message {
    Line(Zoned, String),
    /// To another file: a monitor file's line.
    Append(Zoned, PathBuf, String),
    Target(Target),
}

/// A sink on a thread of its own. Dropping it writes what is queued.
#[derive(Debug)]
pub struct Writer {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    lost: u64,
}

impl Writer {
    /// Starts the thread.
    pub fn start(sink: Sink) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || write_all(sink, &lines))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), lost: 0 })
    }

    /// Queues one line; never waits.
    pub fn line(&mut self, text: impl Into<String>) {
        if self.lost > 0 {
            let lost = self.lost;
            if self.send(Message::Line(Zoned::now(), format!("{lost} log lines were lost"))) {
                self.lost = 0;
            }
        }
        if !self.send(Message::Line(Zoned::now(), text.into())) {
            self.lost += 1;
        }
    }

    /// Queues a line of a monitor file, dated and with the process's number as the original's are; never waits. A file that
    /// can't be written is told of in the log, once.
    pub fn append(&mut self, path: &str, text: &str) {
        if !self.send(Message::Append(Zoned::now(), path.into(), text.to_owned())) {
            self.lost += 1;
        }
    }

    /// Later lines go there.
    pub fn redirect(&mut self, target: Target) {
        self.send(Message::Target(target));
    }

    fn send(&self, message: Message) -> bool {
        let Some(queue) = &self.queue else { return false };
        !matches!(queue.try_send(message), Err(TrySendError::Full(_) | TrySendError::Disconnected(_)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_all(mut sink: Sink, lines: &Receiver<Message>) {
    // Monitor files that can't be written now.
    let mut failing: BTreeSet<PathBuf> = BTreeSet::new();
    for message in lines {
        match message {
            Message::Append(at, path, text) => {
                let line = format!("[{}] [{}] {text}\n", at.strftime(DATE), std::process::id());
                match append(&path, line.as_bytes()) {
                    Ok(()) => drop(failing.remove(&path)),
                    Err(error) => {
                        if failing.insert(path.clone()) {
                            sink.write(&at, &format!("cannot write to monitorfile {}: {error}", path.display()));
                        }
                    }
                }
            }
            Message::Line(at, text) => sink.write(&at, &text),
            Message::Target(target) => sink.target = target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_originals_format() {
        let time = jiff::civil::date(2026, 11, 6).at(21, 36, 57, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
        let line = |target| render(&target, "ldirectord.cf", &time, 4711, "Added virtual server: 10.0.0.1:80");
        assert_eq!(
            line(Target::File("/x".into())),
            "[Fri Nov  6 21:36:57 2026|ldirectord.cf|4711] Added virtual server: 10.0.0.1:80\n"
        );
        assert_eq!(line(Target::Stdout), "[Fri Nov  6 21:36:57 2026] Added virtual server: 10.0.0.1:80\n");
        assert_eq!(line(Target::Stderr), "Added virtual server: 10.0.0.1:80\n");
        assert_eq!(
            line(Target::Syslog("local0".into())),
            "<134>Nov  6 21:36:57 ldirectord[4711]: Added virtual server: 10.0.0.1:80"
        );
        assert_eq!((facility_number("daemon"), facility_number("local7"), facility_number("local8")), (3, 23, 3));
    }

    #[test]
    fn a_file_may_be_moved_away_and_a_line_is_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let sink = Sink::new("x", Target::File(a.clone()));
        sink.line("one");
        std::fs::rename(&a, &b).unwrap();
        sink.line("two\nthree");
        assert!(std::fs::read_to_string(&b).unwrap().ends_with("] one\n"));
        assert!(std::fs::read_to_string(&a).unwrap().ends_with("] two\\nthree\n"));
    }

    #[test]
    fn the_writer_keeps_the_order_and_writes_all_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let mut writer = Writer::start(Sink::new("x", Target::File(a.clone()))).unwrap();
        for i in 0..100 {
            writer.line(format!("line {i}"));
        }
        writer.redirect(Target::File(b.clone()));
        writer.line("last");
        drop(writer);
        let text = std::fs::read_to_string(&a).unwrap();
        let ends: Vec<&str> = text.lines().map(|l| l.rsplit("] ").next().unwrap()).collect();
        assert_eq!(ends, (0..100).map(|i| format!("line {i}")).collect::<Vec<_>>());
        assert!(std::fs::read_to_string(&b).unwrap().ends_with("] last\n"));
    }

    #[test]
    fn a_monitor_file_that_cannot_be_written_is_told_of_once() {
        let dir = tempfile::tempdir().unwrap();
        let (log, monitor) = (dir.path().join("log"), dir.path().join("none/mon"));
        let mut writer = Writer::start(Sink::new("x", Target::File(log.clone()))).unwrap();
        writer.append(monitor.to_str().unwrap(), "one");
        writer.append(monitor.to_str().unwrap(), "two");
        writer.append(dir.path().join("mon").to_str().unwrap(), "connect tcp 10.0.0.1 80 1 gate / [up] -");
        drop(writer);
        assert_eq!(std::fs::read_to_string(&log).unwrap().matches("cannot write to monitorfile").count(), 1);
        let line = std::fs::read_to_string(dir.path().join("mon")).unwrap();
        assert!(line.ends_with(&format!("] [{}] connect tcp 10.0.0.1 80 1 gate / [up] -\n", std::process::id())), "{line}");
    }
}
