//! One run of the daemon makes way for the next in the same process: what runs goes on running.
//!
//! The kernel gives the process a new program; the process id, and with it the pid file, stays. What runs is told by a file
//! (`state::handover`). Signals that come in between wait.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::Context as _;
use nix::sys::signal::SigSet;

use super::Mode;
use crate::agents::Tell;
use crate::agents::builtin::owned::Owned;
use crate::agents::builtin::peers::Peers;
use crate::agents::builtin::vip::Vips;
use crate::agents::haresources::Runner;
use crate::cluster::io::{GroupId, Held, Level};
use crate::config::haresources::resource;
use crate::config::settings::{Group, Settings};
use crate::daemon::pidfile::PidFile;
use crate::log::Log;
use crate::net::addr::Addresses;
use crate::state::handover::{self, Kept};

/// What the next run is asked for by.
const OPTION: &str = "-R";

/// Becomes the next run; returns only why that failed.
pub(super) fn begin(settings: &Settings, runner: &Runner, held: &[Held], mode: Mode, log: &Log, pid: PidFile) -> anyhow::Error {
    log.write(Level::Info, "Performing heartbeat restart exec.");
    let kept: Vec<Kept> = runner.running().into_iter().map(|group| keep(settings, held, &group)).collect();
    if let Err(e) = handover::write(&handover::path(&crate::control::run_dir()), &kept) {
        return anyhow::Error::from(e).context("cannot write what runs here");
    }
    let _ = log.flush(super::LAST_LINES);
    // The file names this process, which goes on.
    std::mem::forget(pid);
    if let Err(e) = SigSet::all().thread_block() {
        log.write(Level::Warn, &format!("Cannot hold back signals: {e}"));
    }
    let own = std::env::current_exe().ok().filter(|path| path.exists());
    let mut next = Command::new(own.unwrap_or_else(|| PathBuf::from("/proc/self/exe")));
    next.arg0(super::COMMAND).arg(OPTION).args((0..mode.debug).map(|_| "-d"));
    next.args(mode.foreground.then_some("-f")).args(mode.no_realtime.then_some("-l"));
    anyhow::Error::from(next.exec()).context("cannot run the next heartbeat")
}

fn keep(settings: &Settings, held: &[Held], group: &Group) -> Kept {
    let index = position(settings, &group.node, group.key());
    let on_loan = held.iter().find(|h| Some(h.group) == index).map(|h| h.on_loan);
    Kept { node: group.node.clone(), resources: group.resources.iter().map(|r| r.word.clone()).collect(), on_loan }
}

/// What the run before has left: what this node holds from the start, and what is to be stopped.
pub(super) fn take_over(
    mode: Mode,
    settings: &Settings,
    runner: &Runner,
    runtime: &tokio::runtime::Runtime,
    log: &Log,
) -> (Vec<Held>, Vec<Group>) {
    let read = handover::take(&handover::path(&crate::control::run_dir())).context("cannot read what the last run has left");
    let kept = read.unwrap_or_else(|e| {
        log.write(Level::Error, &format!("{e:#}"));
        Vec::new()
    });
    let (mut held, mut strays) = (Vec::new(), Vec::new());
    for kept in kept.into_iter().filter(|_| mode.succeeds) {
        let group = Group { node: kept.node, resources: kept.resources.iter().map(|word| resource(word)).collect() };
        let (key, index) = (group.key().to_owned(), position(settings, &group.node, group.key()));
        runtime.block_on(runner.adopt(group.clone()));
        match index.zip(kept.on_loan) {
            Some((group, on_loan)) => held.push(Held { group, on_loan }),
            None => {
                log.write(
                    Level::Warn,
                    &format!("Resource group {} {key} is not in haresources any more: stopping it", group.node),
                );
                strays.push(group);
            }
        }
    }
    (held, strays)
}

/// A next run that cannot start must not leave addresses behind that another node is about to take.
pub(super) fn let_go(log: &Log) {
    let tell: Tell = {
        let log = log.clone();
        Arc::new(move |level, text| log.write(level, text))
    };
    let give_up = || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let owned = Owned::open(&crate::control::run_dir().join("heartbeat").join("owned.json"))?;
            let vips = Vips::new(Addresses::connect()?, owned, Arc::new(Peers::default()), tell);
            Ok(vips.give_up_leftovers(&[]).await?)
        })
    };
    log.write(Level::Crit, "The next run cannot start: its addresses are given up.");
    if let Err(e) = give_up() {
        log.write(Level::Crit, &format!("Cannot give the addresses up: {e:#}"));
    }
}

fn position(settings: &Settings, node: &str, key: &str) -> Option<GroupId> {
    settings.groups.iter().position(|g| g.node == node && g.key() == key).map(GroupId)
}
