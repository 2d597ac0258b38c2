//! The node: hands inputs to the parts, and the parts' news to each other.

use std::time::Duration;

use crate::cluster::dice::Dice;
use crate::cluster::io::{Held, Identity, Input, Mono, NodeView, Now, Output, View};
use crate::cluster::ipfail::Ipfail;
use crate::cluster::membership::{Change, Members};
use crate::cluster::reception::{Drops, Reception};
use crate::cluster::takeover::Takeover;
use crate::cluster::timers::{Timer, Timers};
use crate::cluster::voice::{Cx, Voice};
use crate::config::settings::{Keys, Settings};

/// One run of the heartbeat daemon, without its sockets and clocks.
///
/// Feed it with [`handle`](Self::handle) whatever happens and with [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) has passed; after each of them drain [`poll_output`](Self::poll_output) and do what
/// it says, in that order. Read packets that wait before calling `handle_timeout`: they may show that a node is not dead.
/// After [`Output::Exit`] or [`Output::Restart`] the node does nothing any more; a restart is a new node with a greater
/// generation.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    voice: Voice,
    timers: Timers,
    dice: Dice,
    members: Members,
    reception: Reception,
    takeover: Takeover,
    ipfail: Ipfail,
    /// How late a timer came at most.
    late: Duration,
}

impl Node {
    /// A node that starts at `now`. `seed` decides its small random delays.
    #[must_use]
    pub fn new(settings: &Settings, identity: Identity, seed: u64, now: Now) -> Self {
        let mut dice = Dice::new(seed);
        let members = Members::new(settings, &mut dice, now);
        let mut node = Self {
            voice: Voice::new(settings, identity),
            timers: Timers::default(),
            members,
            reception: Reception::default(),
            takeover: Takeover::new(settings, now),
            ipfail: Ipfail::default(),
            late: Duration::ZERO,
            settings: settings.clone(),
            dice,
        };
        let (mut cx, members, ..) = node.parts(now);
        members.begin(&mut cx);
        node.follow(now);
        node
    }

    /// What the run before has left running is held from the start. To be called before anything is handled.
    pub fn keep(&mut self, held: &[Held]) {
        self.takeover.keep(held);
    }

    /// Something happened.
    pub fn handle(&mut self, now: Now, input: Input) {
        if self.takeover.is_gone() {
            return;
        }
        self.watch_itself(now);
        let muted = self.voice.is_muted();
        let (mut cx, members, reception, takeover) = self.parts(now);
        match input {
            Input::Packet { link, bytes } => {
                let heard = if muted { None } else { reception.take(&mut cx, members, link, &bytes) };
                // What the packet says of its sender comes before what it says of resources.
                self.follow(now);
                let (mut cx, members, _, takeover) = self.parts(now);
                if let Some(heard) = heard {
                    match heard.message.kind() {
                        "reqnodes" => members.answer_nodes(&mut cx, heard.from),
                        "repnodes" => members.nodes_answered(&mut cx, heard.from, &heard.message),
                        "shutdone" => {
                            members.leaves(heard.from);
                            takeover.left(&mut cx, members, heard.from);
                        }
                        _ => takeover.heard(&mut cx, members, &heard),
                    }
                    cx.voice.notify(&heard.message);
                    self.ipfail(now, |ipfail, cx, members, _| ipfail.heard(cx, members, &heard));
                }
            }
            Input::PingReply { ping } => members.ping_reply(&mut cx, ping),
            Input::Load(load) => cx.voice.set_load(load),
            Input::Files(files) => members.files_changed(&mut cx, files),
            Input::ActionDone { id, outcome } => takeover.action_done(&mut cx, id, outcome),
            Input::Command(command) => takeover.command(&mut cx, members, command),
            Input::Local(message) => takeover.local(&mut cx, members, message),
            Input::Broken { group, fault, why } => takeover.broken(&mut cx, group, fault, why),
            Input::Mended { group, fault } => takeover.mended(group, fault),
            Input::Fenced { node } => takeover.fenced(&mut cx, &node),
        }
        self.follow(now);
    }

    /// The time that [`poll_timeout`](Self::poll_timeout) named has come.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.takeover.is_gone() {
            return;
        }
        self.watch_itself(now);
        let late = self.timers.next().map_or(Duration::ZERO, |due| now.mono - due);
        self.late = self.late.max(late);
        if late > self.settings.keepalive {
            let (cx, members, ..) = self.parts(now);
            members.forgive(&cx);
        }
        while let Some((timer, _)) = self.timers.pop(now.mono) {
            let muted = self.voice.is_muted();
            let (mut cx, members, _, takeover) = self.parts(now);
            match timer {
                Timer::Beat if muted => {}
                Timer::Beat => members.beat(&mut cx),
                Timer::DeadTimeSettles => members.settle_dead_time(&mut cx),
                Timer::NodeDead(node) => members.check_node(&mut cx, node),
                Timer::PingDead(ping) => members.ping_silent(&mut cx, ping),
                Timer::LinkDead(node, link) => members.links.silent(&mut cx, node, link),
                Timer::AskNodes => members.ask_nodes(&mut cx),
                Timer::Rexmit(node, seq) => Reception::ask_again(&mut cx, members, node, seq),
                Timer::IpfailGiveUp | Timer::IpfailCompare => {
                    self.ipfail(now, |ipfail, cx, members, takeover| ipfail.timer(cx, members, takeover, timer));
                }
                _ => takeover.timer(&mut cx, members, timer),
            }
            self.follow(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.timers.next()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.voice.poll()
    }

    /// `authkeys` was read again.
    pub fn replace_keys(&mut self, keys: Keys) {
        self.voice.replace_keys(keys);
    }

    /// How many packets were dropped, and why.
    #[must_use]
    pub fn drops(&self) -> Drops {
        self.reception.drops()
    }

    /// What the node knows.
    #[must_use]
    pub fn view(&self) -> View {
        let own = self.members.own_status().word();
        let mut nodes: Vec<NodeView> = Vec::new();
        for (index, peer) in self.members.peers.iter().enumerate() {
            let me = index == self.members.me;
            nodes.push(NodeView {
                name: peer.name.clone(),
                status: if me { own.to_owned() } else { peer.status.word().to_owned() },
                ping: false,
                since: if me { self.members.since } else { peer.since },
                heard: peer.heard,
                links: self.members.links.of(index),
                differs: if peer.alive() && peer.ours { peer.differs.clone() } else { Vec::new() },
            });
        }
        for (ping, settings) in self.members.pings.iter().zip(&self.settings.ping) {
            let status = if ping.alive { "ping" } else { "dead" };
            nodes.push(NodeView {
                name: settings.name.clone(),
                status: status.to_owned(),
                ping: true,
                since: ping.since,
                heard: ping.heard,
                links: vec![(settings.name.clone(), ping.alive)],
                differs: Vec::new(),
            });
        }
        View {
            status: own.to_owned(),
            stable: self.takeover.is_stable(&self.settings, &self.members) && self.timers.due(Timer::Partition).is_none(),
            held: self.takeover.held(&self.settings),
            nodes,
            groups: self.takeover.group_views(&self.settings, &self.members),
            failback: self.settings.failback,
            late: self.late,
        }
    }

    /// A node that slept for longer than its dead time has been declared dead, and others hold its groups: it must let go of
    /// them before it speaks.
    fn watch_itself(&mut self, now: Now) {
        if self.voice.is_muted() || self.takeover.has_left() {
            return;
        }
        if let Some(silent) = self.members.overslept(now.mono, self.settings.deadtime) {
            self.voice.crit(format!("No local heartbeat for {} ms. Forcing restart.", silent.as_millis()));
            self.voice.mute();
            let (mut cx, _, _, takeover) = self.parts(now);
            takeover.overslept(&mut cx);
        }
    }

    /// Hands on what happened to nodes, then applies the rules about resources.
    fn follow(&mut self, now: Now) {
        let (mut cx, members, _, takeover) = self.parts(now);
        for change in std::mem::take(&mut members.changes) {
            match change {
                Change::Joined => takeover.joined(&mut cx),
                Change::Died(node) => takeover.died(&mut cx, members, node),
                Change::Restarted(node) => takeover.restarted(&mut cx, node),
                Change::Returned(node) => takeover.returned(&mut cx, members, node),
            }
        }
        takeover.settle(&mut cx, members);
        self.ipfail(now, |ipfail, cx, members, takeover| ipfail.settle(cx, members, takeover));
    }

    fn ipfail(&mut self, now: Now, does: impl FnOnce(&mut Ipfail, &mut Cx<'_>, &Members, &mut Takeover)) {
        let mut ipfail = std::mem::take(&mut self.ipfail);
        let (mut cx, members, _, takeover) = self.parts(now);
        does(&mut ipfail, &mut cx, members, takeover);
        self.ipfail = ipfail;
    }

    fn parts(&mut self, now: Now) -> (Cx<'_>, &mut Members, &mut Reception, &mut Takeover) {
        let Self { settings, voice, timers, dice, members, reception, takeover, .. } = self;
        (Cx { now, settings, voice, timers, dice }, members, reception, takeover)
    }
}
