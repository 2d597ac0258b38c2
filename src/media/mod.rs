//! Heartbeat links: datagrams in, datagrams out. What they mean is the cluster core's business.
//!
//! `udp` are the links, all of them; `serial` is what a serial line needs beside; `ping` asks the ping nodes. Nothing here waits: sending is a try, and a
//! link that cannot send says so once, until it can again. The time of a retry is the driver's.

mod frames;
pub mod ping;
mod serial;
pub mod udp;
