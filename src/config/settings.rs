//! What the heartbeat daemon wants to know, after `ha.cf`, `haresources` and `authkeys` have been read and resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Everything about this node and its cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// This node's name, lower case; one of `nodes`.
    pub me: String,
    /// The normal nodes in the file's order, lower case.
    pub nodes: Vec<String>,
    /// The ping nodes in the file's order.
    pub ping: Vec<PingNode>,
    /// Between two heartbeats.
    pub keepalive: Duration,
    /// A node is dead after this silence.
    pub deadtime: Duration,
    /// A heartbeat later than this is logged.
    pub warntime: Duration,
    /// A node that was never heard is dead this long after the start.
    pub initdead: Duration,
    /// `deadtime` of ping nodes.
    pub deadping: Duration,
    /// Added to the number of nodes for a message's time to live.
    pub hopfudge: u8,
    /// The UDP port of heartbeats.
    pub udpport: u16,
    /// The links, in the file's order.
    pub media: Vec<Medium>,
    /// What happens to groups whose preferred node comes back.
    pub failback: Failback,
    /// The keys of `authkeys`.
    pub keys: Keys,
    /// The resource groups, in the order of `haresources`.
    pub groups: Vec<Group>,
    /// Send the inner digest and classic text as `msgfmt classic` does (the default of the original).
    pub msgfmt: MsgFmt,
    /// Longest delay before a lost message is asked for again.
    pub max_rexmit_delay: Duration,
    /// Log packets that fail authentication.
    pub log_badpack: bool,
    /// Where the generation number comes from.
    pub generation: GenerationFrom,
    /// Where log lines go.
    pub log: LogTargets,
    /// The heartbeat thread's real-time priority; `None`: `realtime off`.
    pub rtprio: Option<u8>,
    /// What the daemon does beside heartbeats.
    pub local: Local,
    /// A built-in resource (IPaddr and its like) wins over a script of that name (`#lvs-ha: builtin`, on unless set off).
    pub builtin: bool,
    /// Speaks to other lvs-ha nodes in more than Heartbeat's words (`#lvs-ha: extensions`, on unless set off).
    pub extensions: bool,
    /// `env NAME=VALUE` for scripts.
    pub env: Vec<(String, String)>,
    /// Every parameter as `cl_status hbparameter -p` shows it: written in the file, else the default.
    pub parameters: Vec<(String, String)>,
}

/// A ping node: a host that is only asked whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingNode {
    /// The name as written.
    pub name: String,
    /// The hosts: one for `ping`, several for `ping_group` (alive if any answers).
    pub hosts: Vec<IpAddr>,
}

/// A heartbeat link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// UDP to the interface's broadcast address.
    Bcast {
        /// Interface name.
        interface: String,
    },
    /// UDP to one host.
    Ucast {
        /// Interface name.
        interface: String,
        /// The peer (or this node itself: harmless, so the file may be the same on both).
        peer: Ipv4Addr,
    },
    /// UDP to one host by IPv6.
    Ucast6 {
        /// Interface name; also the scope of a link-local address.
        interface: String,
        /// The peer, or this node itself.
        peer: Ipv6Addr,
    },
    /// UDP to an IPv6 multicast group.
    Mcast6 {
        /// Interface name.
        interface: String,
        /// The group.
        group: Ipv6Addr,
        /// Port, usually `udpport`.
        port: u16,
        /// Hop limit.
        hops: u8,
        /// Whether this host receives its own packets.
        looped: bool,
    },
    /// A serial line.
    Serial {
        /// The device, such as `/dev/ttyS0`.
        device: String,
        /// Bits in a second.
        baud: u32,
    },
    /// UDP to a multicast group.
    Mcast {
        /// Interface name.
        interface: String,
        /// The group.
        group: Ipv4Addr,
        /// Port, usually `udpport`.
        port: u16,
        /// Time to live.
        ttl: u8,
        /// Whether this host receives its own packets.
        looped: bool,
    },
}

impl Medium {
    /// The link's name on the cluster: its interface or device.
    #[must_use]
    pub fn link(&self) -> &str {
        match self {
            Self::Bcast { interface }
            | Self::Ucast { interface, .. }
            | Self::Mcast { interface, .. }
            | Self::Ucast6 { interface, .. }
            | Self::Mcast6 { interface, .. } => interface,
            Self::Serial { device, .. } => device,
        }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcast { interface } => write!(f, "bcast {interface}"),
            Self::Ucast { interface, peer } => write!(f, "ucast {interface} {peer}"),
            Self::Mcast { interface, group, port, .. } => write!(f, "mcast {interface} {group}:{port}"),
            Self::Ucast6 { interface, peer } => write!(f, "ucast6 {interface} {peer}"),
            Self::Mcast6 { interface, group, port, .. } => write!(f, "mcast6 {interface} [{group}]:{port}"),
            Self::Serial { device, .. } => write!(f, "serial {device}"),
        }
    }
}

/// `auto_failback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failback {
    /// A group returns to its preferred node.
    On,
    /// A group stays where it is.
    Off,
    /// The original's old mode: each node asks for its own groups.
    Legacy,
}

/// `msgfmt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsgFmt {
    /// Packets carry the inner digest.
    Classic,
    /// They do not.
    Netstring,
}

/// `hbgenmethod`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GenerationFrom {
    /// Counted in a file.
    File,
    /// The time of the start.
    Time,
}

/// Where log lines go; all of them may be set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogTargets {
    /// `logfile`.
    pub file: Option<String>,
    /// `debugfile`: the same lines and debug ones.
    pub debug_file: Option<String>,
    /// `logfacility`, by name; `None` when unset or `none`.
    pub facility: Option<String>,
    /// `syslogmsgfmt`: the log files' format.
    pub syslog_format: bool,
    /// `debug`.
    pub debug: u8,
}

/// The syslog facilities by name and number (RFC 5424, section 6.2.1).
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("security", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// The number of a syslog facility.
#[must_use]
pub fn facility_number(name: &str) -> Option<u8> {
    FACILITIES.iter().find(|(n, _)| *n == name).map(|(_, number)| *number)
}

/// A digest method of `authkeys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// CRC-32: protects against damage only.
    Crc,
    /// HMAC-MD5.
    Md5,
    /// HMAC-SHA1.
    Sha1,
    /// HMAC-SHA256: between lvs-ha nodes only.
    Sha256,
}

impl Method {
    /// The word in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "hmac-sha256",
        }
    }
}

/// One numbered key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// 0 to 15.
    pub number: u8,
    /// How packets are signed.
    pub method: Method,
    /// The key's bytes; empty for crc.
    pub secret: Vec<u8>,
}

impl fmt::Debug for Key {
    /// Without the secret: keys must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key {{ {} {} ... }}", self.number, self.method.name())
    }
}

/// The keys of `authkeys`: all are accepted, one signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The number after `auth`; one of `keys` has it.
    pub active: u8,
    /// At most one of a number.
    pub keys: Vec<Key>,
}

impl Keys {
    /// The key of that number.
    #[must_use]
    pub fn get(&self, number: u8) -> Option<&Key> {
        self.keys.iter().find(|k| k.number == number)
    }
}

/// A line of `haresources`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The preferred node, lower case.
    pub node: String,
    /// The resources, in start order; may be empty.
    pub resources: Vec<Resource>,
}

impl Group {
    /// The group's key: its first resource as written.
    #[must_use]
    pub fn key(&self) -> &str {
        self.resources.first().map_or("", |r| r.word.as_str())
    }
}

/// A resource of a group: a script and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As written, such as `IPaddr::10.0.0.60/24/eth0` or `10.0.0.60`.
    pub word: String,
    /// The script's name; `IPaddr` for a bare address.
    pub script: String,
    /// What follows, split at `::`.
    pub args: Vec<String>,
}

/// What the daemon does beside heartbeats: programs, watching, fencing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Programs to start and watch.
    pub respawn: Vec<Respawn>,
    /// `respawn ... ipfail`: resources follow the side that sees more ping nodes.
    pub ipfail: bool,
    /// `#lvs-ha: monitor TIME [TIMES]`: resources are asked for their status this often; `None`: never.
    pub monitor: Option<Monitor>,
    /// `#lvs-ha: carrier on|off`: a group moves when the interface of its address loses the carrier.
    pub carrier: bool,
    /// `#lvs-ha: reboot on|off`: the machine is restarted when a resource runs on after its stop has failed to the end.
    pub reboot: bool,
    /// `#lvs-ha: notify PROGRAM`: run at each transition.
    pub notify: Vec<String>,
    /// `stonith` and `stonith_host` lines for devices of this node.
    pub stonith: Vec<Stonith>,
}

impl Default for Local {
    /// As a file without any of these lines says.
    fn default() -> Self {
        let (respawn, notify, stonith) = (Vec::new(), Vec::new(), Vec::new());
        Self { respawn, ipfail: false, monitor: Some(Monitor::default()), carrier: true, reboot: true, notify, stonith }
    }
}

/// How resources are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Monitor {
    /// Between two questions.
    pub every: Duration,
    /// This failure within an hour moves the group; those before it restart the resource in place.
    pub moves_at: u32,
}

impl Default for Monitor {
    fn default() -> Self {
        Self { every: Duration::from_secs(10), moves_at: 3 }
    }
}

/// A `respawn` or `failfast` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respawn {
    /// The user's name.
    pub user: String,
    /// The command with its arguments.
    pub command: String,
    /// Whether the machine restarts when the command ends abnormally.
    pub failfast: bool,
}

/// A fencing device that this node may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stonith {
    /// The type: one of `stonith -L`, or the name of a fence agent (`fence_ipmilan`).
    pub kind: String,
    /// Its parameters.
    pub params: StonithParams,
}

/// See [`Stonith`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StonithParams {
    /// `stonith TYPE FILE`.
    File(String),
    /// `stonith_host HOST TYPE PARAMETERS...`.
    Words(Vec<String>),
}
