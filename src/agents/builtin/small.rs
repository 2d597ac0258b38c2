//! The small resources of the original's packages that do something once, or only wait: `Delay`, `MailTo`, `AudibleAlarm`.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::agents::Tell;
use crate::agents::action::{Action, Done};
use crate::agents::exec::{self, How, Program};
use crate::cluster::io::Level;
use crate::config::settings::Resource;

/// `Delay` without an argument.
const DELAY: Duration = Duration::from_secs(10);
/// For a mail to be handed over.
const MAIL_LIMIT: Duration = Duration::from_secs(30);
/// Between two tones.
const TONE: Duration = Duration::from_secs(1);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Small {
    /// `Delay::start::stop`: waits.
    Delay {
        /// At the start.
        start: Duration,
        /// At the stop.
        stop: Duration,
    },
    /// `MailTo::address::subject`: tells that the group comes or goes.
    MailTo {
        /// To whom; several are apart by commas.
        to: String,
        /// What the subject begins with.
        subject: String,
    },
    /// `AudibleAlarm::node::node`: the console sounds while the group is here, unless this is one of the nodes.
    AudibleAlarm {
        /// Where it does not.
        silent: Vec<String>,
    },
}

/// The small resource of that name.
pub fn lookup(resource: &Resource) -> Option<Result<Small, String>> {
    let arg = |n: usize| resource.args.get(n).filter(|a| !a.is_empty());
    let seconds = |n: usize| match arg(n) {
        Some(text) => text.parse().map(|s| Some(Duration::from_secs(s))).map_err(|_| format!("[{text}] is no number of seconds")),
        None => Ok(None),
    };
    Some(match resource.script.as_str() {
        "Delay" => seconds(0).and_then(|start| {
            let start = start.unwrap_or(DELAY);
            seconds(1).map(|stop| Small::Delay { start, stop: stop.unwrap_or(start) })
        }),
        "MailTo" => arg(0).cloned().ok_or_else(|| "At least 1 Email address has to be given!".to_owned()).map(|to| {
            let subject = arg(1).cloned().unwrap_or_else(|| "Resource Group".to_owned());
            Small::MailTo { to, subject }
        }),
        "AudibleAlarm" => Ok(Small::AudibleAlarm { silent: resource.args.clone() }),
        _ => return None,
    })
}

impl Small {
    /// Whether this node's console sounds while it runs.
    fn sounds_on(&self, node: &str) -> bool {
        matches!(self, Self::AudibleAlarm { silent } if !silent.iter().any(|n| n.eq_ignore_ascii_case(node)))
    }
}

/// Those that run.
#[derive(Debug, Default)]
pub struct Smalls {
    running: Mutex<HashMap<String, Option<AbortHandle>>>,
}

impl Smalls {
    /// It was started by the run before this one.
    pub fn adopt(&self, small: &Small, word: &str, node: &str, tell: &Tell) {
        let sound = small.sounds_on(node).then(|| tokio::spawn(alarm(word.to_owned(), Arc::clone(tell))).abort_handle());
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(word.to_owned(), sound);
    }

    /// Does it. `word` is the resource as written, `node` this node.
    pub async fn act(&self, small: &Small, word: &str, node: &str, action: Action, tell: &Tell) -> Done {
        let running = || self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let was = running().contains_key(word);
        match action {
            Action::Status => return Done::Running(was),
            Action::Start if was => return Done::Ok,
            Action::Stop if !was => return Done::Ok,
            Action::Start | Action::Stop => {}
        }
        let start = action == Action::Start;
        let mut sound = None;
        match small {
            Small::Delay { start: before, stop } => tokio::time::sleep(if start { *before } else { *stop }).await,
            Small::MailTo { to, subject } => {
                let what = if start { "Takeover in progress" } else { "Migrating resource away" };
                if let Err(why) = mail(to, &format!("{subject} {what} on {node}")).await {
                    tell(Level::Warn, &format!("{word}: no mail was sent: {why}"));
                }
            }
            Small::AudibleAlarm { .. } if start && small.sounds_on(node) => {
                sound = Some(tokio::spawn(alarm(word.to_owned(), Arc::clone(tell))).abort_handle());
            }
            Small::AudibleAlarm { .. } => {}
        }
        if start {
            running().insert(word.to_owned(), sound);
        } else if let Some(Some(sound)) = running().remove(word) {
            sound.abort();
        }
        Done::Ok
    }
}

async fn mail(to: &str, subject: &str) -> Result<(), String> {
    let text = format!("To: {to}\nSubject: {subject}\n\n{subject} at {}\n", jiff::Zoned::now().strftime("%F %T %Z"));
    let args = vec!["-t".to_owned(), "-oi".to_owned()];
    let program = Program { path: "/usr/sbin/sendmail".into(), name: None, args, input: text.into_bytes() };
    match exec::run(&program, &[], MAIL_LIMIT, Arc::new(|_| ())).await {
        Ok(ended) if ended.how == How::Exited(0) => Ok(()),
        Ok(ended) => Err(format!("/usr/sbin/sendmail {}: {}", ended.how, ended.output.trim())),
        Err(e) => Err(format!("/usr/sbin/sendmail: {e}")),
    }
}

async fn alarm(word: String, tell: Tell) {
    loop {
        let sounded = tokio::task::spawn_blocking(|| {
            std::fs::OpenOptions::new().write(true).open("/dev/console").and_then(|mut console| console.write_all(b"\x07"))
        });
        if let Ok(Err(e)) = sounded.await {
            tell(Level::Warn, &format!("{word}: the console does not sound: {e}"));
            return;
        }
        tokio::time::sleep(TONE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haresources::resource;

    #[test]
    fn arguments_are_those_of_the_manuals() {
        let seen = |word| lookup(&resource(word));
        let seconds = Duration::from_secs;
        assert_eq!(seen("Delay"), Some(Ok(Small::Delay { start: seconds(10), stop: seconds(10) })));
        assert_eq!(seen("Delay::3::1"), Some(Ok(Small::Delay { start: seconds(3), stop: seconds(1) })));
        assert_eq!(seen("Delay::x"), Some(Err("[x] is no number of seconds".into())));
        assert_eq!(seen("MailTo::a@b.example::Web"), Some(Ok(Small::MailTo { to: "a@b.example".into(), subject: "Web".into() })));
        assert!(matches!(seen("MailTo"), Some(Err(_))));
        assert_eq!(seen("AudibleAlarm::alpha"), Some(Ok(Small::AudibleAlarm { silent: vec!["alpha".into()] })));
        assert_eq!(seen("httpd"), None);
    }

    #[tokio::test]
    async fn they_answer_to_start_status_and_stop() {
        let (smalls, tell): (Smalls, Tell) = (Smalls::default(), Arc::new(|_, _| ()));
        let small = Small::Delay { start: Duration::ZERO, stop: Duration::ZERO };
        let mut said = Vec::new();
        for action in [Action::Status, Action::Start, Action::Start, Action::Status, Action::Stop, Action::Stop, Action::Status] {
            said.push(smalls.act(&small, "Delay::0", "alpha", action, &tell).await);
        }
        let (no, yes) = (Done::Running(false), Done::Running(true));
        assert_eq!(said, [no.clone(), Done::Ok, Done::Ok, yes, Done::Ok, Done::Ok, no]);
    }
}
