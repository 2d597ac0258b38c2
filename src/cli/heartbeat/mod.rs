//! `heartbeat`: starts the daemon, stops it, tells whether it runs.

pub mod args;

use std::ffi::OsString;
use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};

use self::args::{Action, Args, USAGE};
use crate::cli::print;
use crate::config::load::System;
use crate::config::load::cluster::{Loaded, load, node_name};
use crate::config::report::{Part, parts, render};
use crate::config::settings::Settings;
use crate::daemon::background::{self, Ready, Role};
use crate::daemon::heartbeat::{self as daemon, COMMAND, EXIT_PERMISSION, Mode, Paths, SPOKEN, running};
use crate::daemon::pidfile;
use crate::log::heartbeat::Writer;

/// Exit status of a wrong option.
const EXIT_USAGE: u8 = 2;
/// Exit status of a configuration that can't be used.
const EXIT_CONFIG: u8 = 6;
/// Between two looks whether the daemon has gone.
const STOP_STEP: Duration = Duration::from_millis(50);

/// The applet.
pub fn run(argv: &[OsString]) -> ExitCode {
    let texts: Vec<String> = argv.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let args = match args::parse(texts.iter().map(String::as_str)) {
        Ok(args) => args,
        Err(e) => {
            eprint!("heartbeat: {e}\n{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let paths = Paths::default();
    let status = match args.action {
        Action::Start => start(args, paths),
        Action::Status => status(&paths),
        Action::Stop => stop(&paths),
        Action::Reload => reload(args, paths),
        Action::Version => version(&paths),
        Action::Defaults { wiki } => defaults(wiki),
    };
    ExitCode::from(status)
}

fn start(args: Args, paths: Paths) -> u8 {
    // The next run has the last one's process id.
    if let Some(pid) = running(&paths).filter(|pid| !args.succeeds || *pid != std::process::id()) {
        say("info", &format!("heartbeat: already running [pid {pid}]."));
        return 0;
    }
    if let Some(status) = needs_root() {
        return status;
    }
    let (settings, report) = match configuration(&paths, args.verbose, !args.foreground) {
        Ok(both) => both,
        Err(status) => return status,
    };
    let Args { foreground, no_realtime, debug, succeeds, .. } = args;
    let mode = Mode { foreground, no_realtime, debug, succeeds };
    let ready = if foreground || succeeds {
        Ready::foreground()
    } else {
        match background::start(COMMAND) {
            Ok(Role::Caller(status)) => return status,
            Ok(Role::Daemon(ready)) => ready,
            Err(e) => {
                say("ERROR", &format!("cannot go to the background: {e}"));
                return 1;
            }
        }
    };
    daemon::run(settings, &report, paths, mode, ready)
}

/// `-s`, in the original's words.
fn status(paths: &Paths) -> u8 {
    let Some(pid) = running(paths) else {
        let stale = pidfile::recorded(&paths.pid).map_or("No process", |_| "No process (but its pid file exists)");
        print(&format!("heartbeat is stopped. {stale}\n"));
        return 1;
    };
    let name = node_name(&paths.config);
    print(&format!("heartbeat OK [pid {pid} et al] is running on {name} [{}]...\n", name.to_lowercase()));
    0
}

/// `-k`: waits until the daemon is gone, however long its resources take.
fn stop(paths: &Paths) -> u8 {
    let Some(pid) = running(paths) else {
        eprintln!("INFO: Heartbeat already stopped.");
        return 0;
    };
    if let Err(status) = signal(pid, Signal::SIGTERM) {
        return status;
    }
    while running(paths) == Some(pid) {
        std::thread::sleep(STOP_STEP);
    }
    0
}

fn reload(args: Args, paths: Paths) -> u8 {
    let Some(pid) = running(&paths) else { return start(args, paths) };
    if let Err(status) = configuration(&paths, args.verbose, true) {
        return status;
    }
    signal(pid, Signal::SIGHUP).map_or_else(|status| status, |()| 0)
}

fn version(paths: &Paths) -> u8 {
    print(&format!("{SPOKEN} (node: {}; lvs-ha {})\n", node_name(&paths.config), env!("CARGO_PKG_VERSION")));
    0
}

/// `ha.cf`'s parameters as a file without any has them.
fn defaults(wiki: bool) -> u8 {
    let mut out = String::new();
    for (name, value) in crate::config::resolve::cluster::defaults() {
        out.push_str(&if wiki { format!("|| {name} || {value} ||\n") } else { format!("{name} = {value}\n") });
    }
    print(&out);
    0
}

/// The settings and the report; or the exit status. The report is printed here if it is `shown`, or the end of the start.
fn configuration(paths: &Paths, verbose: bool, shown: bool) -> Result<(Settings, Vec<Part>), u8> {
    let name = node_name(&paths.config);
    let Loaded { settings, findings, sources } = load(&paths.config, &name, &System::new());
    let writer = Writer::new(&name.to_lowercase(), COMMAND, false);
    let now = jiff::Zoned::now();
    let report = parts(&findings, &sources);
    if shown || settings.is_none() {
        eprint!("{}", render(&report, |level, text| writer.line(&now, level, text)));
    }
    let settings = settings.ok_or(EXIT_CONFIG)?;
    if verbose {
        for (name, value) in &settings.parameters {
            say("info", &format!("{name} = {value}"));
        }
    }
    Ok((settings, report))
}

fn needs_root() -> Option<u8> {
    if Uid::effective().is_root() {
        return None;
    }
    say("ERROR", "heartbeat must be started by root: it uses port 694, adds addresses and runs resource scripts.");
    Some(EXIT_PERMISSION)
}

fn signal(pid: u32, signal: Signal) -> Result<(), u8> {
    let target = i32::try_from(pid).map_err(|_| 1)?;
    match kill(Pid::from_raw(target), signal) {
        // It ended in this moment.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => {
            say("ERROR", &format!("cannot signal the heartbeat with process id {pid}: {e}"));
            Err(if e == Errno::EPERM { EXIT_PERMISSION } else { 1 })
        }
    }
}

/// A line on standard error in the original's form for it.
fn say(level: &str, text: &str) {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    eprintln!("{}", Writer::new(name.trim(), COMMAND, false).line(&jiff::Zoned::now(), level, text));
}
