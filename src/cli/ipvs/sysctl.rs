//! `lvs-ha ipvs sysctl`: the settings beside what is advised here.

use super::render::sysctl::table as render;
use super::{json, open};
use crate::cli::print;
use crate::errors::chain;
use crate::ipvs::client::Client;
use crate::ipvs::model::{SyncRole, Table};
use crate::ipvs::proc_sys;
use crate::ipvs::sysctl::{Row, Situation, SyncRoles, changes, report};
use crate::ipvs::transaction::Kernel as _;

/// Arguments of `lvs-ha ipvs sysctl`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is advised depends on the kernel's table and on the synchronisation daemons that run; what cannot be seen there \
is told by options. Settings are of this network namespace and last until it ends or the machine does: for the next boot put them \
into /etc/sysctl.d.\n\nExit status: 0 all as advised, 1 not all, 2 trouble."
)]
pub(in crate::cli) struct Args {
    /// Set what is not as advised, but for what is marked (by hand)
    #[arg(long)]
    apply: bool,
    /// Show also settings about which nothing is advised
    #[arg(long)]
    all: bool,
    /// Print JSON: {"situation": {..}, "settings": [{"name": .., "present": .., "default": .., "advice": .., "ok": ..}]}
    #[arg(long)]
    json: bool,
    /// Failed real servers get weight 0 and stay (ldirectord's quiescent=yes)
    #[arg(long, conflicts_with = "removed")]
    quiescent: bool,
    /// Failed real servers are removed (quiescent=no)
    #[arg(long)]
    removed: bool,
    /// Synchronisation daemons that will run here, if they do not yet
    #[arg(long, value_name = "ROLES")]
    sync: Option<Roles>,
}

/// Which daemons run on one director at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Roles {
    /// None
    None,
    /// Master or backup, changed at a takeover
    One,
    /// Both
    Both,
}

impl From<Roles> for SyncRoles {
    fn from(roles: Roles) -> Self {
        match roles {
            Roles::None => Self::None,
            Roles::One => Self::One,
            Roles::Both => Self::Both,
        }
    }
}

/// Runs the command; the exit status.
pub(super) fn run(args: &Args) -> Result<u8, String> {
    let (table, running) = look()?;
    let mut situation = Situation::of(&table, args.sync.map_or(running, SyncRoles::from));
    situation.quiesced |= args.quiescent;
    situation.removed |= args.removed;
    let mut rows = rows(&situation)?;
    if args.apply {
        apply(&rows, |_| true)?;
        rows = self::rows(&situation)?;
    }
    if args.json {
        print(&json(&serde_json::json!({ "situation": situation, "settings": rows }))?);
    } else {
        print(&render(&rows, args.all));
    }
    Ok(u8::from(rows.iter().any(|row| !row.ok)))
}

/// The settings as they are now, beside what is advised.
pub(super) fn rows(situation: &Situation) -> Result<Vec<Row>, String> {
    Ok(report(situation, &proc_sys::read_all().map_err(|e| chain(&e))?))
}

/// Sets what is not as advised and is `meant`, and says so.
pub(super) fn apply(rows: &[Row], meant: impl Fn(&str) -> bool) -> Result<(), String> {
    for (name, value) in changes(rows).into_iter().filter(|(name, _)| meant(name)) {
        proc_sys::write(&name, value).map_err(|e| chain(&e))?;
        eprintln!("{name} = {value}");
    }
    Ok(())
}

/// The table and the daemons that run.
pub(super) fn look() -> Result<(Table, SyncRoles), String> {
    let mut client = open()?;
    let table = client.table().map_err(|e| chain(&e))?;
    Ok((table, roles(&mut client)?))
}

fn roles(client: &mut Client) -> Result<SyncRoles, String> {
    let daemons = client.sync_daemons().map_err(|e| chain(&e))?;
    let runs = |role| daemons.iter().any(|d| d.role == role);
    Ok(match (runs(SyncRole::Master), runs(SyncRole::Backup)) {
        (true, true) => SyncRoles::Both,
        (false, false) => SyncRoles::None,
        _ => SyncRoles::One,
    })
}
