//! The kernel's table of virtual services.
//!
//! `model` says what a table is, `diff` how to get from one to another with the fewest commands, `wire` how commands and
//! answers look on generic netlink, `refusal` what the kernel's error numbers mean, `client` owns the socket. `sysctl` knows a
//! director's settings, `proc_sys` reads and writes them. Nothing here knows why a weight changes.

pub mod client;
pub mod diff;
pub mod model;
pub mod proc_sys;
pub mod refusal;
pub mod sysctl;
pub mod wire;
