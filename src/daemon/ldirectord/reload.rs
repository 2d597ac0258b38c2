//! Reading the configuration again: when, apart from the loop, and what is taken over from it.

use std::time::Duration;

use super::watch::Change;
use super::{Daemon, Loaded, child, maintenance_folder};
use crate::director::{Event, Input};

/// For reading the configuration again, names included.
const RELOAD: Duration = Duration::from_secs(60);
/// For the callback; its process group is killed then.
const CALLBACK: Duration = Duration::from_secs(300);

/// Why the configuration is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Signal,
    /// The file has changed on disk: `callback` is told.
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reload {
    Idle,
    Running,
    /// Asked for again meanwhile.
    Again(Cause),
}

impl Daemon {
    /// Whether the file has changed, and what follows.
    pub(super) fn look_at_file(&mut self) {
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
    pub(super) fn start_reload(&mut self, cause: Cause) {
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

    pub(super) fn finish_reload(&mut self, cause: Cause, loaded: Result<Loaded, Vec<String>>) {
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
        self.journal.log.redirect(self.setup.mode.target(&loaded.plan.globals.log));
        let (folder, execute) = (maintenance_folder(&loaded.plan), loaded.plan.globals.execute.clone());
        self.input(Input::Reload { plan: Box::new(loaded.plan), actual });
        if self.folder != folder {
            self.folder_watch.abort();
            self.folder = folder.clone();
            self.folder_watch = folder.watch(self.files.clone());
        }
        self.drain();
        let file = self.setup.file.display();
        self.event(Event::info(format!("Configuration file '{file}' was read again and is in force")));
        self.set_sysctls();
        if let Some(children) = &mut self.children {
            children.reload(&execute);
        }
        if cause == Cause::File {
            self.call_back();
        }
    }

    /// Tells `callback` that the file has changed.
    fn call_back(&mut self) {
        let Some(callback) = self.director.plan().globals.callback.clone() else { return };
        let mut command = tokio::process::Command::new(&callback);
        command.arg(&self.setup.file);
        let tell = self.tell.clone();
        tokio::spawn(async move {
            if let Err(why) = child::run(command, "", CALLBACK).await {
                let _ = tell.send(Event::warn(format!("callback {callback}: {why}"))).await;
            }
        });
    }
}
