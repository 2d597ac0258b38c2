//! `diff` and `apply`: the kernel's table and a file.

use std::path::PathBuf;

use super::render::changes::{Change, list};
use super::{TROUBLE, file, json, open};
use crate::cli::print;
use crate::ipvs::client::Client;
use crate::ipvs::diff::diff as difference;
use crate::ipvs::model::{Command, Table};
use crate::ipvs::transaction::{Failure, Kernel as _, carry_out};

/// What both files mean, for the help.
const FILES: &str = "FILE is known by its content. Lines as `ipvsadm -S` prints them describe the whole table: what is not in them goes. \
An ldirectord.cf describes its own virtual services and no others, with every real server up. Thresholds (-x, -y) are not in \
what `ipvsadm -S` prints, so that such a file takes them away.";

/// Arguments of `lvs-ha ipvs diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{FILES}\n\nExit status: 0 no difference, 1 differences, 2 trouble."))]
pub(in crate::cli) struct DiffArgs {
    /// The file
    file: PathBuf,
    /// Print the changes that `apply` would make as JSON: [{"change": .., "service": .., "real_server": .., "fields": [..]}]
    #[arg(long)]
    json: bool,
}

/// Arguments of `lvs-ha ipvs apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{FILES}\n\nOnly what differs is changed, so that connections and counters of the rest stay. If the kernel refuses a \
change, all are taken back.\n\nExit status: 0 done, 1 refused and taken back, 2 trouble."))]
pub(in crate::cli) struct ApplyArgs {
    /// The file
    file: PathBuf,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `lvs-ha ipvs diff`; the exit status.
pub(super) fn diff(args: &DiffArgs) -> Result<u8, String> {
    let (_, before, commands) = compare(&args.file)?;
    let changes = Change::all(&before, &commands);
    print(&if args.json { json(&changes)? } else { list(&changes) });
    Ok(u8::from(!commands.is_empty()))
}

/// Runs `lvs-ha ipvs apply`; the exit status.
pub(super) fn apply(args: &ApplyArgs) -> Result<u8, String> {
    let (mut client, before, commands) = compare(&args.file)?;
    if args.dry_run {
        print(&list(&Change::all(&before, &commands)));
        return Ok(0);
    }
    match carry_out(&mut client, &before, &commands) {
        Ok(()) => Ok(0),
        Err(failure @ Failure::Lost { .. }) => {
            eprintln!("lvs-ha ipvs apply: {failure}");
            Ok(TROUBLE)
        }
        Err(failure) => {
            eprintln!("lvs-ha ipvs apply: {failure}");
            Ok(1)
        }
    }
}

/// The kernel, its table, and the commands that make it what the file says.
fn compare(path: &std::path::Path) -> Result<(Client, Table, Vec<Command>), String> {
    let wanted = file::read(path)?;
    eprint!("{}", wanted.warnings);
    let mut client = open()?;
    let before = client.table().map_err(|e| crate::errors::chain(&e))?;
    let commands = difference(&before, &wanted.table, &wanted.owned(&before));
    Ok((client, before, commands))
}
