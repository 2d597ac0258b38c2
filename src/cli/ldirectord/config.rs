//! Reading the configuration for the command and for the daemon's reloads: errors in the original's form.

use std::path::Path;
use std::process::ExitCode;

use crate::config::diag::{Diagnostic, Source};
use crate::config::ldirectord_cf;
use crate::config::load::{self, System};
use crate::config::resolve::director;
use crate::daemon::ldirectord as daemon;
use crate::director::plan::{LogTo, Plan};

/// A configuration that can be used.
pub(super) struct Loaded {
    pub(super) plan: Plan,
    /// For standard error, with excerpts; ends in a newline unless empty.
    pub(super) warnings: String,
}

/// One that can't: the errors and warnings for standard error, with excerpts.
pub(super) struct Refused {
    pub(super) text: String,
}

impl Refused {
    /// Shows it; the exit status that the original has for it.
    pub(super) fn tell(&self) -> ExitCode {
        eprint!("{}", self.text);
        ExitCode::from(2)
    }
}

/// Reads it, names included.
pub(super) fn load(file: &Path) -> Result<Loaded, Refused> {
    let source = load::read(file).map_err(|error| Refused { text: format!("ldirectord: {}\n", chain(error)) })?;
    let (plan, found) = director::read(&source, &System::new());
    let text = found.iter().map(|d| ldirectord_cf::describe_error(std::process::id(), &source, d)).collect();
    match plan {
        Some(plan) => Ok(Loaded { plan, warnings: text }),
        None => Err(Refused { text }),
    }
}

/// The same with one line for each finding, for the log.
pub(super) fn reload(file: &Path) -> Result<daemon::Loaded, Vec<String>> {
    let source = load::read(file).map_err(|error| vec![chain(error)])?;
    let (plan, found) = director::read(&source, &System::new());
    let lines = |found: &[Diagnostic]| found.iter().map(|d| line(&source, d)).collect();
    match plan {
        Some(plan) => Ok(daemon::Loaded { plan, warnings: lines(&found) }),
        None => Err(lines(&found.into_iter().filter(Diagnostic::is_error).collect::<Vec<_>>())),
    }
}

/// Where the file's log is, as far as it can be read; no name is resolved for that.
pub(super) fn log_target(file: &Path) -> Option<LogTo> {
    let source = load::read(file).ok()?;
    let (model, _) = ldirectord_cf::parse(&source.bytes);
    let value = model.globals.logfile?.value;
    Some(if value.starts_with('/') { LogTo::File(value) } else { LogTo::Syslog(value) })
}

/// The first line of what is shown.
fn line(source: &Source, diagnostic: &Diagnostic) -> String {
    let text = ldirectord_cf::describe_error(std::process::id(), source, diagnostic);
    text.lines().next().unwrap_or_default().to_owned()
}

fn chain(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}
