//! Small commands that scripts call: `hb_addnode`, `hb_delnode`, `harc`, `mach_down`, `req_resource`, `ipfail`.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use super::print;
use crate::agents::exec::find_script;
use crate::config::load::cluster::DIRECTORY;
use crate::control::{client, heartbeat_socket, run_dir};

/// A respawned program that ends with this is not started again.
const DO_NOT_RESTART: u8 = 100;

/// `hb_addnode NODE...`
pub(super) fn add_node(args: &[OsString]) -> ExitCode {
    nodes(args, "hb_addnode", "addnode")
}

/// `hb_delnode NODE...`
pub(super) fn del_node(args: &[OsString]) -> ExitCode {
    nodes(args, "hb_delnode", "delnode")
}

/// Tells the cluster. Nodes that run lvs-ha have the nodes of their `ha.cf`, and that is said.
fn nodes(args: &[OsString], name: &str, kind: &str) -> ExitCode {
    let nodes: Vec<String> = args.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if nodes.is_empty() || nodes.first().is_some_and(|n| n == "--help") {
        print(&format!("usage: {name} <node> <node> ...\n"));
        return ExitCode::FAILURE;
    }
    let message = format!(">>>\nt={kind}\nnodelist={}\n<<<\n", nodes.join(" "));
    let fifo = std::path::Path::new(crate::state::DIRECTORY).join("fifo");
    // Without a reader the open would wait for ever.
    let mut options = std::fs::OpenOptions::new();
    let open = options.write(true).custom_flags(nix::libc::O_NONBLOCK).open(&fifo);
    match open.and_then(|mut file| file.write_all(message.as_bytes())) {
        Ok(()) => {
            eprintln!("{name}: the nodes that run Heartbeat 3.0.6 are told; one that runs lvs-ha has the nodes of its ha.cf");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{name}: heartbeat is not running on this machine ({}: {e})", fifo.display());
            ExitCode::FAILURE
        }
    }
}

/// `harc TYPE`: becomes the script of that name in `rc.d`.
pub(super) fn harc(args: &[OsString]) -> ExitCode {
    let rest = args.get(1..).unwrap_or_default();
    let kind = rest.first().map(|k| k.to_string_lossy().into_owned()).unwrap_or_default();
    let directory = std::env::var("HA_DIR").unwrap_or_else(|_| DIRECTORY.to_owned());
    let scripts = std::path::Path::new(&directory).join("rc.d");
    let Some(path) = find_script(&kind, &[&scripts]) else {
        eprintln!("ERROR: harc: {}/{kind}: not executable", scripts.display());
        return ExitCode::FAILURE;
    };
    let error = Command::new(&path).args(rest).exec();
    eprintln!("ERROR: harc: {}: cannot execute: {error}", path.display());
    ExitCode::FAILURE
}

/// `mach_down NODE` and `req_resource RESOURCE`: what they did is heartbeat's own work.
pub(super) fn heartbeats_work(args: &[OsString]) -> ExitCode {
    let running =
        client::request(&heartbeat_socket(&run_dir()), &crate::control::proto::Request::Status, client::PATIENCE).is_ok();
    if running {
        return ExitCode::SUCCESS;
    }
    let name = args.first().map(|n| n.to_string_lossy()).unwrap_or_default();
    eprintln!("{name}: heartbeat is not running on this machine, and decides itself which resources it takes");
    ExitCode::FAILURE
}

/// `ipfail`: a part of heartbeat, switched on by its `respawn` line.
pub(super) fn ipfail(_: &[OsString]) -> ExitCode {
    eprintln!(
        "ipfail is a part of heartbeat here: the line `respawn hacluster /usr/lib/heartbeat/ipfail` in ha.cf switches it on"
    );
    ExitCode::from(DO_NOT_RESTART)
}
