//! `--wait`: until what was asked for is done, or will not be.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::super::print;
use crate::cluster::io::Set;
use crate::control::proto::{Request, Response};
use crate::control::{client, heartbeat_socket, run_dir};
use crate::status::snapshot::{Cluster, Event, Group};

/// Between two questions.
const STEP: Duration = Duration::from_millis(200);
/// A request that nobody has answered by then is given up by heartbeat.
const REFUSED: Duration = Duration::from_secs(12);
/// From the request to the first question.
const ASKED: Duration = Duration::from_secs(1);

/// Waits until this node holds none of the set's groups and nothing is in motion.
pub(super) fn given_away(set: Set) -> ExitCode {
    let start = Instant::now();
    loop {
        let Ok(Response::Cluster(cluster)) = client::request(&heartbeat_socket(&run_dir()), &Request::Status, client::PATIENCE)
        else {
            eprintln!("hb_standby: heartbeat does not answer any more");
            return ExitCode::FAILURE;
        };
        let at_rest = cluster.resources != "transition";
        let left: Vec<&Group> = asked_for(&cluster, set).filter(|g| g.owner.as_ref() == Some(&cluster.me)).collect();
        let orphans = asked_for(&cluster, set).any(|g| g.owner.is_none());
        if at_rest && left.is_empty() && !orphans {
            print(&owners(&cluster));
            return ExitCode::SUCCESS;
        }
        if at_rest && start.elapsed() > REFUSED {
            print(&owners(&cluster));
            let grave = |e: &&Event| e.level == "WARN" || e.level == "ERROR" || e.level == "CRIT";
            let since = start.elapsed().as_secs_f64() + ASKED.as_secs_f64();
            let why = cluster.events.iter().filter(|e| e.ago <= since).find(grave);
            let why = why.map_or("heartbeat says no reason", |e| e.text.as_str());
            eprintln!("hb_standby: not done: {why}");
            return ExitCode::FAILURE;
        }
        std::thread::sleep(STEP);
    }
}

fn asked_for(cluster: &Cluster, set: Set) -> impl Iterator<Item = &Group> {
    cluster.groups.iter().filter(move |g| if g.node == cluster.me { set.local() } else { set.foreign() })
}

/// A line for each group: its owner and its resources.
fn owners(cluster: &Cluster) -> String {
    let line = |g: &Group| format!("{}: {}\n", g.owner.as_deref().unwrap_or("nobody"), g.resources.join(" "));
    cluster.groups.iter().map(line).collect()
}
