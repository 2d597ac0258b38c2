//! The heartbeat daemon: puts the node (`core`, on a thread of its own) and its surroundings (`edge`) together, and holds
//! what starts and ends with the process: pid file, folders, log, sockets.

mod clients;
mod core;
mod edge;
mod fence;
mod hooks;
mod reboot;
mod report;
mod succession;
mod watch;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, mpsc as std_mpsc};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use nix::sys::mman::{MlockAllFlags, mlockall};
use tokio::sync::mpsc;

use self::core::{Core, ToCore, ToEdge};
use self::edge::Edge;
use self::hooks::Hooks;
use self::report::Events;
use super::background::Ready;
use super::pidfile::{self, Layout, PidFile};
use crate::agents::Tell;
use crate::agents::builtin::owned::Owned;
use crate::agents::builtin::peers::Peers;
use crate::agents::builtin::vip::Vips;
use crate::agents::haresources::Runner;
use crate::cluster::io::{Held, Identity, Level, Mono};
use crate::config::diag::Severity;
use crate::config::report::Part;
use crate::config::settings::{Failback, GenerationFrom, Group, Settings};
use crate::control::server::Server;
use crate::log::Log;
use crate::log::trace;
use crate::media::ping::Pinger;
use crate::media::udp::{self, Media};
use crate::net::addr::Addresses;
use crate::state;

/// The version of the original whose protocol and files this daemon speaks.
pub const SPOKEN: &str = "3.0.6";
/// Exit status of a start that lacks a permission.
pub const EXIT_PERMISSION: u8 = 4;
/// A word of the daemon's command line, by which a pid file's process is known.
pub const COMMAND: &str = "heartbeat";

/// Messages that may wait for the edge. An event beyond that is counted and dropped.
const TO_EDGE: usize = 2048;
const TO_CORE: usize = 256;
/// Stack of each thread: all of it may get locked into memory.
const STACK: usize = 512 * 1024;
/// How long the last log lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Where things are.
#[derive(Debug, Clone)]
pub struct Paths {
    /// ha.cf, haresources, authkeys.
    pub config: PathBuf,
    /// The pid file.
    pub pid: PathBuf,
    /// The original's run folder, whose `rsctmp` belongs to resource scripts.
    pub run: PathBuf,
    /// Generation and uuid.
    pub state: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            config: PathBuf::from(crate::config::load::cluster::DIRECTORY),
            pid: PathBuf::from("/run/heartbeat.pid"),
            run: PathBuf::from("/run/heartbeat"),
            state: PathBuf::from(state::DIRECTORY),
        }
    }
}

impl Paths {
    fn ha_cf(&self) -> PathBuf {
        self.config.join("ha.cf")
    }

    fn authkeys(&self) -> PathBuf {
        self.config.join("authkeys")
    }
}

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mode {
    /// Stay in the foreground and log to standard error too.
    pub foreground: bool,
    /// No real-time priority, no locked memory (`-l`).
    pub no_realtime: bool,
    /// Takes the place of a run that has left everything running (`-R`).
    pub succeeds: bool,
    /// Added to the file's debug level.
    pub debug: u8,
}

/// Runs the daemon to its end and returns its exit status. What keeps it from starting is printed to standard error, which
/// is the caller's until `ready` is told. `report` is what the files gave cause to say: it belongs into the log too.
#[must_use]
pub fn run(mut settings: Settings, report: &[Part], paths: Paths, mode: Mode, ready: Ready) -> u8 {
    settings.log.debug = settings.log.debug.saturating_add(mode.debug);
    let _details = if mode.foreground && mode.debug > 0 { trace::to_stderr() } else { None };
    if mode.no_realtime {
        settings.rtprio = None;
    }
    let fail = |ready: Ready, e: &anyhow::Error, status: u8| {
        eprintln!("heartbeat: ERROR: {e:#}");
        ready.failed(status)
    };
    let log = match Log::open(&settings.log, &settings.me, COMMAND, mode.foreground) {
        Ok(log) => log,
        Err(e) => return fail(ready, &anyhow::Error::from(e).context("cannot start logging"), 1),
    };
    for part in report {
        match part {
            Part::Log(severity, text) => log.write(level(*severity), text),
            // In the foreground standard error is a log; else the caller has shown all of it.
            Part::Excerpt(text) if mode.foreground => {
                let _ = log.flush(LAST_LINES);
                eprint!("{text}");
            }
            Part::Excerpt(_) => {}
        }
    }
    let daemon = match Daemon::start(Arc::new(settings), paths, mode, log.clone()) {
        Ok(daemon) => daemon,
        Err(e) => {
            if !mode.foreground {
                log.write(Level::Error, &format!("{e:#}"));
            }
            if mode.succeeds {
                succession::let_go(&log);
            }
            let _ = log.flush(LAST_LINES);
            return fail(ready, &e, status_of(&e));
        }
    };
    if let Err(e) = ready.ready() {
        log.write(Level::Error, &format!("Cannot let go of the terminal: {e}"));
    }
    daemon.finish()
}

/// A daemon whose sockets are open.
struct Daemon {
    runtime: tokio::runtime::Runtime,
    edge: Edge,
    from_core: mpsc::Receiver<ToEdge>,
    server: Option<Server>,
    core: std::thread::JoinHandle<()>,
    log: Log,
    /// Groups that the run before has left and that no file has any more.
    strays: Vec<Group>,
    mode: Mode,
    pid: PidFile,
}

impl Daemon {
    fn start(settings: Arc<Settings>, paths: Paths, mode: Mode, log: Log) -> anyhow::Result<Self> {
        let pid = PidFile::create(&paths.pid, COMMAND, Layout::TenColumns)?;
        log.write(Level::Info, "**************************");
        log.write(Level::Info, &format!("Configuration validated. Starting heartbeat {SPOKEN}"));
        log.write(Level::Info, &format!("heartbeat: lvs-ha version {}", env!("CARGO_PKG_VERSION")));
        log_panics(&log);
        run_folders(&paths.run).context("cannot prepare the run folder")?;
        let start = Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("edge")
            .thread_stack_size(STACK)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let events = Arc::new(Events::default());
        let tell: Tell = {
            let (log, events) = (log.clone(), Arc::clone(&events));
            Arc::new(move |level, text| edge::record(&log, &events, Mono(start.elapsed()), level, text))
        };
        let run_dir = crate::control::run_dir();
        let entered = runtime.enter();
        let addresses = Addresses::connect()?;
        let owned = Owned::open(&run_dir.join("heartbeat").join("owned.json"))?;
        let vips = Arc::new(Vips::new(addresses, owned, Arc::new(Peers::default()), Arc::clone(&tell)));
        let environment = environment(&settings, &paths.config);
        let hooks = Hooks::start(&settings, &paths.config, &environment, &log);
        let runner = Arc::new(Runner::new(
            &settings.me,
            Arc::clone(&vips),
            settings.builtin,
            Some(paths.config.join("haresources")),
            environment.clone(),
            tell,
        ));
        let (kept, strays) = succession::take_over(mode, &settings, &runner, &runtime, &log);
        let server = Server::bind(&crate::control::heartbeat_socket(&run_dir)).context("cannot open the control socket")?;
        drop(entered);
        let (to_core, from_edge) = mpsc::channel(TO_CORE);
        let (to_edge, from_core) = mpsc::channel(TO_EDGE);
        let core = core_thread(&settings, &paths, &log, start, from_edge, to_edge, kept)?;
        let foreground = mode.foreground;
        let (log_too, secret) = (log.clone(), Mutex::new(edge::secret(&settings.keys)));
        let edge =
            Edge { settings, paths, log: log_too, to_core, events, vips, runner, hooks, environment, start, foreground, secret };
        Ok(Self { runtime, edge, from_core, server: Some(server), core, log, strays, mode, pid })
    }

    fn finish(self) -> u8 {
        let Self { runtime, edge, from_core, server, core, log, strays, mode, pid } = self;
        let (settings, runner) = (Arc::clone(&edge.settings), Arc::clone(&edge.runner));
        let result = runtime.block_on(edge.run(from_core, server, strays));
        if core.join().is_err() {
            log.write(Level::Crit, "The heartbeat thread failed.");
        }
        let status = match result {
            Ok(Some(held)) => {
                runtime.shutdown_timeout(Duration::from_secs(1));
                let why = succession::begin(&settings, &runner, &held, mode, &log, pid);
                log.write(Level::Crit, &format!("Cannot restart: {why:#}"));
                let _ = log.flush(LAST_LINES);
                return 1;
            }
            Ok(None) => 0,
            Err(e) => {
                log.write(Level::Error, &format!("{e:#}"));
                1
            }
        };
        runtime.shutdown_timeout(Duration::from_secs(1));
        log.write(Level::Info, "Heartbeat shutdown complete.");
        let _ = log.flush(LAST_LINES);
        status
    }
}

/// Starts the heartbeat thread; returns once its sockets are open and the identity is on disk.
fn core_thread(
    settings: &Arc<Settings>,
    paths: &Paths,
    log: &Log,
    start: Instant,
    from_edge: mpsc::Receiver<ToCore>,
    to_edge: mpsc::Sender<ToEdge>,
    kept: Vec<Held>,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (opened, wait) = std_mpsc::sync_channel::<anyhow::Result<()>>(1);
    let (settings, paths, log) = (Arc::clone(settings), paths.clone(), log.clone());
    let body = move || {
        let _guard = AbortOnPanic;
        let open = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
            let entered = runtime.enter();
            let (media, notices) = Media::open(&settings.media, settings.udpport)?;
            let pinger = Pinger::open(&settings.ping).context("cannot open the ICMP socket for the ping nodes")?;
            drop(entered);
            let identity = next_identity(&settings, &paths, &log)?;
            Ok::<_, anyhow::Error>((runtime, media, notices, pinger, identity))
        };
        match open() {
            Ok((runtime, media, notices, pinger, identity)) => {
                for notice in notices {
                    let (level, text) = core::told(&media.describe(notice.link), &notice.what);
                    log.write(level, &text);
                }
                if let Some(priority) = settings.rtprio {
                    realtime(priority, &log);
                }
                let _ = opened.send(Ok(()));
                let dropped = Arc::new(AtomicU64::new(0));
                let core = Core::new(settings, media, pinger, start, log, from_edge, to_edge, dropped);
                runtime.block_on(core.run(identity, kept));
            }
            Err(e) => {
                let _ = opened.send(Err(e));
            }
        }
    };
    let thread = std::thread::Builder::new().name("heartbeat".into()).stack_size(STACK).spawn(body);
    let thread = thread.context("cannot start the heartbeat thread")?;
    wait.recv().context("the heartbeat thread ended at once")??;
    Ok(thread)
}

/// The next run's identity; its generation is on disk when this returns.
fn next_identity(settings: &Settings, paths: &Paths, log: &Log) -> anyhow::Result<Identity> {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (uuid, created) = state::uuid::load_or_create(&paths.state)?;
    if created {
        log.write(Level::Info, state::uuid::CREATED);
    }
    let generation = match settings.generation {
        GenerationFrom::File => {
            let next = state::generation::next(&paths.state, wall)?;
            for (warning, text) in next.log() {
                log.write(if warning { Level::Warn } else { Level::Info }, &text);
            }
            next.number
        }
        GenerationFrom::Time => wall,
    };
    Ok(Identity { uuid, generation })
}

/// `rsctmp` is where resource scripts keep state that must not outlive a start.
fn run_folders(run: &Path) -> std::io::Result<()> {
    let rsctmp = run.join("rsctmp");
    match fs::remove_dir_all(&rsctmp) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::create_dir_all(&rsctmp)?;
    fs::set_permissions(&rsctmp, fs::Permissions::from_mode(0o1755))
}

/// What resource scripts find in their environment, as from the original.
fn environment(settings: &Settings, config: &Path) -> Vec<(String, String)> {
    let mut env = vec![
        ("HA_CURHOST", settings.me.clone()),
        ("HA_OSTATUS", "active".to_owned()),
        ("HA_LOGD", "no".to_owned()),
        ("HA_DIR", config.display().to_string()),
        ("HA_FUNCS", config.join("shellfuncs").display().to_string()),
        ("HA_DATEFMT", "%Y/%m/%d_%T\t".to_owned()),
        ("OCF_ROOT", "/usr/lib/ocf".to_owned()),
    ];
    if settings.failback != Failback::Legacy {
        env.push(("HA_NICEFAILBACK", "yes".to_owned()));
    }
    let log = &settings.log;
    for (name, value) in [("HA_LOGFILE", &log.file), ("HA_DEBUGLOG", &log.debug_file), ("HA_LOGFACILITY", &log.facility)] {
        if let Some(value) = value {
            env.push((name, value.clone()));
        }
    }
    if log.debug > 0 {
        env.push(("HA_debug", log.debug.to_string()));
    }
    let own = settings.env.iter().map(|(name, value)| (format!("HA_{name}"), value.clone()));
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}

fn realtime(priority: u8, log: &Log) {
    // Pages are locked when they are first used: the whole of every stack would be megabytes for nothing.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    if mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).is_err() {
        log.write(Level::Error, "Cannot lock ourselves into memory:  System limits on locked-in memory are too small.");
    }
    if let Err(e) = crate::sys::realtime_thread(priority) {
        log.write(Level::Warn, &format!("Cannot run with real-time priority {priority}: {e}"));
    }
}

/// A heartbeat thread that has panicked must not leave a daemon behind that looks alive: the peer takes over.
struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// Standard error is /dev/null: a panic's message goes to the log.
fn log_panics(log: &Log) {
    let log = log.clone();
    std::panic::set_hook(Box::new(move |info| {
        log.write(Level::Crit, &format!("internal error: {info}"));
        let _ = log.flush(Duration::from_millis(500));
    }));
}

/// The exit status for what kept the daemon from starting.
fn status_of(error: &anyhow::Error) -> u8 {
    let denied = |e: &(dyn std::error::Error + 'static)| {
        e.downcast_ref::<udp::Error>().is_some_and(udp::Error::is_permission)
            || e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if error.chain().any(denied) { EXIT_PERMISSION } else { 1 }
}

/// The level of a finding in a configuration file.
fn level(severity: Severity) -> Level {
    match severity {
        Severity::Info => Level::Info,
        Severity::Warning => Level::Warn,
        Severity::Error => Level::Error,
    }
}

/// The running daemon, by its pid file.
#[must_use]
pub fn running(paths: &Paths) -> Option<u32> {
    pidfile::running(&paths.pid, COMMAND)
}
