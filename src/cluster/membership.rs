//! Who is alive: heartbeats out and in, dead times, the start of the cluster, restarts and healed partitions.
//!
//! Owns nothing of resources. Tells what happened as [`Change`]s, which the node hands to `takeover`.

use std::time::Duration;

use crate::cluster::dice::Dice;
use crate::cluster::io::{Level, Mono, Now, Output, PingId, Subject};
use crate::cluster::link::Links;
use crate::cluster::rexmit::Inbound;
use crate::cluster::timers::Timer;
use crate::cluster::voice::Cx;
use crate::cluster::wire::Message;
use crate::config::digest::Digests;
use crate::config::settings::Settings;

/// What a node announces on top of its dead time while it starts.
const STARTING_EXTRA: Duration = Duration::from_secs(2);
/// For how long it does.
const STARTING_FOR: Duration = Duration::from_secs(5);
/// Between two `reqnodes`.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Something happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// This node has become active: the cluster is complete, as far as it will be.
    Joined,
    /// Nothing was heard of that node for its dead time.
    Died(usize),
    /// It has a new generation.
    Restarted(usize),
    /// It was believed dead and has been alive all the time.
    Returned(usize),
}

/// Status of a node, as it says itself, or dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Init,
    Up,
    Active,
    Dead,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Up => "up",
            Self::Active => "active",
            Self::Dead => "dead",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Init, Self::Up, Self::Active, Self::Dead].into_iter().find(|s| s.word() == word)
    }
}

/// Another node. The entry of this node itself stays unused.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) since: Mono,
    /// Its last heartbeat.
    pub(super) heard: Option<Mono>,
    /// The dead time it announced, or ours.
    pub(super) dt: Duration,
    /// Its last seen generation.
    pub(super) generation: Option<u64>,
    /// It said `shutdone`: its heartbeats count no more.
    pub(super) left: bool,
    pub(super) inbound: Inbound,
    /// Highest number of ours it acknowledged.
    pub(super) acked: u64,
    /// Our number when it was first heard in its present run: earlier ones do not wait for it.
    pub(super) acks_from: u64,
    /// It is lvs-ha, and understands what only lvs-ha says.
    pub(super) ours: bool,
    /// Whether it announced `protocol`, and so acknowledges.
    pub(super) acks: bool,
    /// What it says of its files.
    files: Digests,
    /// Those that differ from ours.
    pub(super) differs: Vec<String>,
    /// Number and time stamp of its last status.
    last_status: (u64, u64),
    /// It has a new generation, and no status of it has come yet.
    new_run: bool,
}

impl Peer {
    /// Heard and not dead.
    pub(super) fn alive(&self) -> bool {
        self.heard.is_some() && self.status != Status::Dead
    }

    /// Takes part: alive, active, and not about to go.
    pub(super) fn active(&self) -> bool {
        self.alive() && self.status == Status::Active && !self.left
    }

    /// Tells it once when files differ, and when they do not any more.
    fn compare(&mut self, cx: &mut Cx<'_>, ours: &Digests) {
        let differs = ours.differing(&self.files);
        if differs == self.differs {
            return;
        }
        if differs.is_empty() {
            cx.voice.info(format!("The files of {} are the same as here again.", self.name));
        } else {
            cx.voice.warn(format!("Files of {} differ from those here: {}", self.name, differs.join(", ")));
        }
        self.differs = differs;
    }

    /// It started anew: its next status is newer than any before.
    pub(super) fn forget_status(&mut self) {
        self.last_status = (0, 0);
        self.new_run = true;
    }
}

/// A ping node.
#[derive(Debug, Default)]
pub(super) struct Ping {
    pub(super) alive: bool,
    pub(super) dead: bool,
    pub(super) since: Mono,
    pub(super) heard: Option<Mono>,
}

/// How far the start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Not every node is heard or dead.
    Waiting,
    /// `reqnodes` was sent.
    Asking,
    /// Done.
    Active,
}

/// All nodes.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) me: usize,
    pub(super) peers: Vec<Peer>,
    pub(super) pings: Vec<Ping>,
    pub(super) links: Links,
    /// What this node says of its files.
    files: Digests,
    pub(super) since: Mono,
    start: Start,
    started: Mono,
    settled: bool,
    last_beat: Mono,
    /// This process was late: packets may be waiting to be read, so nobody is declared dead before.
    no_death_before: Mono,
    pub(super) changes: Vec<Change>,
}

impl Members {
    pub(super) fn new(settings: &Settings, dice: &mut Dice, now: Now) -> Self {
        let peer = |name: &String| Peer {
            name: name.clone(),
            status: Status::Init,
            since: now.mono,
            heard: None,
            dt: settings.deadtime,
            generation: None,
            left: false,
            inbound: Inbound::new(dice.below(10)),
            acked: 0,
            acks_from: 0,
            ours: false,
            acks: true,
            files: Digests::default(),
            differs: Vec::new(),
            last_status: (0, 0),
            new_run: true,
        };
        Self {
            me: settings.nodes.iter().position(|n| *n == settings.me).unwrap_or_default(),
            peers: settings.nodes.iter().map(peer).collect(),
            pings: settings.ping.iter().map(|_| Ping { since: now.mono, ..Ping::default() }).collect(),
            links: Links::new(settings),
            files: Digests::default(),
            since: now.mono,
            start: Start::Waiting,
            started: now.mono,
            settled: false,
            last_beat: now.mono,
            no_death_before: now.mono,
            changes: Vec::new(),
        }
    }

    /// The first words: init, up, up.
    pub(super) fn begin(&mut self, cx: &mut Cx<'_>) {
        self.say_status(cx, Status::Init);
        self.say_status(cx, Status::Up);
        cx.voice.info("Local status now set to: 'up'");
        self.beat(cx);
        cx.timers.set(Timer::DeadTimeSettles, cx.after(STARTING_FOR));
        for (node, _) in self.others() {
            cx.timers.set(Timer::NodeDead(node), cx.after(cx.settings.initdead));
        }
        for ping in 0..self.pings.len() {
            cx.timers.set(Timer::PingDead(ping), cx.after(cx.settings.initdead));
        }
        self.check_start(cx);
    }

    /// The other nodes with their index.
    pub(super) fn others(&self) -> impl Iterator<Item = (usize, &Peer)> {
        let me = self.me;
        self.peers.iter().enumerate().filter(move |(node, _)| *node != me)
    }

    /// This node's status.
    pub(super) fn own_status(&self) -> Status {
        if self.start == Start::Active { Status::Active } else { Status::Up }
    }

    pub(super) fn name(&self, node: usize) -> &str {
        self.peers.get(node).map_or("", |p| p.name.as_str())
    }

    /// Whether the other nodes must believe this one dead, because it has not spoken for the dead time it announced, while
    /// at least one of them was alive when it last spoke.
    pub(super) fn overslept(&self, now: Mono, deadtime: Duration) -> Option<Duration> {
        let silent = now - self.last_beat;
        let heard = self.others().any(|(_, p)| p.alive() && !p.left);
        (silent > self.announced(deadtime) && heard).then_some(silent)
    }

    /// Timers came `late` after they were due: give packets that wait a chance before anybody is dead.
    pub(super) fn forgive(&mut self, cx: &Cx<'_>) {
        self.no_death_before = cx.after(cx.settings.keepalive);
    }

    /// The node of this index said `shutdone`.
    pub(super) fn leaves(&mut self, node: usize) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.left = true;
        }
    }

    /// Keepalive: one heartbeat, and one question to each ping node.
    pub(super) fn beat(&mut self, cx: &mut Cx<'_>) {
        self.say_status(cx, self.own_status());
        for ping in 0..self.pings.len() {
            cx.voice.put_out(Output::Ping(PingId(ping)));
        }
        let on_time = self.last_beat + cx.settings.keepalive;
        let now = cx.mono();
        // Keep the pace, but do not catch up on heartbeats that were missed.
        let next = if now > on_time && now - on_time < cx.settings.keepalive { on_time } else { now };
        self.last_beat = now;
        cx.timers.set(Timer::Beat, next + cx.settings.keepalive);
        self.watch_history(cx);
    }

    /// Somebody has just started: the status now, not at the next keepalive.
    pub(super) fn greet(&self, cx: &mut Cx<'_>) {
        if self.start == Start::Active {
            self.say_status(cx, Status::Active);
        }
    }

    /// The announced dead time falls to the real one.
    pub(super) fn settle_dead_time(&mut self, cx: &mut Cx<'_>) {
        self.settled = true;
        self.say_status(cx, self.own_status());
        self.last_beat = cx.mono();
    }

    /// The dead time of a node has passed, perhaps.
    pub(super) fn check_node(&mut self, cx: &mut Cx<'_>, node: usize) {
        let (initdead, start, started) = (cx.settings.initdead, self.start, self.started);
        let no_death_before = self.no_death_before;
        let Some(peer) = self.peers.get_mut(node) else { return };
        if peer.status == Status::Dead {
            return;
        }
        let wait = if start == Start::Waiting { initdead.max(peer.dt) } else { peer.dt };
        let due = (peer.heard.unwrap_or(started) + wait).max(no_death_before);
        if due > cx.mono() {
            cx.timers.set(Timer::NodeDead(node), due);
            return;
        }
        peer.status = Status::Dead;
        peer.since = cx.mono();
        let name = peer.name.clone();
        cx.voice.event(
            Level::Warn,
            Subject::Node { node: name.clone(), status: "dead".to_owned() },
            format!("node {name}: is dead"),
        );
        cx.timers.clear_if(|t| matches!(t, Timer::Rexmit(n, _) if n == node));
        self.changes.push(Change::Died(node));
        self.check_start(cx);
    }

    /// A ping node answered.
    pub(super) fn ping_reply(&mut self, cx: &mut Cx<'_>, id: PingId) {
        let Some(ping) = self.pings.get_mut(id.0) else { return };
        let now = cx.mono();
        ping.heard = Some(now);
        cx.timers.set(Timer::PingDead(id.0), now + cx.settings.deadping);
        if !ping.alive {
            (ping.alive, ping.dead, ping.since) = (true, false, now);
            Self::tell_ping(cx, id.0, true);
        }
        self.check_start(cx);
    }

    /// A ping node has not answered for its dead time.
    pub(super) fn ping_silent(&mut self, cx: &mut Cx<'_>, id: usize) {
        let now = cx.mono();
        let no_death_before = self.no_death_before;
        let Some(ping) = self.pings.get_mut(id) else { return };
        if now < no_death_before {
            cx.timers.set(Timer::PingDead(id), no_death_before);
            return;
        }
        (ping.alive, ping.dead, ping.since) = (false, true, now);
        Self::tell_ping(cx, id, false);
        self.check_start(cx);
    }

    /// A sequenced or unsequenced `status` of the node, newer than the last one.
    pub(super) fn status(&mut self, cx: &mut Cx<'_>, node: usize, seq: u64, ts: u64, message: &Message) {
        let own_active = self.start == Start::Active;
        let Some(peer) = self.peers.get_mut(node) else { return };
        if seq < peer.last_status.0 || ts < peer.last_status.1 && seq == peer.last_status.0 {
            return;
        }
        let Some(status) = message.text("st").and_then(Status::from_word).filter(|s| *s != Status::Dead) else { return };
        let now = cx.mono();
        let was_dead = peer.status == Status::Dead;
        let restarted = std::mem::take(&mut peer.new_run);
        // A node that was never missed has been running all the time if it comes back with its old generation, or if it
        // had become active without this node, which was active as well.
        let returned = was_dead && ((peer.heard.is_some() && !restarted) || (own_active && status == Status::Active));
        if let Some(last) = peer.heard.filter(|_| !was_dead && !restarted) {
            let gap = now - last;
            let ms = gap.as_millis();
            if gap > cx.settings.deadtime {
                cx.voice.crit(format!("Late heartbeat: Node {}: interval {ms} ms (> deadtime)", peer.name));
            } else if gap > cx.settings.warntime {
                cx.voice.warn(format!("Late heartbeat: Node {}: interval {ms} ms", peer.name));
            }
        }
        peer.last_status = (seq, ts);
        peer.heard = Some(now);
        peer.dt = message.hex("dt").map_or(cx.settings.deadtime, Duration::from_millis).min(LONGEST_DEAD_TIME);
        let said = message.text(CAPABILITIES).filter(|_| cx.settings.extensions);
        peer.ours = said.is_some();
        let files = Digests::parse(said.unwrap_or_default());
        // Its first words are said before it has read them.
        if peer.files != files && files != Digests::default() {
            peer.files = files;
            peer.compare(cx, &self.files);
        }
        if message.text("protocol").is_none() {
            peer.acks = false;
        }
        cx.timers.set(Timer::NodeDead(node), now + peer.dt);
        if was_dead && !restarted {
            // Nobody asks a dead node for what is missing: it is asked now.
            for seq in peer.inbound.missing() {
                cx.timers.set_once(Timer::Rexmit(node, seq), now + cx.settings.max_rexmit_delay);
            }
        }
        if peer.status != status || restarted {
            (peer.status, peer.since) = (status, now);
            let (name, word) = (peer.name.clone(), status.word());
            let subject = Subject::Node { node: name.clone(), status: word.to_owned() };
            cx.voice.event(Level::Info, subject, format!("Status update for node {name}: status {word}"));
        }
        if returned && !peer.left {
            cx.voice.crit(format!("Cluster node {} returning after partition.", peer.name));
            self.changes.push(Change::Returned(node));
        }
        self.check_start(cx);
    }

    /// `reqnodes` gets an answer in any state, with exactly the configured names.
    pub(super) fn answer_nodes(&self, cx: &mut Cx<'_>, node: usize) {
        let list: String = cx.settings.nodes.iter().map(|n| format!("{n} ")).collect();
        let answer = Message::empty().with("dest", self.name(node)).with("t", "repnodes");
        cx.say(answer.with("nodelist", list).with("delnodelist", " "));
    }

    /// `repnodes` came: the start goes on.
    pub(super) fn nodes_answered(&mut self, cx: &mut Cx<'_>, node: usize, message: &Message) {
        let theirs: Vec<&str> = message.text("nodelist").unwrap_or_default().split_whitespace().collect();
        if theirs.len() != cx.settings.nodes.len() || !cx.settings.nodes.iter().all(|n| theirs.contains(&n.as_str())) {
            let ours = cx.settings.nodes.join(" ");
            cx.voice.warn(format!("{} has the nodes [{}], ha.cf has [{ours}]", self.name(node), theirs.join(" ")));
        }
        if self.start == Start::Asking {
            self.join(cx);
        }
    }

    /// Asks for the nodes, or goes on alone.
    pub(super) fn ask_nodes(&mut self, cx: &mut Cx<'_>) {
        if self.start != Start::Asking {
            return;
        }
        let first = self.others().find(|(_, p)| p.alive() && !p.left).map(|(_, p)| p.name.clone());
        match first {
            Some(name) => {
                cx.say(Message::new("reqnodes").with("dest", name));
                cx.timers.set(Timer::AskNodes, cx.after(ASK_EVERY));
            }
            None => self.join(cx),
        }
    }

    fn check_start(&mut self, cx: &mut Cx<'_>) {
        match self.start {
            Start::Waiting => {
                let nodes = self.others().all(|(_, p)| p.heard.is_some() || p.status == Status::Dead);
                if nodes && self.pings.iter().all(|p| p.alive || p.dead) {
                    self.start = Start::Asking;
                    self.ask_nodes(cx);
                }
            }
            Start::Asking if !self.others().any(|(_, p)| p.alive() && !p.left) => self.join(cx),
            Start::Asking | Start::Active => {}
        }
    }

    fn join(&mut self, cx: &mut Cx<'_>) {
        self.start = Start::Active;
        self.since = cx.mono();
        cx.timers.clear(Timer::AskNodes);
        cx.voice.info("Comm_now_up(): updating status to active");
        cx.voice.info("Local status now set to: 'active'");
        self.say_status(cx, Status::Active);
        self.changes.push(Change::Joined);
    }

    fn announced(&self, deadtime: Duration) -> Duration {
        if self.settled { deadtime } else { deadtime + STARTING_EXTRA }
    }

    fn say_status(&self, cx: &mut Cx<'_>, status: Status) {
        let message = status_message(cx.settings, status, self.announced(cx.settings.deadtime));
        if cx.settings.extensions && self.files != Digests::default() {
            return cx.say(message.with(CAPABILITIES, format!("1 {}", self.files)));
        }
        cx.say(message);
    }

    /// This node's files are others now, or were read for the first time.
    pub(super) fn files_changed(&mut self, cx: &mut Cx<'_>, files: Digests) {
        self.files = files;
        for peer in self.peers.iter_mut().filter(|p| p.alive()) {
            peer.compare(cx, &self.files);
        }
    }

    fn tell_ping(cx: &mut Cx<'_>, id: usize, alive: bool) {
        let name = cx.settings.ping.get(id).map(|p| p.name.clone()).unwrap_or_default();
        let word = if alive { "ping" } else { "dead" };
        let link = Subject::Link { node: name.clone(), link: name.clone(), up: alive };
        let link_word = if alive { "up" } else { "dead" };
        let subject = Subject::Node { node: name.clone(), status: word.to_owned() };
        if alive {
            cx.voice.event(Level::Info, subject, format!("Status update for node {name}: status {word}"));
        } else {
            cx.voice.event(Level::Warn, subject, format!("node {name}: is dead"));
        }
        cx.voice.event(Level::Info, link, format!("Link {name}:{name} {link_word}."));
    }

    /// Messages that the slowest live node has not acknowledged.
    fn watch_history(&self, cx: &mut Cx<'_>) {
        let slowest = self.others().filter(|(_, p)| p.alive() && p.acks).map(|(_, p)| p.acked.max(p.acks_from)).min();
        let waiting = slowest.map_or(0, |acked| cx.voice.seq().saturating_sub(acked));
        let text = format!("Message hist queue is filling up ({waiting} messages in queue)");
        if waiting > 450 {
            cx.voice.error(text);
        } else if waiting > 375 {
            cx.voice.warn(text);
        }
    }
}

/// A heartbeat: status and dead time in ms; and, unless the file says otherwise, that this is lvs-ha.
pub(super) fn status_message(settings: &Settings, status: Status, dead_time: Duration) -> Message {
    let message = Message::new("status").with("st", status.word()).with("dt", format!("{:x}", dead_time.as_millis()));
    let message = message.with("protocol", "1");
    if settings.extensions { message.with(CAPABILITIES, "1") } else { message }
}

/// The field of `status` by which lvs-ha nodes know each other: `1`, then the digests of the files. Heartbeat passes over it.
const CAPABILITIES: &str = "lvsha";

/// A dead time beyond this is taken as this, so that a wrong number cannot stop the detection for good.
const LONGEST_DEAD_TIME: Duration = Duration::from_secs(3600);
