//! `ldirectord`: starts, stops and asks instances of the director daemon.

pub mod args;
mod config;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::check;
use crate::control;
use crate::daemon::background::{self, Ready, Role};
use crate::daemon::ldirectord::{self as daemon, Mode, Setup};
use crate::daemon::record;
use crate::log::ldirectord::{DEFAULT_FILE, Sink, Target};

use args::{Act, Command, Invocation};

/// How long a stop waits for the end of the daemon.
const STOP: Duration = Duration::from_secs(15);
/// The same for a restart: the original, which may be what runs, ends only after the check that is under way.
const RESTART: Duration = Duration::from_secs(60);

const USAGE: &str = "\
Usage:
    ldirectord [-d|--debug] [--] [configfile] start | stop | restart |
    try-restart | reload | force-reload | status

    ldirectord -t|--test [--strict] [--plan] [--] [configfile]

    ldirectord [-h|-?|--help|-v|--version]

Options:
    configfile    the configuration: /etc/ha.d/NAME, /etc/ha.d/conf/NAME or a
                  path; ldirectord.cf if none is given
    -d, --debug   stay in the foreground, log to standard error and show
                  every check and change (LVS_HA_TRACE=FILTER chooses)
    -t, --test    show all errors of the configuration and start nothing; exit
                  status 0 good, 1 warnings and --strict, 2 errors
    --plan        and what a reload would change in the kernel's table now
    -h, --help    show this text
    -v, --version show the version

Commands:
    start         start the daemon for the configuration, if it does not run
    stop          stop it and remove its virtual services
    restart       start it anew; servers in service stay in service
    try-restart   the same, if it runs
    reload, force-reload
                  read the configuration again
    status        tell whether it runs
";

/// The command.
pub(super) fn run(argv: &[OsString]) -> ExitCode {
    let words: Vec<String> = argv.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let (name, rest) = words.split_first().map_or(("ldirectord", words.as_slice()), |(n, r)| (n.as_str(), r));
    match args::parse(rest) {
        Ok(Invocation::Help) => say(USAGE),
        Ok(Invocation::Version) => say(&format!(
            "{}\nReads ldirectord.cf and drives IPVS as ldirectord of Linux-HA does.\nWithout any warranty; licence: MIT OR Apache-2.0.\n",
            daemon::VERSION
        )),
        Ok(Invocation::Test(test)) => {
            let config = test.config.as_deref();
            return match find(args::config_name(config)) {
                Ok(file) => check::ldirectord(&file, args::instance(config), test.strict, test.plan),
                Err(name) => {
                    eprintln!("Config file {name} not found");
                    ExitCode::from(2)
                }
            };
        }
        Ok(Invocation::Act(act)) => {
            return match locate(&act) {
                Ok(instance) => instance.act(name, rest),
                Err(status) => ExitCode::from(status),
            };
        }
        Err(wrong) => {
            wrong.0.iter().for_each(|line| eprintln!("{line}"));
            say(USAGE);
            return ExitCode::from(255);
        }
    }
    ExitCode::SUCCESS
}

/// An instance and what is to be done with it.
struct Instance {
    act: Act,
    /// Absolute.
    file: PathBuf,
    pid_file: PathBuf,
}

/// Finds the configuration. A stop or status of an instance that runs needs none.
fn locate(act: &Act) -> Result<Instance, u8> {
    let name = act.config_name();
    let pid_file = PathBuf::from(format!("/var/run/ldirectord.{}.pid", act.instance()));
    let needed = !matches!(act.command, Command::Stop | Command::Status) || daemon::running(&pid_file).is_none();
    let file = match find(name) {
        Ok(file) => file,
        Err(_) if !needed => given(name),
        Err(name) => {
            eprintln!("Config file {name} not found");
            return Err(1);
        }
    };
    Ok(Instance { act: act.clone(), file, pid_file })
}

/// The file of that name, where configurations are looked for; else the name.
pub(super) fn find(name: &str) -> Result<PathBuf, &str> {
    let inner = name.trim_start_matches('/');
    let places = [Path::new("/etc/ha.d").join(inner), Path::new("/etc/ha.d/conf").join(inner), given(name)];
    places.into_iter().find(|p| p.is_file()).ok_or(name)
}

/// Absolute: the daemon's working directory is /.
fn given(name: &str) -> PathBuf {
    std::path::absolute(name).unwrap_or_else(|_| PathBuf::from(name))
}

impl Instance {
    fn act(&self, name: &str, rest: &[String]) -> ExitCode {
        let running = daemon::running(&self.pid_file);
        let invoked = format!("Invoking ldirectord invoked as: {name} {} ", rest.join(" "));
        let file = self.file.display();
        match (self.act.command, running) {
            (Command::Start, None) | (Command::Restart, _) | (Command::TryRestart, Some(_)) => self.start(running, &invoked),
            (Command::Stop, Some(pid)) => {
                self.log().line(&invoked);
                self.end(pid, STOP)
            }
            (Command::Reload | Command::ForceReload, Some(pid)) => self.reload(pid, &invoked),
            (Command::Reload | Command::ForceReload, None) => {
                let log = self.log();
                log.line(&invoked);
                log.line(&format!("ldirectord is stopped for {file}"));
                self.exit(&log, 1)
            }
            (Command::Status, Some(pid)) => {
                // Not in the log: heartbeat asks every few seconds, and that all is as it was is no news.
                eprintln!("ldirectord for {file} is running with pid: {pid}");
                if let Ok(loaded) = config::load(&self.file) {
                    daemon::children_status(&loaded.plan.globals.execute);
                }
                ExitCode::SUCCESS
            }
            (Command::Status, None) => {
                let log = self.log();
                log.line(&invoked);
                say(&format!("ldirectord is stopped for {file}\n"));
                if self.pid_file.exists() {
                    eprintln!("ldirectord stale pid file {} for {file}", self.pid_file.display());
                    return self.exit(&log, 1);
                }
                self.exit(&log, 3)
            }
            (Command::Start, Some(_)) => {
                self.log().line(&invoked);
                config::load(&self.file).map_or_else(|refused| refused.tell(), |_| ExitCode::SUCCESS)
            }
            (Command::Stop | Command::TryRestart, None) => {
                self.log().line(&invoked);
                ExitCode::SUCCESS
            }
        }
    }

    /// The log of the commands: where the configuration says, if it can be read.
    fn log(&self) -> Sink {
        let target = match config::log_target(&self.file) {
            _ if self.act.debug => Target::Stderr,
            Some(log) => Mode::Background.target(&log),
            None => Target::File(DEFAULT_FILE.into()),
        };
        Sink::new(self.act.instance(), target)
    }

    fn exit(&self, log: &Sink, status: u8) -> ExitCode {
        log.line(&format!("Exiting with exit_status {status}: Exiting from ldirectord {}", self.act.command.word()));
        ExitCode::from(status)
    }

    /// Starts the daemon, after the end of the one that runs.
    fn start(&self, running: Option<u32>, invoked: &str) -> ExitCode {
        let loaded = match config::load(&self.file) {
            Ok(loaded) => loaded,
            // Nothing else is touched: what runs goes on.
            Err(refused) => return refused.tell(),
        };
        eprint!("{}", loaded.warnings);
        let mode = match (self.act.debug, loaded.plan.globals.supervised) {
            (true, _) => Mode::Debug,
            (false, true) => Mode::Supervised,
            (false, false) => Mode::Background,
        };
        Sink::new(self.act.instance(), mode.target(&loaded.plan.globals.log)).line(invoked);
        if let Some(pid) = running {
            if let Err(error) = record::ask_handover(&control::run_dir(), self.act.instance(), pid) {
                eprintln!("ldirectord: the table can't be handed over ({error}): it is set up anew");
            }
            let status = self.end(pid, RESTART);
            if status != ExitCode::SUCCESS {
                return status;
            }
        }
        let file = self.file.clone();
        let setup = Setup {
            instance: self.act.instance().to_owned(),
            file: self.file.clone(),
            pid_file: self.pid_file.clone(),
            plan: loaded.plan,
            load: Arc::new(move || config::reload(&file)),
            mode,
        };
        if mode != Mode::Background {
            return ExitCode::from(daemon::run(setup, Ready::foreground()));
        }
        match background::start("ldirectord") {
            Ok(Role::Caller(status)) => ExitCode::from(status),
            Ok(Role::Daemon(ready)) => ExitCode::from(daemon::run(setup, ready)),
            Err(error) => {
                eprintln!("ldirectord: cannot go to the background: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// Ends the process and waits for that, so that the table is clean when the command returns.
    fn end(&self, pid: u32, patience: Duration) -> ExitCode {
        if let Err(errno) = signal(pid, Signal::SIGTERM) {
            eprintln!("ldirectord: cannot end process {pid}: {errno}");
            return ExitCode::FAILURE;
        }
        let limit = Instant::now() + patience;
        while daemon::running(&self.pid_file) == Some(pid) {
            if Instant::now() > limit {
                eprintln!("ldirectord: process {pid} has not ended within {} s", patience.as_secs());
                return ExitCode::FAILURE;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        ExitCode::SUCCESS
    }

    /// Tells the daemon to read its file. A broken one is told here too; the daemon keeps what it has.
    fn reload(&self, pid: u32, invoked: &str) -> ExitCode {
        self.log().line(invoked);
        let loaded = config::load(&self.file);
        if let Err(errno) = signal(pid, Signal::SIGHUP) {
            eprintln!("ldirectord: cannot signal process {pid}: {errno}");
            return ExitCode::FAILURE;
        }
        match loaded {
            Ok(loaded) => {
                eprint!("{}", loaded.warnings);
                ExitCode::SUCCESS
            }
            Err(refused) => {
                let status = refused.tell();
                eprintln!("ldirectord: process {pid} keeps the configuration that it has");
                status
            }
        }
    }
}

fn signal(pid: u32, signal: Signal) -> nix::Result<()> {
    let pid = i32::try_from(pid).map_err(|_| nix::errno::Errno::ESRCH)?;
    kill(Pid::from_raw(pid), signal)
}

/// To standard output; that nobody reads it is no failure.
fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
}
