//! Restarting the machine: the last resort where what runs here can neither be stopped nor be left running.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::reboot::{RebootMode, reboot};

use crate::agents::exec::{self, Program};
use crate::cluster::io::Level;
use crate::log::Log;

/// The command that does it at once, without stopping anything and without writing what disks have not got yet.
const COMMAND: &str = "/sbin/reboot";
/// For the command to have an effect.
const LIMIT: Duration = Duration::from_secs(30);
/// For the log's last lines to reach their files.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Returns only if it could not be done.
pub(super) async fn at_once(log: &Log) {
    let last = log.clone();
    let _ = tokio::task::spawn_blocking(move || last.flush(LAST_LINES)).await;
    let program = Program { path: COMMAND.into(), name: None, args: vec!["-nf".to_owned()], input: Vec::new() };
    // How it ended says nothing: here we are still.
    let _ = exec::run(&program, &[], LIMIT, Arc::new(|_| ())).await;
    let Err(e) = reboot(RebootMode::RB_AUTOBOOT);
    log.write(Level::Crit, &format!("Unable to force reboot: {e}"));
}
