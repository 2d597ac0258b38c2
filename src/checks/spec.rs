//! What one check asks, and what it saw.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One check of one real server. Two real servers with the same `Spec` are checked once for both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spec {
    /// What is asked.
    pub kind: Kind,
    /// The real server's address.
    pub addr: IpAddr,
    /// The port the check goes to (`checkport`, the real server's or the service's); 0 where it has none.
    pub port: u16,
    /// One limit over the whole check: connect, TLS, request and answer.
    pub timeout: Duration,
}

/// The kinds of checks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Always up (`checktype=on`, service none).
    On,
    /// TCP connect.
    Connect,
    /// ICMP echo.
    Ping {
        /// Requests sent before giving up; each has the whole timeout.
        attempts: u32,
    },
    /// HTTP or HTTPS request.
    Http(Http),
    /// The line of an agent (`#lvs-ha: agent-check`): up with the line as its text, whatever it says.
    Agent,
    /// A command; exit status 0 is up, anything else and any signal is down.
    External {
        /// Path of the command.
        command: String,
        /// Its arguments: virtual address or mark, virtual port, real address, real port.
        args: Vec<String>,
    },
}

/// An HTTP or HTTPS check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Http {
    /// Over TLS; nothing about the certificate is verified.
    pub tls: bool,
    /// HEAD instead of GET.
    pub head: bool,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// `Host:`; `None`: the real server's address without port.
    pub host: Option<String>,
    /// Perl regular expression that the body must match; `None`: any body.
    pub receive: Option<String>,
}

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the real server is fit for service.
    pub up: bool,
    /// Why, in a few words: a status line, an error with its cause.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}
