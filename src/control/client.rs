//! A command's side of the control socket: one question, one answer, never waiting without end.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use super::proto::{Greeting, Request, Response, VERSION};

/// How long a command waits for an answer.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Longest line that is read; a director with some 10,000 real servers stays below.
const LONGEST: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens.
    #[error("{}: not running", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// This user may not ask.
    #[error("{}: permission denied (root and members of group {} may ask)", path.display(), super::GROUP)]
    Permission {
        /// The socket.
        path: PathBuf,
    },
    /// It did not answer in time.
    #[error("{}: no answer within {} s", path.display(), after.as_secs())]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// What came is not an answer.
    #[error("{}: {what}", path.display())]
    Protocol {
        /// The socket.
        path: PathBuf,
        /// What was expected and what came.
        what: String,
    },
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Asks the daemon at `path`, waiting at most `patience` for connection and answer together.
///
/// # Errors
/// See [`Error`]; a daemon that says no is not an error but [`Response::Refused`].
pub fn request(path: &Path, request: &Request, patience: Duration) -> Result<Response, Error> {
    let fail = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning { path: path.to_owned() },
        io::ErrorKind::PermissionDenied => Error::Permission { path: path.to_owned() },
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Error::Timeout { path: path.to_owned(), after: patience },
        _ => Error::Io { path: path.to_owned(), source: e },
    };
    let protocol = |what: String| Error::Protocol { path: path.to_owned(), what };
    let mut lines = Lines { stream: connect(path, patience).map_err(fail)?, end: Instant::now() + patience, rest: Vec::new() };
    let greeting = lines.next().map_err(fail)?;
    let greeting: Greeting =
        serde_json::from_slice(&greeting).map_err(|e| protocol(format!("expected a greeting, got something else: {e}")))?;
    if greeting.v != VERSION {
        return Err(protocol(format!("the daemon speaks version {} of this protocol, this command {VERSION}", greeting.v)));
    }
    let mut line = serde_json::to_vec(request).map_err(|e| fail(e.into()))?;
    line.push(b'\n');
    // A daemon that turns this client away may have closed already; its reason is still there to be read.
    let sent = lines.stream.write_all(&line);
    let answer = match (lines.next(), sent) {
        (Ok(answer), _) => answer,
        (Err(_), Err(e)) | (Err(e), Ok(())) => return Err(fail(e)),
    };
    serde_json::from_slice(&answer).map_err(|e| protocol(format!("expected an answer, got something else: {e}")))
}

/// The sockets of the ldirectord instances in `dir`, by name. A missing directory has none.
///
/// # Errors
/// What the system says when the directory can't be read.
pub fn director_sockets(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|n| n.starts_with("ldirectord-") && n.ends_with(".sock")) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether somebody listens at `path`; one whose queue is full does.
pub(super) fn probe(path: &Path) -> bool {
    match connect(path, Duration::from_millis(200)) {
        Ok(_) => true,
        Err(e) => !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused),
    }
}

/// Connects. The standard library's way would wait for ever while the daemon's queue is full; a send timeout bounds it.
fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_write_timeout(Some(patience))?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

/// Lines of a connection, until a moment.
struct Lines {
    stream: UnixStream,
    end: Instant,
    /// Read, but behind the last line.
    rest: Vec<u8>,
}

impl Lines {
    /// The next line without its newline.
    fn next(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = [0; 16 * 1024];
        let mut searched = 0;
        loop {
            if let Some(at) = self.rest.iter().skip(searched).position(|&b| b == b'\n') {
                let behind = self.rest.split_off(searched + at + 1);
                let mut line = std::mem::replace(&mut self.rest, behind);
                line.pop();
                return Ok(line);
            }
            searched = self.rest.len();
            if searched > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long"));
            }
            let left = self.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon closed the connection")),
                Ok(got) => self.rest.extend_from_slice(chunk.get(..got).unwrap_or_default()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}
