//! What is said over the control socket. The server greets first; then each request gets one answer or, where it is
//! said so, several.

use serde::{Deserialize, Serialize};

use crate::cluster::io::Set;
use crate::status::snapshot;

/// Version of this protocol: grows when an old client would misunderstand.
pub const VERSION: u32 = 1;

/// First line of the server: `{"v":1}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// [`VERSION`] of the server.
    pub v: u32,
}

/// A request, `{"do":"status"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// The daemon's state: answered by [`Response::Cluster`] or [`Response::Director`].
    Status,
    /// Give the set away (heartbeat only); answered by `Accepted` or `Refused` at once.
    Standby {
        /// Seen from this node.
        set: Set,
    },
    /// Ask the others to give the set to this node (heartbeat only).
    Takeover {
        /// Seen from this node.
        set: Set,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Response {
    /// State of a heartbeat daemon.
    Cluster(Box<snapshot::Cluster>),
    /// State of an ldirectord instance.
    Director(Box<snapshot::Director>),
    /// The request was handed on.
    Accepted,
    /// It was not, and why.
    Refused {
        /// One line.
        why: String,
    },
}
