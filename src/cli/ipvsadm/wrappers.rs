//! `ipvsadm-save` and `ipvsadm-restore`, which are scripts around ipvsadm in the original.
//!
//! The original's restore clears the table and then runs line by line: for a while there is no table, and after a mistake in
//! the file there is half of one. Here the whole input is read first. A line that is wrong is named and the table stays as
//! it was; else the table becomes what the lines say by the fewest changes, so that services that are the same keep their
//! connections and counters; if the kernel refuses a change, all are taken back. Exit status: 0 done; 2 a line with wrong
//! usage, or no IPVS; 255 a line or a change that is refused; 1 standard input or the table cannot be read.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::ExitCode;

use super::args::Action;
use super::args::saved::{self, LineError, Saved};
use super::names::{Ahead, System};
use super::{REFUSED, UNREADABLE, USAGE, act, open, print};
use crate::ipvs::client::{Client, Error};
use crate::ipvs::diff::diff;
use crate::ipvs::transaction::{self, Failure, Kernel as _};

/// `ipvsadm-save [-n]`. As in the original, a word that is no option says nothing.
pub(in crate::cli) fn save(argv: &[OsString]) -> ExitCode {
    let (program, words) = split(argv);
    if words.iter().any(|word| word.starts_with('-') && word != "-n") {
        eprintln!("{program}: Script to save the IPVS table to stdout.");
        eprintln!("   With the -n option, prints out the table in numeric format.");
        return ExitCode::from(1);
    }
    let numeric = words.iter().any(|word| word == "-n");
    match open() {
        Ok(mut client) => ExitCode::from(act(&mut client, &System::default(), &Action::Save { numeric })),
        Err(status) => ExitCode::from(status),
    }
}

/// `ipvsadm-restore`. The original looks at no argument; ours at `-h` alone.
pub(in crate::cli) fn restore(argv: &[OsString]) -> ExitCode {
    let (program, words) = split(argv);
    if words.iter().any(|word| word == "-h" || word == "--help") {
        return ExitCode::from(print(
            "ipvsadm-restore: Script to restore the IPVS table from stdin.\n   \
             The table becomes what the lines of ipvsadm-save say; lines that begin with # are left out.\n   \
             A wrong line, or a refusal of the kernel, leaves the table as it was.\n",
        ));
    }
    let mut input = Vec::new();
    if let Err(error) = io::stdin().lock().read_to_end(&mut input) {
        eprintln!("{program}: standard input: {error}");
        return ExitCode::from(UNREADABLE);
    }
    ExitCode::from(restore_text(&program, &String::from_utf8_lossy(&input)))
}

/// Brings the table to what the lines say; the exit status.
pub(in crate::cli) fn restore_text(program: &str, text: &str) -> u8 {
    let names = System::default();
    let saved = match saved::read(text, &Ahead { names: &names, rest: text.as_bytes() }) {
        Ok(saved) => saved,
        Err(errors) => return complain(program, &errors),
    };
    for note in &saved.notes {
        eprintln!("{program}: {note}");
    }
    let mut client = match open() {
        Ok(client) => client,
        Err(status) => return status,
    };
    match bring(&mut client, &saved) {
        Ok(()) => {}
        Err(Failure::Lost { error, .. }) => {
            eprintln!("{program}: {error}");
            return UNREADABLE;
        }
        Err(failure) => {
            eprintln!("{program}: {failure}");
            return REFUSED;
        }
    }
    let mut status = 0;
    for (_, action) in &saved.others {
        status = act(&mut client, &names, action);
    }
    status
}

/// Names the lines that are wrong; the exit status of the first.
fn complain(program: &str, errors: &[LineError]) -> u8 {
    for error in errors {
        eprintln!("{program}: {error}");
    }
    eprintln!("{program}: nothing was changed");
    errors.first().map_or(USAGE, |error| error.status)
}

fn bring(client: &mut Client, saved: &Saved) -> Result<(), Failure<Error>> {
    let unread = |error| Failure::Lost { error, restored: true };
    let before = client.table().map_err(unread)?;
    let owned = before.services.keys().copied().collect();
    let commands = diff(&before, &saved.table, &owned);
    transaction::carry_out(client, &before, &commands)
}

/// The base name of the program, as the scripts have it in their texts, and the words after it.
fn split(argv: &[OsString]) -> (String, Vec<String>) {
    let mut words = argv.iter().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let base = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
    (base.unwrap_or(program), words.collect())
}
