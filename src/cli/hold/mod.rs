//! `lvs-ha drain`, `undrain` and `maintenance`: real servers out of service by hand, and back, told to every ldirectord here
//! that has them.
//!
//! Exit status: 0 done, 1 no virtual service has such a real server or it was refused, 2 a wrong command line, 3 no ldirectord
//! runs here, 4 one that runs did not answer.

pub mod args;
pub mod render;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::print;
use crate::config::load::System;
use crate::config::lookup::Lookup as _;
use crate::control::client::{self, Error};
use crate::control::proto::{Request, Response};
use crate::control::run_dir;
use crate::status::snapshot::Member;

use args::{Drain, Maintenance, Undrain, Wait};

/// Between two looks at the connections.
const STEP: Duration = Duration::from_secs(1);
/// A line of progress at least so often where it is not a terminal's.
const QUIET: Duration = Duration::from_secs(30);

/// `lvs-ha drain`.
pub(super) fn drain(args: &Drain) -> ExitCode {
    let deadline = args.deadline.map(|d| d.as_secs());
    act("drain", &args.real, Some(args.wait), |real| Request::Drain { real, deadline })
}

/// `lvs-ha undrain`.
pub(super) fn undrain(args: &Undrain) -> ExitCode {
    act("undrain", &args.real, None, |real| Request::Undrain { real })
}

/// `lvs-ha maintenance`.
pub(super) fn maintenance(args: &Maintenance) -> ExitCode {
    let on = args.state == args::State::On;
    act("maintenance", &args.real, on.then_some(args.wait), |real| Request::Maintenance { real, on })
}

/// What one command does: ask everybody, show, wait if that is wanted.
fn act(name: &str, real: &str, wait: Option<Wait>, request: impl Fn(String) -> Request) -> ExitCode {
    let fail = |status: u8, text: &str| {
        eprintln!("lvs-ha {name}: {text}");
        ExitCode::from(status)
    };
    let reals = match args::addresses(real, |host| System::looking().host(host)) {
        Ok(reals) => reals,
        Err(why) => return fail(1, &why),
    };
    let dir = run_dir();
    let sockets = match client::director_sockets(&dir) {
        Ok(sockets) if sockets.is_empty() => {
            return fail(3, &format!("no ldirectord runs here: none has a control socket in {}", dir.display()));
        }
        Ok(sockets) => sockets,
        Err(e) => return fail(4, &format!("{}: {e}", dir.display())),
    };
    let asked = ask(&sockets, &reals, request);
    if let Some(why) = asked.unanswered {
        // Perhaps the others did it: what they said is shown all the same.
        print(&render::members(&asked.members));
        return fail(if asked.all_gone { 3 } else { 4 }, &why);
    }
    if asked.members.is_empty() {
        return fail(1, &asked.refused.unwrap_or_else(|| format!("no virtual service has a real server {real}")));
    }
    print(&render::members(&asked.members));
    match wait {
        Some(wait) if !wait.no_wait => watch(name, real, &asked.done, wait),
        _ => ExitCode::SUCCESS,
    }
}

/// What became of a question.
struct Asked {
    members: Vec<Member>,
    /// Who answered with members, and for which address: those to be watched.
    done: Vec<(PathBuf, String)>,
    /// The last refusal.
    refused: Option<String>,
    /// The last that did not answer, and why.
    unanswered: Option<String>,
    /// Whether every socket was left by a daemon that died.
    all_gone: bool,
}

/// Asks each daemon for each address. One that has no such real server is no failure while another has.
fn ask(sockets: &[PathBuf], reals: &[String], request: impl Fn(String) -> Request) -> Asked {
    let mut asked = Asked { members: Vec::new(), done: Vec::new(), refused: None, unanswered: None, all_gone: true };
    for socket in sockets {
        for real in reals {
            match one(socket, &request(real.clone())) {
                Ok(members) => {
                    asked.members.extend(members);
                    asked.done.push((socket.clone(), real.clone()));
                    asked.all_gone = false;
                }
                Err(No::Refused(why)) => {
                    asked.refused = Some(why);
                    asked.all_gone = false;
                }
                Err(No::Answer(why)) => {
                    asked.all_gone &= matches!(why, Error::NotRunning { .. });
                    asked.unanswered = Some(why.to_string());
                }
            }
        }
    }
    asked
}

enum No {
    Refused(String),
    Answer(Error),
}

fn one(socket: &Path, request: &Request) -> Result<Vec<Member>, No> {
    match client::request(socket, request, client::PATIENCE) {
        Ok(Response::Reals { reals }) => Ok(reals),
        Ok(Response::Refused { why }) => Err(No::Refused(why)),
        Ok(_) => Err(No::Refused("its answer does not fit the question".into())),
        Err(e) => Err(No::Answer(e)),
    }
}

/// Tells the connections that are left until there are none.
fn watch(name: &str, real: &str, of: &[(PathBuf, String)], wait: Wait) -> ExitCode {
    let started = Instant::now();
    let terminal = std::io::stdout().is_terminal();
    let (mut last, mut told) = (None, Instant::now());
    loop {
        let mut members = Vec::new();
        for (socket, real) in of {
            match one(socket, &Request::Real { real: real.clone() }) {
                Ok(more) => members.extend(more),
                Err(No::Refused(why)) => {
                    eprintln!("lvs-ha {name}: {why}");
                    return ExitCode::from(1);
                }
                Err(No::Answer(error)) => {
                    eprintln!("lvs-ha {name}: {error}; what was ordered holds, also for its next start");
                    return ExitCode::from(4);
                }
            }
        }
        let (left, progress) = (render::left(&members), render::progress(&members));
        if render::done(&members) {
            print(&format!("{}{real}: no connections left\n", if terminal { "\r\x1b[K" } else { "" }));
            return ExitCode::SUCCESS;
        }
        if members.iter().any(|m| m.real.held.is_none()) {
            eprintln!("lvs-ha {name}: somebody has put {real} back meanwhile");
            return ExitCode::from(1);
        }
        if wait.timeout.is_some_and(|limit| started.elapsed() >= limit) {
            print(&format!("{}{real}: {progress}\n", if terminal { "\r\x1b[K" } else { "" }));
            eprintln!("lvs-ha {name}: it goes on without this command");
            return ExitCode::from(1);
        }
        if terminal {
            print(&format!("\r\x1b[K{real}: {progress}"));
        } else if last != Some(left) || told.elapsed() >= QUIET {
            print(&format!("{real}: {progress}\n"));
            (last, told) = (Some(left), Instant::now());
        }
        std::thread::sleep(STEP);
    }
}
