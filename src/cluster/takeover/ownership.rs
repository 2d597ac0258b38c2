//! Which groups this node takes, gives back, or passes on.

use std::time::Duration;

use crate::cluster::io::{GroupId, Set};
use crate::cluster::membership::Members;
use crate::cluster::takeover::sets::{self, Groups};
use crate::cluster::takeover::standby::Standby;
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;
use crate::config::settings::Failback;

/// A group that a node should have taken for so long is taken by the next.
const ORPHANED: Duration = Duration::from_secs(10);
/// A group that failed to start waits for a handshake to end before it is offered.
const PASS_ON_AGAIN: Duration = Duration::from_secs(1);
/// Two claims of one group that stand longer than the dead time and this are no passing misunderstanding.
const DOUBLE: Duration = Duration::from_secs(2);

impl Takeover {
    /// The start ends when somebody is stable and all have reported, or nobody else is there.
    pub(super) fn finish_start(&mut self, cx: &mut Cx<'_>, members: &Members) {
        if !matches!(self.phase, Phase::Starting | Phase::Collecting) {
            return;
        }
        let alone = !members.others().any(|(_, p)| p.alive() && !p.left);
        let told = self.all_stable(members) && self.heard_all(members) && self.partners(members).next().is_some();
        if alone {
            // `adopt` takes everything and tells it in one message: of two, a node that is about to join might hear one.
            self.become_stable(cx, members);
        } else if self.all_start(members) {
            self.take_local(cx, members);
        } else if told && cx.settings.nodes.len() > 2 {
            // What they said may be of different moments: `adopt` looks twice.
            self.become_stable(cx, members);
            self.report(cx, None);
        } else if told {
            self.take_local(cx, members);
        }
    }

    /// Takes the own groups that no other node holds, and is stable from then on.
    pub(super) fn take_local(&mut self, cx: &mut Cx<'_>, members: &Members) {
        self.become_stable(cx, members);
        for group in sets::expand(cx.settings, Set::Local, &cx.settings.me) {
            let claimed = self.slots.get(group).is_some_and(|s| s.claimed);
            if !claimed && self.holder(members, group).is_none() && self.fencing.is_empty() {
                self.slots.claim(cx, group, false, "own group, held by no other node");
            }
        }
        cx.voice.info("Initial resource acquisition complete (T_RESOURCES(us))");
        self.report(cx, None);
    }

    fn become_stable(&mut self, cx: &mut Cx<'_>, members: &Members) {
        self.phase = Phase::Stable;
        cx.timers.clear(Timer::Collect);
        cx.timers.clear(Timer::StartingAgain);
        if !members.others().any(|(n, _)| self.others.get(n).is_some_and(|o| o.set.foreign())) {
            self.hollow = self.hollow.with(Set::Local);
        }
    }

    /// Groups without owner: the first node that is there takes them, from the preferred one on; the next one if it does not.
    pub(super) fn adopt(&mut self, cx: &mut Cx<'_>, members: &Members) {
        if self.phase != Phase::Stable || self.standby != Standby::None || !self.all_stable(members) {
            self.orphans.clear();
            return;
        }
        if !self.heard_all(members) || !self.fencing.is_empty() {
            return;
        }
        let alone = !members.others().any(|(_, p)| p.alive() && !p.left);
        let now = cx.mono();
        let joining = members.others().any(|(n, p)| p.alive() && !p.left && !self.takes_part(members, n));
        let certain = if joining {
            // It may act on what we said before it began to listen.
            ORPHANED
        } else if self.partners(members).count() < 2 {
            Duration::ZERO
        } else {
            // Two others may be passing a group between them, and what they say of it come late or in another order.
            cx.settings.max_rexmit_delay * 4
        };
        let mut taken = Vec::new();
        for (i, settings) in cx.settings.groups.iter().enumerate() {
            let group = GroupId(i);
            let free = self.slots.get(group).is_some_and(|s| !s.claimed) && self.holder(members, group).is_none();
            if !free {
                self.orphans.remove(&group);
                continue;
            }
            if self.slots.get(group).and_then(|s| s.not_before).is_some_and(|at| now < at) {
                continue;
            }
            let before_me = self.before_me(members, &settings.node);
            let since = *self.orphans.entry(group).or_insert(now);
            let wait = certain + ORPHANED * u32::try_from(before_me.len()).unwrap_or(u32::MAX);
            if now - since < wait {
                cx.timers.set_once(Timer::Ownership, since + wait);
                continue;
            }
            let own = settings.node == cx.settings.me;
            let (on_loan, reason) = match before_me.first() {
                None if own => (false, "own group, held by no other node".to_owned()),
                None => (true, format!("taken over: {} is not there", settings.node)),
                Some(node) => (false, format!("taken over: {} does not take it", members.name(*node))),
            };
            taken.push((group, on_loan, reason));
        }
        let claim_halves = alone && self.hollow != Set::All;
        if claim_halves {
            self.hollow = Set::All;
        }
        if taken.is_empty() && !claim_halves {
            return;
        }
        for (group, on_loan, reason) in taken {
            self.orphans.remove(&group);
            self.mach_down |= on_loan;
            self.slots.claim(cx, group, on_loan, reason);
        }
        self.report(cx, Some("req_our_resources()"));
    }

    /// A group that two nodes claim for longer than a misunderstanding lasts: the less entitled one lets go.
    pub(super) fn resolve_doubles(&mut self, cx: &mut Cx<'_>, members: &Members) {
        if self.phase != Phase::Stable || !matches!(self.standby, Standby::None | Standby::Asked(_)) {
            return;
        }
        let now = cx.mono();
        let mut released = false;
        for (i, settings) in cx.settings.groups.iter().enumerate() {
            let group = GroupId(i);
            let claimed = self.slots.get(group).is_some_and(|s| s.claimed);
            let other =
                self.partners(members).find(|(n, o)| (o.stable || self.is_healing(*n)) && o.reported && o.held.contains(&group));
            let (true, Some(node)) = (claimed, other.map(|(n, _)| n)) else {
                self.doubles.remove(&group);
                continue;
            };
            let own = settings.node == cx.settings.me;
            let patience = if self.is_healing(node) { Duration::ZERO } else { cx.settings.deadtime + DOUBLE };
            let since = *self.doubles.entry(group).or_insert_with(|| {
                cx.voice.error(format!("Both machines own {} resources!", if own { "our" } else { "foreign" }));
                now
            });
            if now - since < patience {
                cx.timers.set_once(Timer::Ownership, since + patience);
            } else if settings.node == members.name(node) || (!own && node < members.me) {
                self.slots.release(cx, group, format!("{} holds it as well and comes first", members.name(node)));
                self.doubles.remove(&group);
                released = true;
            }
        }
        self.end_healing(cx);
        if released {
            self.withdraw(cx);
            self.report(cx, None);
        }
    }

    /// Groups on loan go back to a node that is there again.
    pub(super) fn fail_back(&mut self, cx: &mut Cx<'_>, members: &Members) {
        let ready = self.phase == Phase::Stable && self.calm() && self.all_stable(members);
        if cx.settings.failback == Failback::Off || !ready || cx.timers.due(Timer::Failback).is_some() {
            return;
        }
        let target = self.partners(members).map(|(n, _)| n).find(|n| !self.on_loan(cx, members.name(*n)).is_empty());
        if let Some(node) = target {
            let groups = self.on_loan(cx, members.name(node));
            self.ask(cx, members, node, Set::Foreign, groups);
        }
    }

    /// Tells that the dead node's groups run here.
    pub(super) fn tell_mach_down(&mut self, cx: &mut Cx<'_>) {
        if !self.mach_down || !self.slots.calm() || self.exact {
            return;
        }
        self.mach_down = false;
        if self.held(cx.settings).foreign() {
            cx.voice.info("mach_down takeover complete.");
            cx.say(Message::new("resource").with("rsc_hold", "foreign").with("info", "mach_down"));
        }
    }

    /// A group that could not be started here a while ago.
    pub(super) fn pass_on(&mut self, cx: &mut Cx<'_>, members: &Members, group: GroupId) {
        let ours = self.slots.get(group).is_some_and(|s| s.claimed);
        if ours || self.holder(members, group).is_some() || self.phase != Phase::Stable {
            return;
        }
        if self.standby != Standby::None {
            cx.timers.set(Timer::StartFailed(group), cx.after(PASS_ON_AGAIN));
            return;
        }
        self.hand_over(cx, members, group);
    }

    /// Offers the group to another node; with two nodes, the half it belongs to.
    pub(super) fn hand_over(&mut self, cx: &mut Cx<'_>, members: &Members, group: GroupId) {
        let own = cx.settings.groups.get(group.0).is_some_and(|g| g.node == cx.settings.me);
        let set = Set::of(own, !own);
        let groups = if self.exact { Groups::from([group]) } else { sets::expand(cx.settings, set, &cx.settings.me) };
        self.try_ask(cx, members, set, groups);
    }

    /// `hb_takeover` of another node: it wants what it calls `rsc_hold`.
    pub(super) fn take_over_asked(&mut self, cx: &mut Cx<'_>, members: &Members, from: usize, message: &Message) {
        let Some(set) = message.text("rsc_hold").and_then(Set::from_word) else { return };
        if self.is_leaving() || !self.may_ask(cx, members, from) {
            return;
        }
        let wanted = sets::expand(cx.settings, set, members.name(from));
        let groups: Groups = wanted.intersection(&self.slots.claimed()).copied().collect();
        if cx.settings.nodes.len() > 2 && groups.is_empty() {
            return;
        }
        self.ask(cx, members, from, set.mirrored(), groups);
    }

    /// Asks the next stable node to take the groups, if the handshake is possible now.
    pub(super) fn try_ask(&mut self, cx: &mut Cx<'_>, members: &Members, set: Set, groups: Groups) {
        let anybody = || after_me(members).find(|n| self.takes_part(members, *n));
        match self.taker(members).or_else(anybody) {
            Some(with) => {
                if self.may_ask(cx, members, with) {
                    self.ask(cx, members, with, set, groups);
                }
            }
            None => cx.voice.warn(flux(&cx.settings.me, "Other side is in flux.")),
        }
    }

    /// The next node that could take something now.
    pub(super) fn taker(&self, members: &Members) -> Option<usize> {
        let stable = |n: &usize| self.takes_part(members, *n) && self.others.get(*n).is_some_and(|o| o.stable && o.reported);
        after_me(members).find(stable)
    }

    fn may_ask(&self, cx: &mut Cx<'_>, members: &Members, with: usize) -> bool {
        let me = cx.settings.me.clone();
        if self.standby != Standby::None {
            let left = cx.timers.due(Timer::Standby).unwrap_or_default() - cx.mono();
            let seconds = left.as_secs();
            cx.voice.warn(format!("Standby in progress- new request from {me} ignored [{seconds} seconds left]"));
            return false;
        }
        if !self.takes_part(members, with) || !self.others.get(with).is_some_and(|o| o.stable) {
            cx.voice.warn(flux(&me, "Other side is in flux."));
            return false;
        }
        if self.phase != Phase::Stable || self.pending.is_some() {
            cx.voice.warn(flux(&me, "local resources in flux."));
            return false;
        }
        true
    }

    /// Which other node holds the group, as far as it said.
    fn holder(&self, members: &Members, group: GroupId) -> Option<usize> {
        members.others().map(|(n, _)| n).find(|n| self.others.get(*n).is_some_and(|o| o.held.contains(&group)))
    }

    /// No message of a partner is missing: it might be a newer report than the one we have.
    fn heard_all(&self, members: &Members) -> bool {
        self.partners(members).all(|(n, _)| members.peers.get(n).is_none_or(|p| p.inbound.is_complete()))
    }

    /// The nodes that should rather take a group of `node` than this one: those there from its preferred node on.
    fn before_me(&self, members: &Members, node: &str) -> Vec<usize> {
        let count = members.peers.len();
        let preferred = members.peers.iter().position(|p| p.name == node).unwrap_or_default();
        let in_turn = (0..count).map(|step| (preferred + step) % count);
        in_turn.take_while(|n| *n != members.me).filter(|n| self.takes_part(members, *n)).collect()
    }

    /// Groups of `node` that are here on loan.
    fn on_loan(&self, cx: &Cx<'_>, node: &str) -> Groups {
        let of_node = |g: GroupId| cx.settings.groups.get(g.0).is_some_and(|s| s.node == node);
        self.slots.iter().filter(|(g, s)| s.claimed && s.on_loan && of_node(*g)).map(|(g, _)| g).collect()
    }
}

/// The other nodes in turn.
fn after_me(members: &Members) -> impl Iterator<Item = usize> {
    (members.me + 1..members.peers.len()).chain(0..members.me)
}

fn flux(me: &str, why: &str) -> String {
    format!("standby message [me] from {me} ignored.  {why}")
}
