//! The heartbeat node as one pure state machine.
//!
//! [`Node`] is the only type a driver sees. It is fed packets, finished actions, commands and time, and answers with
//! [`Output`](io::Output)s: packets to send, groups to start or stop, events to log. `wire` is the packet format, `compress`
//! its other shape, `auth` its digests, `rexmit` sequence numbers and lost messages, `reception` the way of a packet from bytes to
//! meaning, `voice` that of a message out, `link` and `membership` who is alive, `ipfail` who sees more ping nodes, `fifo` what
//! local programs write, `takeover` who holds which group (and nothing else does: a CRM
//! would replace that module alone).

pub mod auth;
pub mod compress;
mod dice;
pub mod fifo;
pub mod io;
mod ipfail;
mod link;
mod membership;
mod node;
mod reception;
mod rexmit;
mod takeover;
mod timers;
mod voice;
pub mod wire;

pub use node::Node;
pub use reception::Drops;
