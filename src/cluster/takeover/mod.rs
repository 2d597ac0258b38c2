//! Who holds which group. Everything about resources is here, nothing about who is alive.
//!
//! Every rule is either an answer to one message (`heard`), or it is looked at after each input (`settle`): the start's
//! exits, groups without owner, groups with two, failback, a stop that waits for calm. The rules of two nodes are those of
//! Heartbeat 3.0.6; with more nodes a group belongs to the first live node from its preferred one on, in `ha.cf`'s order.

mod asked;
mod groups;
mod heal;
mod legacy;
mod ownership;
mod sets;
mod standby;
mod succession;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::io::{ActionId, Command, GroupId, GroupView, Mono, Now, Outcome, Output, Set};
use crate::cluster::membership::Members;
use crate::cluster::reception::Heard;
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;
use crate::config::settings::{Failback, Settings};

use groups::Slots;
use legacy::Legacy;
use sets::Groups;
use standby::Standby;

/// From the first resource report to taking the own groups, when nobody is stable.
const COLLECT: Duration = Duration::from_secs(10);
/// Between two `starting` that nobody answered.
const STARTING_AGAIN: Duration = Duration::from_secs(5);
/// After so many the other side is taken as one without resource messages.
const STARTING_TIMES: u32 = 6;
/// From a healed partition to giving up.
const PARTITION: Duration = Duration::from_secs(2);
/// Heartbeats go on after `shutdone` for this.
const LINGER: Duration = Duration::from_secs(2);

/// What this node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The cluster is not complete.
    Waiting,
    /// `starting` was sent.
    Starting,
    /// A report came, but no stable one.
    Collecting,
    /// Takes part.
    Stable,
    /// Gives up everything; whether `shutdone` was sent.
    Leaving(After, bool),
    /// Has ended.
    Gone,
}

/// What comes after giving up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Exit,
    Restart,
    /// A next run that keeps everything.
    Successor,
}

/// What another node said of its resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Other {
    pub(super) held: Groups,
    pub(super) set: Set,
    pub(super) stable: bool,
    /// It has said so in its present run and ours.
    pub(super) reported: bool,
    /// It has spoken of resources in its present run. Its status may still be on the way.
    spoken: bool,
    /// It has just started and holds nothing (said by our like only).
    starts: bool,
    /// Number of the message that said so: older ones that come late are not believed.
    pub(super) newest: u64,
}

/// The resource side of the node.
#[derive(Debug)]
pub(super) struct Takeover {
    phase: Phase,
    slots: Slots,
    /// Claims of halves without groups.
    hollow: Set,
    others: Vec<Other>,
    standby: Standby,
    /// A stop waits until nothing is in motion.
    pending: Option<After>,
    starting_said: u32,
    /// What the last report said of `isstable`.
    told_stable: bool,
    /// Groups of a dead node are being started: `mach_down` is to be told.
    mach_down: bool,
    /// Groups nobody holds although another node should, since when.
    orphans: BTreeMap<GroupId, Mono>,
    /// Groups held here and elsewhere, since when.
    doubles: BTreeMap<GroupId, Mono>,
    /// What `auto_failback legacy` needs.
    legacy: Legacy,
    /// Groups are named one by one on the wire.
    exact: bool,
    /// Nodes that were believed dead and have been alive, until nothing is held twice.
    healing: BTreeSet<usize>,
    /// Whose report the next report of ours asks for.
    ask_report_of: Option<String>,
    /// That another node has another mode was told.
    told_mode: bool,
    /// Dead nodes that must be cut off before anything of theirs is taken.
    fencing: BTreeSet<usize>,
}

impl Takeover {
    pub(super) fn new(settings: &Settings, now: Now) -> Self {
        Self {
            phase: Phase::Waiting,
            slots: Slots::new(settings.groups.len(), now.mono),
            hollow: Set::None,
            others: vec![Other::default(); settings.nodes.len()],
            standby: Standby::None,
            pending: None,
            starting_said: 0,
            told_stable: false,
            mach_down: false,
            orphans: BTreeMap::new(),
            doubles: BTreeMap::new(),
            legacy: Legacy::default(),
            exact: false,
            healing: BTreeSet::new(),
            ask_report_of: None,
            told_mode: false,
            fencing: BTreeSet::new(),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving(..))
    }

    /// `shutdone` was sent: nothing is held here.
    pub(super) fn has_left(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_, true))
    }

    /// This node has become active.
    pub(super) fn joined(&mut self, cx: &mut Cx<'_>) {
        if self.phase == Phase::Waiting && self.legacy_mode(cx) {
            self.phase = Phase::Stable;
        } else if self.phase == Phase::Waiting {
            self.phase = Phase::Starting;
            for other in &mut self.others {
                other.reported = false;
            }
            self.say_starting(cx);
        }
    }

    /// A node is dead.
    pub(super) fn died(&mut self, cx: &mut Cx<'_>, members: &Members, node: usize) {
        let left = members.peers.get(node).is_some_and(|p| p.left);
        self.forget(cx, node);
        if matches!(self.phase, Phase::Starting | Phase::Collecting | Phase::Stable) || !members.others().any(|(_, p)| p.alive())
        {
            if !left && !cx.settings.local.stonith.is_empty() {
                self.fence(cx, members, node);
                return;
            }
            let result = if left { "unneeded" } else { "n_stnth" };
            if !left {
                cx.voice.warn("No STONITH device configured.");
                cx.voice.warn("Shared disks are not protected.");
                cx.voice.info(format!("Resources being acquired from {}.", members.name(node)));
            }
            cx.say(Message::new("stonith").with("node", members.name(node)).with("result", result));
        }
    }

    /// A node started anew. It may hold what it held, until it says otherwise.
    pub(super) fn restarted(&mut self, cx: &mut Cx<'_>, node: usize) {
        if let Some(other) = self.others.get_mut(node) {
            other.stable = false;
            other.reported = false;
            other.spoken = false;
            other.starts = false;
            other.newest = 0;
        }
        self.cancel_deal(cx, node);
        self.healing.remove(&node);
        self.legacy.forget(node);
        cx.timers.set_once(Timer::AskLegacy, cx.mono());
        let groups = &cx.settings.groups;
        let name = cx.settings.nodes.get(node);
        self.slots.lend(|g| groups.get(g.0).map(|g| &g.node) == name);
    }

    /// A node that was believed dead has been alive: both may hold everything.
    pub(super) fn returned(&mut self, cx: &mut Cx<'_>, members: &Members, node: usize) {
        if self.is_leaving() {
            return;
        }
        cx.say(Message::new("stonith").with("node", members.name(node)).with("result", "unneeded"));
        if self.heals(cx, members, node) {
            return;
        }
        cx.voice.warn("Deadtime value may be too small.");
        cx.timers.set_once(Timer::Partition, cx.after(PARTITION));
    }

    /// A node has given up everything and goes.
    pub(super) fn left(&mut self, cx: &mut Cx<'_>, members: &Members, node: usize) {
        let name = members.name(node);
        cx.voice.info(format!("Received shutdown notice from '{name}'."));
        self.forget(cx, node);
        if !self.is_leaving() {
            cx.voice.info(format!("Resources being acquired from {name}."));
        }
    }

    /// A message about resources.
    pub(super) fn heard(&mut self, cx: &mut Cx<'_>, members: &Members, heard: &Heard) {
        let (from, message) = (heard.from, &heard.message);
        if let Some(other) = self.others.get_mut(from).filter(|_| SPEAKS_OF_RESOURCES.contains(&message.kind())) {
            other.spoken = true;
        }
        if self.legacy_mode(cx) {
            return self.heard_legacy(cx, members, heard);
        }
        match message.kind() {
            "starting" => {
                if let Some(other) = self.others.get_mut(from)
                    && heard.seq > other.newest
                {
                    other.newest = heard.seq;
                    other.stable = false;
                }
                self.report(cx, None);
            }
            "resource" => {
                self.resource(cx, members, heard);
                self.answer_heal(cx, members, from, message);
            }
            "ask_resources" if !self.is_leaving() => self.asked(cx, members, heard),
            "hb_takeover" => self.take_over_asked(cx, members, from, message),
            "ip-request" if !self.told_mode => {
                self.told_mode = true;
                let name = members.name(from);
                cx.voice.error(format!("{name} has auto_failback legacy, this node on or off: it gets no resources from here"));
            }
            // All other types are for clients.
            _ => {}
        }
    }

    /// A request of the administrator.
    pub(super) fn command(&mut self, cx: &mut Cx<'_>, members: &Members, command: Command) {
        match command {
            Command::Standby(_) | Command::Takeover(_) if self.legacy_mode(cx) => {
                cx.voice.warn("Standby mode only implemented when nice_failback on");
            }
            Command::Standby(set) => {
                let groups = sets::expand(cx.settings, set, &cx.settings.me);
                let groups = groups.intersection(&self.slots.claimed()).copied().collect();
                self.try_ask(cx, members, set, groups);
            }
            Command::Takeover(set) => cx.say(Message::new("hb_takeover").with("rsc_hold", set.word())),
            Command::Stop => {
                if !self.is_leaving() && self.pending.is_none_or(|p| p == After::Successor) {
                    self.pending = Some(After::Exit);
                    cx.voice.info("Heartbeat shutdown in progress.");
                    self.withdraw(cx);
                    if self.phase != Phase::Waiting && !self.calm() {
                        cx.voice.info("Shutdown delayed until current resource activity finishes.");
                    }
                }
            }
            Command::Succeed if self.is_leaving() || self.pending.is_some() => {}
            Command::Succeed => {
                self.pending = Some(After::Successor);
                cx.voice.info("Restarting heartbeat.");
                self.withdraw(cx);
            }
        }
    }

    /// A group's script ended.
    pub(super) fn action_done(&mut self, cx: &mut Cx<'_>, id: ActionId, outcome: Outcome) {
        if self.slots.done(cx, id, outcome).is_some() && self.phase == Phase::Stable && self.standby == Standby::None {
            self.report(cx, None);
        }
    }

    /// This node was silent so long that others have declared it dead: it gives up everything without another word.
    pub(super) fn overslept(&mut self, cx: &mut Cx<'_>) {
        match self.phase {
            Phase::Gone | Phase::Leaving(_, true) => {}
            Phase::Leaving(_, false) => self.phase = Phase::Leaving(After::Restart, false),
            _ => self.leave(cx, After::Restart),
        }
    }

    /// One of this module's timers is due.
    pub(super) fn timer(&mut self, cx: &mut Cx<'_>, members: &Members, timer: Timer) {
        match timer {
            Timer::Collect if self.phase == Phase::Collecting => {
                cx.voice.info("local resource transition completed.");
                self.take_local(cx, members);
            }
            Timer::StartingAgain if self.phase == Phase::Starting => {
                if self.starting_said < STARTING_TIMES {
                    self.say_starting(cx);
                } else {
                    cx.voice.warn("No resource report from any node; taking local resources");
                    self.take_local(cx, members);
                }
            }
            Timer::Standby => self.deal_expired(cx),
            // `settle` asks for it again.
            Timer::StartFailed(_) if self.legacy_mode(cx) => {}
            Timer::StartFailed(group) => self.pass_on(cx, members, group),
            Timer::Faulty => self.faulty_go(cx, members),
            Timer::StopAgain(group) => self.slots.stop_again(group),
            Timer::AskLegacy => self.ask_legacy_again(cx),
            Timer::Partition if !self.is_leaving() => self.leave(cx, After::Restart),
            Timer::Exit => {
                self.phase = Phase::Gone;
                cx.timers.clear_all();
                cx.voice.put_out(Output::Exit);
            }
            // The others only bring about that `settle` looks again.
            _ => {}
        }
    }

    /// Applies every rule that does not answer one message. Called after each input.
    pub(super) fn settle(&mut self, cx: &mut Cx<'_>, members: &Members) {
        self.look_who_understands(cx, members);
        // One that speaks again need not be cut off any more.
        self.fencing.retain(|n| members.peers.get(*n).is_some_and(|p| !p.alive()));
        match self.phase {
            Phase::Gone => return,
            Phase::Leaving(after, said) => {
                if self.legacy_mode(cx) {
                    self.settle_legacy(cx, members);
                }
                if !said && self.slots.all_stopped() {
                    self.gone(cx, after);
                }
            }
            Phase::Waiting => {
                if let Some(after) = self.pending {
                    self.leave(cx, after);
                }
            }
            Phase::Stable if self.legacy_mode(cx) => {
                if let Some(after) = self.pending.filter(|_| self.slots.calm()) {
                    self.leave(cx, after);
                }
                self.settle_legacy(cx, members);
            }
            Phase::Starting | Phase::Collecting | Phase::Stable => {
                self.continue_deal(cx, members);
                match self.pending {
                    Some(after) if self.calm() => self.leave(cx, after),
                    Some(_) => {}
                    None => {
                        self.finish_start(cx, members);
                        self.adopt(cx, members);
                        self.resolve_doubles(cx, members);
                        self.give_faulty_away(cx, members);
                        self.fail_back(cx, members);
                        self.tell_mach_down(cx);
                    }
                }
                if !self.told_stable && self.at_rest(cx.settings.nodes.len() > 2) {
                    self.report(cx, None);
                }
            }
        }
        self.slots.pump(cx);
    }

    /// `auto_failback legacy`.
    fn legacy_mode(&self, cx: &Cx<'_>) -> bool {
        cx.settings.failback == Failback::Legacy
    }

    /// Whether resources are at rest everywhere.
    pub(super) fn is_stable(&self, settings: &Settings, members: &Members) -> bool {
        let others = settings.failback == Failback::Legacy || self.all_stable(members);
        self.phase == Phase::Stable && self.calm() && self.legacy.calm() && others
    }

    pub(super) fn held(&self, settings: &Settings) -> Set {
        sets::project(settings, &self.slots.claimed(), self.hollow, &settings.me)
    }

    pub(super) fn group_views(&self, settings: &Settings, members: &Members) -> Vec<GroupView> {
        let view = |(group, slot): (GroupId, &groups::Slot)| {
            let other = members.others().find(|(n, _)| self.others.get(*n).is_some_and(|o| o.held.contains(&group)));
            // In legacy mode nobody tells what it holds: a node that takes part has taken its own.
            let presumed = settings.groups.get(group.0).filter(|_| settings.failback == Failback::Legacy);
            let presumed = presumed.and_then(|g| members.others().find(|(_, p)| p.name == g.node && p.active()));
            let owner = if slot.claimed { Some(settings.me.clone()) } else { other.or(presumed).map(|(_, p)| p.name.clone()) };
            GroupView { owner, moving: slot.moving(), since: slot.since, reason: slot.reason.clone() }
        };
        self.slots.iter().map(view).collect()
    }

    /// `resource` of another node.
    fn resource(&mut self, cx: &mut Cx<'_>, members: &Members, heard: &Heard) {
        let (from, message) = (heard.from, &heard.message);
        let Some(set) = message.text("rsc_hold").and_then(Set::from_word) else { return };
        let Some(other) = self.others.get_mut(from) else { return };
        if heard.seq < other.newest {
            return;
        }
        other.newest = heard.seq;
        let groups = match message.text(sets::LIST) {
            Some(list) => sets::from_list(&cx.settings.groups, list),
            None => sets::expand(cx.settings, set, members.name(from)),
        };
        if message.text("rtype") == Some("full") || set == Set::None {
            (other.held, other.set) = (groups, set);
        } else {
            other.held.extend(groups);
            other.set = other.set.with(set);
        }
        other.reported = true;
        let stable = match message.text("isstable") {
            Some("1") => true,
            Some(_) => false,
            None => other.stable,
        };
        let completed = stable && !other.stable;
        other.stable = stable;
        if self.phase == Phase::Starting {
            self.phase = Phase::Collecting;
            cx.timers.clear(Timer::StartingAgain);
            cx.timers.set(Timer::Collect, cx.after(COLLECT));
        }
        if message.text("isstable").is_some() {
            self.deal_partner_is(cx, from, stable);
        }
        self.annotated(from, message);
        if completed {
            cx.voice.info("remote resource transition completed.");
            if self.phase != Phase::Waiting {
                self.report(cx, None);
            }
        }
    }

    /// Tells everybody what this node holds.
    fn report(&mut self, cx: &mut Cx<'_>, info: Option<&str>) {
        let claimed = self.slots.claimed();
        let many = cx.settings.nodes.len() > 2;
        let stable = self.at_rest(many);
        self.told_stable = stable;
        if self.legacy_mode(cx) {
            return;
        }
        let mut message = Message::new("resource")
            .with("rsc_hold", sets::project(cx.settings, &claimed, self.hollow, &cx.settings.me).word())
            .with("rtype", "full")
            .with("isstable", if stable { "1" } else { "0" });
        if let Some(info) = info {
            message = message.with("info", info);
        }
        let message = self.annotate(&cx.settings.groups, message, &claimed);
        cx.say(self.ask_report(message));
    }

    /// What `isstable` says.
    fn at_rest(&self, many: bool) -> bool {
        let handshake = match self.standby {
            Standby::Releasing(_) | Standby::Released(_) => true,
            // Of two nodes only the giver is in transition. A third one has to know of both.
            Standby::Offered(_) | Standby::Acquiring(_) => many,
            Standby::None | Standby::Asked(_) => false,
        };
        self.phase == Phase::Stable && !handshake && !self.slots.letting_go()
    }

    fn say_starting(&mut self, cx: &mut Cx<'_>) {
        self.starting_said += 1;
        cx.say(Message::new("starting"));
        cx.timers.set(Timer::StartingAgain, cx.after(STARTING_AGAIN));
    }

    /// Begins to give up everything.
    fn leave(&mut self, cx: &mut Cx<'_>, after: After) {
        if after == After::Successor {
            return match (cx.timers.due(Timer::Partition), self.healing.is_empty()) {
                // What is held twice is not handed on: everything is given up, as the partition demands.
                (Some(_), _) => self.leave(cx, After::Restart),
                (None, true) => self.make_way(cx),
                // Asked again as soon as it is sorted out.
                (None, false) => {}
            };
        }
        self.phase = Phase::Leaving(after, false);
        self.pending = None;
        self.standby = Standby::None;
        self.mach_down = false;
        self.legacy.withdraw();
        for timer in [
            Timer::Collect,
            Timer::StartingAgain,
            Timer::Standby,
            Timer::Failback,
            Timer::Faulty,
            Timer::Ownership,
            Timer::Partition,
            Timer::AskLegacy,
        ] {
            cx.timers.clear(timer);
        }
        cx.timers.clear_if(|t| matches!(t, Timer::StartFailed(_)));
        cx.voice.info("Giving up all HA resources.");
        self.hollow = Set::None;
        let reason = match after {
            After::Exit => "this node is being stopped",
            After::Restart | After::Successor => "this node restarts",
        };
        self.slots.release_all(cx, reason);
        self.report(cx, Some("shutdown"));
    }

    /// Everything is given up.
    fn gone(&mut self, cx: &mut Cx<'_>, after: After) {
        cx.voice.info("All HA resources relinquished.");
        cx.say(Message::new("shutdone").with("st", "dead"));
        match after {
            After::Exit => {
                self.phase = Phase::Leaving(after, true);
                cx.timers.set(Timer::Exit, cx.after(LINGER));
            }
            After::Restart | After::Successor => {
                self.phase = Phase::Gone;
                cx.timers.clear_all();
                let seconds = cx.settings.deadtime.as_secs() + u64::from(cx.settings.deadtime.subsec_nanos() > 0) + 1;
                cx.voice.put_out(Output::Restart { after: Duration::from_secs(seconds) });
            }
        }
    }

    /// The node counts no more: dead or gone.
    fn forget(&mut self, cx: &mut Cx<'_>, node: usize) {
        if let Some(other) = self.others.get_mut(node) {
            *other = Other::default();
        }
        self.slots.forgive();
        // Whose turn it is has changed.
        self.orphans.clear();
        self.healing.remove(&node);
        self.legacy.forget(node);
        self.cancel_deal(cx, node);
    }

    /// No handshake, and no script runs or is about to.
    fn calm(&self) -> bool {
        self.standby == Standby::None && self.slots.calm()
    }

    /// Whether another node takes part in what happens to resources: it is active, or has spoken of them already.
    fn takes_part(&self, members: &Members, node: usize) -> bool {
        let peer = members.peers.get(node).filter(|p| !p.left);
        peer.is_some_and(|p| p.active() || self.others.get(node).is_some_and(|o| o.spoken))
    }

    /// The other nodes that take part.
    fn partners<'a>(&'a self, members: &'a Members) -> impl Iterator<Item = (usize, &'a Other)> {
        let other = |(n, _)| self.others.get(n).map(|o| (n, o));
        members.others().filter(|(n, _)| self.takes_part(members, *n)).filter_map(other)
    }

    fn all_stable(&self, members: &Members) -> bool {
        self.partners(members).all(|(_, o)| o.stable && o.reported)
    }
}

/// Message types by which a node shows that it takes part in what happens to resources.
const SPEAKS_OF_RESOURCES: [&str; 4] = ["starting", "resource", "ip-request", "ip-request-resp"];
