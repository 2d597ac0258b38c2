//! The place all hosts of this process hang in: a network namespace without any way out, whose bridges are the switches,
//! and a mount namespace with a memory file system for the hosts' files. Both vanish with the process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context as _, bail, ensure};
use nix::sched::{CloneFlags, unshare};

static DIR: OnceLock<PathBuf> = OnceLock::new();

/// Enters the arena. To be called once, as root, before any thread exists.
pub fn enter() -> anyhow::Result<()> {
    ensure!(nix::unistd::geteuid().is_root(), "hosts are made of namespaces: this needs root");
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).context("cannot make a network namespace")?;
    // Cargo made this folder inside the build folder; the memory file system covers it in our namespace only.
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    command("mount", &["--make-rprivate", "/"])?;
    command("mount", &["-t", "tmpfs", "-o", "mode=755", "lvs-ha-lab", &dir.to_string_lossy()])?;
    ip("link set lo up\n")?;
    DIR.set(dir.to_owned()).ok().context("the arena was entered twice")
}

/// The folder of the hosts' files.
pub fn dir() -> anyhow::Result<&'static Path> {
    DIR.get().map(PathBuf::as_path).context("not in the arena")
}

/// Whether this kernel has IPVS, loading its module where it is one. Looks into the network namespace of the caller.
pub fn has_ipvs() -> bool {
    let seen = || Path::new("/proc/net/ip_vs").exists();
    // A missing modprobe or module is an answer, told by the file's absence.
    seen() || {
        let _ = Command::new("modprobe").arg("ip_vs").stderr(Stdio::null()).status();
        seen()
    }
}

/// Runs `ip -batch` in the arena.
pub fn ip(batch: &str) -> anyhow::Result<()> {
    feed(Command::new("ip").args(["-batch", "-"]), batch)
}

/// Runs `command` with `input`; its complaint is the error.
pub fn feed(command: &mut Command, input: &str) -> anyhow::Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {command:?}"))?;
    child.stdin.take().context("no pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{input}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

fn command(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(program).args(args).output().with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
