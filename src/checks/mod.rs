//! Health checks: one question to one real server, one verdict.
//!
//! `spec` says what is asked and what came back, as serialisable values, so that checks can move into an unprivileged
//! process; `run` asks. One file a kind of check. A check never counts failures and never knows IPVS exists.

pub mod spec;
