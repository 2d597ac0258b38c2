//! The state of a daemon as plain data: what goes over the control socket and what `--json` prints.
//!
//! Times are seconds ago at the moment of the answer (`ago`), so that no clock is shared.

use serde::{Deserialize, Serialize};

use crate::cluster::io::Set;
use crate::ipvs::model::{Forward, ServiceKey};

/// A heartbeat daemon's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime: f64,
    /// This node's name.
    pub me: String,
    /// Own status: init, up, active.
    pub status: String,
    /// `none local foreign all`, or `transition`.
    pub resources: String,
    /// What this node holds, whether or not in transition.
    pub held: Set,
    /// `on off legacy`.
    pub auto_failback: String,
    /// Nodes in the file's order, ping nodes last.
    pub nodes: Vec<Node>,
    /// Resource groups in the file's order.
    pub groups: Vec<Group>,
    /// How many seconds late the heartbeat thread came to its timers, at most.
    #[serde(default)]
    pub late: f64,
    /// `ha.cf` parameters and their values.
    pub parameters: Vec<(String, String)>,
    /// The last decisions, newest first.
    pub events: Vec<Event>,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// init, up, active, dead; ping for a live ping node.
    pub status: String,
    /// Whether it is a ping node.
    pub ping: bool,
    /// Seconds since the status changed.
    pub since: f64,
    /// Seconds since its last heartbeat.
    pub heard: Option<f64>,
    /// Links to it.
    pub links: Vec<Link>,
    /// Files of it that differ from this node's; nothing is known of a node that runs another program.
    #[serde(default)]
    pub differs: Vec<String>,
}

/// A link to a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Whether something came over it within the dead time.
    pub up: bool,
}

/// A resource group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its preferred node.
    pub node: String,
    /// Its resources as written.
    pub resources: Vec<String>,
    /// Who holds it, as far as this node knows.
    pub owner: Option<String>,
    /// `starting` or `stopping` while something is under way here.
    pub moving: Option<String>,
    /// Seconds since the owner changed.
    pub since: f64,
    /// Why.
    pub reason: String,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds ago.
    pub ago: f64,
    /// `info WARN ERROR CRIT`.
    pub level: String,
    /// The log line.
    pub text: String,
}

/// An ldirectord instance's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Director {
    /// Version of the program.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime: f64,
    /// Name of the instance, such as `ldirectord.cf`.
    pub instance: String,
    /// The configuration file.
    pub file: String,
    /// Set while the file on disk could not be used: the first error. The old configuration is in force.
    pub config_error: Option<String>,
    /// Settings of the kernel's that it has changed and puts back at its stop: name as sysctl(8) has it, what it was.
    #[serde(default)]
    pub sysctls: Vec<(String, String)>,
    /// Virtual services in the file's order.
    pub virtuals: Vec<Virtual>,
    /// The last decisions, newest first.
    pub events: Vec<Event>,
}

/// A virtual service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Virtual {
    /// What identifies it.
    pub key: ServiceKey,
    /// Scheduler.
    pub scheduler: String,
    /// Persistence timeout in seconds.
    pub persistent: Option<u32>,
    /// Whether the kernel has it.
    pub installed: bool,
    /// Real servers in the file's order.
    pub reals: Vec<Real>,
    /// The fallback, if there is one.
    pub fallback: Option<Real>,
}

/// A real server, or a fallback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Real {
    /// `IP:PORT`.
    pub address: String,
    /// Forwarding method.
    pub forward: Forward,
    /// Weight when in service.
    pub weight: u32,
    /// Weight in the kernel's table; `None`: not in it.
    pub installed_weight: Option<u32>,
    /// up, down, unchecked; for a fallback active or inactive.
    pub state: String,
    /// Seconds since the state changed.
    pub since: f64,
    /// `drained`, `removed` (its deadline is over) or `maintenance` while it is held out of service by hand, whatever its
    /// state; else absent.
    #[serde(default)]
    pub held: Option<String>,
    /// Seconds until a drain with a deadline takes it out of the table.
    #[serde(default)]
    pub deadline: Option<f64>,
    /// Failed checks in a row.
    pub failures: u32,
    /// What the last check saw.
    pub last_check: Option<LastCheck>,
    /// Connections in ESTABLISHED.
    pub active: u32,
    /// Connections in other states.
    pub inactive: u32,
    /// Connections scheduled since the real server was added.
    pub conns: u64,
}

/// A real server and the virtual service that it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The virtual service.
    pub service: ServiceKey,
    /// Its real server.
    pub real: Real,
}

/// The last check of a real server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastCheck {
    /// Its verdict.
    pub up: bool,
    /// What it saw.
    pub text: String,
    /// Seconds it took.
    pub took: f64,
    /// Seconds since it ended.
    pub ago: f64,
}
