//! `lvs-ha ipvs sync`: the synchronisation daemons, on the advised settings.

use std::net::IpAddr;

use super::open;
use super::sysctl::{apply, rows};
use crate::cli::ipvsadm::render;
use crate::cli::print;
use crate::errors::chain;
use crate::ipvs::client::{Client, Error};
use crate::ipvs::model::{SyncDaemon, SyncRole};
use crate::ipvs::sysctl::{PREFIX, Situation, SyncRoles};
use crate::ipvs::transaction::Kernel as _;
use crate::ipvs::wire::Request;

/// Arguments of `lvs-ha ipvs sync`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Connections are announced to every machine that can hear the group, without a password or encryption: use an interface of \
its own. With both roles on both directors nothing has to be changed at a takeover.\n\nExit status: 0 done, 1 refused, 2 trouble."
)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Show the daemons that run
    Show {
        /// As `ipvsadm -L --daemon --json` prints them
        #[arg(long)]
        json: bool,
    },
    /// Set what is advised for synchronisation, then start daemons; one that runs as asked for is left alone
    Start(Start),
    /// Stop daemons; one that does not run is no error
    Stop {
        /// Which
        #[arg(value_enum, default_value = "both")]
        role: Role,
    },
}

#[derive(Debug, clap::Args)]
struct Start {
    /// Which
    #[arg(value_enum, default_value = "both")]
    role: Role,
    /// Interface with an address of the group's family
    #[arg(long, short)]
    interface: String,
    /// Number of the pair, the same on both directors; a backup daemon with 0 listens to every pair
    #[arg(long, default_value_t = 0)]
    id: u8,
    /// Multicast group [224.0.0.81]
    #[arg(long)]
    group: Option<IpAddr>,
    /// UDP port [8848]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// TTL or hop limit [1]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,
    /// Leave the kernel's settings as they are
    #[arg(long)]
    no_sysctl: bool,
}

/// Which daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Announces connections
    Master,
    /// Takes over announced connections
    Backup,
    /// Both
    Both,
}

impl Role {
    fn each(self) -> &'static [SyncRole] {
        match self {
            Self::Master => &[SyncRole::Master],
            Self::Backup => &[SyncRole::Backup],
            Self::Both => &[SyncRole::Master, SyncRole::Backup],
        }
    }
}

/// Runs the command; the exit status.
pub(super) fn run(args: &Args) -> Result<u8, String> {
    let mut client = open()?;
    match &args.verb {
        Verb::Show { json } => {
            let daemons = client.sync_daemons().map_err(|e| chain(&e))?;
            print(&if *json { render::json::daemons(&daemons) } else { render::daemons(&daemons) });
            Ok(0)
        }
        Verb::Start(start) => self::start(&mut client, start),
        Verb::Stop { role } => role.each().iter().try_fold(0, |status, role| Ok(stop(&mut client, *role)?.max(status))),
    }
}

fn start(client: &mut Client, args: &Start) -> Result<u8, String> {
    if args.group.is_some_and(|group| !group.is_multicast()) {
        return Err("--group: not a multicast address".to_owned());
    }
    if !args.no_sysctl {
        // Before the daemons: they read some of them when they start.
        let table = client.table().map_err(|e| chain(&e))?;
        let roles = if args.role == Role::Both { SyncRoles::Both } else { SyncRoles::One };
        let rows = rows(&Situation::of(&table, roles))?;
        apply(&rows, |name| name.starts_with(&format!("{PREFIX}sync_")) || name.ends_with(".backup_only"))?;
    }
    let mut status = 0;
    for role in args.role.each() {
        let daemon = SyncDaemon {
            role: *role,
            interface: args.interface.clone(),
            sync_id: u32::from(args.id),
            max_length: 0,
            group: args.group,
            port: args.port.unwrap_or(0),
            ttl: args.ttl.unwrap_or(0),
        };
        status = ensure(client, &daemon)?.max(status);
    }
    Ok(status)
}

/// Starts a daemon unless it runs as asked for; the exit status.
pub(super) fn ensure(client: &mut Client, wanted: &SyncDaemon) -> Result<u8, String> {
    let running = client.sync_daemons().map_err(|e| chain(&e))?;
    if let Some(found) = running.iter().find(|d| d.role == wanted.role) {
        let as_wanted = found.interface == wanted.interface
            && found.sync_id == wanted.sync_id
            && wanted.group.is_none_or(|group| found.group == Some(group))
            && (wanted.port == 0 || found.port == wanted.port)
            && (wanted.ttl == 0 || found.ttl == wanted.ttl);
        if as_wanted {
            return Ok(0);
        }
        eprint!("it runs already with other settings, stop it first: {}", render::daemons(std::slice::from_ref(found)));
        return Ok(1);
    }
    outcome(client.execute(&Request::StartSync(wanted.clone())))
}

/// Stops a daemon if it runs; the exit status.
pub(super) fn stop(client: &mut Client, role: SyncRole) -> Result<u8, String> {
    let running = client.sync_daemons().map_err(|e| chain(&e))?;
    if running.iter().all(|d| d.role != role) {
        return Ok(0);
    }
    outcome(client.execute(&Request::StopSync(role)))
}

/// A refusal is told and has exit status 1.
pub(super) fn outcome(done: Result<(), Error>) -> Result<u8, String> {
    match done {
        Ok(()) => Ok(0),
        Err(error @ Error::Refused { .. }) => {
            eprintln!("lvs-ha ipvs: {error}");
            Ok(1)
        }
        Err(error) => Err(chain(&error)),
    }
}
