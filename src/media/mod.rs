//! Heartbeat links: datagrams in, datagrams out. What they mean is the cluster core's business.
//!
//! `udp` are the ucast, bcast and mcast links, `ping` asks the ping nodes. Nothing here waits: sending is a try, and a
//! link that cannot send says so once, until it can again. The time of a retry is the driver's.

pub mod ping;
pub mod udp;
