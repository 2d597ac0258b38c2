//! The control socket of a daemon: one JSON object a line, over a Unix socket that root and group haclient may use.
//!
//! `proto` is what is said, `server` and `client` say it. Paths: `/run/lvs-ha/heartbeat.sock` and
//! `/run/lvs-ha/ldirectord-NAME.sock`; the variable `LVS_HA_RUN_DIR` moves the directory for daemons and commands alike.

use std::path::{Path, PathBuf};

pub mod client;
pub mod proto;
pub mod server;

/// The group whose members may use the sockets.
pub const GROUP: &str = "haclient";

/// Where the sockets are: `$LVS_HA_RUN_DIR`, else `/run/lvs-ha`.
#[must_use]
pub fn run_dir() -> PathBuf {
    std::env::var_os("LVS_HA_RUN_DIR").filter(|v| !v.is_empty()).map_or_else(|| PathBuf::from("/run/lvs-ha"), PathBuf::from)
}

/// The heartbeat daemon's socket in `dir`.
#[must_use]
pub fn heartbeat_socket(dir: &Path) -> PathBuf {
    dir.join("heartbeat.sock")
}

/// The socket in `dir` of the ldirectord instance `name` (base name of its configuration file).
#[must_use]
pub fn director_socket(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("ldirectord-{name}.sock"))
}
