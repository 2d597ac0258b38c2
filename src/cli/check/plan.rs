//! What a reload would change now: the kernel's table and the daemon's record are read, nothing is written.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::cluster::io::Mono;
use crate::control::client::{self, PATIENCE};
use crate::control::proto::{Request, Response};
use crate::control::{director_socket, run_dir};
use crate::daemon::ldirectord::of_record;
use crate::daemon::record;
use crate::director::Director;
use crate::director::plan::Plan;
use crate::ipvs::client::Client;
use crate::ipvs::diff::diff;
use crate::ipvs::model::{DestKey, ServiceKey, Table};

use super::render;

/// The instance that uses a file: that of its name, or the one of `ldirectord start` if it is the one that runs.
pub(super) fn instance(path: &Path) -> String {
    let base = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let runs = |name: &str| director_socket(&run_dir(), name).exists();
    if base == "ldirectord.cf" && !runs(&base) && runs("ldirectord") { "ldirectord".to_owned() } else { base }
}

/// The changes as text.
pub(super) fn changes(plan: Plan, instance: &str) -> anyhow::Result<String> {
    let mut client = Client::open().map_err(|e| anyhow::anyhow!("{e}"))?;
    let actual: Table = client.dump_uncounted().map_err(|e| anyhow::anyhow!("{e}"))?.into_iter().collect();
    let run = run_dir();
    let owned = record::owned(&run, instance);
    let known = known(&run, instance);
    // A director that is new to the table does what a reload does: it drops what it knew of changes by hand.
    let mut director = Director::new(plan, &actual, owned, Mono(Duration::ZERO));
    let held = record::held(&record::folder(&run, instance));
    director.restore(Mono(Duration::ZERO), of_record(&held, Mono(Duration::ZERO)));
    let goal = director.reconcile(&actual);
    let commands = diff(&actual, &goal, &director.owned());
    Ok(render::changes(&actual, &commands, &render::later(director.plan(), &goal, &known)))
}

/// The real servers that the running daemon watches already: that they are down is no change.
fn known(run: &Path, instance: &str) -> BTreeSet<(ServiceKey, DestKey)> {
    let answer = client::request(&director_socket(run, instance), &Request::Status, PATIENCE);
    let Ok(Response::Director(director)) = answer else { return BTreeSet::new() };
    let reals = director.virtuals.iter().flat_map(|v| v.reals.iter().map(move |r| (v.key, &r.address)));
    reals
        .filter_map(|(key, address)| address.parse::<std::net::SocketAddr>().ok().map(|a| (key, a)))
        .map(|(key, a)| (key, DestKey { addr: a.ip(), port: a.port() }))
        .collect()
}
