//! `lvs-ha ipvs`: what ipvsadm(8) cannot do with the kernel's table: compare, change as a whole, watch, explain, and the
//! settings, daemons and boot around it.
//!
//! Each verb reads its edge (files, kernel, clock) and leaves the wording to `render` and the deciding to [`crate::ipvs`].

mod boot;
mod changes;
mod explain;
mod file;
mod render;
mod sync;
mod sysctl;
mod watch;

use std::process::ExitCode;

use crate::errors::chain;
use crate::ipvs::client::Client;

/// Exit status of what could not be done at all: no IPVS, a file that cannot be read.
const TROUBLE: u8 = 2;

/// Verbs of `lvs-ha ipvs`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Show what differs between the kernel's table and a file
    Diff(changes::DiffArgs),
    /// Change the kernel's table to what a file says, and nothing else; all of it or none
    Apply(changes::ApplyArgs),
    /// Show the table again and again, with what each real server gets per second
    Watch(watch::Args),
    /// Say which service and which real servers take a packet, and why others do not
    Explain(explain::Args),
    /// Show the kernel's settings beside what a director should have
    Sysctl(sysctl::Args),
    /// Show, start and stop connection synchronisation
    Sync(sync::Args),
    /// Do what Debian's init script of ipvsadm does with /etc/default/ipvsadm and /etc/ipvsadm.rules
    Boot(boot::Args),
}

/// Runs the command.
pub(super) fn run(verb: &Verb) -> ExitCode {
    let status = match verb {
        Verb::Diff(args) => changes::diff(args),
        Verb::Apply(args) => changes::apply(args),
        Verb::Watch(args) => watch::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Sysctl(args) => sysctl::run(args),
        Verb::Sync(args) => sync::run(args),
        Verb::Boot(args) => boot::run(args),
    };
    ExitCode::from(status.unwrap_or_else(|error| {
        eprintln!("lvs-ha ipvs: {error}");
        TROUBLE
    }))
}

/// The socket to the kernel's IPVS, or why there is none.
fn open() -> Result<Client, String> {
    Client::open().map_err(|e| chain(&e))
}

/// One JSON value on a line.
fn json(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string(value).map(|text| text + "\n").map_err(|e| e.to_string())
}
