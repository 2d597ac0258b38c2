//! `hb_standby [--wait] [all|foreign|local|failback]`: this node gives resources away. `failback` stands for `foreign`. With
//! `--wait` the command ends when that is done, tells who holds what, and fails if it was not done.
//!
//! Unlike the original's script, which waits for ever when heartbeat is not running, it then fails.

use std::ffi::OsString;
use std::process::ExitCode;

use super::{print, stamp};
use crate::cluster::io::Set;
use crate::control::proto::{Request, Response};
use crate::control::{client, heartbeat_socket, run_dir};

pub(super) mod args;
mod wait;

/// Runs the command.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let wait = args.iter().any(|a| a == "--wait");
    let args: Vec<OsString> = args.iter().filter(|a| *a != "--wait").cloned().collect();
    match args::parse(&args, Set::Foreign) {
        Ok(set) => {
            let said = format!("{} Going standby [{}].\n", stamp(), word(set));
            let handed = hand_on(&args, &Request::Standby { set }, &said);
            if wait && handed == ExitCode::SUCCESS { wait::given_away(set) } else { handed }
        }
        Err(usage) => refuse(&usage),
    }
}

/// Tells how the command is used.
pub(super) fn refuse(usage: &args::Usage) -> ExitCode {
    print(&usage.out);
    eprint!("{}", usage.err);
    ExitCode::FAILURE
}

/// Hands the request to the daemon; `said` goes to standard error, like the original's log line, once it is accepted.
pub(super) fn hand_on(args: &[OsString], request: &Request, said: &str) -> ExitCode {
    let why = match client::request(&heartbeat_socket(&run_dir()), request, client::PATIENCE) {
        Ok(Response::Accepted) => {
            eprint!("{said}");
            return ExitCode::SUCCESS;
        }
        Ok(Response::Refused { why }) => why,
        Ok(Response::Cluster(_) | Response::Director(_) | Response::Reals { .. }) => {
            "heartbeat's answer does not fit the question".into()
        }
        Err(client::Error::NotRunning { .. }) => "heartbeat is not running on this machine".into(),
        Err(e) => e.to_string(),
    };
    eprintln!("{}: {why}", args.first().map(|n| n.to_string_lossy()).unwrap_or_default());
    ExitCode::FAILURE
}

/// The set as the original names it.
fn word(set: Set) -> &'static str {
    match set {
        Set::None => "none",
        Set::Local => "local",
        Set::Foreign => "foreign",
        Set::All => "all",
    }
}
