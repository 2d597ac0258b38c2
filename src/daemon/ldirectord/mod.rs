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

mod held;
mod kernel;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::checks;
use crate::checks::spec::Verdict;
use crate::cluster::io::Mono;
use crate::control;
use crate::control::proto::{Request, Response};
use crate::control::server::Server;
use crate::daemon::background::Ready;
use crate::daemon::pidfile::{self, Layout, PidFile};
use crate::daemon::record::{Decision, Record};
use crate::director::plan::{LogTo, Plan};
use crate::director::{Director, Event, Input, Level, Order, Output, Token};
use crate::log::ldirectord::{Sink, Target, Writer};
use crate::log::trace;
use crate::status::snapshot;

pub use held::of_record;
use kernel::Kernel;
use watch::{Change, Watch};

/// What the original calls itself, and what this program is.
pub const VERSION: &str = concat!("Linux Director v1.186-ha (lvs-ha ", env!("CARGO_PKG_VERSION"), ")");

/// Between two looks at the kernel's table, if nothing else asks for one.
const RECONCILE: Duration = Duration::from_secs(10);
/// For reading the configuration again, names included.
const RELOAD: Duration = Duration::from_secs(60);
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
    let _details = if setup.mode == Mode::Debug { trace::to_stderr() } else { None };
    let sink = Sink::new(&setup.instance, setup.mode.target(&setup.plan.globals.log));
    let started = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let log = Writer::start(Sink::new(&setup.instance, setup.mode.target(&setup.plan.globals.log)))?;
        anyhow::Ok((runtime, log))
    };
    let mut ready = Some(ready);
    let result = started().and_then(|(runtime, log)| {
        let result = runtime.block_on(serve(setup, log, &mut ready));
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

async fn serve(setup: Setup, log: Writer, ready: &mut Option<Ready>) -> anyhow::Result<()> {
    let mut ending = Ending::new().context("cannot handle signals")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot handle signals")?;
    // First of all: without IPVS nothing is to be left behind.
    let mut kernel = Kernel::open()?;
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
    let mut director = Director::new(setup.plan.clone(), &table, record.owned().clone(), now);
    director.restore(now, held::of_record(&record.held(), now));
    let (verdicts, mut ended) = mpsc::channel(1024);
    let (reloads, mut reloaded) = mpsc::channel(1);
    let (requests, mut asked) = mpsc::channel(16);
    let decisions = record.decisions().into();
    let mut daemon = Daemon {
        setup,
        started,
        director,
        kernel,
        record,
        log,
        watch,
        verdicts,
        reloads,
        reload: Reload::Idle,
        config_error: None,
        decisions,
    };
    let known = daemon.decisions.len();
    daemon.event(Event::info(match daemon.setup.mode {
        Mode::Background => format!("Starting {VERSION} as daemon"),
        Mode::Debug | Mode::Supervised => format!("Starting {VERSION} with pid: {}", std::process::id()),
    }));
    daemon.drain();
    if daemon.setup.mode == Mode::Background {
        // The caller still sees this: a scheduler that the kernel does not have, for one.
        let news = daemon.decisions.len() - known;
        let errors = daemon.decisions.iter().take(news).filter(|d| d.level == Level::Error.word());
        errors.rev().for_each(|d| eprintln!("ldirectord: {}", d.text));
    }
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
    daemon.stop(signal);
    drop(pid_file);
    Ok(())
}

struct Daemon {
    setup: Setup,
    started: Instant,
    director: Director,
    kernel: Kernel,
    record: Record,
    log: Writer,
    watch: Watch,
    verdicts: mpsc::Sender<(Token, Verdict)>,
    reloads: mpsc::Sender<(Cause, Result<Loaded, Vec<String>>)>,
    reload: Reload,
    config_error: Option<String>,
    /// Newest first, those of the run before included.
    decisions: VecDeque<Decision>,
}

/// A request of the control socket and the way back.
type Asked = (Request, oneshot::Sender<Response>);

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    /// The file has changed on disk: `callback` is told.
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reload {
    Idle,
    Running,
    /// Asked for again meanwhile.
    Again(Cause),
}

impl Daemon {
    fn now(&self) -> Mono {
        Mono(self.started.elapsed())
    }

    fn event(&mut self, event: Event) {
        self.log.line(&event.text);
        let decision = Decision { at: unix_seconds(), level: event.level.word().into(), text: event.text };
        self.decisions.push_front(decision);
        self.decisions.truncate(DECISIONS);
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

    fn watch_interval(&self) -> Duration {
        self.director.plan().globals.check_interval.max(Duration::from_millis(100))
    }

    /// Whether the file has changed, and what follows.
    fn look_at_file(&mut self) {
        match self.watch.look() {
            Change::None => {}
            Change::Changed => {
                let reread = self.director.plan().globals.autoreload;
                self.event(Event::info(format!("Configuration file '{}' has changed on disk", self.setup.file.display())));
                self.event(Event::info(if reread { " - reread new configuration" } else { " - ignore new configuration" }));
                if reread { self.start_reload(Cause::File) } else { self.call_back() }
            }
        }
    }

    /// Reads the file apart from the loop: names may take their time to resolve.
    fn start_reload(&mut self, cause: Cause) {
        if self.reload != Reload::Idle {
            self.reload = Reload::Again(cause);
            return;
        }
        self.reload = Reload::Running;
        let (load, reloads) = (self.setup.load.clone(), self.reloads.clone());
        tokio::spawn(async move {
            let reading = tokio::task::spawn_blocking(move || load());
            let loaded = match tokio::time::timeout(RELOAD, reading).await {
                Ok(Ok(loaded)) => loaded,
                Ok(Err(error)) => Err(vec![format!("reading the configuration failed: {error}")]),
                Err(_) => Err(vec![format!("reading the configuration took more than {} s", RELOAD.as_secs())]),
            };
            let _ = reloads.send((cause, loaded)).await;
        });
    }

    fn finish_reload(&mut self, cause: Cause, loaded: Result<Loaded, Vec<String>>) {
        match loaded {
            Ok(loaded) => self.take_over(cause, loaded),
            Err(lines) => {
                self.config_error = lines.first().cloned();
                lines.into_iter().for_each(|line| self.event(Event::error(line)));
                let file = self.setup.file.display();
                self.event(Event::error(format!("{file} was not taken over: the configuration before stays in force")));
            }
        }
        if let Reload::Again(cause) = std::mem::replace(&mut self.reload, Reload::Idle) {
            self.start_reload(cause);
        }
    }

    fn take_over(&mut self, cause: Cause, loaded: Loaded) {
        let actual = match self.kernel.dump() {
            Ok(table) => table,
            Err(error) => {
                self.event(Event::error(format!("{error:#}: the configuration was not taken over")));
                return;
            }
        };
        self.config_error = None;
        loaded.warnings.into_iter().for_each(|line| self.event(Event::warn(line)));
        self.log.redirect(self.setup.mode.target(&loaded.plan.globals.log));
        self.input(Input::Reload { plan: Box::new(loaded.plan), actual });
        if cause == Cause::File {
            self.call_back();
        }
    }

    /// Tells `callback` that the file has changed.
    fn call_back(&mut self) {
        let Some(callback) = self.director.plan().globals.callback.clone() else { return };
        let command = tokio::process::Command::new(&callback).arg(&self.setup.file).stdin(std::process::Stdio::null()).spawn();
        match command {
            Ok(mut child) => {
                tokio::spawn(async move { child.wait().await });
            }
            Err(error) => self.event(Event::warn(format!("callback {callback}: {error}"))),
        }
    }

    /// The control socket, if it can be had; the balancing goes on without it.
    fn open_control(&mut self, requests: mpsc::Sender<Asked>) -> Option<tokio::task::JoinHandle<()>> {
        let path = control::director_socket(&control::run_dir(), &self.setup.instance);
        let server = match Server::bind(&path) {
            Ok(server) => server,
            Err(error) => {
                self.event(Event::warn(format!("no control socket: {:#}", anyhow::Error::from(error))));
                return None;
            }
        };
        Some(tokio::spawn(async move {
            let handler = move |request| {
                let requests = requests.clone();
                async move {
                    let gone = || Response::Refused { why: "ldirectord is ending".into() };
                    let (reply, answer) = oneshot::channel();
                    if requests.send((request, reply)).await.is_err() {
                        return gone();
                    }
                    answer.await.unwrap_or_else(|_| gone())
                }
            };
            server.serve(handler).await;
        }))
    }

    fn answer(&mut self, request: &Request) -> Response {
        match request {
            Request::Status => self.status(),
            Request::Drain { real, deadline } => self.order(real, Some(Order::Drain(deadline.map(Duration::from_secs)))),
            Request::Undrain { real } => self.order(real, Some(Order::Undrain)),
            Request::Maintenance { real, on } => self.order(real, Some(Order::Maintenance(*on))),
            Request::Real { real } => self.order(real, None),
            Request::Standby { .. } | Request::Takeover { .. } => {
                Response::Refused { why: "ldirectord has no resource groups: ask heartbeat".into() }
            }
        }
    }

    fn status(&mut self) -> Response {
        let now = self.now();
        // Fresh connection counts; the table as last seen if the kernel does not answer.
        let _ = self.kernel.dump();
        let events = self.decisions.iter().map(|d| snapshot::Event {
            ago: (unix_seconds() - d.at).max(0.0),
            level: d.level.clone(),
            text: d.text.clone(),
        });
        let state = snapshot::Director {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime: now.0.as_secs_f64(),
            instance: self.setup.instance.clone(),
            file: self.setup.file.display().to_string(),
            config_error: self.config_error.clone(),
            virtuals: self.director.view(now, self.kernel.seen()),
            events: events.collect(),
        };
        Response::Director(Box::new(state))
    }

    /// The end: the table is purged, or left to a successor.
    fn stop(mut self, signal: &str) {
        let handover = self.record.take_handover();
        if !handover {
            self.input(Input::Stop);
            self.drain();
        }
        self.event(Event::info(format!("Linux Director Daemon terminated on signal: {signal}")));
        self.record.keep_decisions(self.decisions.iter());
        if handover {
            self.log.line("The table is left to the next ldirectord");
        } else {
            self.record.forget();
        }
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
