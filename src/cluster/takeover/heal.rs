//! Between two lvs-ha nodes: what their messages say beyond the original's, a start without the wait, and a partition that
//! heals without a restart.
//!
//! A healed partition: both hold what they held or took over. Whoever believed the other dead asks it for its report
//! (`lvsha_heal` in the own one) and gets it at once. Then both know of every group held twice, and of each the node that comes
//! later in line lets go: the preferred node keeps its group.

use crate::cluster::io::Output;
use crate::cluster::membership::Members;
use crate::cluster::takeover::sets::{self, Groups};
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;
use crate::config::settings::Group;

/// In `resource`: this node has just started, holds nothing and gives nothing away.
const START: &str = "lvsha_start";
/// In `resource`: the nodes that are asked for their report, as they were believed dead.
const HEAL: &str = "lvsha_heal";

impl Takeover {
    /// Whether groups are named one by one: with more than two nodes, or when another one understands that.
    pub(super) fn look_who_understands(&mut self, cx: &Cx<'_>, members: &Members) {
        self.exact = cx.settings.nodes.len() > 2 || members.others().any(|(_, p)| p.ours);
    }

    /// What our report says beyond the original's.
    pub(super) fn annotate(&self, all: &[Group], mut message: Message, claimed: &Groups) -> Message {
        if self.exact {
            message = message.with(sets::LIST, sets::list(all, claimed));
        }
        let starts = matches!(self.phase, Phase::Waiting | Phase::Starting | Phase::Collecting);
        if self.exact && starts && claimed.is_empty() && self.slots.calm() {
            message = message.with(START, "1");
        }
        message
    }

    /// Reads what another node's report says beyond the original's.
    pub(super) fn annotated(&mut self, from: usize, message: &Message) {
        if let Some(other) = self.others.get_mut(from) {
            other.starts = message.text(START).is_some();
        }
    }

    /// Another node may ask for a report in its own, which is answered however late that comes.
    pub(super) fn answer_heal(&mut self, cx: &mut Cx<'_>, members: &Members, from: usize, message: &Message) {
        let asked = message.text(HEAL).is_some_and(|names| names.split(' ').any(|n| n == cx.settings.me));
        if asked && members.peers.get(from).is_some_and(|p| p.ours) && !self.is_leaving() {
            // It has forgotten what was agreed with it.
            self.cancel_deal(cx, from);
            self.healing.insert(from);
            self.announce(cx, |node, me| node == me);
            self.report(cx, None);
        }
    }

    /// Two nodes of ours meet again that have both been alive. True if that is sorted out without a restart.
    pub(super) fn heals(&mut self, cx: &mut Cx<'_>, members: &Members, node: usize) -> bool {
        if !members.peers.get(node).is_some_and(|p| p.ours) || self.legacy_mode(cx) || self.has_left() {
            return false;
        }
        let name = members.name(node).to_owned();
        cx.voice.warn(format!("Resources held here and by {name} are sorted out; each keeps those that prefer it."));
        self.healing.insert(node);
        self.announce(cx, |node, me| node == me);
        self.ask_report_of = Some(name);
        self.report(cx, None);
        self.ask_report_of = None;
        true
    }

    /// The question of [`Self::heals`].
    pub(super) fn ask_report(&self, message: Message) -> Message {
        match &self.ask_report_of {
            Some(name) => message.with(HEAL, name.as_str()),
            None => message,
        }
    }

    /// Both hold the group since they did not hear each other: no patience is needed.
    pub(super) fn is_healing(&self, node: usize) -> bool {
        self.healing.contains(&node) && self.others.get(node).is_some_and(|o| o.reported)
    }

    /// Nothing is held twice any more.
    pub(super) fn end_healing(&mut self, cx: &mut Cx<'_>) {
        let (claimed, before) = (self.slots.claimed(), self.healing.len());
        let others = &self.others;
        self.healing.retain(|n| others.get(*n).is_some_and(|o| !o.reported || !o.held.is_disjoint(&claimed)));
        if self.healing.len() < before {
            self.announce(cx, |_, _| true);
        }
    }

    /// Clients may have found a group's addresses where the other node had them: they are told at once where those are that
    /// prefer this node, and of all when the other has let go.
    fn announce(&self, cx: &mut Cx<'_>, which: impl Fn(&str, &str) -> bool) {
        for group in self.slots.claimed() {
            if cx.settings.groups.get(group.0).is_some_and(|g| which(&g.node, &cx.settings.me)) {
                cx.voice.put_out(Output::Announce { group });
            }
        }
    }

    /// Everybody who is there has just started and holds nothing: nobody is waited for.
    pub(super) fn all_start(&self, members: &Members) -> bool {
        let mut there = members.others().filter(|(_, p)| p.alive() && !p.left).peekable();
        there.peek().is_some()
            && there.all(|(n, p)| p.ours && p.inbound.is_complete() && self.others.get(n).is_some_and(|o| o.reported && o.starts))
    }
}
