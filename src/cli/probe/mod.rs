//! `lvs-ha probe`: one check of one real server now, and everything that goes over the wire.
//!
//! Needs no running ldirectord and changes nothing. Exit status: 0 up, 1 down, 2 the file can't be used or has no such server.

pub mod render;
pub mod select;

use std::path::PathBuf;
use std::process::ExitCode;

use super::print;
use crate::checks;
use crate::config::diag::has_errors;
use crate::config::load::{self, System};
use crate::config::lookup::Lookup as _;
use crate::config::resolve::director;

use render::Report;

/// Options of `lvs-ha probe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The check is that of the file, run from here, as the running ldirectord would: it counts for nothing.\n\
                  Passwords are not shown. Exit status: 0 up, 1 down, 2 the file can't be used or has no such server.")]
pub(super) struct Args {
    /// The virtual service: ADDRESS:PORT, tcp:ADDRESS:PORT, udp:ADDRESS:PORT, a firewall mark, or NAME:PORT
    virtual_service: String,
    /// Its real server: ADDRESS or NAME, or with :PORT
    real: String,
    /// The configuration: /etc/ha.d/NAME, /etc/ha.d/conf/NAME or a path
    #[arg(default_value = "ldirectord.cf")]
    file: String,
    /// Print it as JSON: a list of {"virtual", "real", "check", "target", "limit", "pattern", "steps", "up", "text", "warning", "took"}; times in seconds, bytes as text and number
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> ExitCode {
    match probe(args) {
        Ok(reports) => {
            let up = reports.iter().all(|r| r.up);
            if args.json {
                match serde_json::to_string_pretty(&reports) {
                    Ok(text) => print(&(text + "\n")),
                    Err(e) => return fail(&e.to_string()),
                }
            }
            ExitCode::from(u8::from(!up))
        }
        Err(why) => fail(&why),
    }
}

fn fail(why: &str) -> ExitCode {
    eprintln!("lvs-ha probe: {why}");
    ExitCode::from(2)
}

fn probe(args: &Args) -> Result<Vec<Report>, String> {
    let file: PathBuf = crate::cli::ldirectord::find(&args.file).map_err(|name| format!("Config file {name} not found"))?;
    let source = load::read(&file).map_err(|e| e.to_string())?;
    let system = System::looking();
    let (plan, found) = director::read(&source, &system);
    let Some(plan) = plan.filter(|_| !has_errors(&found)) else {
        let errors: String = found.iter().filter(|d| d.is_error()).map(|d| source.shown(d, false) + "\n").collect();
        return Err(format!("{} has errors\n\n{}", file.display(), errors.trim_end()));
    };
    let chosen = select::checks(&plan, &args.virtual_service, &args.real, |name| system.host(name))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|e| e.to_string())?;
    let mut reports = Vec::new();
    for (service, real) in chosen {
        let (verdict, steps) = runtime.block_on(checks::run_traced(&real.check));
        let report = Report::new(&service.service.key, real, &verdict, &steps);
        if !args.json {
            print(&render::text(&report));
        }
        reports.push(report);
    }
    runtime.shutdown_background();
    Ok(reports)
}
