//! Runs one line of `haresources` as the original's ResourceManager does, with its log lines; keeps what runs here, and looks
//! after it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};

use super::Tell;
use super::action::{Action, Done, Sequence, Step, says_running};
use super::builtin::Builtin;
use super::builtin::small::Smalls;
use super::builtin::vip::Vips;
use super::exec::{self, How};
use super::lookup::{self, Call, Kind, Runs};
use crate::cluster::io::{Level, Outcome, Verb};
use crate::config::haresources;
use crate::config::settings::{Group, Resource};
use crate::errors;

/// A script may take this long to start or stop: a file system check can take its time, and the other node waits as long.
const LIMIT: Duration = Duration::from_secs(3600);
/// A status is a question.
const STATUS_LIMIT: Duration = Duration::from_secs(300);
/// For `haresources` to be read: addresses are to move even if the disk is stuck.
const READ_LIMIT: Duration = Duration::from_secs(1);

/// What groups are run with.
pub struct Runner {
    /// This node.
    me: String,
    vips: Arc<Vips>,
    smalls: Smalls,
    /// Whether a built-in resource wins over a script of its name.
    builtin: bool,
    /// `haresources`, read again for each operation; none: the groups are as given.
    file: Option<PathBuf>,
    env: Vec<(String, String)>,
    tell: Tell,
    /// By key.
    known: Mutex<HashMap<String, Known>>,
}

/// A group that has been run.
#[derive(Debug, Clone, Default)]
struct Known {
    /// One thing at a time is done to a group.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many want to start or stop it: nobody is to wait for a status that hangs.
    wanted: Arc<watch::Sender<usize>>,
    /// As it was started, while it runs.
    runs: Option<Group>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("vips", &self.vips).field("env", &self.env).finish_non_exhaustive()
    }
}

impl Runner {
    /// With this node's name, the address resources, whether built-in resources win over scripts, `haresources`, the scripts'
    /// environment and where to log.
    #[must_use]
    pub fn new(me: &str, vips: Arc<Vips>, builtin: bool, file: Option<PathBuf>, env: Vec<(String, String)>, tell: Tell) -> Self {
        let (me, smalls, known) = (me.to_owned(), Smalls::default(), Mutex::default());
        Self { me, vips, smalls, builtin, file, env, tell, known }
    }

    /// Starts or stops the whole group, as its line of `haresources` says now; what is stopped is what was started.
    pub async fn run(&self, group: &Group, verb: Verb) -> Outcome {
        let key = group.key().to_owned();
        let _turn = self.turn(&key).await;
        let runs = self.known(&key).runs;
        let group = match (verb, runs) {
            (Verb::Stop, Some(group)) => group,
            _ => self.current(group).await,
        };
        let outcome = self.sequence(&group, verb).await;
        let runs = match (verb, &outcome) {
            (Verb::Start, Outcome::Done) | (Verb::Stop, Outcome::Failed(_)) => Some(group),
            _ => None,
        };
        self.change(&key, |k| k.runs = runs);
        outcome
    }

    /// A group was started by the run before this one, and runs.
    pub async fn adopt(&self, group: Group) {
        for resource in &group.resources {
            match lookup::find(resource, self.builtin) {
                Ok(Runs::Builtin(Builtin::Vip(wanted))) => {
                    if let Err(e) = self.vips.adopt(wanted.ip).await {
                        self.say(Level::Error, &format!("{}: {}", resource.word, errors::chain(&e)));
                    }
                }
                Ok(Runs::Builtin(Builtin::Small(small))) => self.smalls.adopt(&small, &resource.word, &self.me, &self.tell),
                Ok(Runs::Builtin(Builtin::Command(_)) | Runs::Program(_)) | Err(_) => {}
            }
        }
        let key = group.key().to_owned();
        self.change(&key, |k| k.runs = Some(group));
    }

    /// The groups that were started here and not stopped since.
    #[must_use]
    pub fn running(&self) -> Vec<Group> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<Group> = known.values().filter_map(|k| k.runs.clone()).collect();
        groups.sort_by(|a, b| a.key().cmp(b.key()));
        groups
    }

    /// Asks each resource of a group that runs here; none if it is being started or stopped, also if that is wanted meanwhile, or
    /// does not run here any more.
    pub async fn look(&self, key: &str) -> Option<Vec<(String, bool)>> {
        let known = self.known(key);
        let mut wanted = known.wanted.subscribe();
        let _turn = known.turn.try_lock().ok()?;
        let group = self.known(key).runs?;
        let ask = async {
            let mut seen = Vec::new();
            for resource in &group.resources {
                seen.push((resource.word.clone(), self.status(resource).await));
            }
            seen
        };
        tokio::select! {
            seen = ask => Some(seen),
            _ = wanted.wait_for(|n| *n > 0) => None,
        }
    }

    /// Starts a resource again that has died. What stands behind it in the group may depend on it and is started anew too, but
    /// for an address, which nobody holds on to. Does nothing if the group does not run here any more.
    pub async fn restart(&self, key: &str, word: &str) -> Outcome {
        let _turn = self.turn(key).await;
        let Some(group) = self.known(key).runs else { return Outcome::Done };
        let Some(from) = group.resources.iter().position(|r| r.word == word) else { return Outcome::Done };
        let address = addresses(group.resources.get(from..=from).unwrap_or_default()).len() == 1;
        let resources = if address { group.resources.get(from..=from) } else { group.resources.get(from..) };
        let part = Group { node: group.node.clone(), resources: resources.unwrap_or_default().to_vec() };
        if !address {
            let stopped = self.sequence(&part, Verb::Stop).await;
            if stopped != Outcome::Done {
                return stopped;
            }
        }
        self.sequence(&part, Verb::Start).await
    }

    /// Whether the resource runs here.
    pub async fn status(&self, resource: &Resource) -> bool {
        self.one(resource, Verb::Stop, Action::Status).await == Done::Running(true)
    }

    /// The group as `haresources` has it now; as it was where the file cannot be read in good time or does not have it any more.
    async fn current(&self, group: &Group) -> Group {
        let Some(file) = &self.file else { return group.clone() };
        let read = match tokio::time::timeout(READ_LIMIT, tokio::fs::read(file)).await {
            Ok(Ok(bytes)) => haresources::parse(&bytes).0,
            failed => {
                let why = failed.map_or_else(|_| "no answer".to_owned(), |r| r.err().map(|e| e.to_string()).unwrap_or_default());
                self.say(Level::Warn, &format!("Cannot read {}: {why}; its groups are taken as they were", file.display()));
                return group.clone();
            }
        };
        let mut lines = read.groups.iter().map(haresources::Line::group);
        lines.find(|g| g.key() == group.key() && g.node == group.node).unwrap_or_else(|| {
            let text = format!("{} has no group {} {} any more; it is taken as it was", file.display(), group.node, group.key());
            self.say(Level::Warn, &text);
            group.clone()
        })
    }

    /// To be the only one to do something to the group. A status that is asked meanwhile is abandoned.
    async fn turn(&self, key: &str) -> OwnedMutexGuard<()> {
        let known = self.known(key);
        known.wanted.send_modify(|n| *n += 1);
        let turn = known.turn.lock_owned().await;
        known.wanted.send_modify(|n| *n -= 1);
        turn
    }

    async fn sequence(&self, group: &Group, verb: Verb) -> Outcome {
        let what = match verb {
            Verb::Start => "Acquiring",
            Verb::Stop => "Releasing",
        };
        let words: Vec<&str> = group.resources.iter().map(|r| r.word.as_str()).collect();
        self.say(Level::Info, &format!("{what} resource group: {} {}", group.node, words.join(" ")));
        let mut sequence = Sequence::new(verb, group.resources.len());
        let name = |index: usize| words.get(index).copied().unwrap_or_default();
        loop {
            match sequence.step() {
                Step::Run { resource, action, after } => {
                    tokio::time::sleep(after).await;
                    if !after.is_zero() {
                        self.say(Level::Info, &format!("Retrying failed stop operation [{}]", name(resource)));
                    }
                    let done = match group.resources.get(resource) {
                        Some(resource) => self.one(resource, verb, action).await,
                        None => Done::Ok,
                    };
                    sequence.done(done);
                }
                Step::GivingUp { resource, .. } => {
                    self.say(Level::Crit, &format!("Giving up resources due to failure of {}", name(resource)));
                    self.say(Level::Info, &format!("Releasing resource group: {} {}", group.node, words.join(" ")));
                }
                Step::Ignored { resource, .. } => self.say(
                    Level::Warn,
                    &format!("{} does not run, but its stop fails: not LSB-compliant. Ignored.", name(resource)),
                ),
                Step::End(outcome) => {
                    if let (Verb::Stop, Outcome::Failed(why)) = (verb, &outcome) {
                        self.say(Level::Crit, &format!("Resource STOP failure, the resource still runs here: {why}"));
                    }
                    return outcome;
                }
            }
        }
    }

    /// One action of one resource, as part of the group's `verb`.
    async fn one(&self, resource: &Resource, verb: Verb, action: Action) -> Done {
        match lookup::find(resource, self.builtin) {
            // An address that is here is started nevertheless: that claims and announces it.
            Ok(Runs::Builtin(Builtin::Vip(_))) if (verb, action) == (Verb::Start, Action::Status) => Done::Running(false),
            Ok(Runs::Builtin(Builtin::Vip(wanted))) => {
                self.running_builtin(resource, action);
                let result = match action {
                    Action::Status => self.vips.runs(wanted.ip).await.map(Done::Running),
                    Action::Start => self.vips.start(&wanted).await.map(|()| Done::Ok),
                    Action::Stop => self.vips.stop(wanted.ip).await.map(|()| Done::Ok),
                };
                result.unwrap_or_else(|e| self.failed(&resource.word, errors::chain(&e)))
            }
            Ok(Runs::Builtin(Builtin::Small(small))) => {
                self.running_builtin(resource, action);
                self.smalls.act(&small, &resource.word, &self.me, action, &self.tell).await
            }
            Ok(Runs::Builtin(Builtin::Command(call)) | Runs::Program(call)) => self.program(call, action).await,
            // It can't be started, and there is nothing to stop.
            Err(why) => match action {
                Action::Start => self.failed(&resource.word, why),
                Action::Stop => {
                    self.say(Level::Error, &why);
                    Done::Ok
                }
                Action::Status => Done::Running(false),
            },
        }
    }

    fn running_builtin(&self, resource: &Resource, action: Action) {
        if action != Action::Status {
            let args = resource.args.join(" ");
            let args = if args.is_empty() { &resource.word } else { &args };
            self.say(Level::Info, &format!("Running {} {args} {} (built in)", resource.script, action.word()));
        }
    }

    async fn program(&self, call: Call, action: Action) -> Done {
        let Call { mut program, environment, kind } = call;
        match (kind, action) {
            (Kind::Script, _) => program.args.push(action.word().to_owned()),
            (Kind::Ocf, Action::Status) => program.args.push("monitor".to_owned()),
            (Kind::Ocf, _) => program.args.push(action.word().to_owned()),
            (Kind::Unit, Action::Status) => program.args.insert(0, "is-active".to_owned()),
            (Kind::Unit, _) => program.args.insert(0, action.word().to_owned()),
        }
        let shown = program.shown();
        let limit = if action == Action::Status { STATUS_LIMIT } else { LIMIT };
        if action != Action::Status {
            self.say(Level::Info, &format!("Running {shown}"));
        }
        let path = program.name.clone().unwrap_or_else(|| program.path.display().to_string());
        let (tell, prefix) = (Arc::clone(&self.tell), path.clone());
        let level = if action == Action::Status { Level::Debug } else { Level::Info };
        let line = Arc::new(move |text: &str| {
            if !text.is_empty() {
                tell(level, &format!("{prefix}: {text}"));
            }
        });
        let environment = [self.env.as_slice(), &environment].concat();
        let ended = match exec::run(&program, &environment, limit, line).await {
            Ok(ended) => ended,
            Err(e) => return self.failed(&shown, format!("Cannot run {path}: {e}")),
        };
        match (action, kind, ended.how) {
            (Action::Status, Kind::Script, _) => Done::Running(says_running(&ended.output)),
            (Action::Status, _, how) => Done::Running(how == How::Exited(0)),
            (_, _, How::Exited(0)) => Done::Ok,
            (_, _, How::Exited(code)) => self.failed(&shown, format!("Return code {code} from {path}")),
            (_, _, How::Killed(signal)) => self.failed(&shown, format!("{path} was killed by signal {signal}")),
            (_, _, How::TimedOut) => {
                self.failed(&shown, format!("{path} did not end within {} s and was killed", limit.as_secs()))
            }
        }
    }

    fn known(&self, key: &str) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default().clone()
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Known)) {
        change(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default());
    }

    fn failed(&self, what: &str, why: String) -> Done {
        self.say(Level::Error, &why);
        Done::Failed(format!("{what}: {why}"))
    }

    fn say(&self, level: Level, text: &str) {
        (self.tell)(level, text);
    }
}

/// The addresses among a group's resources.
#[must_use]
pub fn addresses(resources: &[Resource]) -> Vec<IpAddr> {
    resources.iter().filter_map(super::builtin::vip::wanted).filter_map(Result::ok).map(|w| w.ip).collect()
}
