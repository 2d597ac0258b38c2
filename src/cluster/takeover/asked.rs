//! What this node's own surroundings ask for: messages of local programs, groups that are in no good state, fencing.

use crate::cluster::io::{Command, GroupId, Level, Output, Set, Subject};
use crate::cluster::membership::Members;
use crate::cluster::takeover::Takeover;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;

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

    /// A group that runs here is in no good state: another node gets it, if one can take it. With the original on the other
    /// side all groups of its half go.
    pub(in crate::cluster) fn broken(&mut self, cx: &mut Cx<'_>, members: &Members, group: GroupId, why: &str) {
        if !self.slots.get(group).is_some_and(|s| s.claimed) {
            return;
        }
        let key = cx.settings.groups.get(group.0).map_or("", |g| g.key()).to_owned();
        if self.legacy_mode(cx) {
            let text = format!("Resource group {key} stays: auto_failback legacy has no way to give it away ({why})");
            return cx.voice.event(Level::Error, Subject::Group(group), text);
        }
        let text = format!("Resource group {key} is to move to another node: {why}");
        cx.voice.event(Level::Error, Subject::Group(group), text);
        self.hand_over(cx, members, group);
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
