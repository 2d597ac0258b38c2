//! Running a resource script: found in resource.d or init.d, in a process group of its own, its output caught, with a time
//! limit.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

pub use super::action::How;

/// Where scripts are looked up, in this order.
pub const SCRIPT_DIRS: [&str; 2] = ["/etc/ha.d/resource.d", "/etc/init.d"];
/// Time between SIGTERM and SIGKILL when a script has used up its limit.
const GRACE: Duration = Duration::from_secs(5);
/// How long output is waited for after the script has ended: what it left running may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Output kept for the caller; all of it is handed on line by line.
const KEPT: usize = 64 * 1024;

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its file.
    pub path: PathBuf,
    /// The name it is called by, if it is not the file's.
    pub name: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its standard input.
    pub input: Vec<u8>,
}

impl Program {
    /// As it is logged: path and arguments, separated by blanks.
    #[must_use]
    pub fn shown(&self) -> String {
        let path = self.name.clone().unwrap_or_else(|| self.path.display().to_string());
        [&[path][..], &self.args].concat().join(" ")
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub how: How,
    /// What it wrote to standard output and standard error, at most 64 KiB.
    pub output: String,
}

/// The script of that name: the first regular executable file.
#[must_use]
pub fn find_script(name: &str, dirs: &[&Path]) -> Option<PathBuf> {
    // A name with a slash would leave the folders.
    if name.is_empty() || name.contains('/') {
        return None;
    }
    dirs.iter()
        .map(|dir| dir.join(name))
        .find(|path| std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

/// Runs it to its end, or kills it with its whole process group after `limit`, or when the caller does not wait any more. Each line of output goes to `line` as it
/// comes, also later from what the script left running. `env` is added to this process's environment.
pub async fn run(
    program: &Program,
    env: &[(String, String)],
    limit: Duration,
    line: Arc<dyn Fn(&str) + Send + Sync>,
) -> io::Result<Ended> {
    let mut command = Command::new(&program.path);
    if let Some(name) = &program.name {
        command.arg0(name);
    }
    command.args(&program.args).envs(env.iter().map(|(k, v)| (k, v)));
    command
        .stdin(if program.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn()?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let mut abandoned = Abandoned(group);
    if let Some(mut pipe) = child.stdin.take() {
        let input = program.input.clone();
        // A program that does not read it has no use for it.
        tokio::spawn(async move { tokio::io::AsyncWriteExt::write_all(&mut pipe, &input).await });
    }
    let kept = Arc::new(Mutex::new(String::new()));
    let readers = [
        child.stdout.take().map(|pipe| tokio::spawn(read(pipe, Arc::clone(&kept), Arc::clone(&line)))),
        child.stderr.take().map(|pipe| tokio::spawn(read(pipe, Arc::clone(&kept), line))),
    ];
    let status = match tokio::time::timeout(limit, child.wait()).await {
        Ok(status) => Some(status?),
        Err(_) => {
            for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                if let Some(group) = group {
                    let _ = killpg(group, signal);
                }
                if tokio::time::timeout(GRACE, child.wait()).await.is_ok() {
                    break;
                }
            }
            None
        }
    };
    abandoned.0 = None;
    for reader in readers.into_iter().flatten() {
        // The reader goes on after the time is up: whoever holds the pipe must not die of writing to it.
        let _ = tokio::time::timeout(LAST_WORDS, reader).await;
    }
    let how = status.map_or(How::TimedOut, |status| {
        use std::os::unix::process::ExitStatusExt;
        status.code().map_or_else(|| How::Killed(status.signal().unwrap_or_default()), How::Exited)
    });
    let output = kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    tracing::debug!(path = %program.path.display(), args = ?program.args, ?how, "script");
    Ok(Ended { how, output })
}

/// Kills the process group when nobody waits for it any more.
struct Abandoned(Option<Pid>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

async fn read(pipe: impl AsyncRead + Unpin, kept: Arc<Mutex<String>>, line: Arc<dyn Fn(&str) + Send + Sync>) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        // A line without an end is cut, so that it cannot fill the memory.
        let mut limited = tokio::io::AsyncReadExt::take(&mut pipe, 16 * 1024);
        match limited.read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&bytes);
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() + text.len() <= KEPT {
                kept.push_str(&text);
            }
        }
        line(text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn shell(script: &str) -> Program {
        Program { path: "/bin/sh".into(), name: None, args: vec!["-c".into(), script.into()], input: Vec::new() }
    }

    async fn run_quietly(script: &str, limit: Duration) -> Ended {
        run(&shell(script), &[("HA_CURHOST".into(), "alpha".into())], limit, Arc::new(|_| ())).await.unwrap()
    }

    #[tokio::test]
    async fn status_output_and_environment_arrive() {
        let ended = run_quietly("echo $HA_CURHOST; echo oops >&2; exit 3", Duration::from_secs(60)).await;
        assert_eq!(ended.how, How::Exited(3));
        assert!(ended.output.contains("alpha\n") && ended.output.contains("oops\n"), "{:?}", ended.output);
        assert_eq!(run_quietly("kill -9 $$", Duration::from_secs(60)).await.how, How::Killed(9));
    }

    #[tokio::test]
    async fn what_a_script_leaves_running_does_not_hold_it_up() {
        let start = Instant::now();
        let ended = run_quietly("sleep 30 & echo $!", Duration::from_secs(60)).await;
        assert_eq!(ended.how, How::Exited(0));
        assert!(start.elapsed() < Duration::from_secs(25), "waited for the child's child");
        let pid: i32 = ended.output.trim().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }

    #[tokio::test]
    async fn a_script_that_hangs_is_killed_with_its_children() {
        let ended = run_quietly("sleep 300 & echo $!; wait", Duration::from_millis(300)).await;
        assert_eq!(ended.how, How::TimedOut);
        let pid: i32 = ended.output.trim().parse().unwrap();
        let gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| s.contains(") Z "));
        for _ in 0..100 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {pid} lives");
    }

    #[tokio::test]
    async fn a_script_that_nobody_waits_for_any_more_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!("echo $$ >{0}.new; mv {0}.new {0}; sleep 300", file.display());
        let program = shell(&script);
        let mut run = Box::pin(run(&program, &[], Duration::from_secs(300), Arc::new(|_| ())));
        while !file.exists() {
            let _ = tokio::time::timeout(Duration::from_millis(20), &mut run).await;
        }
        drop(run);
        let pid = std::fs::read_to_string(&file).unwrap().trim().to_owned();
        for _ in 0..200 {
            if std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| s.contains(") Z ")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("process {pid} lives");
    }

    #[test]
    fn scripts_are_regular_executable_files_of_the_first_folder() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dirs = [first.path(), second.path()];
        let put = |path: PathBuf, mode| {
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        put(first.path().join("a"), 0o644);
        let a = put(second.path().join("a"), 0o755);
        assert_eq!(find_script("a", &dirs), Some(a), "a file that is not executable does not count");
        let first_a = put(first.path().join("a"), 0o755);
        assert_eq!(find_script("a", &dirs), Some(first_a));
        std::fs::create_dir(first.path().join("d")).unwrap();
        assert_eq!((find_script("d", &dirs), find_script("b", &dirs), find_script("../a", &dirs)), (None, None, None));
    }
}
