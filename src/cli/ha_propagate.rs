//! `ha_propagate`: brings this node's files to the other nodes over ssh, all of them or none, after it has shown what they
//! will change.
//!
//! The original copies `ha.cf` and `authkeys` only, and not atomically.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use super::print;
use crate::config::ha_cf;
use crate::config::load::cluster::{DIRECTORY, node_name};

/// What is brought, as far as it is here. The keys are last, so that a node never has new keys with an old `ha.cf` alone.
const FILES: [&str; 4] = ["ha.cf", "haresources", "ldirectord.cf", "authkeys"];
/// Whose content is never shown.
const SECRET: &str = "authkeys";

/// Runs the command.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let yes = match args.get(1..).unwrap_or_default() {
        [] => false,
        [word] if word == "-y" => true,
        _ => {
            print("usage: ha_propagate [-y]\n  -y  do not ask\n");
            return ExitCode::from(2);
        }
    };
    let directory = Path::new(DIRECTORY);
    let files: Vec<(&str, PathBuf)> = FILES.map(|f| (f, directory.join(f))).into_iter().filter(|(_, p)| p.is_file()).collect();
    let Ok(text) = fs::read(directory.join("ha.cf")) else {
        print("HA Linux not configured on this node.  Can not propagate.\n");
        return ExitCode::FAILURE;
    };
    let me = node_name(directory).to_lowercase();
    let (cf, _) = ha_cf::parse(&text, "");
    let others: Vec<String> = cf.nodes.into_iter().map(|n| n.value).filter(|n| *n != me).collect();
    let mut failed = false;
    for node in &others {
        print(&format!("Propagating HA configuration files to node {node}.\n"));
        match propagate(node, &files, yes) {
            Ok(()) => {}
            Err(e) => {
                eprintln!("ha_propagate: {node}: {e}; nothing was changed there");
                failed = true;
                continue;
            }
        }
        print(&format!("Setting HA startup configuration on node {node}.\n"));
        let enabled = Command::new("systemctl").args(["is-enabled", "--quiet", "heartbeat"]).stderr(Stdio::null()).status();
        if enabled.is_ok_and(|s| s.success()) {
            let enable = "systemctl enable heartbeat 2>/dev/null || chkconfig heartbeat on";
            if let Err(e) = ssh(node, enable, b"") {
                eprintln!("ha_propagate: {node}: {e}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn propagate(node: &str, files: &[(&str, PathBuf)], yes: bool) -> io::Result<()> {
    let mut changed = Vec::new();
    for (name, path) in files {
        let ours = fs::read(path)?;
        // A file that is not there is an empty one.
        let theirs = ssh(node, &format!("cat {DIRECTORY}/{name} 2>/dev/null || :"), b"")?.stdout;
        if ours == theirs {
            continue;
        }
        if *name == SECRET {
            print(&format!("{name} differs.\n"));
        } else {
            print(&difference(node, path, &theirs)?);
        }
        changed.push((*name, ours, fs::metadata(path)?.permissions().mode() & 0o777));
    }
    if changed.is_empty() {
        print("All files are the same there.\n");
        return Ok(());
    }
    if !yes && io::stdin().is_terminal() && !agreed(node)? {
        return Err(io::Error::other("not confirmed"));
    }
    let names: Vec<&str> = changed.iter().map(|(name, ..)| *name).collect();
    let put = changed.iter().try_for_each(|(name, content, mode)| {
        let new = format!("{DIRECTORY}/.{name}.propagated");
        ssh(node, &format!("umask 077 && cat >{new} && chmod {mode:o} {new}"), content).map(drop)
    });
    put.and_then(|()| ssh(node, &exchange(&names), b"").map(drop)).inspect_err(|_| {
        let left: Vec<String> = names.iter().map(|name| format!("{DIRECTORY}/.{name}.propagated")).collect();
        // What is left behind is in nobody's way.
        let _ = ssh(node, &format!("rm -f {}", left.join(" ")), b"");
    })
}

/// For the other node's shell: the new files take the old ones' places, or all old ones are put back.
fn exchange(names: &[&str]) -> String {
    let names = names.join(" ");
    format!(
        "cd {DIRECTORY} || exit 1\n\
         for f in {names}; do rm -f .$f.before; [ ! -e $f ] || cp -p $f .$f.before || exit 1; done\n\
         for f in {names}; do mv -f .$f.propagated $f || failed=1; done\n\
         for f in {names}; do\n\
         if [ -z \"$failed\" ]; then rm -f .$f.before\n\
         elif [ -e .$f.before ]; then mv -f .$f.before $f || (cp -p .$f.before $f && rm -f .$f.before)\n\
         else rm -f $f; fi\n\
         done\n\
         [ -z \"$failed\" ]"
    )
}

/// What `diff -u` says between the node's file and ours.
fn difference(node: &str, path: &Path, theirs: &[u8]) -> io::Result<String> {
    let mut diff = Command::new("diff");
    diff.arg("-u")
        .args(["--label", &format!("{node}:{}", path.display()), "--label", &path.display().to_string(), "-"])
        .arg(path);
    let output = feed(diff, theirs)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn agreed(node: &str) -> io::Result<bool> {
    eprint!("Write these files on {node}? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn ssh(node: &str, command: &str, input: &[u8]) -> io::Result<Output> {
    let mut ssh = Command::new("ssh");
    ssh.arg(format!("root@{node}")).arg(command);
    let output = feed(ssh, input)?;
    if output.status.success() {
        return Ok(output);
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("`{command}` over ssh ended with {}: {why}", output.status)))
}

fn feed(mut command: Command, input: &[u8]) -> io::Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| io::Error::new(e.kind(), format!("cannot run {name}: {e}")))?;
    let pipe = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // One that does not read what it is given says so itself.
            if let Some(mut pipe) = pipe {
                let _ = pipe.write_all(input);
            }
        });
        child.wait_with_output()
    })
}
