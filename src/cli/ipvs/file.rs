//! The files that say what the table should be: lines of `ipvsadm -S`, or `ldirectord.cf`, told apart by their content.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::ipvsadm::System as Names;
use crate::cli::ipvsadm::args::saved;
use crate::config::ldirectord_cf;
use crate::config::load::{self, System};
use crate::config::resolve::director;
use crate::director::plan::Plan;
use crate::ipvs::model::{ServiceKey, Table, TableService};

/// What a file says.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The table.
    pub(super) table: Table,
    /// The services it speaks for beside those in it: all that there are, or no others.
    pub(super) whole: bool,
    /// For standard error.
    pub(super) warnings: String,
}

impl Wanted {
    /// The services that may be changed, given those that are there.
    pub(super) fn owned(&self, actual: &Table) -> BTreeSet<ServiceKey> {
        if self.whole { actual.services.keys().copied().collect() } else { BTreeSet::new() }
    }
}

/// Reads a file of either form.
pub(super) fn read(path: &Path) -> Result<Wanted, String> {
    let source = load::read(path).map_err(|e| crate::errors::chain(&e))?;
    let text = String::from_utf8_lossy(&source.bytes);
    let name = path.display();
    match saved::looks_saved(&text) {
        None => Err(format!("{name} says nothing; to empty the table there is `ipvsadm -C`")),
        Some(true) => from_saved(&name.to_string(), &text),
        Some(false) => {
            let (plan, found) = director::read(&source, &System::new());
            let said: String = found.iter().map(|d| ldirectord_cf::describe_error(std::process::id(), &source, d)).collect();
            match plan {
                Some(plan) => Ok(Wanted { table: all_up(&plan), whole: false, warnings: said }),
                None => Err(format!("{name} cannot be used\n{said}")),
            }
        }
    }
}

fn from_saved(name: &str, text: &str) -> Result<Wanted, String> {
    let saved = saved::read(text, &Names::default()).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|e| format!("{name}: {e}")).collect();
        lines.join("\n")
    })?;
    if let Some((line, _)) = saved.others.first() {
        return Err(format!("{name}: line {line}: only lines that make up the table (-A, -a and the like) can be compared"));
    }
    let warnings = saved.notes.iter().map(|note| format!("{name}: {note}\n")).collect();
    Ok(Wanted { table: saved.table, whole: true, warnings })
}

/// The table of a plan whose real servers are all up. Without any, the fallback server serves.
fn all_up(plan: &Plan) -> Table {
    let services = plan.virtuals.iter().map(|v| {
        let mut dests: std::collections::BTreeMap<_, _> = v.reals.iter().map(|r| (r.dest.key, r.dest.clone())).collect();
        if dests.is_empty() {
            dests.extend(v.fallback.iter().map(|f| (f.key, f.clone())));
        }
        (v.service.key, TableService { service: v.service.clone(), dests })
    });
    Table { services: services.collect() }
}
