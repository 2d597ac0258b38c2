//! The heartbeat node as one pure state machine.
//!
//! [`Node`](node::Node) is the only type a driver sees. It is fed packets, finished actions, commands and time, and
//! answers with [`Output`](io::Output)s: packets to send, groups to start or stop, events to log. `wire` is the packet
//! format, `auth` its digests, `rexmit` sequence numbers and lost messages, `link` and `membership` who is alive, `takeover`
//! who holds which group (and nothing else does: a CRM would replace that module alone).

pub mod io;
