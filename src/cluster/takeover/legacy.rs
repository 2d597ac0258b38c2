//! `auto_failback legacy`: no reports and no handshake. A node asks for its groups one by one with `ip-request`; whoever holds
//! one stops it and says so with `ip-request-resp`. A dead or departed node's groups go to the next in line.
//!
//! The original asks only nodes that are `active` and trusts the first answer. Here everybody alive is asked, the question is
//! repeated, and all answers are awaited: two nodes that start together do not both skip it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::io::GroupId;
use crate::cluster::membership::Members;
use crate::cluster::reception::Heard;
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;

/// A question without answer is asked again after this: a script may take long, so not sooner.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What this node said in reply to whom has a group.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    /// Groups asked for: who has answered that it does not hold it (any more).
    asked: BTreeMap<GroupId, BTreeSet<usize>>,
    /// Answers that wait for a stop: to whom, which group, whether it was held.
    owed: Vec<(usize, GroupId, bool)>,
}

impl Legacy {
    /// Nothing is asked and no answer is owed.
    pub(super) fn calm(&self) -> bool {
        self.asked.is_empty() && self.owed.is_empty()
    }

    /// Nothing is wanted any more; what is owed stays owed.
    pub(super) fn withdraw(&mut self) {
        self.asked.clear();
    }

    /// The node is dead, gone or new: what it said counts no more, and it gets no answer.
    pub(super) fn forget(&mut self, node: usize) {
        self.owed.retain(|(to, ..)| *to != node);
        for answered in self.asked.values_mut() {
            answered.remove(&node);
        }
    }
}

impl Takeover {
    /// Applies the rules that answer no message.
    pub(super) fn settle_legacy(&mut self, cx: &mut Cx<'_>, members: &Members) {
        self.answer_owed(cx, members);
        if self.phase != Phase::Stable || self.pending.is_some() || !self.fencing.is_empty() {
            return;
        }
        let now = cx.mono();
        let mut ask = Vec::new();
        for (i, settings) in cx.settings.groups.iter().enumerate() {
            let group = GroupId(i);
            let free = self.slots.get(group).is_some_and(|s| !s.claimed && s.not_before.is_none_or(|at| now >= at));
            if !free || !self.next_in_line(members, &settings.node) {
                self.legacy.asked.remove(&group);
                continue;
            }
            let own = settings.node == cx.settings.me;
            let others: BTreeSet<usize> = members.others().map(|(n, _)| n).filter(|n| self.is_there(members, *n)).collect();
            let answered = self.legacy.asked.get(&group).cloned().unwrap_or_default();
            if others.is_subset(&answered) {
                let reason = match (own, others.is_empty()) {
                    (true, false) => "own group, asked for and free".to_owned(),
                    (true, true) => "own group, no other node is there".to_owned(),
                    (false, _) => format!("taken over: {} is not there", settings.node),
                };
                self.legacy.asked.remove(&group);
                for other in &mut self.others {
                    other.held.remove(&group);
                }
                self.slots.claim(cx, group, !own, reason);
            } else if let Entry::Vacant(asked) = self.legacy.asked.entry(group) {
                asked.insert(BTreeSet::new());
                ask.push(group);
            }
        }
        if !ask.is_empty() {
            cx.timers.set_once(Timer::AskLegacy, cx.after(ASK_AGAIN));
        }
        for group in ask {
            say_request(cx, group);
        }
    }

    /// Somebody has not answered.
    pub(super) fn ask_legacy_again(&mut self, cx: &mut Cx<'_>) {
        for group in self.legacy.asked.keys() {
            say_request(cx, *group);
        }
        if !self.legacy.asked.is_empty() {
            cx.timers.set(Timer::AskLegacy, cx.after(ASK_AGAIN));
        }
    }

    /// `ip-request`, `ip-request-resp`, or a message that does not belong into this mode.
    pub(super) fn heard_legacy(&mut self, cx: &mut Cx<'_>, members: &Members, heard: &Heard) {
        let message = &heard.message;
        let key = message.text("ipaddr").unwrap_or_default();
        let group = cx.settings.groups.iter().position(|g| g.key() == key).map(GroupId);
        match (message.kind(), group) {
            ("ip-request", Some(group)) => self.requested(cx, members, heard.from, group),
            ("ip-request", None) => say_answer(cx, members.name(heard.from), key, false),
            ("ip-request-resp", Some(group)) if message.text("dest") == Some(members.name(heard.from)) => {
                self.taken(cx, members, heard.from, group);
            }
            ("ip-request-resp", Some(group)) if message.text("ok") == Some("OK") => {
                if let Some(answered) = self.legacy.asked.get_mut(&group) {
                    answered.insert(heard.from);
                }
                if let Some(other) = self.others.get_mut(heard.from) {
                    other.held.remove(&group);
                }
            }
            ("ask_resources", _) => {
                cx.voice.warn("Standby mode only implemented when nice_failback on");
            }
            ("starting" | "resource", _) if !self.told_mode => {
                self.told_mode = true;
                let name = members.name(heard.from);
                cx.voice.error(format!(
                    "{name} has auto_failback on or off, this node legacy: resources will not move as they should"
                ));
            }
            _ => {}
        }
    }

    /// Another node wants the group.
    fn requested(&mut self, cx: &mut Cx<'_>, members: &Members, from: usize, group: GroupId) {
        let name = members.name(from).to_owned();
        let claimed = self.slots.get(group).is_some_and(|s| s.claimed);
        let node = cx.settings.groups.get(group.0).map_or("", |g| g.node.as_str());
        let line = |n: usize| in_line(members, node).position(|m| m == n);
        if (claimed || self.legacy.asked.contains_key(&group)) && line(members.me) < line(from) {
            // It will see that this node is there, and comes first.
            return;
        }
        self.legacy.asked.remove(&group);
        if claimed {
            self.slots.release(cx, group, format!("asked for by {name}"));
        }
        if let Some(owed) = self.legacy.owed.iter_mut().find(|(to, g, _)| *to == from && *g == group) {
            owed.2 |= claimed;
        } else {
            self.legacy.owed.push((from, group, claimed));
        }
    }

    /// Another node starts the group without having asked, as the original does that believes itself alone. It will not stop
    /// for anybody: one owner is better than two.
    fn taken(&mut self, cx: &mut Cx<'_>, members: &Members, from: usize, group: GroupId) {
        self.legacy.asked.remove(&group);
        if self.slots.get(group).is_some_and(|s| s.claimed) {
            self.slots.release(cx, group, format!("taken by {} without asking", members.name(from)));
        }
        if let Some(other) = self.others.get_mut(from) {
            other.held.insert(group);
        }
    }

    /// Answers go out when the group does not run here any more.
    fn answer_owed(&mut self, cx: &mut Cx<'_>, members: &Members) {
        for (to, group, held) in std::mem::take(&mut self.legacy.owed) {
            if !self.slots.calm_in(&[group].into()) {
                self.legacy.owed.push((to, group, held));
                continue;
            }
            let key = cx.settings.groups.get(group.0).map_or("", |g| g.key());
            say_answer(cx, members.name(to), key, held);
            for (node, other) in self.others.iter_mut().enumerate() {
                if node == to {
                    other.held.insert(group);
                } else {
                    other.held.remove(&group);
                }
            }
        }
    }

    /// Whether this node is the first that is there, from the preferred one on.
    fn next_in_line(&self, members: &Members, node: &str) -> bool {
        in_line(members, node).find(|n| *n == members.me || self.is_there(members, *n)) == Some(members.me)
    }

    /// Alive, on its way in, or heard in its present run.
    fn is_there(&self, members: &Members, node: usize) -> bool {
        members.peers.get(node).is_some_and(|p| p.alive() && !p.left) || self.takes_part(members, node)
    }
}

/// All nodes from the preferred one on.
fn in_line<'a>(members: &'a Members, node: &str) -> impl Iterator<Item = usize> + 'a {
    let count = members.peers.len();
    let preferred = members.peers.iter().position(|p| p.name == node).unwrap_or_default();
    (0..count).map(move |step| (preferred + step) % count)
}

fn say_request(cx: &mut Cx<'_>, group: GroupId) {
    let key = cx.settings.groups.get(group.0).map_or("", |g| g.key()).to_owned();
    cx.say(Message::new("ip-request").with("ipaddr", key));
}

fn say_answer(cx: &mut Cx<'_>, to: &str, key: &str, held: bool) {
    let answer = Message::new("ip-request-resp").with("dest", to).with("ipaddr", key);
    cx.say(answer.with("weown", if held { "yes" } else { "no" }).with("ok", "OK"));
}
