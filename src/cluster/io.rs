//! What goes into the node and what comes out of it: values, so that a run can be recorded, printed and replayed.

use std::time::Duration;

use crate::cluster::wire::Message;
use crate::config::digest::Digests;
use crate::config::settings::Failback;

/// Monotonic time since the daemon started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Mono(pub Duration);

impl std::ops::Add<Duration> for Mono {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0 + d)
    }
}

impl std::ops::Sub for Mono {
    type Output = Duration;
    /// Time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The moment of an input: what the machine's clocks and load say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Decides everything.
    pub mono: Mono,
    /// Unix seconds, only copied into the field `ts`.
    pub wall: u64,
}

/// Who this daemon run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// UUID of the node, kept over restarts.
    pub uuid: [u8; 16],
    /// Generation of this run (`hg`), greater than that of any run before.
    pub generation: u64,
}

/// Index of a link in `Settings::media`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub usize);

/// Index of a ping node in `Settings::ping`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub usize);

/// Index of a group in `Settings::groups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub usize);

/// Names one action, so that a late answer for an old one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u64);

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A datagram came in over a link.
    Packet {
        /// Over which link.
        link: LinkId,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A ping node answered the last request.
    PingReply {
        /// Which one.
        ping: PingId,
    },
    /// The machine's load average, for `ld`; sent now and then.
    Load(String),
    /// Digests of this node's files, told to the others; sent at the start and after each change.
    Files(Digests),
    /// A group action ended.
    ActionDone {
        /// Which one.
        id: ActionId,
        /// How.
        outcome: Outcome,
    },
    /// Somebody asks for something.
    Command(Command),
    /// A program of this node has a message for the cluster; the control fields are added here.
    Local(Message),
    /// A group that runs here is in no good state, and another node should rather have it, from now until it is mended.
    Broken {
        /// Which group.
        group: GroupId,
        /// What is wrong.
        fault: Fault,
        /// The same in one line.
        why: String,
    },
    /// That fault of the group is over.
    Mended {
        /// Which group.
        group: GroupId,
        /// What was wrong.
        fault: Fault,
    },
    /// The answer to [`Output::Fence`].
    Fenced {
        /// The node's name.
        node: String,
    },
}

/// What may be wrong with a group that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// One of its resources dies again and again.
    Resource,
    /// The interface of one of its addresses has no carrier.
    Carrier,
}

/// How starting or stopping a group ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done: all its resources run, or none does.
    Done,
    /// It could not be done. After a failed start what had been started has been stopped again.
    Failed(String),
}

/// A request from outside the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `hb_standby`: give the set away.
    Standby(Set),
    /// `hb_takeover`: ask the others to give it away.
    Takeover(Set),
    /// Stop gracefully: release everything, tell the others, end with [`Output::Exit`].
    Stop,
    /// End as soon as nothing is in motion and release nothing: a next run takes over, see [`Output::Succeed`].
    Succeed,
}

/// A set of groups as the wire names it, seen from one node: `local` are the groups that prefer that node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Set {
    /// No group.
    #[default]
    None,
    /// Those that prefer the node.
    Local,
    /// Those that prefer another.
    Foreign,
    /// Every group.
    All,
}

/// What the node wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send to every link.
    Send(Vec<u8>),
    /// Ask a ping node (once for every heartbeat).
    Ping(PingId),
    /// Start or stop a group; answered by [`Input::ActionDone`]. Several may be under way, but never two for one group.
    Run {
        /// To be repeated in the answer.
        id: ActionId,
        /// Which group.
        group: GroupId,
        /// What.
        verb: Verb,
    },
    /// Tell the neighbours once more that this group's addresses are here: another node had them too.
    Announce {
        /// Which group.
        group: GroupId,
    },
    /// Something worth a log line, a hook or a place in the status.
    Event(Event),
    /// A message for the scripts of `rc.d`: its text fields, the type (`t`) among them.
    Notify(Vec<(String, String)>),
    /// Cut a dead node off before its groups are taken; answered by [`Input::Fenced`] once that has worked.
    Fence {
        /// The node's name.
        node: String,
    },
    /// Write this generation before anything else is sent (never asked for by a fresh node; by a restart after partition).
    Restart {
        /// Wait this long, then start anew as a new run.
        after: Duration,
    },
    /// The node has ended and the others wait for its next run, half a minute longer than for a node that is silent.
    Succeed {
        /// What the next run holds from the start.
        held: Vec<Held>,
    },
    /// The node has stopped; the daemon may end.
    Exit,
}

/// A group that a run leaves to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub group: GroupId,
    /// It goes back to another node when that returns.
    pub on_loan: bool,
}

/// What is done to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Start what does not run, left to right.
    Start,
    /// Stop all of it, right to left.
    Stop,
}

/// Level of an event's log line, as Heartbeat names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `debug`.
    Debug,
    /// `info`.
    Info,
    /// `notice`.
    Notice,
    /// `WARN`.
    Warn,
    /// `ERROR`.
    Error,
    /// `CRIT`.
    Crit,
}

/// Something that happened: a log line, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Level of the log line.
    pub level: Level,
    /// What it is about, for hooks and the status.
    pub subject: Subject,
    /// The log line, in Heartbeat's words where it has some.
    pub text: String,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A node's status changed.
    Node {
        /// Whose.
        node: String,
        /// The new status.
        status: String,
    },
    /// A link's status changed.
    Link {
        /// Of which node.
        node: String,
        /// The link's name.
        link: String,
        /// Whether it is up.
        up: bool,
    },
    /// A group's owner changed, or is about to.
    Group(GroupId),
    /// Anything else.
    Cluster,
}

/// What the node knows, for the status: see `Node::view`.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Own status: init, up, active.
    pub status: String,
    /// Whether resources are at rest: what decides between a set and `transition` in `cl_status rscstatus`.
    pub stable: bool,
    /// What this node holds.
    pub held: Set,
    /// All nodes, ping nodes last.
    pub nodes: Vec<NodeView>,
    /// All groups in the order of `Settings::groups`.
    pub groups: Vec<GroupView>,
    /// `auto_failback`.
    pub failback: Failback,
    /// How late this node came to its own timers, at most, in this run.
    pub late: Duration,
}

/// A node in the status.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// init, up, active, dead; ping for a live ping node.
    pub status: String,
    /// Whether it is a ping node.
    pub ping: bool,
    /// Since when it has that status.
    pub since: Mono,
    /// Its last heartbeat, if any.
    pub heard: Option<Mono>,
    /// Links to it: name, whether up.
    pub links: Vec<(String, bool)>,
    /// Files of it that differ from this node's, as far as it says.
    pub differs: Vec<String>,
}

/// A group in the status.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// Who holds it, as far as this node knows.
    pub owner: Option<String>,
    /// What is under way here: `starting`, `stopping`, or nothing.
    pub moving: Option<Verb>,
    /// Since when.
    pub since: Mono,
    /// Why: the decision that led to it, in one line.
    pub reason: String,
}
