//! Going to the background so that the one who called learns whether the daemon came up.
//!
//! The fork happens before any thread or runtime exists. The parent waits on a pipe for one byte: the daemon's word that
//! it is ready (0) or the exit status of its failure. What went wrong is printed by the daemon itself, which keeps the
//! caller's standard error until it is ready.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::ForkResult;

/// How long a caller waits for the daemon's word.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Who we are after [`start`].
#[derive(Debug)]
pub enum Role {
    /// The caller: to exit with this status.
    Caller(u8),
    /// The daemon, leader of a session of its own: to give its word through [`Ready`].
    Daemon(Ready),
}

/// The daemon's word to its caller. Dropping it unsaid tells the caller that the daemon died (status 1).
#[derive(Debug)]
#[must_use = "the caller waits for it"]
pub struct Ready {
    pipe: Option<File>,
}

impl Ready {
    /// For a daemon that stays in the foreground: nobody waits, and its standard streams stay.
    pub fn foreground() -> Self {
        Self { pipe: None }
    }

    /// Tells the caller that all is well, and lets go of the terminal: standard streams become /dev/null.
    pub fn ready(mut self) -> io::Result<()> {
        let Some(mut pipe) = self.pipe.take() else { return Ok(()) };
        let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&null)?;
        nix::unistd::dup2_stderr(&null)?;
        // A caller that has given up waiting is no reason to fail.
        let _ = pipe.write_all(&[0]);
        Ok(())
    }

    /// Tells the caller to exit with `status` (not 0), and hands it back for this process's own exit.
    pub fn failed(mut self, status: u8) -> u8 {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[status]);
        }
        status
    }
}

/// Forks into caller and daemon. `name` is the program's name in the one message that the caller may print. Fails if a
/// thread exists already.
pub fn start(name: &str) -> io::Result<Role> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    match crate::sys::fork()? {
        ForkResult::Child => {
            drop(read);
            nix::unistd::setsid()?;
            std::env::set_current_dir("/")?;
            Ok(Role::Daemon(Ready { pipe: Some(File::from(write)) }))
        }
        ForkResult::Parent { .. } => {
            drop(write);
            Ok(Role::Caller(wait(name, File::from(read))))
        }
    }
}

/// The daemon's word, as an exit status.
fn wait(name: &str, mut pipe: File) -> u8 {
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::NONE);
    let mut word = [1];
    loop {
        return match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => continue,
            Ok(0) => {
                eprintln!("{name}: not ready after {} s; it goes on starting in the background", PATIENCE.as_secs());
                0
            }
            Ok(_) if pipe.read(&mut word).is_ok_and(|n| n == 1) => word.first().copied().unwrap_or(1),
            _ => {
                eprintln!("{name}: the daemon ended before it was ready");
                1
            }
        };
    }
}
