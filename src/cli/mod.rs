//! The commands: one folder each, and the dispatch on the name the program was called by.
//!
//! The commands that exist elsewhere keep their own option grammar, texts and exit codes, read by hand-written parsers;
//! our own subcommands use clap. The name is looked at before any option.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub mod check;
mod cl_status;
mod clients;
mod ha_propagate;
mod hb_standby;
mod hb_takeover;
pub mod heartbeat;
pub mod hold;
mod ipvs;
pub mod ipvsadm;
pub mod ldirectord;
pub mod probe;
mod resource_manager;
mod status;

/// A command that exists elsewhere and that the program answers to, by a link of that name or as first argument.
struct Applet {
    name: &'static str,
    /// For the list of commands, one line.
    help: &'static str,
    /// Its arguments, the command's name first, to its exit status.
    run: fn(&[OsString]) -> ExitCode,
}

/// By name.
const APPLETS: &[Applet] = &[
    Applet { name: "ResourceManager", help: "Ask about resource groups, or run one", run: resource_manager::run },
    Applet { name: "cl_status", help: "Ask heartbeat for one fact about the cluster", run: cl_status::run },
    Applet { name: "ha_propagate", help: "Bring the configuration files to the other nodes", run: ha_propagate::run },
    Applet { name: "harc", help: "Run a script of rc.d", run: clients::harc },
    Applet { name: "hb_addnode", help: "Tell the cluster of more nodes", run: clients::add_node },
    Applet { name: "hb_delnode", help: "Tell the cluster of fewer nodes", run: clients::del_node },
    Applet { name: "hb_standby", help: "Give resources to the other node", run: hb_standby::run },
    Applet { name: "hb_takeover", help: "Take resources from the other node", run: hb_takeover::run },
    Applet { name: "heartbeat", help: "Start, stop or check the heartbeat daemon", run: heartbeat::run },
    Applet { name: "ipfail", help: "A part of heartbeat: says so", run: clients::ipfail },
    Applet { name: "ipvsadm", help: "List and change the kernel's table of virtual services", run: ipvsadm::run },
    Applet { name: "ipvsadm-restore", help: "Bring the table to what ipvsadm-save printed", run: ipvsadm::restore_applet },
    Applet { name: "ipvsadm-save", help: "Print the table as lines for ipvsadm-restore", run: ipvsadm::save_applet },
    Applet { name: "ldirectord", help: "Watch real servers and keep the kernel's table", run: ldirectord::run },
    Applet { name: "mach_down", help: "Heartbeat's own work: nothing is left to do", run: clients::heartbeats_work },
    Applet { name: "req_resource", help: "Heartbeat's own work: nothing is left to do", run: clients::heartbeats_work },
];

/// Commands of our own, only as first argument.
#[derive(Debug, clap::Parser)]
#[command(name = "lvs-ha", version, about = "Heartbeat, ldirectord and ipvsadm in one executable", arg_required_else_help = true)]
enum Own {
    /// Check configuration files: all errors at once, nothing is started or changed
    Check(check::Args),
    /// Give a real server no new connections and wait until its last one is gone
    Drain(hold::args::Drain),
    /// End a drain: its checks decide again
    Undrain(hold::args::Undrain),
    /// Take a real server out as if its check had failed, or back
    Maintenance(hold::args::Maintenance),
    /// Run one check of a real server now and show all that goes over the wire
    Probe(probe::Args),
    /// Show on one screen what heartbeat and ldirectord are doing here
    Status(status::Args),
    /// The kernel's table of virtual services: compare, apply, watch, explain; its settings and daemons
    #[command(subcommand)]
    Ipvs(ipvs::Verb),
}

/// Runs the command that the base name of the first argument names, else the one that the second argument names.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let applet = |name: &OsString| {
        let base = std::path::Path::new(name).file_name()?;
        APPLETS.iter().find(|a| base == a.name)
    };
    if let Some(applet) = args.first().and_then(applet) {
        return (applet.run)(&args);
    }
    if let Some((name, rest)) = args.get(1).zip(args.get(1..))
        && let Some(applet) = APPLETS.iter().find(|a| name == a.name)
    {
        return (applet.run)(rest);
    }
    own(&args)
}

/// Runs a command of our own, or tells what there is.
fn own(args: &[OsString]) -> ExitCode {
    let wide = APPLETS.iter().map(|a| a.name.len()).max().unwrap_or(0);
    let applets: String = APPLETS.iter().map(|a| format!("\n  {:wide$}  {}", a.name, a.help)).collect();
    let after = format!(
        "As in the programs they stand for, also when called by a link of that name:{applets}\n\n\
         `lvs-ha NAME ...` runs any of them."
    );
    let command = Own::command().after_help(after);
    match command.try_get_matches_from(args).and_then(|m| Own::from_arg_matches(&m)) {
        Ok(Own::Check(args)) => check::run(&args),
        Ok(Own::Drain(args)) => hold::drain(&args),
        Ok(Own::Undrain(args)) => hold::undrain(&args),
        Ok(Own::Maintenance(args)) => hold::maintenance(&args),
        Ok(Own::Probe(args)) => probe::run(&args),
        Ok(Own::Status(args)) => status::run(&args),
        Ok(Own::Ipvs(verb)) => ipvs::run(&verb),
        Err(e) => {
            let _ = e.print();
            ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(2))
        }
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is not an error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Local time as the original's commands begin their lines with: `Nov 20 21:43:21`.
fn stamp() -> String {
    jiff::Zoned::now().strftime("%b %d %T").to_string()
}
