//! The local syslog: one datagram a line to /dev/log, as the C library sends it (RFC 3164, section 4.1).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Entry, Sink};
use crate::cluster::io::Level;
use crate::config::settings::facility_number;

/// The socket of every syslog daemon, and of the journal.
pub const DEV_LOG: &str = "/dev/log";
/// A full syslog daemon holds the log up no longer than this for a line.
const TIMEOUT: Duration = Duration::from_secs(1);
/// Daemons cut or refuse longer datagrams; RFC 5424 asks them to take this much.
const LONGEST: usize = 2048;

/// Text of an entry behind `TAG: `; `None`: not for syslog.
pub type Format = Box<dyn Fn(&Entry) -> Option<String> + Send>;

/// The local syslog daemon.
pub struct Syslog {
    path: PathBuf,
    facility: u8,
    tag: String,
    format: Format,
    zone: TimeZone,
    socket: Option<UnixDatagram>,
}

impl std::fmt::Debug for Syslog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Syslog").field("path", &self.path).field("facility", &self.facility).finish_non_exhaustive()
    }
}

impl Syslog {
    /// Lines for `facility`, by name, under `tag`; `None` if there is no such facility.
    pub fn new(path: impl AsRef<Path>, facility: &str, tag: &str, format: Format) -> Option<Self> {
        Some(Self {
            path: path.as_ref().to_owned(),
            facility: facility_number(facility)?,
            tag: tag.to_owned(),
            format,
            zone: TimeZone::system(),
            socket: None,
        })
    }

    fn datagram(&self, entry: &Entry, text: &str) -> String {
        let when = entry.time.to_zoned(self.zone.clone()).strftime("%b %e %T").to_string();
        let mut line = format!("<{}>{when} {}: {text}", self.facility * 8 + severity(entry.level), self.tag);
        if line.len() > LONGEST {
            let cut = (0..=LONGEST).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
            line.truncate(cut);
        }
        line
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        let socket = match &self.socket {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(&self.path)?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                self.socket.insert(socket)
            }
        };
        socket.send(line.as_bytes()).map(|_| ())
    }
}

impl Sink for Syslog {
    fn write(&mut self, entries: &[Entry]) -> io::Result<()> {
        for entry in entries {
            let Some(text) = (self.format)(entry) else { continue };
            let line = self.datagram(entry, &text);
            if self.send(&line).is_err() {
                // A daemon that was started anew has another socket behind the same path.
                self.socket = None;
                self.send(&line)?;
            }
        }
        Ok(())
    }

    fn name(&self) -> String {
        format!("syslog at {}", self.path.display())
    }

    /// A machine without a syslog daemon is no broken one.
    fn gravity(&self) -> Level {
        Level::Warn
    }
}

/// The number of a level (RFC 5424, section 6.2.1).
fn severity(level: Level) -> u8 {
    match level {
        Level::Crit => 2,
        Level::Error => 3,
        Level::Warn => 4,
        Level::Notice => 5,
        Level::Info => 6,
        Level::Debug => 7,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn entry(level: Level, text: &str) -> Entry {
        Entry { time: Timestamp::UNIX_EPOCH, level, text: text.into() }
    }

    fn receive(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    fn syslog(path: &Path) -> Syslog {
        let mut s = Syslog::new(path, "local0", "heartbeat", Box::new(|e| Some(format!("[7]: {}", e.text)))).unwrap();
        s.zone = TimeZone::UTC;
        s
    }

    #[test]
    fn lines_have_priority_time_and_tag() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut s = syslog(&path);
        s.write(&[entry(Level::Info, "up"), entry(Level::Crit, "down")]).unwrap();
        assert_eq!(receive(&daemon), "<134>Jan  1 00:00:00 heartbeat: [7]: up");
        assert_eq!(receive(&daemon), "<130>Jan  1 00:00:00 heartbeat: [7]: down");
        assert!(Syslog::new(&path, "bogus", "x", Box::new(|_| None)).is_none());
    }

    #[test]
    fn a_daemon_that_restarts_gets_the_next_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut s = syslog(&path);
        assert!(s.write(&[entry(Level::Info, "nobody")]).is_err());
        let daemon = UnixDatagram::bind(&path).unwrap();
        s.write(&[entry(Level::Info, "one")]).unwrap();
        receive(&daemon);
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        let daemon = UnixDatagram::bind(&path).unwrap();
        s.write(&[entry(Level::Info, "two")]).unwrap();
        assert!(receive(&daemon).ends_with("two"));
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let s = syslog(Path::new("/nowhere"));
        let line = s.datagram(&entry(Level::Info, ""), &"\u{20ac}".repeat(2000));
        assert!(line.len() <= LONGEST && line.len() > LONGEST - 3);
    }
}
