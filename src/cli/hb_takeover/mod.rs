//! `hb_takeover [all|foreign|local|failback]`: this node asks the other to give it resources. Silent when that was handed on.
//!
//! `failback` brings home the groups that prefer this node, which is `local`. The original lists the word, but its other
//! node does not know it and gives everything away.

use std::ffi::OsString;
use std::process::ExitCode;

use super::hb_standby::{args, hand_on, refuse};
use crate::cluster::io::Set;
use crate::control::proto::Request;

/// Runs the command.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    match args::parse(args, Set::Local) {
        Ok(set) => hand_on(args, &Request::Takeover { set }, ""),
        Err(usage) => refuse(&usage),
    }
}
