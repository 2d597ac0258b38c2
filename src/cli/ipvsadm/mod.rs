//! `ipvsadm`: the command line tool of IPVS, as ipvsadm(8) 1.31 to its users: options, texts, exit codes.
//!
//! Exit codes: 0 done; 1 a listing could not be read; 2 usage, or no IPVS; 255 an option that is not known, or a change that
//! the kernel refuses. Differences: help and version need no kernel with IPVS; a restore sends its lines in batches;
//! an IPv4 address in brackets is refused, where the original takes it and loses the port; `-b ,` does not crash.

pub mod args;
mod names;
pub mod render;
mod restore;
mod wrappers;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use self::args::{Action, Listing, UsageError};
pub(super) use self::names::System;
use self::render::{Columns, Names, Style};
pub(super) use self::wrappers::{restore as restore_applet, restore_text, save as save_applet};
use crate::ipvs::client::{Client, Error};
use crate::ipvs::model::{Info, ServiceEntry};
use crate::ipvs::wire::Request;

/// Exit status of what popt, or the kernel, does not take.
const REFUSED: u8 = 255;
/// Exit status of wrong usage and of a kernel without IPVS.
const USAGE: u8 = 2;
/// Exit status of a listing that cannot be read.
const UNREADABLE: u8 = 1;

/// Runs the command; the first argument is its name.
pub fn run(argv: &[OsString]) -> ExitCode {
    let mut words = argv.iter().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_else(|| "ipvsadm".to_owned());
    let words: Vec<String> = words.collect();
    let names = System::default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let action = match args::parse(&words, &names) {
        Ok(Action::Help) => return ExitCode::from(print(render::HELP)),
        Ok(Action::Version) => return ExitCode::from(print(render::VERSION)),
        Ok(action) => action,
        Err(error) => return ExitCode::from(complain(&program, &error)),
    };
    let mut client = match open() {
        Ok(client) => client,
        Err(status) => return ExitCode::from(status),
    };
    ExitCode::from(match action {
        // Not the locked standard input: that does not show what it has buffered.
        Action::Restore => match io::stdin().as_fd().try_clone_to_owned() {
            Ok(input) => restore::run(&program, &mut client, &names, File::from(input)),
            Err(error) => {
                eprintln!("{program}: standard input: {error}");
                UNREADABLE
            }
        },
        action => act(&mut client, &names, &action),
    })
}

/// Opens the socket to the kernel's IPVS, or says in the original's words why not; then the exit status.
fn open() -> Result<Client, u8> {
    Client::open().map_err(|error| {
        let reason = match error {
            Error::NoIpvs { .. } => "Protocol not available".to_owned(),
            Error::Permission => "Permission denied (you must be root)".to_owned(),
            other => other.to_string(),
        };
        eprintln!("Can't initialize ipvs: {reason}");
        eprintln!("Are you sure that IP Virtual Server is built in the kernel or as module?");
        USAGE
    })
}

/// Does what a command line other than `-R` asks for; the exit status.
fn act(client: &mut Client, names: &System, action: &Action) -> u8 {
    let listing = match action {
        Action::Change(request) => return change(client, request),
        Action::List { what, style } => list(client, names, *what, *style),
        Action::Save { numeric } => {
            let names = |entries: &[ServiceEntry]| shown(names, *numeric, || render::addresses(entries));
            client.dump_uncounted().map_err(|e| text(&e)).map(|entries| render::save(&entries, names(&entries)))
        }
        Action::Help => Ok(render::HELP.to_owned()),
        Action::Version => Ok(render::VERSION.to_owned()),
        Action::Restore => Err("-R inside -R".to_owned()),
    };
    match listing {
        Ok(text) => print(&text),
        Err(text) => {
            eprintln!("{text}");
            UNREADABLE
        }
    }
}

fn change(client: &mut Client, request: &Request) -> u8 {
    match client.execute(request) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{}", text(&error));
            REFUSED
        }
    }
}

fn list(client: &mut Client, names: &System, what: Listing, style: Style) -> Result<String, String> {
    let failed = |e: Error| text(&e);
    match what {
        Listing::Table => {
            let counted = style.json || matches!(style.columns, Columns::Stats | Columns::Rate);
            let entries = if counted { client.dump() } else { client.dump_uncounted() }.map_err(failed)?;
            Ok(table(&entries, Some(client.info()), names, style))
        }
        Listing::Service(key) => Ok(table(&[client.service(key).map_err(failed)?], None, names, style)),
        Listing::Timeouts => {
            let render = if style.json { render::json::timeouts } else { render::timeouts };
            client.timeouts().map(render).map_err(failed)
        }
        Listing::Daemons => {
            let daemons = client.sync_daemons().map_err(failed)?;
            Ok(if style.json { render::json::daemons(&daemons) } else { render::daemons(&daemons) })
        }
        Listing::Connections => connections(names, style),
    }
}

fn table(entries: &[ServiceEntry], info: Option<Info>, names: &System, style: Style) -> String {
    if style.json {
        return render::json::table(entries, info, style.sorted);
    }
    render::table(entries, info, style, shown(names, style.numeric, || render::addresses(entries)))
}

fn connections(names: &System, style: Style) -> Result<String, String> {
    // Of this thread's network namespace.
    let path = "/proc/thread-self/net/ip_vs_conn";
    let table = std::fs::read(path).map_err(|e| format!("{path}: {e}"))?;
    let table = String::from_utf8_lossy(&table);
    let shown = || {
        let engines = style.columns == Columns::PersistentConn;
        render::connections(&table, engines, shown(names, style.numeric, || render::connection_addresses(&table)))
    };
    let listing = if style.json { render::json::connections(&table) } else { shown() };
    listing.map_err(|line| format!("{path}: unexpected line: {line}"))
}

/// The names for a listing, if it has any; those of the hosts are asked for now, all together.
fn shown(names: &System, numeric: bool, hosts: impl FnOnce() -> BTreeSet<IpAddr>) -> Option<&dyn Names> {
    if numeric {
        return None;
    }
    names.ask(hosts());
    Some(names)
}

/// A refusal in the original's words, without the request; other errors whole.
fn text(error: &Error) -> String {
    match error {
        Error::Refused { text, .. } => text.clone(),
        Error::Permission => "Permission denied (you must be root)".to_owned(),
        other => other.to_string(),
    }
}

/// Says what is wrong with a command line; the exit status.
fn complain(program: &str, error: &UsageError) -> u8 {
    eprintln!("{}", error.text(program));
    error.status()
}

fn print(text: &str) -> u8 {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => 0,
        Err(error) => {
            // A reader that has seen enough is no reason for words.
            if error.kind() != io::ErrorKind::BrokenPipe {
                eprintln!("ipvsadm: standard output: {error}");
            }
            UNREADABLE
        }
    }
}
