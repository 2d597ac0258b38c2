//! `lvs-ha status`: what heartbeat and every ldirectord instance on this machine are doing, on one screen.
//!
//! Exit status: 0 all is well, 1 something is degraded, 3 nothing runs here, 4 what runs did not answer.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use super::print;
use crate::control::client::{self, Error};
use crate::control::proto::{Request, Response};
use crate::control::{heartbeat_socket, run_dir};
use crate::status::overview::Overview;
use crate::status::render::{Look, screen};

/// Options of `lvs-ha status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit status: 0 all is well, 1 something is degraded, 3 nothing runs here, 4 what runs did not answer.\n\
                  LVS_HA_RUN_DIR names the directory of the control sockets, /run/lvs-ha if unset.")]
pub(super) struct Args {
    /// Print what the daemons report as JSON: {"heartbeat": .. or null, "ldirectord": [..], "unanswered": [..], "problems": [..]}
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> ExitCode {
    let dir = run_dir();
    let overview = ask_all(&dir);
    if args.json {
        match serde_json::to_string_pretty(&overview.report()) {
            Ok(text) => print(&(text + "\n")),
            Err(e) => {
                eprintln!("lvs-ha status: {e}");
                return ExitCode::from(4);
            }
        }
    } else if overview.is_empty() {
        eprintln!("Nothing runs here: neither heartbeat nor ldirectord has a control socket in {}.", dir.display());
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let columns = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        print(&screen(&overview, Look { width: columns.unwrap_or(120), colour }));
    }
    ExitCode::from(overview.exit_status())
}

/// Asks every daemon whose socket is there.
fn ask_all(dir: &Path) -> Overview {
    let mut all = Overview::default();
    match ask(&heartbeat_socket(dir)) {
        Ok(Some(Response::Cluster(cluster))) => all.heartbeat = Some(*cluster),
        Ok(Some(other)) => all.unanswered.push(format!("heartbeat: {}", unfit(other))),
        Ok(None) => {}
        Err(why) => all.unanswered.push(format!("heartbeat: {why}")),
    }
    let sockets = client::director_sockets(dir).unwrap_or_else(|e| {
        all.unanswered.push(format!("{}: {e}", dir.display()));
        Vec::new()
    });
    for socket in sockets {
        let name = socket.file_stem().map(|n| n.to_string_lossy().replacen('-', " ", 1)).unwrap_or_default();
        match ask(&socket) {
            Ok(Some(Response::Director(director))) => all.ldirectord.push(*director),
            Ok(Some(other)) => all.unanswered.push(format!("{name}: {}", unfit(other))),
            Ok(None) => {}
            Err(why) => all.unanswered.push(format!("{name}: {why}")),
        }
    }
    all
}

/// The answer of one daemon; `None` when there is none. A socket that nobody serves was left by a daemon that died.
fn ask(socket: &Path) -> Result<Option<Response>, String> {
    match client::request(socket, &Request::Status, client::PATIENCE) {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::NotRunning { .. }) if std::fs::symlink_metadata(socket).is_err() => Ok(None),
        Err(Error::NotRunning { .. }) => Err(format!("died without a stop (its control socket {} is left)", socket.display())),
        Err(e) => Err(e.to_string()),
    }
}

fn unfit(answer: Response) -> String {
    match answer {
        Response::Refused { why } => why,
        _ => "its answer does not fit the question".into(),
    }
}
