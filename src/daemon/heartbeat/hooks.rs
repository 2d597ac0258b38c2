//! Programs that are told what happens, and may answer: the scripts of `rc.d`, one at a time and in order as the original
//! runs them, the programs of `#lvs-ha: notify`, and the FIFO that scripts write to.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::sync::mpsc;

use crate::agents::exec::{self, How, Program};
use crate::cluster::fifo::Fifo;
use crate::cluster::io::{Event, Input, Level, Subject};
use crate::config::settings::Settings;
use crate::log::Log;
use crate::log::heartbeat::word;

use super::core::ToCore;

/// Hooks that may wait; more are dropped, and that is told.
const WAITING: usize = 256;
/// What takes longer is killed: the others wait for it.
const LIMIT: Duration = Duration::from_secs(600);
/// Of a script's text, to know the original's own ones.
const HEAD: usize = 16 * 1024;

/// Where hooks are handed in.
#[derive(Debug, Clone)]
pub(super) struct Hooks {
    queue: mpsc::Sender<Call>,
    notify: bool,
    log: Log,
}

/// One thing to tell.
#[derive(Debug)]
enum Call {
    /// To `rc.d`.
    Message(Vec<(String, String)>),
    /// To the programs of `#lvs-ha: notify`.
    Event(Event),
}

impl Hooks {
    /// Starts the task that runs them.
    pub(super) fn start(settings: &Arc<Settings>, directory: &Path, environment: &[(String, String)], log: &Log) -> Self {
        let (queue, calls) = mpsc::channel(WAITING);
        let work = Work {
            settings: Arc::clone(settings),
            directory: directory.join("rc.d"),
            environment: environment.to_vec(),
            log: log.clone(),
        };
        tokio::spawn(work.run(calls));
        Self { queue, notify: !settings.local.notify.is_empty(), log: log.clone() }
    }

    /// A message of the cluster for `rc.d`.
    pub(super) fn message(&self, fields: Vec<(String, String)>) {
        self.put(Call::Message(fields));
    }

    /// A transition: a node's status goes to `rc.d/status` as well.
    pub(super) fn event(&self, event: &Event, pings: impl Fn(&str) -> bool) {
        if let Subject::Node { node, status } = &event.subject {
            let mut fields = vec![("t", "status"), ("st", status.as_str()), ("src", node.as_str())];
            if pings(node) {
                fields.push(("info", "ping"));
            }
            self.put(Call::Message(fields.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect()));
        }
        if self.notify && event.subject != Subject::Cluster {
            self.put(Call::Event(event.clone()));
        }
    }

    fn put(&self, call: Call) {
        if self.queue.try_send(call).is_err() {
            self.log.write(Level::Warn, &format!("More than {WAITING} notifications wait; one is dropped"));
        }
    }
}

/// What the hooks are run with.
struct Work {
    settings: Arc<Settings>,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    log: Log,
}

impl Work {
    async fn run(self, mut calls: mpsc::Receiver<Call>) {
        while let Some(call) = calls.recv().await {
            match call {
                Call::Message(fields) => self.message(fields).await,
                Call::Event(event) => {
                    let environment = self.of_event(&event);
                    for path in &self.settings.local.notify {
                        let program = Program { path: path.into(), name: None, args: Vec::new(), input: Vec::new() };
                        self.program(&program, &environment).await;
                    }
                }
            }
        }
    }

    async fn message(&self, fields: Vec<(String, String)>) {
        let kind = fields.iter().find(|(n, _)| n == "t").map(|(_, v)| v.to_lowercase()).unwrap_or_default();
        let Some(path) = exec::find_script(&kind, &[&self.directory]) else { return };
        if originals_own(&path) {
            let text = format!("{} is the original's: not run, heartbeat does its work itself", path.display());
            self.log.write(Level::Debug, &text);
            return;
        }
        // The double slash is the original's, and scripts look for it.
        let shown = self.directory.parent().unwrap_or(Path::new("/")).display();
        self.log.write(Level::Info, &format!("Running {shown}//rc.d/{kind} {kind}"));
        let mut environment = self.environment.clone();
        environment.extend(fields.into_iter().map(|(name, value)| (format!("HA_{name}"), value)));
        self.program(&Program { path, name: None, args: vec![kind], input: Vec::new() }, &environment).await;
    }

    /// What a program of `#lvs-ha: notify` finds in its environment beside what scripts find.
    fn of_event(&self, event: &Event) -> Vec<(String, String)> {
        let mut out = self.environment.clone();
        let mut put = |name: &str, value: &str| out.push((format!("LVS_HA_{name}"), value.to_owned()));
        put("LEVEL", word(event.level));
        put("TEXT", &event.text);
        match &event.subject {
            Subject::Node { node, status } => {
                put("EVENT", "node");
                put("NODE", node);
                put("STATUS", status);
            }
            Subject::Link { node, link, up } => {
                put("EVENT", "link");
                put("NODE", node);
                put("LINK", link);
                put("STATUS", if *up { "up" } else { "dead" });
            }
            Subject::Group(group) => {
                put("EVENT", "group");
                put("GROUP", self.settings.groups.get(group.0).map_or("", |g| g.key()));
            }
            Subject::Cluster => put("EVENT", "cluster"),
        }
        out
    }

    async fn program(&self, program: &Program, environment: &[(String, String)]) {
        let shown = program.shown();
        let (log, prefix) = (self.log.clone(), shown.clone());
        let line = Arc::new(move |text: &str| log.write(Level::Debug, &format!("{prefix}: {text}")));
        match exec::run(program, environment, LIMIT, line).await {
            Ok(ended) if ended.how == How::Exited(0) => {}
            Ok(ended) => self.log.write(Level::Warn, &format!("{shown} {}", ended.how)),
            Err(e) => self.log.write(Level::Error, &format!("Cannot run {shown}: {e}")),
        }
    }
}

/// Whether the script is one of the original's package, left behind or installed: it would start and stop groups behind the
/// daemon's back.
fn originals_own(path: &Path) -> bool {
    let Ok(text) = std::fs::read(path) else { return false };
    let text = String::from_utf8_lossy(text.get(..HEAD.min(text.len())).unwrap_or_default());
    ["/mach_down", "/ResourceManager", "/hb_standby", "/req_resource"].iter().any(|call| text.contains(call))
}

/// Reads messages of local programs from the FIFO at `path` for ever.
pub(super) async fn fifo(path: PathBuf, to_core: mpsc::Sender<ToCore>, log: Log) {
    let mut pipe = match open(&path) {
        Ok(pipe) => pipe,
        Err(e) => {
            log.write(Level::Error, &format!("Cannot open the FIFO {}: {e}", path.display()));
            return;
        }
    };
    let mut reader = Fifo::default();
    let mut bytes = [0; 4096];
    loop {
        let got = match tokio::io::AsyncReadExt::read(&mut pipe, &mut bytes).await {
            Ok(got) => got,
            Err(e) => {
                log.write(Level::Error, &format!("Cannot read the FIFO {}: {e}", path.display()));
                return;
            }
        };
        for message in reader.feed(bytes.get(..got).unwrap_or_default()) {
            match message {
                Ok(message) => {
                    if to_core.send(ToCore::Input(Input::Local(message))).await.is_err() {
                        return;
                    }
                }
                Err(why) => log.write(Level::Error, &format!("Message from {} ignored: {why}", path.display())),
            }
        }
    }
}

/// Opened for writing too, so that it does not end when a writer goes.
fn open(path: &Path) -> io::Result<pipe::Receiver> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_fifo() => {}
        Ok(_) => return Err(io::Error::other("there is something else of that name")),
        Err(_) => nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600))?,
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    pipe::OpenOptions::new().read_write(true).open_receiver(path)
}
