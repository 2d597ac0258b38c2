//! The instances that `execute` names: started, reloaded and stopped with this one, one after the other in a task of their
//! own.

use std::time::Duration;

use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::child;
use crate::director::Event;

/// For one command.
const LIMIT: Duration = Duration::from_secs(30);
/// For the stop of all of them.
const LAST: Duration = Duration::from_secs(20);

/// The task and what it has been told.
#[derive(Debug)]
pub(super) struct Children {
    names: Vec<String>,
    words: mpsc::UnboundedSender<(String, Word)>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Start,
    /// Or start, if it does not run.
    Reload,
    Stop,
}

impl Children {
    /// Starts them; what fails goes to `told`.
    pub(super) fn start(names: &[String], told: mpsc::Sender<Event>) -> Self {
        // As many words as there are names in the file, for each reload.
        let (words, heard) = mpsc::unbounded_channel();
        let mut children = Self { names: Vec::new(), words, task: tokio::spawn(obey(heard, told)) };
        children.reload(names);
        children
    }

    /// Others are wanted now: those that are gone are stopped, those that stayed reload.
    pub(super) fn reload(&mut self, names: &[String]) {
        let gone: Vec<String> = self.names.iter().filter(|n| !names.contains(n)).cloned().collect();
        gone.into_iter().for_each(|name| self.say(name, Word::Stop));
        for name in names {
            let word = if self.names.contains(name) { Word::Reload } else { Word::Start };
            self.say(name.clone(), word);
        }
        self.names = names.to_vec();
    }

    /// Stops them, and waits for that for some seconds.
    pub(super) async fn stop(mut self) {
        for name in std::mem::take(&mut self.names) {
            self.say(name, Word::Stop);
        }
        let Self { words, task, .. } = self;
        drop(words);
        let _ = timeout(LAST, task).await;
    }

    fn say(&self, name: String, word: Word) {
        // The task lives as long as this does.
        let _ = self.words.send((name, word));
    }
}

async fn obey(mut words: mpsc::UnboundedReceiver<(String, Word)>, told: mpsc::Sender<Event>) {
    while let Some((name, word)) = words.recv().await {
        let done = match word {
            Word::Start => child::run(ldirectord(&name, "start"), "", LIMIT).await,
            Word::Stop => child::run(ldirectord(&name, "stop"), "", LIMIT).await,
            Word::Reload => match child::run(ldirectord(&name, "reload"), "", LIMIT).await {
                Ok(()) => Ok(()),
                Err(_) => child::run(ldirectord(&name, "start"), "", LIMIT).await,
            },
        };
        if let Err(why) = done {
            let _ = told.send(Event::error(format!("execute {name}, {word:?}: {why}"))).await;
        }
    }
}

/// This program as another instance of ldirectord. The name goes through the shell, quotes and all, as with the original.
fn ldirectord(name: &str, word: &str) -> Command {
    let own = std::env::current_exe().ok().filter(|path| path.exists());
    match own {
        Some(path) => {
            let mut command = child::shell(&format!("exec \"$0\" ldirectord {name} {word}"));
            command.arg(path);
            command
        }
        None => child::shell(&format!("exec ldirectord {name} {word}")),
    }
}

/// Asks each of the instances how it is, as `ldirectord status` does; what they say goes to the caller's terminal.
pub fn status(names: &[String]) {
    for name in names {
        // Their answer is for the reader; the exit status is this instance's alone.
        let _ = ldirectord(name, "status").into_std().status();
    }
}
