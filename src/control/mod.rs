//! The control socket of a daemon: one JSON object a line, over a Unix socket that root and group haclient may use.
//!
//! `proto` is what is said, `server` and `client` say it. Paths: `/run/lvs-ha/heartbeat.sock` and
//! `/run/lvs-ha/ldirectord-NAME.sock`.

pub mod proto;
