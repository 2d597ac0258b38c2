//! The driver of a [`Director`]: one ldirectord instance as a process.
//!
//! ```text
//!  signals ──────────► ┌──────┐ ─Check──► task per check ─┐
//!  file watch, reload► │ loop │ ◄───────────── Verdict ───┘
//!  control socket ◄──► │      │ ─commands─► kernel (netlink)
//!  clock ────────────► └──────┘ ─lines────► log thread
//! ```
//! The loop alone owns the director, the kernel's socket and the record; nothing in it waits for a real server, a name server
//! or a disk, but for the short netlink exchange and the record.

mod alerts;
mod answer;
mod child;
mod children;
mod fallback;
mod held;
mod kernel;
mod maintenance;
mod reload;
mod sysctl;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::checks;
use crate::checks::spec::Verdict;
use crate::cluster::io::Mono;
use crate::control;
use crate::daemon::background::Ready;
use crate::daemon::pidfile::{self, Layout, PidFile};
use crate::daemon::record::{Decision, Record};
use crate::director::plan::{LogTo, Plan};
use crate::director::{Director, Event, Files, Input, Level, Output, Token};
use crate::ipvs::client::{self, Client};
use crate::ipvs::transport::Transport;
use crate::log::ldirectord::{Sink, Target, Writer};
use crate::log::trace;

use children::Children;
use fallback::Fallbacks;
use kernel::Kernel;
use maintenance::Folder;
use reload::{Cause, Reload};
use watch::Watch;

pub use children::status as children_status;
pub use held::of_record;

/// What the original calls itself, and what this program is.
pub const VERSION: &str = concat!("Linux Director v1.186-ha (lvs-ha ", env!("CARGO_PKG_VERSION"), ")");

/// Between two looks at the kernel's table, if nothing else asks for one.
const RECONCILE: Duration = Duration::from_secs(10);
/// Decisions that are kept for display.
const DECISIONS: usize = 200;

/// Reads the configuration: its plan and warnings, or its errors, each as a line of the original's form.
pub type Load = Arc<dyn Fn() -> Result<Loaded, Vec<String>> + Send + Sync>;

/// A configuration that was read.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub plan: Plan,
    /// What is doubtful about it, one line each.
    pub warnings: Vec<String>,
}

/// How the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// In the background with a pid file.
    Background,
    /// `-d`: in the foreground, log to standard error.
    Debug,
    /// `supervised=yes`: in the foreground, log to standard output.
    Supervised,
}

impl Mode {
    /// Where the log goes under this mode.
    #[must_use]
    pub fn target(self, log: &LogTo) -> Target {
        match (self, log) {
            (Self::Debug, _) => Target::Stderr,
            (Self::Supervised, _) => Target::Stdout,
            (Self::Background, LogTo::File(path)) => Target::File(path.into()),
            (Self::Background, LogTo::Syslog(facility)) => Target::Syslog(facility.clone()),
        }
    }
}

/// All that a daemon starts from.
pub struct Setup {
    /// The instance's name.
    pub instance: String,
    /// The configuration, an absolute path.
    pub file: PathBuf,
    /// Its pid file.
    pub pid_file: PathBuf,
    /// What the configuration said.
    pub plan: Plan,
    /// Reads it again.
    pub load: Load,
    /// How the process runs.
    pub mode: Mode,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("instance", &self.instance).field("file", &self.file).finish_non_exhaustive()
    }
}

/// Runs the instance until it is told to stop; the process's exit status. Needs a process of one thread.
pub fn run(setup: Setup, ready: Ready) -> u8 {
    run_over(setup, ready, Client::open)
}

/// The same with the kernel that `open` reaches.
pub fn run_over<T: Transport + Send + 'static>(
    setup: Setup,
    ready: Ready,
    open: impl FnOnce() -> Result<Client<T>, client::Error>,
) -> u8 {
    let _details = if setup.mode == Mode::Debug { trace::to_stderr() } else { None };
    let sink = Sink::new(&setup.instance, setup.mode.target(&setup.plan.globals.log));
    let started = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let log = Writer::start(Sink::new(&setup.instance, setup.mode.target(&setup.plan.globals.log)))?;
        anyhow::Ok((runtime, log))
    };
    let mut ready = Some(ready);
    let result = started().and_then(|(runtime, log)| {
        let result = runtime.block_on(serve(setup, log, &mut ready, open));
        // A check or a name server that hangs does not hold up the end.
        runtime.shutdown_background();
        result
    });
    let Err(error) = result else { return 0 };
    let text = format!("{error:#}");
    eprintln!("ldirectord: {text}");
    sink.line(&format!("Exiting with exit_status 1: {text}"));
    ready.map_or(1, |ready| ready.failed(1))
}

async fn serve<T: Transport + Send + 'static>(
    setup: Setup,
    log: Writer,
    ready: &mut Option<Ready>,
    open: impl FnOnce() -> Result<Client<T>, client::Error>,
) -> anyhow::Result<()> {
    let mut ending = Ending::new().context("cannot handle signals")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle signals")?;
    // First of all: without IPVS nothing is to be left behind.
    let mut kernel = Kernel::new(open())?;
    let pid_file = match setup.mode {
        Mode::Background => Some(PidFile::create(&setup.pid_file, "ldirectord", Layout::Plain)?),
        Mode::Debug | Mode::Supervised => None,
    };
    raise_descriptor_limit();
    let record = Record::open(&control::run_dir(), &setup.instance)?;
    let watch = Watch::new(&setup.file);
    let table = kernel.dump()?;
    let started = Instant::now();
    let now = Mono(Duration::ZERO);
    let folder = maintenance_folder(&setup.plan);
    let mut director = Director::new(setup.plan.clone(), &table, record.owned().clone(), now);
    director.restore(now, held::of_record(&record.held(), now));
    if folder.path.is_some() {
        // Before the first table: who is in maintenance is not put in service for a moment.
        let names = folder.list().await;
        director.handle(now, Input::Maintenance(Files { names, ..Files::default() }));
    }
    let (verdicts, mut ended) = mpsc::channel(1024);
    let (reloads, mut reloaded) = mpsc::channel(1);
    let (requests, mut asked) = mpsc::channel(16);
    let (tell, mut told) = mpsc::channel(64);
    let (files, mut maintenance) = mpsc::channel(4);
    let host = nix::unistd::gethostname().map_or_else(|_| "localhost".into(), |name| name.to_string_lossy().into_owned());
    let alerts = alerts::Sender::start(host, setup.instance.clone(), tell.clone());
    let decisions = record.decisions().into();
    let mut daemon = Daemon {
        setup,
        started,
        director,
        kernel,
        record,
        watch,
        verdicts,
        reloads,
        reload: Reload::Idle,
        config_error: None,
        journal: Journal { log, decisions },
        alerts,
        fallbacks: Fallbacks::new(tell.clone()),
        children: None,
        folder: folder.clone(),
        folder_watch: folder.watch(files.clone()),
        files,
        tell,
    };
    let known = daemon.journal.decisions.len();
    daemon.event(Event::info(match daemon.setup.mode {
        Mode::Background => format!("Starting {VERSION} as daemon"),
        Mode::Debug | Mode::Supervised => format!("Starting {VERSION} with pid: {}", std::process::id()),
    }));
    daemon.drain();
    if daemon.setup.mode == Mode::Background {
        // The caller still sees this: a scheduler that the kernel does not have, for one.
        let news = daemon.journal.decisions.len() - known;
        let errors = daemon.journal.decisions.iter().take(news).filter(|d| d.level == Level::Error.word());
        errors.rev().for_each(|d| eprintln!("ldirectord: {}", d.text));
    }
    daemon.set_sysctls();
    let names = daemon.director.plan().globals.execute.clone();
    daemon.children = Some(Children::start(&names, daemon.tell.clone()));
    let control = daemon.open_control(requests);
    if let Some(ready) = ready.take() {
        ready.ready().context("cannot let go of the terminal")?;
    }

    let mut reconcile = tokio::time::interval_at(tokio::time::Instant::now() + RECONCILE, RECONCILE);
    reconcile.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut look = tokio::time::Instant::now() + daemon.watch_interval();
    let signal = loop {
        let due = daemon
            .director
            .poll_timeout()
            .map_or_else(|| tokio::time::Instant::now() + RECONCILE, |at| tokio::time::Instant::from_std(daemon.started + at.0));
        tokio::select! {
            biased;
            name = ending.next() => break name,
            _ = hangup.recv() => {
                daemon.event(Event::info("Reloading Linux Director Daemon config on signal"));
                daemon.watch = Watch::new(&daemon.setup.file);
                daemon.start_reload(Cause::Signal);
            }
            Some((token, verdict)) = ended.recv() => {
                daemon.input(Input::Verdict { token, verdict });
                while let Ok((token, verdict)) = ended.try_recv() {
                    daemon.input(Input::Verdict { token, verdict });
                }
            }
            Some((cause, loaded)) = reloaded.recv() => daemon.finish_reload(cause, loaded),
            Some(files) = maintenance.recv() => daemon.input(Input::Maintenance(files)),
            Some(event) = told.recv() => daemon.event(event),
            Some((request, reply)) = asked.recv() => {
                let answer = daemon.answer(&request);
                // A client that has gone is no loss.
                let _ = reply.send(answer);
            }
            () = tokio::time::sleep_until(due) => daemon.input(Input::Tick),
            () = tokio::time::sleep_until(look) => {
                daemon.look_at_file();
                look = tokio::time::Instant::now() + daemon.watch_interval();
            }
            _ = reconcile.tick() => daemon.reconcile(),
        }
        daemon.drain();
    };
    if let Some(control) = control {
        control.abort();
        // Its end removes the socket, before a successor makes its own.
        let _ = control.await;
    }
    daemon.stop(signal, &mut told).await;
    drop(pid_file);
    Ok(())
}

struct Daemon {
    setup: Setup,
    started: Instant,
    director: Director,
    kernel: Kernel,
    record: Record,
    watch: Watch,
    verdicts: mpsc::Sender<(Token, Verdict)>,
    reloads: mpsc::Sender<(Cause, Result<Loaded, Vec<String>>)>,
    reload: Reload,
    config_error: Option<String>,
    journal: Journal,
    alerts: alerts::Sender,
    fallbacks: Fallbacks,
    /// Of `execute`; none before the first table is written.
    children: Option<Children>,
    folder: Folder,
    folder_watch: tokio::task::JoinHandle<()>,
    /// For the next watch of a folder.
    files: mpsc::Sender<Files>,
    /// The way of those who work apart to the log.
    tell: mpsc::Sender<Event>,
}

impl Daemon {
    fn now(&self) -> Mono {
        Mono(self.started.elapsed())
    }

    fn event(&mut self, event: Event) {
        self.journal.event(event);
    }

    fn input(&mut self, input: Input) {
        self.director.handle(self.now(), input);
    }

    /// Does everything that the director wants.
    fn drain(&mut self) {
        while let Some(output) = self.director.poll_output() {
            match output {
                Output::Apply => self.reconcile(),
                Output::Event(event) => self.event(event),
                Output::Alert { alert, alerts } => {
                    self.alerts.send(&alert, &alerts).into_iter().for_each(|event| self.event(event));
                }
                Output::Command { service, line } => self.fallbacks.run(service, line),
                Output::Monitor { file, line } => self.journal.log.append(&file, &line),
                Output::Check { token, spec } => {
                    let verdicts = self.verdicts.clone();
                    tokio::spawn(async move {
                        let verdict = checks::run(&spec).await;
                        // Nobody listens any more while the daemon ends.
                        let _ = verdicts.send((token, verdict)).await;
                    });
                }
            }
        }
    }

    /// Brings the kernel's table to what the director wants. What the kernel refuses is logged and tried again later.
    fn reconcile(&mut self) {
        for event in self.kernel.reconcile(&mut self.director, &mut self.record) {
            self.event(event);
        }
    }

    /// The kernel's settings as the configuration wants them.
    fn set_sysctls(&mut self) {
        let wanted = self.director.plan().globals.expire_flows;
        sysctl::set(wanted, &self.record).into_iter().for_each(|event| self.event(event));
    }

    fn watch_interval(&self) -> Duration {
        self.director.plan().globals.check_interval.max(Duration::from_millis(100))
    }

    /// The end: the table is purged, or left to a successor. Then all that works apart has some seconds.
    async fn stop(mut self, signal: &str, told: &mut mpsc::Receiver<Event>) {
        let handover = self.record.take_handover();
        self.folder_watch.abort();
        if !handover {
            self.input(Input::Stop);
            self.drain();
            sysctl::set(false, &self.record).into_iter().for_each(|event| self.event(event));
        }
        let Self { mut journal, mut record, alerts, fallbacks, children, .. } = self;
        let stop_children = async {
            // A successor finds them running.
            if let Some(children) = children.filter(|_| !handover) {
                children.stop().await;
            }
        };
        tokio::join!(alerts.finish(), fallbacks.finish(), stop_children);
        while let Ok(event) = told.try_recv() {
            journal.event(event);
        }
        journal.event(Event::info(format!("Linux Director Daemon terminated on signal: {signal}")));
        record.keep_decisions(journal.decisions.iter());
        if handover {
            journal.log.line("The table is left to the next ldirectord");
        } else {
            record.forget();
        }
    }
}

/// What has happened: the log, and the last decisions for display.
struct Journal {
    log: Writer,
    /// Newest first, those of the run before included.
    decisions: VecDeque<Decision>,
}

impl Journal {
    fn event(&mut self, event: Event) {
        self.log.line(&event.text);
        let decision = Decision { at: unix_seconds(), level: event.level.word().into(), text: event.text };
        self.decisions.push_front(decision);
        self.decisions.truncate(DECISIONS);
    }
}

/// The signals that end the daemon.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Ending {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "TERM",
            _ = self.interrupt.recv() => "INT",
            _ = self.quit.recv() => "QUIT",
        }
    }
}

/// What is watched for a plan.
fn maintenance_folder(plan: &Plan) -> Folder {
    let globals = &plan.globals;
    let path = globals.maintenance_dir.as_ref().map(PathBuf::from);
    let reals = plan.virtuals.iter().flat_map(|v| &v.reals).map(|r| r.dest.key.addr).filter(|_| path.is_some());
    Folder { reals: reals.collect(), every: globals.check_interval.max(Duration::from_millis(100)), path }
}

/// Decisions are dated by the wall clock, since they outlive the process.
fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Every check under way has a socket or a child.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = hard.min(65_536);
        if soft < wanted {
            // Without it fewer checks run at a time; each that lacks a descriptor says so.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
        }
    }
}

/// Whether an instance runs, by its pid file.
#[must_use]
pub fn running(pid_file: &Path) -> Option<u32> {
    pidfile::running(pid_file, "ldirectord")
}
