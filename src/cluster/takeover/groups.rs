//! The groups on this node: which are claimed, what runs, what is under way.

use crate::cluster::io::{ActionId, Fault, GroupId, Held, Level, Mono, Outcome, Output, Subject, Verb};
use crate::cluster::takeover::sets::Groups;
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use std::collections::BTreeMap;
use std::time::Duration;

/// A group whose start failed is tried again, here or elsewhere, after this.
const START_AGAIN: Duration = Duration::from_secs(30);
/// It is offered to another node after this, unless it failed lately already.
const PASS_ON: Duration = Duration::from_millis(500);
/// What counts as lately: two nodes on which a group fails must not throw it to and fro without end.
const LATELY: Duration = Duration::from_secs(300);
/// A group whose stop failed is stopped again after this.
const STOP_AGAIN: Duration = Duration::from_secs(5);

/// What is known to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    /// Nothing was done yet.
    Unknown,
    Stopped,
    Running,
}

/// A group.
#[derive(Debug)]
pub(super) struct Slot {
    /// This node holds it as far as the cluster is concerned. Set before the scripts run.
    pub(super) claimed: bool,
    /// It came from a dead or departed node, so it goes back when that returns.
    pub(super) on_loan: bool,
    pub(super) since: Mono,
    pub(super) reason: String,
    /// After a failed start: not before this without being asked.
    pub(super) not_before: Option<Mono>,
    run: Run,
    want: Verb,
    action: Option<(ActionId, Verb)>,
    /// A failed stop waits to be tried again.
    waiting: bool,
    /// The last failed start.
    failed: Option<Mono>,
    /// Why another node should rather have it.
    faults: BTreeMap<Fault, String>,
}

/// All groups.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    next: u64,
}

impl Slots {
    pub(super) fn new(count: usize, now: Mono) -> Self {
        let slot = || Slot {
            claimed: false,
            on_loan: false,
            since: now,
            reason: "not held since the start".to_owned(),
            not_before: None,
            run: Run::Unknown,
            want: Verb::Stop,
            action: None,
            waiting: false,
            failed: None,
            faults: BTreeMap::new(),
        };
        Self { slots: std::iter::repeat_with(slot).take(count).collect(), next: 0 }
    }

    pub(super) fn get(&self, group: GroupId) -> Option<&Slot> {
        self.slots.get(group.0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (GroupId, &Slot)> {
        self.slots.iter().enumerate().map(|(i, s)| (GroupId(i), s))
    }

    pub(super) fn claimed(&self) -> Groups {
        self.iter().filter(|(_, s)| s.claimed).map(|(g, _)| g).collect()
    }

    /// Nothing is under way.
    pub(super) fn calm(&self) -> bool {
        self.slots.iter().all(Slot::calm)
    }

    /// Nothing is under way in these groups.
    pub(super) fn calm_in(&self, groups: &Groups) -> bool {
        groups.iter().all(|g| self.get(*g).is_none_or(Slot::calm))
    }

    /// A group that is not claimed any more still runs, or may.
    pub(super) fn letting_go(&self) -> bool {
        self.slots.iter().any(|s| !s.claimed && !s.calm())
    }

    /// Nothing runs and nothing is under way.
    pub(super) fn all_stopped(&self) -> bool {
        self.slots.iter().all(|s| s.calm() && s.run == Run::Stopped)
    }

    /// Holds the group from now on and wants it to run.
    pub(super) fn claim(&mut self, cx: &mut Cx<'_>, group: GroupId, on_loan: bool, reason: impl Into<String>) {
        let Some(slot) = self.slots.get_mut(group.0) else { return };
        slot.claimed = true;
        slot.on_loan = on_loan;
        slot.want = Verb::Start;
        slot.not_before = None;
        slot.faults.clear();
        cx.timers.clear(Timer::StartFailed(group));
        slot.note(cx, group, "acquired", reason);
    }

    /// Holds the group from the start: it runs.
    pub(super) fn keep(&mut self, held: Held) {
        if let Some(slot) = self.slots.get_mut(held.group.0) {
            (slot.claimed, slot.on_loan, slot.want, slot.run) = (true, held.on_loan, Verb::Start, Run::Running);
            "kept over a restart of heartbeat".clone_into(&mut slot.reason);
        }
    }

    /// Holds the group no more and wants it stopped.
    pub(super) fn release(&mut self, cx: &mut Cx<'_>, group: GroupId, reason: impl Into<String>) {
        let Some(slot) = self.slots.get_mut(group.0) else { return };
        if slot.claimed {
            slot.note(cx, group, "released", reason);
        }
        slot.claimed = false;
        slot.on_loan = false;
        slot.want = Verb::Stop;
        slot.faults.clear();
    }

    /// Keeps why another node should rather have a group that is claimed. True if that is news.
    pub(super) fn fault(&mut self, group: GroupId, fault: Fault, why: String) -> bool {
        let Some(slot) = self.slots.get_mut(group.0).filter(|s| s.claimed) else { return false };
        slot.faults.insert(fault, why).is_none()
    }

    pub(super) fn mended(&mut self, group: GroupId, fault: Fault) {
        if let Some(slot) = self.slots.get_mut(group.0) {
            slot.faults.remove(&fault);
        }
    }

    /// The groups that another node should rather have.
    pub(super) fn faulty(&self) -> Groups {
        self.iter().filter(|(_, s)| !s.faults.is_empty()).map(|(g, _)| g).collect()
    }

    /// Releases every group; one of which nothing is known is stopped as well, as the original does.
    pub(super) fn release_all(&mut self, cx: &mut Cx<'_>, reason: &str) {
        for i in 0..self.slots.len() {
            self.release(cx, GroupId(i), reason);
        }
        for slot in self.slots.iter_mut().filter(|s| s.run == Run::Unknown) {
            slot.run = Run::Running;
        }
    }

    /// Groups of `node` go back to it when it is there again.
    pub(super) fn lend(&mut self, mut of_node: impl FnMut(GroupId) -> bool) {
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if slot.claimed && of_node(GroupId(i)) {
                slot.on_loan = true;
            }
        }
    }

    /// Asks for what is wanted and not so.
    pub(super) fn pump(&mut self, cx: &mut Cx<'_>) {
        for (i, slot) in self.slots.iter_mut().enumerate() {
            if slot.calm() || slot.action.is_some() || slot.waiting {
                continue;
            }
            self.next += 1;
            let (id, group) = (ActionId(self.next), GroupId(i));
            slot.action = Some((id, slot.want));
            cx.voice.put_out(Output::Run { id, group, verb: slot.want });
        }
    }

    /// An action ended. Returns the group if that was a failed start that is still wanted.
    pub(super) fn done(&mut self, cx: &mut Cx<'_>, id: ActionId, outcome: Outcome) -> Option<GroupId> {
        let (i, slot) = self.slots.iter_mut().enumerate().find(|(_, s)| s.action.is_some_and(|(a, _)| a == id))?;
        let group = GroupId(i);
        let name = cx.settings.groups.get(i).map_or("", |g| g.key()).to_owned();
        let (_, verb) = slot.action.take()?;
        match (verb, outcome) {
            (Verb::Start, Outcome::Done) => slot.run = Run::Running,
            (Verb::Stop, Outcome::Done) => slot.run = Run::Stopped,
            (Verb::Start, Outcome::Failed(why)) => {
                slot.run = Run::Stopped;
                let text = format!("Giving up resources due to failure of {name}: {why}");
                cx.voice.event(Level::Crit, Subject::Group(group), text);
                if slot.want == Verb::Start {
                    slot.claimed = false;
                    slot.on_loan = false;
                    slot.want = Verb::Stop;
                    slot.faults.clear();
                    slot.not_before = Some(cx.after(START_AGAIN));
                    let lately = slot.failed.replace(cx.mono()).is_some_and(|at| cx.mono() - at < LATELY);
                    let wait = if lately { START_AGAIN } else { PASS_ON };
                    cx.timers.set(Timer::StartFailed(group), cx.after(wait));
                    slot.note(cx, group, "released", format!("start failed: {why}"));
                    return Some(group);
                }
            }
            (Verb::Stop, Outcome::Failed(why)) => {
                slot.run = Run::Running;
                slot.waiting = true;
                cx.timers.set(Timer::StopAgain(group), cx.after(STOP_AGAIN));
                let text = format!("Resource group {name} could not be stopped: {why}; trying again");
                cx.voice.event(Level::Crit, Subject::Group(group), text);
            }
        }
        None
    }

    /// A failed start is tried again at once: another node that might have run the group is gone.
    pub(super) fn forgive(&mut self) {
        for slot in &mut self.slots {
            slot.not_before = None;
        }
    }

    pub(super) fn stop_again(&mut self, group: GroupId) {
        if let Some(slot) = self.slots.get_mut(group.0) {
            slot.waiting = false;
        }
    }
}

impl Slot {
    /// What is wanted is so, and nothing is under way.
    fn calm(&self) -> bool {
        let so = match self.want {
            Verb::Start => self.run == Run::Running,
            Verb::Stop => self.run != Run::Running,
        };
        so && self.action.is_none()
    }

    /// Why another node should rather have it.
    pub(super) fn fault(&self) -> Option<&str> {
        self.faults.values().next().map(String::as_str)
    }

    /// What is under way.
    pub(super) fn moving(&self) -> Option<Verb> {
        self.action.map(|(_, verb)| verb)
    }

    /// Keeps and tells the decision and its reason.
    fn note(&mut self, cx: &mut Cx<'_>, group: GroupId, what: &str, reason: impl Into<String>) {
        self.since = cx.mono();
        self.reason = reason.into();
        let key = cx.settings.groups.get(group.0).map_or("", |g| g.key());
        let text = format!("Resource group {key} {what}: {}", self.reason);
        cx.voice.event(Level::Info, Subject::Group(group), text);
    }
}
