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
///
/// Of an ldirectord, `real` is `ADDRESS` (all its ports, in all virtual services) or `ADDRESS:PORT` as the file or the table
/// has it, an IPv6 address with a port in brackets. Names are the asking command's to resolve. What no virtual service
/// has is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Give a real server weight 0, whatever its checks say, until it is undrained: no new connections, the present ones go
    /// on (ldirectord only). It survives reload, restart and a stop. Said again it sets another deadline. Answered at once by
    /// [`Response::Reals`] with the new weight and the connections left; ask [`Request::Real`] for progress.
    Drain {
        /// Which.
        real: String,
        /// After so many seconds it leaves the table, and its last connections end. `None`: it stays at weight 0.
        #[serde(default)]
        deadline: Option<u64>,
    },
    /// End a drain: the checks decide again (ldirectord only). Takes the same `real` as the drain did. Answered by
    /// [`Response::Reals`], with the weight that it has got back if its check last said up.
    Undrain {
        /// Which.
        real: String,
    },
    /// Take a real server out as if its check had failed (weight 0 where quiescent, else out of the table), or let the checks
    /// decide again (ldirectord only). It survives as a drain does. Answered by [`Response::Reals`].
    Maintenance {
        /// Which.
        real: String,
        /// Out, or back.
        on: bool,
    },
    /// What the three above are about, as it is now (ldirectord only): answered by [`Response::Reals`], nothing is changed.
    /// A drain is done when no connections are left: `active` and `inactive` of each are 0 or it is no longer in the table
    /// (`installed_weight` is absent).
    Real {
        /// Which.
        real: String,
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
    /// The real servers that the request was about, one for each virtual service that has them, as they are after it: never
    /// empty. The connections are the kernel's at this moment.
    Reals {
        /// The real servers.
        reals: Vec<snapshot::Member>,
    },
    /// The request was handed on.
    Accepted,
    /// It was not, and why.
    Refused {
        /// One line.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list can't carry the tag by itself: an answer that was one closed the connection instead.
    #[test]
    fn every_answer_can_be_written_and_read() {
        let refused = Response::Refused { why: "no".into() };
        for answer in [Response::Accepted, refused, Response::Reals { reals: Vec::new() }] {
            let line = serde_json::to_string(&answer).unwrap();
            assert_eq!(serde_json::from_str::<Response>(&line).unwrap(), answer, "{line}");
        }
    }
}
