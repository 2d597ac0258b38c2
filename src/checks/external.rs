//! A command of the administrator's: exit status 0 is up. No shell; its whole process group ends at the time limit.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Command;

use super::Failure;

/// Between the polite signal and the other.
const GRACE: Duration = Duration::from_secs(1);

pub(super) async fn ask(command: &str, args: &[String]) -> Result<String, Failure> {
    let mut child = Command::new(command)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(Failure::io("cannot run the command"))?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let status = child.wait().await.map_err(Failure::io("wait"))?;
    group.ended();
    // A signal is no success: the original looks at the exit byte only and takes it for one.
    if status.success() { Ok("exit status: 0".into()) } else { Err(Failure::Answer(status.to_string())) }
}

/// A process group that ends when the check does.
struct Group(Option<Pid>);

impl Group {
    /// The command has ended by itself; what it left in the background is its own affair.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(group) = self.0 else { return };
        let _ = killpg(group, Signal::SIGTERM);
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            let _ = killpg(group, Signal::SIGKILL);
        });
    }
}
