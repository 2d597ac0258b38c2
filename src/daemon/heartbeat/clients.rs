//! The programs of `respawn` and `failfast`: started when this node has become active, started again when they end, stopped
//! last first when the node has stopped.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User, getgrouplist};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::agents::exec::How;
use crate::agents::respawn::{Lives, Next};
use crate::cluster::io::Level;
use crate::config::settings::Respawn;
use crate::log::Log;

/// A program that is told to end and does not is killed after this.
const GRACE: Duration = Duration::from_secs(30);

/// The running ones, in the file's order.
#[derive(Debug, Default)]
pub(super) struct Clients {
    running: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Clients {
    /// Starts them all.
    pub(super) fn start(&mut self, programs: &[Respawn], environment: &[(String, String)], log: &Log) {
        for program in programs {
            let (stop, stopped) = oneshot::channel();
            let client = Client { program: program.clone(), environment: environment.to_vec(), log: log.clone() };
            self.running.push((stop, tokio::spawn(client.live(stopped))));
        }
    }

    /// Stops them, last first, and waits for each.
    pub(super) async fn stop(&mut self) {
        while let Some((stop, task)) = self.running.pop() {
            // It may have ended for good by itself.
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

struct Client {
    program: Respawn,
    environment: Vec<(String, String)>,
    log: Log,
}

impl Client {
    async fn live(self, mut stop: oneshot::Receiver<()>) {
        let command = self.program.command.clone();
        let mut lives = Lives::new(self.program.failfast);
        loop {
            let born = Instant::now();
            let how = match self.spawn() {
                Ok((mut child, pid)) => {
                    tokio::select! {
                        status = child.wait() => self.ended(pid, status),
                        _ = &mut stop => return self.end(&mut child, pid).await,
                    }
                }
                Err(e) => {
                    self.log.write(Level::Error, &format!("Cannot start \"{command}\": {e}"));
                    How::Exited(1)
                }
            };
            match lives.ended(born.elapsed(), how) {
                Next::Over => return,
                Next::TooFast => {
                    self.log.write(Level::Error, &format!("Client {command} \"respawning too fast\""));
                    return;
                }
                Next::Reboot => {
                    self.log.write(Level::Crit, &format!("Rebooting system.  Reason: {command}"));
                    super::reboot::at_once(&self.log).await;
                    return;
                }
                Next::Again(pause) => {
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        _ = &mut stop => return,
                    }
                    self.log.write(Level::Info, &format!("Respawning client \"{command}\":"));
                }
            }
        }
    }

    fn spawn(&self) -> std::io::Result<(Child, i32)> {
        let Respawn { user, command, .. } = &self.program;
        let account = User::from_name(user)?.ok_or_else(|| std::io::Error::other(format!("there is no user {user}")))?;
        let (uid, gid) = (account.uid, account.gid);
        self.log.write(Level::Info, &format!("Starting child client \"{command}\" ({uid},{gid})"));
        let name = std::ffi::CString::new(user.as_str())?;
        let mut child = Command::new("/bin/sh");
        child.arg("-c").arg(format!("exec {command}")).envs(self.environment.iter().map(|(k, v)| (k, v)));
        child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        crate::sys::become_user(child.as_std_mut(), uid, gid, getgrouplist(&name, gid)?);
        let child = child.spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
        self.log.write(Level::Info, &format!("Starting \"{command}\" as uid {uid}  gid {gid} (pid {pid})"));
        Ok((child, pid))
    }

    fn ended(&self, pid: i32, status: std::io::Result<std::process::ExitStatus>) -> How {
        let command = &self.program.command;
        let how = status.map_or(How::Exited(1), |status| {
            status.code().map_or_else(|| How::Killed(status.signal().unwrap_or_default()), How::Exited)
        });
        match how {
            How::Exited(0) => self.log.write(Level::Info, &format!("Managed {command} process {pid} exited with return code 0.")),
            How::Exited(code) => {
                self.log.write(Level::Warn, &format!("Managed {command} process {pid} exited with return code {code}."));
            }
            How::Killed(n) => {
                let name = Signal::try_from(n).map_or("unknown", Signal::as_str);
                self.log.write(Level::Warn, &format!("Managed {command} process {pid} killed by signal {n} [{name}]."));
            }
            How::TimedOut => {}
        }
        how
    }

    async fn end(&self, child: &mut Child, pid: i32) {
        self.log.write(Level::Info, &format!("killing {} process group {pid} with signal 15", self.program.command));
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if pid > 1 {
                let _ = killpg(Pid::from_raw(pid), signal);
            }
            if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
                return;
            }
        }
    }
}

/// Shared, since they are started and stopped by different tasks.
pub(super) type Shared = Arc<tokio::sync::Mutex<Clients>>;
