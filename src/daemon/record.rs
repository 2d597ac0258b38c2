//! What an ldirectord instance calls its own, on disk: written before the kernel's table is changed, so that a process that
//! is killed leaves a word about what it made. Nothing that neither the configuration nor this record names is ever removed.
//!
//! `/run/lvs-ha/ldirectord-NAME/owned.json`, locked while the instance lives, gone after a clean stop; beside it
//! `events.json`, the last decisions, for the next run to show, and `held.json`, the real servers that are drained or in
//! maintenance by command, and `sysctl.json`, the kernel's settings to be put back.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::ipvs::model::ServiceKey;
use crate::state::replace_file;

/// Why the record can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("another ldirectord has {0} in use")]
    Busy(PathBuf),
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The record of one instance.
#[derive(Debug)]
pub struct Record {
    dir: PathBuf,
    owned: BTreeSet<ServiceKey>,
    _lock: Flock<File>,
}

/// The file's contents.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    v: u32,
    services: BTreeSet<ServiceKey>,
}

/// A real server that is held out of service by command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// `ADDRESS` or `ADDRESS:PORT`.
    pub real: String,
    /// In maintenance; else drained.
    pub maintenance: bool,
    /// When a drained one leaves the table, Unix seconds.
    pub until: Option<f64>,
}

/// A setting of the kernel's that was changed, to be put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// As sysctl(8) names it.
    pub name: String,
    /// What it was.
    pub before: String,
}

/// A decision of an earlier run, kept for display.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Unix seconds.
    pub at: f64,
    /// `info WARN ERROR`.
    pub level: String,
    /// The log line.
    pub text: String,
}

/// The folder of an instance below `run`.
#[must_use]
pub fn folder(run: &Path, instance: &str) -> PathBuf {
    run.join(format!("ldirectord-{instance}"))
}

impl Record {
    /// Opens the record of an instance below `run` (see `control::run_dir`), for this process alone. A record that can't be read
    /// counts as empty: it may only add to what is removed.
    pub fn open(run: &Path, instance: &str) -> Result<Self, Error> {
        let dir = folder(run, instance);
        let failed = |source| Error::Io { path: dir.clone(), source };
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(dir.join("lock")).map_err(failed)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => Error::Busy(dir.clone()),
            other => failed(other.into()),
        })?;
        Ok(Self { owned: owned(run, instance), dir, _lock: lock })
    }

    /// The services on record.
    #[must_use]
    pub fn owned(&self) -> &BTreeSet<ServiceKey> {
        &self.owned
    }

    /// Puts these on record instead, if they are others. On disk before it returns.
    pub fn write(&mut self, owned: &BTreeSet<ServiceKey>) -> Result<(), Error> {
        let path = self.dir.join("owned.json");
        if self.owned == *owned && path.exists() {
            return Ok(());
        }
        let contents = serde_json::to_vec(&Contents { v: 1, services: owned.clone() });
        contents
            .map_err(io::Error::from)
            .and_then(|bytes| replace_file(&path, &bytes, 0o644))
            .map_err(|source| Error::Io { path, source })?;
        self.owned.clone_from(owned);
        Ok(())
    }

    /// After a clean stop: nothing is ours any more.
    pub fn forget(&mut self) {
        let _ = fs::remove_file(self.dir.join("owned.json"));
        self.owned.clear();
    }

    /// The holds by command, of this run or an earlier one; none if there are none to be read.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        held(&self.dir)
    }

    /// Puts these holds on record; they outlive a stop too. On disk before it returns.
    pub fn keep_held(&self, held: &[Held]) -> Result<(), Error> {
        let path = self.dir.join("held.json");
        replace_file(&path, &serde_json::to_vec(held).unwrap_or_default(), 0o644).map_err(|source| Error::Io { path, source })
    }

    /// The settings of the kernel's that this run or an earlier one has changed and not put back.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let bytes = fs::read(self.dir.join("sysctl.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Puts these settings on record. On disk before it returns.
    pub fn keep_settings(&self, settings: &[Setting]) -> Result<(), Error> {
        let path = self.dir.join("sysctl.json");
        replace_file(&path, &serde_json::to_vec(settings).unwrap_or_default(), 0o644).map_err(|source| Error::Io { path, source })
    }

    /// The decisions of the run before, newest first; none if there are none to be read.
    #[must_use]
    pub fn decisions(&self) -> Vec<Decision> {
        let bytes = fs::read(self.dir.join("events.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Leaves decisions to the next run. A loss is no harm.
    pub fn keep_decisions<'a>(&self, decisions: impl Iterator<Item = &'a Decision>) {
        if let Ok(bytes) = serde_json::to_vec(&decisions.collect::<Vec<_>>()) {
            let _ = fs::write(self.dir.join("events.json"), bytes);
        }
    }

    /// Whether somebody has asked this process to leave the table to its successor; asked once.
    #[must_use]
    pub fn take_handover(&self) -> bool {
        let path = self.dir.join("handover");
        let asked = fs::read_to_string(&path).is_ok_and(|text| text.trim() == std::process::id().to_string());
        let _ = fs::remove_file(&path);
        asked
    }
}

/// The services on record of an instance, without opening the record: what another process has in use. None if there are none
/// to be read.
#[must_use]
pub fn owned(run: &Path, instance: &str) -> BTreeSet<ServiceKey> {
    let bytes = fs::read(folder(run, instance).join("owned.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).map(|c: Contents| c.services).unwrap_or_default()
}

/// The holds on record in an instance's [`folder`], without opening the record; none if there are none to be read.
#[must_use]
pub fn held(folder: &Path) -> Vec<Held> {
    let bytes = fs::read(folder.join("held.json")).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Asks the instance that runs as `pid` to leave the table as it is when it ends: its successor takes over.
pub fn ask_handover(run: &Path, instance: &str, pid: u32) -> io::Result<()> {
    let dir = folder(run, instance);
    // Without the folder it is not a process of this program's.
    if dir.is_dir() { fs::write(dir.join("handover"), format!("{pid}\n")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::model::{Family, Protocol};

    #[test]
    fn the_record_outlives_the_process_and_not_the_stop() {
        let run = tempfile::tempdir().unwrap();
        let keys: BTreeSet<ServiceKey> = [
            ServiceKey::Addr { protocol: Protocol::Tcp, addr: [10, 0, 0, 1].into(), port: 80 },
            ServiceKey::Fwmark { mark: 5, family: Family::Inet6 },
        ]
        .into();
        let mut record = Record::open(run.path(), "a.cf").unwrap();
        assert!(record.owned().is_empty());
        record.write(&keys).unwrap();
        assert!(matches!(Record::open(run.path(), "a.cf"), Err(Error::Busy(_))));
        drop(record);
        let mut record = Record::open(run.path(), "a.cf").unwrap();
        assert_eq!(*record.owned(), keys);
        assert!(Record::open(run.path(), "b.cf").unwrap().owned().is_empty());
        record.forget();
        drop(record);
        assert!(Record::open(run.path(), "a.cf").unwrap().owned().is_empty());
    }

    #[test]
    fn decisions_reach_the_next_run() {
        let run = tempfile::tempdir().unwrap();
        let decision = Decision { at: 1.5, level: "WARN".into(), text: "Deleted real server".into() };
        let record = Record::open(run.path(), "a").unwrap();
        assert_eq!(record.decisions(), []);
        record.keep_decisions([&decision].into_iter());
        drop(record);
        assert_eq!(Record::open(run.path(), "a").unwrap().decisions(), [decision]);
    }

    #[test]
    fn holds_outlive_process_and_stop() {
        let run = tempfile::tempdir().unwrap();
        let held = [Held { real: "10.0.0.1:80".into(), maintenance: false, until: Some(1.5) }];
        let mut record = Record::open(run.path(), "a").unwrap();
        assert_eq!(record.held(), []);
        record.keep_held(&held).unwrap();
        record.forget();
        drop(record);
        assert_eq!(Record::open(run.path(), "a").unwrap().held(), held);
    }

    #[test]
    fn settings_that_were_changed_outlive_the_process() {
        let run = tempfile::tempdir().unwrap();
        let settings = [Setting { name: "net.ipv4.vs.expire_nodest_conn".into(), before: "0".into() }];
        let record = Record::open(run.path(), "a").unwrap();
        assert_eq!(record.settings(), []);
        record.keep_settings(&settings).unwrap();
        drop(record);
        assert_eq!(Record::open(run.path(), "a").unwrap().settings(), settings);
    }

    #[test]
    fn a_damaged_record_counts_as_empty() {
        let run = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder(run.path(), "a")).unwrap();
        fs::write(folder(run.path(), "a").join("owned.json"), b"{\"v\":1,\"serv").unwrap();
        assert!(Record::open(run.path(), "a").unwrap().owned().is_empty());
    }

    #[test]
    fn a_handover_is_for_one_process_and_once() {
        let run = tempfile::tempdir().unwrap();
        ask_handover(run.path(), "a", 1).unwrap();
        let record = Record::open(run.path(), "a").unwrap();
        assert!(!record.take_handover());
        ask_handover(run.path(), "a", std::process::id()).unwrap();
        assert!(record.take_handover());
        assert!(!record.take_handover());
        ask_handover(run.path(), "a", 1).unwrap();
        assert!(!record.take_handover());
    }
}
