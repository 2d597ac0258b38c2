//! The one table of the node's timers.

use std::collections::BTreeMap;

use crate::cluster::io::{GroupId, Mono};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// `keepalive`: the next heartbeat.
    Beat,
    /// The announced dead time falls from `deadtime` + 2 s to `deadtime`.
    DeadTimeSettles,
    /// `deadtime` of the node of this index.
    NodeDead(usize),
    /// `deadping` of the ping node of this index.
    PingDead(usize),
    /// Dead time of a link: node, link.
    LinkDead(usize, usize),
    /// No `repnodes` came: ask again.
    AskNodes,
    /// A lost message is asked for (again): node, number.
    Rexmit(usize, u64),
    /// Nobody answered `starting`: say it again.
    StartingAgain,
    /// Ten seconds after the first resource report: take the own groups.
    Collect,
    /// An `ip-request` of legacy mode has no answer: ask again.
    AskLegacy,
    /// A standby handshake has lasted too long.
    Standby,
    /// A cancelled failback may be tried again.
    Failback,
    /// A group whose start failed: give it to another, or try again.
    StartFailed(GroupId),
    /// Groups in no good state are given away.
    Faulty,
    /// A group whose stop failed: try again.
    StopAgain(GroupId),
    /// Look again at groups without owner or with two.
    Ownership,
    /// Two seconds after a healed partition: give up everything.
    Partition,
    /// This side sees fewer ping nodes: give resources away.
    IpfailGiveUp,
    /// Resources were in motion when ping nodes should have been compared.
    IpfailCompare,
    /// The last heartbeats after `shutdone` have been sent.
    Exit,
}

/// When what is due.
#[derive(Debug, Clone, Default)]
pub(super) struct Timers(BTreeMap<Timer, Mono>);

impl Timers {
    /// Sets `timer` to `at`, whatever it was.
    pub(super) fn set(&mut self, timer: Timer, at: Mono) {
        self.0.insert(timer, at);
    }

    /// Sets `timer` to `at` unless it is set.
    pub(super) fn set_once(&mut self, timer: Timer, at: Mono) {
        self.0.entry(timer).or_insert(at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    /// When `timer` is due.
    pub(super) fn due(&self, timer: Timer) -> Option<Mono> {
        self.0.get(&timer).copied()
    }

    pub(super) fn clear_all(&mut self) {
        self.0.clear();
    }

    pub(super) fn clear_if(&mut self, unwanted: impl Fn(Timer) -> bool) {
        self.0.retain(|timer, _| !unwanted(*timer));
    }

    /// The next due moment.
    pub(super) fn next(&self) -> Option<Mono> {
        self.0.values().min().copied()
    }

    /// Takes the timer that has been due longest, if any is due.
    pub(super) fn pop(&mut self, now: Mono) -> Option<(Timer, Mono)> {
        let (timer, at) = self.0.iter().min_by_key(|(_, at)| **at).map(|(t, at)| (*t, *at))?;
        (at <= now).then(|| {
            self.0.remove(&timer);
            (timer, at)
        })
    }
}
