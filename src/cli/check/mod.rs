//! `lvs-ha check` and `ldirectord -t`: all that is wrong with configuration files, without starting or changing anything.
//!
//! Exit status: 0 good, 1 warnings and `--strict`, 2 errors, or a file or table that can't be read.

mod files;
mod plan;
pub mod render;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::print;
use crate::config::diag::{Diagnostic, Severity, Source, has_errors};
use crate::config::kind::Kind;
use crate::config::ldirectord_cf;
use crate::config::load::cluster::DIRECTORY;
use crate::config::load::{self, System};
use crate::config::resolve::director;

use files::Target;

/// Options of `lvs-ha check`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A file is known by its name (ha.cf, authkeys, haresources, ldirectord*) or by what stands in it; those of \
                  heartbeat are checked together with their neighbours. Names are resolved as at a start.\n\
                  Exit status: 0 good, 1 warnings and --strict, 2 errors."
)]
pub(super) struct Args {
    /// Take warnings for failures
    #[arg(long)]
    pub(super) strict: bool,
    /// Show what a reload of the ldirectord files would change in the kernel's table; changes nothing
    #[arg(long)]
    pub(super) plan: bool,
    /// Files or folders with files
    #[arg(default_value = DIRECTORY, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// `lvs-ha check`.
pub(super) fn run(args: &Args) -> ExitCode {
    let mut report = Report::new();
    let system = System::looking();
    for target in files::targets(&args.files) {
        match target {
            Target::Cluster { folder, shown } => report.cluster(&folder, &shown, &system),
            Target::Alone { path, kind } => report.alone(&path, kind),
            Target::Ldirectord { path } => {
                let instance = plan::instance(&path);
                report.ldirectord(&path, &system, args.plan.then_some(instance.as_str()));
            }
            Target::Unusable { text } => report.failed(&text),
        }
    }
    report.finish(args.strict)
}

/// `ldirectord -t`: one file, which an instance of that name would use.
pub(super) fn ldirectord(path: &Path, instance: &str, strict: bool, plan: bool) -> ExitCode {
    let mut report = Report::new();
    report.ldirectord(path, &System::looking(), plan.then_some(instance));
    report.finish(strict)
}

/// What was found so far; shown file by file.
struct Report {
    colour: bool,
    errors: usize,
    warnings: usize,
}

impl Report {
    fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { colour, errors: 0, warnings: 0 }
    }

    /// A file or folder that can't be checked at all.
    fn failed(&mut self, text: &str) {
        eprintln!("lvs-ha check: {text}");
        self.errors += 1;
    }

    /// Shows the findings of one file and its line in the summary.
    fn file<'a>(&mut self, source: &Source, found: impl Iterator<Item = &'a Diagnostic>, good: &str) {
        let found: Vec<&Diagnostic> = found.collect();
        let count = |severity| found.iter().filter(|d| d.severity == severity).count();
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let mut text: String = found.iter().map(|d| source.shown(d, self.colour) + "\n").collect();
        text.push_str(&render::summary(&source.name, errors, warnings, good));
        print(&text);
        self.errors += errors;
        self.warnings += warnings;
    }

    /// Those of heartbeat's files in `folder` whose kinds are in `shown`.
    fn cluster(&mut self, folder: &Path, shown: &[Kind], system: &System) {
        use crate::config::report::Which;
        let name = load::cluster::node_name(folder);
        let loaded = load::cluster::load(folder, &name, system);
        for (kind, which) in
            [(Kind::HaCf, Which::HaCf), (Kind::Authkeys, Which::Authkeys), (Kind::Haresources, Which::Haresources)]
        {
            if shown.contains(&kind) {
                let found = loaded.findings.iter().filter(|f| f.file == which).map(|f| &f.diagnostic);
                let source = loaded.sources.of(which);
                // Heartbeat's messages have the path so, people do not.
                let source = Source::new(source.name.replace("//", "/"), source.bytes.as_slice());
                self.file(&source, found, "");
            }
        }
    }

    /// One of heartbeat's files under another name: its lines by themselves.
    fn alone(&mut self, path: &Path, kind: Kind) {
        use crate::config::{authkeys, ha_cf, haresources};
        let mut source = match load::read(path) {
            Ok(source) => source,
            Err(error) => return self.failed(&error.to_string()),
        };
        let found = match kind {
            Kind::HaCf => ha_cf::parse(&source.bytes, &source.name).1,
            Kind::Haresources => haresources::parse(&source.bytes).1,
            Kind::Authkeys | Kind::Ldirectord => {
                let found = authkeys::parse(&source.bytes, &source.name).1;
                source.bytes = authkeys::masked(&source.bytes);
                found
            }
        };
        self.file(&source, found.iter(), "its lines by themselves");
    }

    /// A file of ldirectord, and what it would change if an instance is given.
    fn ldirectord(&mut self, path: &Path, system: &System, instance: Option<&str>) {
        let source = match load::read(path) {
            Ok(source) => source,
            Err(error) => return self.failed(&error.to_string()),
        };
        let (plan, mut found) = director::read(&source, system);
        found.extend(ldirectord_cf::advice(&source.bytes, &ldirectord_cf::parse(&source.bytes).0));
        found.sort_by_key(|d| d.span.map_or(usize::MAX, |s| s.start));
        self.file(&source, found.iter(), &plan.as_ref().map(render::size).unwrap_or_default());
        let (Some(plan), Some(instance)) = (plan.filter(|_| !has_errors(&found)), instance) else { return };
        match plan::changes(plan, instance) {
            Ok(text) => print(&text),
            Err(error) => self.failed(&format!("{error:#}")),
        }
    }

    fn finish(&self, strict: bool) -> ExitCode {
        ExitCode::from(match (self.errors, self.warnings) {
            (0, 0) => 0,
            (0, _) => u8::from(strict),
            _ => 2,
        })
    }
}
