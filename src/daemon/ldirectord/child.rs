//! Commands of the administrator's: each in a process group of its own that ends at a time limit.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Between SIGTERM and SIGKILL when the time is up.
const GRACE: Duration = Duration::from_secs(2);

/// A command line for the shell.
pub(super) fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line);
    command
}

/// Runs it to its end; why it was no success. Its whole process group is killed after `limit`.
pub(super) async fn run(mut command: Command, input: &str, limit: Duration) -> Result<(), String> {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).kill_on_drop(false);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let pipe = child.stdin.take();
    let whole = async {
        if let Some(mut pipe) = pipe {
            // A command that does not want to hear it is no failure.
            let _ = pipe.write_all(input.as_bytes()).await;
        }
        child.wait().await
    };
    if let Ok(status) = tokio::time::timeout(limit, whole).await {
        let status = status.map_err(|e| e.to_string())?;
        return if status.success() { Ok(()) } else { Err(said(status)) };
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if let Some(group) = group {
            let _ = killpg(group, signal);
        }
        if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
            break;
        }
    }
    // What ignores SIGTERM in the group of a leader that does not.
    if let Some(group) = group {
        let _ = killpg(group, Signal::SIGKILL);
    }
    Err(format!("killed: it took more than {} s", limit.as_secs_f64()))
}

fn said(status: ExitStatus) -> String {
    status.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn input_and_status_pass() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("out");
        run(shell(&format!("cat > {}", file.display())), "hello", Duration::from_secs(60)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello");
        assert_eq!(run(shell("exit 3"), "", Duration::from_secs(60)).await, Err("exit status: 3".into()));
    }

    #[tokio::test]
    async fn a_whole_group_ends_at_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let line = format!("sleep 300 & echo $! > {}; wait", file.display());
        let failed = run(shell(&line), "", Duration::from_millis(500)).await.unwrap_err();
        assert!(failed.starts_with("killed"), "{failed}");
        let pid = std::fs::read_to_string(&file).unwrap();
        for _ in 0..200 {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            if stat.map_or(true, |s| s.contains(") Z ")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {pid} lives");
    }
}
