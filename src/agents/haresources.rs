//! Runs one line of `haresources` as the original's ResourceManager does, with its log lines.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Tell;
use super::action::{Action, Done, Sequence, Step, says_running};
use super::builtin::vip::Vips;
use super::builtin::{self, Builtin};
use super::exec::{self, How, Program, SCRIPT_DIRS};
use crate::cluster::io::{Level, Outcome, Verb};
use crate::config::settings::{Group, Resource};
use crate::errors;

/// A script may take this long to start or stop: a file system check can take its time, and the other node waits as long.
const LIMIT: Duration = Duration::from_secs(3600);
/// A status is a question.
const STATUS_LIMIT: Duration = Duration::from_secs(300);

/// What groups are run with.
pub struct Runner {
    vips: Arc<Vips>,
    /// Whether a built-in resource wins over a script of its name.
    builtin: bool,
    env: Vec<(String, String)>,
    tell: Tell,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("vips", &self.vips).field("env", &self.env).finish_non_exhaustive()
    }
}

impl Runner {
    /// With the address resources, whether built-in resources win over scripts, the scripts' environment and where to log.
    #[must_use]
    pub fn new(vips: Arc<Vips>, builtin: bool, env: Vec<(String, String)>, tell: Tell) -> Self {
        Self { vips, builtin, env, tell }
    }

    /// Starts or stops the whole group.
    pub async fn run(&self, group: &Group, verb: Verb) -> Outcome {
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
        match builtin::lookup(resource).filter(|_| self.builtin) {
            // An address that is here is started nevertheless: that claims and announces it.
            Some(Ok(Builtin::Vip(_))) if (verb, action) == (Verb::Start, Action::Status) => Done::Running(false),
            Some(Ok(Builtin::Vip(wanted))) => {
                if action != Action::Status {
                    let args = resource.args.join(" ");
                    let args = if args.is_empty() { &resource.word } else { &args };
                    self.say(Level::Info, &format!("Running {} {args} {} (built in)", resource.script, action.word()));
                }
                let result = match action {
                    Action::Status => self.vips.runs(wanted.ip).await.map(Done::Running),
                    Action::Start => self.vips.start(&wanted).await.map(|()| Done::Ok),
                    Action::Stop => self.vips.stop(wanted.ip).await.map(|()| Done::Ok),
                };
                result.unwrap_or_else(|e| self.failed(&resource.word, errors::chain(&e)))
            }
            Some(Ok(Builtin::Command(program))) => self.program(program, action).await,
            Some(Err(e)) => self.bad(&resource.word, action, e.to_string()),
            None => {
                let dirs = SCRIPT_DIRS.map(Path::new);
                match exec::find_script(&resource.script, &dirs) {
                    Some(path) => {
                        self.program(Program { path, name: None, args: resource.args.clone(), input: Vec::new() }, action).await
                    }
                    None => {
                        let why = format!("Cannot locate resource script {}", resource.script);
                        self.bad(&resource.word, action, why)
                    }
                }
            }
        }
    }

    /// A resource that cannot run here at all: it can't be started, and there is nothing to stop.
    fn bad(&self, word: &str, action: Action, why: String) -> Done {
        match action {
            Action::Start => self.failed(word, why),
            Action::Stop => {
                self.say(Level::Error, &why);
                Done::Ok
            }
            Action::Status => Done::Running(false),
        }
    }

    async fn program(&self, mut program: Program, action: Action) -> Done {
        program.args.push(action.word().to_owned());
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
        let ended = match exec::run(&program, &self.env, limit, line).await {
            Ok(ended) => ended,
            Err(e) => return self.failed(&shown, format!("Cannot run {path}: {e}")),
        };
        if action == Action::Status {
            return Done::Running(says_running(&ended.output));
        }
        match ended.how {
            How::Exited(0) => Done::Ok,
            How::Exited(code) => self.failed(&shown, format!("Return code {code} from {path}")),
            How::Killed(signal) => self.failed(&shown, format!("{path} was killed by signal {signal}")),
            How::TimedOut => self.failed(&shown, format!("{path} did not end within {} s and was killed", limit.as_secs())),
        }
    }

    fn failed(&self, what: &str, why: String) -> Done {
        self.say(Level::Error, &why);
        Done::Failed(format!("{what}: {why}"))
    }

    fn say(&self, level: Level, text: &str) {
        (self.tell)(level, text);
    }
}
