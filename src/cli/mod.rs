//! The commands: one folder each, and the dispatch on the name the program was called by.
//!
//! The commands that exist elsewhere keep their own option grammar, texts and exit codes, read by hand-written parsers;
//! our own subcommands use clap. The name is looked at before any option.

use std::ffi::OsString;
use std::process::ExitCode;

/// A command: its arguments, the command's name first, to its exit status.
type Applet = fn(&[OsString]) -> ExitCode;

/// Every command that the program answers to.
const APPLETS: &[(&str, Applet)] = &[];

/// Runs the command that the base name of the first argument names, else the one that the second argument names.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let applet = |name: &OsString| {
        let base = std::path::Path::new(name).file_name()?.to_str()?;
        APPLETS.iter().find(|(n, _)| *n == base).map(|(_, run)| *run)
    };
    if let Some(run) = args.first().and_then(applet) {
        return run(&args);
    }
    if let Some((run, rest)) = args.get(1).and_then(|name| Some((applet(name)?, args.get(1..)?))) {
        return run(rest);
    }
    eprintln!("lvs-ha: which command? One of:");
    for (name, _) in APPLETS {
        eprintln!("  lvs-ha {name} ...");
    }
    ExitCode::from(2)
}
