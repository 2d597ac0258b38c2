//! Pid files where the originals have them, so that their users' scripts find the daemon.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// How long a dying process may hold the lock.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at it.
const LOCK_STEP: Duration = Duration::from_millis(20);

/// How the number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The digits and a newline.
    Plain,
    /// Right-aligned in 10 columns and a newline, as heartbeat writes it.
    TenColumns,
}

/// Why a pid file could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A daemon has it.
    #[error("already running with process id {0}")]
    Running(u32),
    /// It could not be written.
    #[error("cannot write pid file {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// This process's pid file: locked while it lives, removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    _lock: Flock<File>,
}

impl PidFile {
    /// Writes this process's number. A file left by a dead process is taken over; one that names a living process whose
    /// command line contains `word` is not.
    pub fn create(path: &Path, word: &str, layout: Layout) -> Result<Self, Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        if let Some(pid) = running(path, word).filter(|&pid| pid != std::process::id()) {
            return Err(Error::Running(pid));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o644).open(path).map_err(failed)?;
        let mut lock = lock(file).map_err(|errno| match recorded(path) {
            Some(pid) => Error::Running(pid),
            None => failed(errno.into()),
        })?;
        let pid = std::process::id();
        let text = match layout {
            Layout::Plain => format!("{pid}\n"),
            Layout::TenColumns => format!("{pid:>10}\n"),
        };
        lock.set_len(0).and_then(|()| lock.write_all(text.as_bytes())).map_err(failed)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Only if it still is ours: an operator may have replaced it.
        if recorded(&self.path) == Some(std::process::id()) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The process that the file names, if it lives and its command line contains `word` (so that a number used again by
/// another program does not count). One that was killed and is not gone yet does not live.
#[must_use]
pub fn running(path: &Path, word: &str) -> Option<u32> {
    let pid = recorded(path)?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let named = command.windows(word.len().max(1)).any(|w| w == word.as_bytes());
    let files = ["status", "stat"].map(|file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default());
    (named && !is_dying(&files[0], &files[1])).then_some(pid)
}

/// Whether a process is on its way out, by its files `status` and `stat` (proc(5)): SIGKILL is pending, or its exit has begun.
fn is_dying(status: &str, stat: &str) -> bool {
    /// Bit of SIGKILL in a signal mask.
    const KILL: u64 = 1 << 8;
    /// `PF_EXITING` of `linux/sched.h`.
    const EXITING: u64 = 4;
    let pending = status.lines().filter_map(|l| l.strip_prefix("SigPnd:").or_else(|| l.strip_prefix("ShdPnd:")));
    let killed = pending.filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok()).any(|mask| mask & KILL != 0);
    // Behind the name, which may contain anything: state, then five numbers, then the flags.
    let flags = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    killed || flags.is_some_and(|f| f & EXITING != 0)
}

/// The number in the file, whether or not such a process lives.
#[must_use]
pub fn recorded(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Locks the file. A process that was killed loses its memory, and with it its command line, some time before its files:
/// its lock is waited for.
fn lock(mut file: File) -> Result<Flock<File>, Errno> {
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((back, Errno::EAGAIN)) if Instant::now() < end => file = back,
            Err((_, errno)) => return Err(errno),
        }
        std::thread::sleep(LOCK_STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of this test program's own command line.
    fn word() -> String {
        let path = std::env::args().next().unwrap();
        Path::new(&path).file_name().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn written_in_both_layouts_and_removed_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let pid = std::process::id();
        for (layout, text) in [(Layout::Plain, format!("{pid}\n")), (Layout::TenColumns, format!("{pid:>10}\n"))] {
            let file = PidFile::create(&path, &word(), layout).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(running(&path, &word()), Some(pid));
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_stale_file_is_taken_over_and_a_foreign_process_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        fs::write(&path, "1\n").unwrap();
        assert_eq!(running(&path, "no-process-is-called-so"), None);
        let file = PidFile::create(&path, "no-process-is-called-so", Layout::Plain).unwrap();
        assert_eq!(recorded(&path), Some(std::process::id()));
        drop(file);
    }

    #[test]
    fn a_process_that_was_killed_and_is_not_gone_does_not_run() {
        let stat = |flags: u32| format!("42 (heart) beat) S 1 42 42 0 -1 {flags} 100 0\n");
        let status = |own: &str, shared: &str| format!("Name:\theartbeat\nSigPnd:\t{own}\nShdPnd:\t{shared}\n");
        let (none, kill, term) = ("0000000000000000", "0000000000000100", "0000000000004000");
        assert!(!is_dying(&status(none, none), &stat(4_194_560)));
        assert!(!is_dying(&status(none, term), &stat(4_194_560)));
        assert!(is_dying(&status(kill, none), &stat(4_194_560)));
        assert!(is_dying(&status(none, kill), &stat(4_194_560)));
        assert!(is_dying(&status(none, none), &stat(4_194_564)));
        // No such process: that it does not run, others tell.
        assert!(!is_dying("", ""));
    }

    #[test]
    fn a_killed_process_that_still_holds_the_lock_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let dying = Flock::lock(File::create(&path).unwrap(), FlockArg::LockExclusive).unwrap();
        let death = std::thread::spawn(move || {
            std::thread::sleep(LOCK_STEP * 5);
            drop(dying);
        });
        PidFile::create(&path, "no-process-is-called-so", Layout::Plain).unwrap();
        death.join().unwrap();
    }

    #[test]
    fn a_locked_file_says_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pid");
        let _first = PidFile::create(&path, "no-process-is-called-so", Layout::Plain).unwrap();
        let second = PidFile::create(&path, "no-process-is-called-so", Layout::Plain);
        assert!(matches!(second, Err(Error::Running(pid)) if pid == std::process::id()), "{second:?}");
    }
}
