//! What this node's own surroundings ask for: messages of local programs, groups that are in no good state, fencing.

use std::time::Duration;

use crate::cluster::io::{Command, Fault, GroupId, Level, Output, Set, Subject};
use crate::cluster::membership::Members;
use crate::cluster::takeover::sets;
use crate::cluster::takeover::standby::Standby;
use crate::cluster::takeover::{Phase, Takeover};
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;

/// From a group's first fault to its move.
const GATHER: Duration = Duration::from_millis(250);

impl Takeover {
    /// A message that a program has written to the FIFO. What concerns resources is a request; what the daemon says itself is
    /// not believed; the rest goes to all nodes and to the scripts of this one.
    pub(in crate::cluster) fn local(&mut self, cx: &mut Cx<'_>, members: &Members, message: Message) {
        let set = message.text("rsc_hold").and_then(Set::from_word);
        match (message.kind(), set) {
            ("ask_resources", Some(set)) if message.text("info") == Some("me") => {
                self.command(cx, members, Command::Standby(set));
            }
            ("hb_takeover", Some(set)) => self.command(cx, members, Command::Takeover(set)),
            (
                kind @ ("" | "ask_resources" | "status" | "starting" | "resource" | "shutdone" | "stonith" | "reqnodes"
                | "repnodes" | "ip-request" | "ip-request-resp"),
                _,
            ) => {
                let text =
                    format!("Message [{kind}] of a local program ignored: the daemon itself says what is to be said of it");
                cx.voice.event(Level::Debug, Subject::Cluster, text);
            }
            (kind, _) if kind.starts_with("NS_") => {}
            _ => {
                cx.say(message.clone());
                cx.voice.notify(&message.with("src", cx.settings.me.clone()));
            }
        }
    }

    /// A group that runs here is in no good state: another node gets it as soon as one can take it.
    pub(in crate::cluster) fn broken(&mut self, cx: &mut Cx<'_>, group: GroupId, fault: Fault, why: String) {
        if !self.slots.fault(group, fault, why.clone()) {
            return;
        }
        let key = cx.settings.groups.get(group.0).map_or("", |g| g.key());
        let text = if self.legacy_mode(cx) {
            format!("Resource group {key} stays: auto_failback legacy has no way to give it away ({why})")
        } else {
            format!("Resource group {key} is to move to another node: {why}")
        };
        cx.voice.event(Level::Error, Subject::Group(group), text);
    }

    /// It may stay.
    pub(in crate::cluster) fn mended(&mut self, group: GroupId, fault: Fault) {
        self.slots.mended(group, fault);
    }

    /// Groups in no good state go to another node soon, if one is at rest: what is wrong with one may be with others as well, and
    /// what the other node was just told must have arrived there.
    pub(super) fn give_faulty_away(&mut self, cx: &mut Cx<'_>, members: &Members) {
        let possible = self.phase == Phase::Stable && self.standby == Standby::None && self.taker(members).is_some();
        if possible && !self.slots.faulty().is_empty() && cx.timers.due(Timer::Failback).is_none() {
            cx.timers.set_once(Timer::Faulty, cx.after(GATHER));
        }
    }

    /// They go now. With the original on the other side all groups of their halves go.
    pub(super) fn faulty_go(&mut self, cx: &mut Cx<'_>, members: &Members) {
        let groups = self.slots.faulty();
        if groups.is_empty() || self.phase != Phase::Stable || self.standby != Standby::None || self.pending.is_some() {
            return;
        }
        if let Some(with) = self.taker(members) {
            let own = |g: &GroupId| cx.settings.groups.get(g.0).is_some_and(|s| s.node == cx.settings.me);
            let set = Set::of(groups.iter().any(own), !groups.iter().all(own));
            let groups = if self.exact { groups } else { sets::expand(cx.settings, set, &cx.settings.me) };
            self.ask(cx, members, with, set, groups);
        }
    }

    /// A dead node is to be cut off first.
    pub(super) fn fence(&mut self, cx: &mut Cx<'_>, members: &Members, node: usize) {
        if self.fencing.insert(node) {
            let name = members.name(node).to_owned();
            cx.voice.info(format!("Resetting node {name} with a fencing device; its resources are not taken before."));
            cx.voice.put_out(Output::Fence { node: name });
        }
    }

    /// It is cut off.
    pub(in crate::cluster) fn fenced(&mut self, cx: &mut Cx<'_>, name: &str) {
        let Some(node) = cx.settings.nodes.iter().position(|n| n == name) else { return };
        if self.fencing.remove(&node) {
            cx.voice.info(format!("Resources being acquired from {name}."));
            cx.say(Message::new("stonith").with("node", name).with("result", "OK"));
        }
    }
}
