//! `lvs-ha ipvs boot`: Debian's `/etc/init.d/ipvsadm` as a command, with its two files, so that a machine that was set up for
//! it comes up the same.
//!
//! What differs: the rules are loaded by the difference, so that there is no moment without a table and a wrong line changes
//! nothing; a daemon that runs already, or does not, is no failure; what fails has an exit status.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::open;
use super::sync::{ensure, outcome, stop};
use crate::cli::ipvsadm::render::{self, Style};
use crate::cli::{ipvsadm, print};
use crate::config::ipvsadm_default::{self, Defaults};
use crate::config::load;
use crate::errors::chain;
use crate::ipvs::client::Client;
use crate::ipvs::model::SyncDaemon;
use crate::ipvs::wire::Request;

/// Arguments of `lvs-ha ipvs boot`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The files are those of Debian's package ipvsadm: in the first one AUTO (\"true\": the rules are loaded), DAEMON \
(none, master, backup, both), IFACE and SYNCID; the second one is what `ipvsadm -S -n` prints.\n\nExit status: 0 done, 1 a rule or a daemon is refused, \
2 trouble."
)]
pub(in crate::cli) struct Args {
    /// What to do
    #[arg(value_enum)]
    verb: Verb,
    /// The settings
    #[arg(long, default_value = "/etc/default/ipvsadm")]
    config: PathBuf,
    /// The saved table
    #[arg(long, default_value = "/etc/ipvsadm.rules")]
    rules: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Verb {
    /// With AUTO load the rules; then start the daemons
    Start,
    /// Stop the daemons; with AUTO clear the table
    Stop,
    /// Stop the daemons, with AUTO load the rules, start the daemons
    Restart,
    /// With AUTO load the rules
    #[value(alias = "force-reload")]
    Reload,
    /// Load the rules
    Load,
    /// Write the table to the rules
    Save,
    /// Show the table
    Status,
    /// Show what happens per second
    Rate,
}

/// Runs the command; the exit status.
pub(super) fn run(args: &Args) -> Result<u8, String> {
    let defaults = settings(&args.config)?;
    let load = || self::load(&args.rules);
    let auto = |then: &dyn Fn() -> Result<u8, String>| if defaults.auto { then() } else { Ok(0) };
    match args.verb {
        Verb::Start => worst([auto(&load), start(&defaults)]),
        Verb::Stop => worst([halt(&defaults), auto(&clear)]),
        Verb::Restart => worst([halt(&defaults), auto(&load), start(&defaults)]),
        Verb::Reload => auto(&load),
        Verb::Load => load(),
        Verb::Save => save(&args.rules),
        Verb::Status => list(render::Columns::Connections),
        Verb::Rate => list(render::Columns::Rate),
    }
}

/// The worst status of all; all were tried.
fn worst<const N: usize>(all: [Result<u8, String>; N]) -> Result<u8, String> {
    let mut status = 0;
    for one in all {
        status = one?.max(status);
    }
    Ok(status)
}

/// What the first file says; without it, nothing is to be done, as in the script.
fn settings(path: &Path) -> Result<Defaults, String> {
    if !path.exists() {
        return Ok(Defaults::default());
    }
    let source = load::read(path).map_err(|e| chain(&e))?;
    ipvsadm_default::parse(&String::from_utf8_lossy(&source.bytes)).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|e| format!("{}: {e}", path.display())).collect();
        lines.join("\n")
    })
}

/// The table becomes what the rules say. A file that is not there says nothing, as the script would have made it.
fn load(rules: &Path) -> Result<u8, String> {
    let text = match std::fs::read(rules) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("{}: {e}", rules.display())),
    };
    Ok(u8::from(ipvsadm::restore_text(&rules.display().to_string(), &text) != 0))
}

fn clear() -> Result<u8, String> {
    outcome(open()?.execute(&Request::Flush))
}

fn start(defaults: &Defaults) -> Result<u8, String> {
    each(defaults, |client, daemon| ensure(client, &daemon))
}

fn halt(defaults: &Defaults) -> Result<u8, String> {
    each(defaults, |client, daemon| stop(client, daemon.role))
}

fn each(defaults: &Defaults, act: impl Fn(&mut Client, SyncDaemon) -> Result<u8, String>) -> Result<u8, String> {
    if defaults.roles.is_empty() {
        return Ok(0);
    }
    let mut client = open()?;
    let mut status = 0;
    for role in &defaults.roles {
        let interface = defaults.interface.clone();
        let daemon =
            SyncDaemon { role: *role, interface, sync_id: defaults.sync_id, max_length: 0, group: None, port: 0, ttl: 0 };
        status = act(&mut client, daemon)?.max(status);
    }
    Ok(status)
}

/// Writes the rules beside the old ones and then in their place, so that a full disk costs nothing.
fn save(rules: &Path) -> Result<u8, String> {
    let entries = open()?.dump_uncounted().map_err(|e| chain(&e))?;
    let text = format!("# ipvsadm.rules\n{}", render::save(&entries, None));
    let mut name = rules.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let written = std::fs::File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&new, rules)).map_err(|e| format!("{}: {e}", rules.display()))?;
    Ok(0)
}

fn list(columns: render::Columns) -> Result<u8, String> {
    let mut client = open()?;
    let entries = client.dump().map_err(|e| chain(&e))?;
    let style = Style { columns, numeric: true, ..Style::default() };
    print(&render::table(&entries, Some(client.info()), style, None));
    Ok(0)
}
