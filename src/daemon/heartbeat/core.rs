//! The heartbeat thread: packets, timers and the node, and nothing that could wait for a disk, a name server, a log or a
//! child. It reads the clock, feeds the node and does what the node says.
//!
//! ```text
//!   media ──packets──► Node ──Send──► media            edge ──ToCore (may wait)──► core
//!   clock ──timeout──►      ──Event─► log, edge        core ──ToEdge (never waits)─► edge
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::cluster::Node;
use crate::cluster::io::{ActionId, Event, GroupId, Held, Identity, Input, Level, LinkId, Mono, Now, Output, PingId, Verb, View};
use crate::config::settings::{Keys, Settings};
use crate::log::Log;
use crate::media::ping::Pinger;
use crate::media::udp::{Change, MAX_DATAGRAM, Media, Notice};

/// Packets taken in a row before the timers get their turn.
const PACKETS_IN_A_ROW: u32 = 64;
/// Between two looks at interfaces that are missing.
const TEND: Duration = Duration::from_secs(1);
/// Sources that are told to the edge; a cluster has few.
const MAX_SOURCES: usize = 64;

/// To the heartbeat thread.
#[derive(Debug)]
pub(super) enum ToCore {
    /// For the node.
    Input(Input),
    /// `authkeys` was read again.
    Keys(Keys),
    /// The status is wanted.
    View(oneshot::Sender<(View, Mono)>),
    /// The identity of the next run, asked for by [`ToEdge::NewRun`].
    Identity(Identity),
}

/// From the heartbeat thread.
#[derive(Debug)]
pub(super) enum ToEdge {
    /// Start or stop a group.
    Run {
        /// To be repeated in the answer.
        id: ActionId,
        /// Which.
        group: GroupId,
        /// What.
        verb: Verb,
    },
    /// Something happened (it is in the log already).
    Event(Mono, Event),
    /// A message for the scripts of `rc.d`.
    Notify(Vec<(String, String)>),
    /// Cut this dead node off.
    Fence {
        /// Its name.
        node: String,
    },
    /// Announce a group's addresses once more.
    Announce {
        /// Which.
        group: GroupId,
    },
    /// A packet came from an address not seen before.
    Source(Ipv4Addr),
    /// Write the next generation and tell it.
    NewRun,
    /// The node has stopped.
    Stopped,
    /// It has ended for a next run, which holds these.
    Succeeded(Vec<Held>),
}

/// What the thread is made of. Built on the thread itself, whose runtime the sockets belong to.
pub(super) struct Core {
    settings: Arc<Settings>,
    media: Media,
    pinger: Pinger,
    start: Instant,
    log: Log,
    from_edge: mpsc::Receiver<ToCore>,
    to_edge: mpsc::Sender<ToEdge>,
    /// What must not be lost but found the channel full.
    owed: VecDeque<ToEdge>,
    dropped: Arc<AtomicU64>,
    sources: BTreeSet<Ipv4Addr>,
}

/// How a node's life ended.
enum End {
    Stopped,
    Restart(Duration),
    Succeeded(Vec<Held>),
}

impl Core {
    /// With open sockets.
    #[allow(clippy::too_many_arguments, reason = "each is a part of its own, and there is one caller")]
    pub(super) fn new(
        settings: Arc<Settings>,
        media: Media,
        pinger: Pinger,
        start: Instant,
        log: Log,
        from_edge: mpsc::Receiver<ToCore>,
        to_edge: mpsc::Sender<ToEdge>,
        dropped: Arc<AtomicU64>,
    ) -> Self {
        let (owed, sources) = (VecDeque::new(), BTreeSet::new());
        Self { settings, media, pinger, start, log, from_edge, to_edge, owed, dropped, sources }
    }

    /// Lives until the node stops. `kept` is what its first life holds from the start.
    pub(super) async fn run(mut self, mut identity: Identity, mut kept: Vec<Held>) {
        let last = loop {
            let seed = seed(&identity);
            let mut node = Node::new(&self.settings, identity, seed, self.now());
            node.keep(&std::mem::take(&mut kept));
            match self.drive(&mut node).await {
                End::Stopped => break ToEdge::Stopped,
                End::Succeeded(held) => break ToEdge::Succeeded(held),
                End::Restart(after) => match self.pause(&node, after).await {
                    Some(next) => identity = next,
                    None => break ToEdge::Stopped,
                },
            }
        };
        self.owe(last);
        while !self.owed.is_empty() {
            // The last word may wait: no heartbeat is due any more.
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.pay();
        }
    }

    async fn drive(&mut self, node: &mut Node) -> End {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut tend = interval(TEND);
        tend.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut row = 0;
        loop {
            if let Some(end) = self.drain(node) {
                return end;
            }
            let due = node.poll_timeout().map(|at| self.start + at.0);
            if row >= PACKETS_IN_A_ROW {
                row = 0;
                if due.is_some_and(|due| due <= Instant::now()) {
                    node.handle_timeout(self.now());
                    continue;
                }
            }
            // Packets first: one that waits may show that a node is not dead.
            tokio::select! {
                biased;
                origin = self.media.recv(&mut buffer) => {
                    row += 1;
                    if let Some(IpAddr::V4(address)) = origin.address {
                        self.source(address);
                    }
                    let bytes = buffer.get(..origin.len).unwrap_or_default().to_vec();
                    node.handle(self.now(), Input::Packet { link: LinkId(origin.link), bytes });
                }
                ping = self.pinger.answer() => node.handle(self.now(), Input::PingReply { ping: PingId(ping) }),
                message = self.from_edge.recv() => match message {
                    Some(ToCore::Input(input)) => node.handle(self.now(), input),
                    Some(ToCore::Keys(keys)) => node.replace_keys(keys),
                    Some(ToCore::View(answer)) => self.view(node, answer),
                    Some(ToCore::Identity(_)) => {}
                    // The edge is gone, and with it everything that could start or stop a group.
                    None => return End::Stopped,
                },
                _ = tend.tick() => {
                    let notices = self.media.tend();
                    self.tell(notices);
                    self.pay();
                }
                () = until(due) => {
                    row = 0;
                    node.handle_timeout(self.now());
                }
            }
        }
    }

    /// Does what the node says; tells if it has ended.
    fn drain(&mut self, node: &mut Node) -> Option<End> {
        while let Some(output) = node.poll_output() {
            match output {
                Output::Send(bytes) => {
                    let notices = self.media.send(&bytes);
                    self.tell(notices);
                }
                Output::Ping(PingId(ping)) => self.pinger.ask(ping),
                Output::Run { id, group, verb } => self.owe(ToEdge::Run { id, group, verb }),
                Output::Event(event) => self.event(event),
                Output::Notify(fields) => {
                    // A hook is not worth a stall: beyond what the channel holds it is dropped.
                    let _ = self.to_edge.try_send(ToEdge::Notify(fields));
                }
                Output::Announce { group } => self.owe(ToEdge::Announce { group }),
                Output::Fence { node } => self.owe(ToEdge::Fence { node }),
                Output::Restart { after } => return Some(End::Restart(after)),
                Output::Succeed { held } => return Some(End::Succeeded(held)),
                Output::Exit => return Some(End::Stopped),
            }
        }
        None
    }

    /// Between two lives: silent, deaf, but able to tell and to be stopped. `None`: to be stopped.
    async fn pause(&mut self, node: &Node, after: Duration) -> Option<Identity> {
        self.say(Level::Info, &format!("Restarting heartbeat in {} s.", after.as_secs_f64()));
        self.owe(ToEdge::NewRun);
        let end = Instant::now() + after;
        let mut identity = None;
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            self.pay();
            let over = Instant::now() >= end;
            if let Some(identity) = identity.take_if(|_| over) {
                return Some(identity);
            }
            let wake = if over { Instant::now() + TEND } else { end };
            tokio::select! {
                _ = self.media.recv(&mut buffer) => {}
                message = self.from_edge.recv() => match message {
                    Some(ToCore::Identity(next)) => identity = Some(next),
                    Some(ToCore::View(answer)) => self.view(node, answer),
                    Some(ToCore::Keys(_)) => {}
                    Some(ToCore::Input(Input::Command(crate::cluster::io::Command::Stop))) | None => return None,
                    Some(ToCore::Input(_)) => {}
                },
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    fn view(&self, node: &Node, answer: oneshot::Sender<(View, Mono)>) {
        // Whoever asked may have gone.
        let _ = answer.send((node.view(), self.now().mono));
    }

    fn event(&mut self, event: Event) {
        self.log.write(event.level, &event.text);
        let now = self.now().mono;
        if self.to_edge.try_send(ToEdge::Event(now, event)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn say(&mut self, level: Level, text: &str) {
        self.event(Event { level, subject: crate::cluster::io::Subject::Cluster, text: text.to_owned() });
    }

    fn tell(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            let (level, text) = told(&self.media.describe(notice.link), &notice.what);
            self.say(level, &text);
        }
    }

    fn source(&mut self, address: Ipv4Addr) {
        if self.sources.len() < MAX_SOURCES && self.sources.insert(address) {
            let _ = self.to_edge.try_send(ToEdge::Source(address));
        }
    }

    /// Sends what must not be lost, in order.
    fn owe(&mut self, message: ToEdge) {
        self.owed.push_back(message);
        self.pay();
    }

    fn pay(&mut self) {
        while let Some(message) = self.owed.pop_front() {
            match self.to_edge.try_send(message) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(back)) => {
                    self.owed.push_front(back);
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    self.owed.clear();
                    return;
                }
            }
        }
    }

    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Now { mono: Mono(self.start.elapsed()), wall }
    }
}

/// The log line for what changed on a link.
pub(super) fn told(link: &str, what: &Change) -> (Level, String) {
    match what {
        Change::Missing => (Level::Warn, format!("Link {link}: the interface does not exist; it is used once it is there.")),
        Change::Opened => (Level::Info, format!("Link {link}: the interface is there, the link is used.")),
        Change::Refused(why) => (Level::Error, format!("Link {link} cannot be used: {why}")),
        Change::SendFailed(why) => (Level::Error, format!("Unable to send {link} packet: {why}")),
        Change::SendWorks => (Level::Info, format!("Link {link}: packets can be sent again.")),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// Something that differs between nodes and runs; it decides small delays only.
fn seed(identity: &Identity) -> u64 {
    let (high, low) = identity.uuid.split_at(8);
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
    word(high) ^ word(low) ^ identity.generation.rotate_left(17)
}
