//! `ResourceManager`: what third-party scripts ask it: the groups of `haresources`, whether a resource runs here, and to run
//! a group.
//!
//! While heartbeat runs, it decides who holds a group: `takegroup` and `givegroup` then only tell whether that is so already.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::print;
use crate::agents::Tell;
use crate::agents::builtin::owned::Owned;
use crate::agents::builtin::peers::Peers;
use crate::agents::builtin::vip::Vips;
use crate::agents::haresources::Runner;
use crate::cluster::io::{Level, Outcome, Verb};
use crate::config::load::cluster::{DIRECTORY, node_name};
use crate::config::settings::Group;
use crate::config::{ha_cf, haresources};
use crate::control::proto::{Request, Response};
use crate::control::{client, heartbeat_socket, run_dir};
use crate::net::addr::Addresses;

/// Status of a resource that does not run.
const NOT_RUNNING: u8 = 3;

/// Runs the command.
pub(super) fn run(argv: &[OsString]) -> ExitCode {
    let words: Vec<String> = argv.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let word = |n: usize| words.get(n).map_or("", String::as_str);
    let me = std::env::var("HA_CURHOST").unwrap_or_else(|_| node_name(Path::new(DIRECTORY)).to_lowercase());
    let groups = groups();
    let group = || groups.iter().find(|g| g.resources.iter().any(|r| r.word == word(2)));
    match word(1) {
        "listkeys" => keys(groups.iter().filter(|g| word(2) == ".*" || g.node.eq_ignore_ascii_case(word(2)))),
        "allkeys" => keys(groups.iter()),
        "ourkeys" => lines(groups.iter().filter(|g| g.node == me)),
        "otherkeys" => lines(groups.iter().filter(|g| g.node != me)),
        "status" => with_runner(&me, async |runner| {
            let running = runner.status(&haresources::resource(word(2))).await;
            if running { ExitCode::SUCCESS } else { ExitCode::from(NOT_RUNNING) }
        }),
        "statgroup" => with_runner(&me, async |runner| {
            print(&format!("{}\n", group_status(runner, group()).await));
            ExitCode::SUCCESS
        }),
        "verifyallidle" => with_runner(&me, async |runner| verify_all_idle(runner, &groups, word(0)).await),
        // A group that is not in the file is no error, as in the original.
        verb @ ("takegroup" | "givegroup") => group().map_or(ExitCode::SUCCESS, |group| {
            let verb = if verb == "takegroup" { Verb::Start } else { Verb::Stop };
            match held(group) {
                Some(held) if held == (verb == Verb::Start) => ExitCode::SUCCESS,
                Some(_) => {
                    let command = if verb == Verb::Start { "hb_takeover" } else { "hb_standby" };
                    eprintln!("{}: heartbeat runs and decides who holds {}: use {command}", word(0), group.key());
                    ExitCode::FAILURE
                }
                None => with_runner(&me, async |runner| match runner.run(group, verb).await {
                    Outcome::Done => ExitCode::SUCCESS,
                    Outcome::Failed(_) => ExitCode::FAILURE,
                }),
            }
        }),
        _ => {
            eprintln!("usage: {} listkeys machine | takegroup key | givegroup key|status resource\n", word(0));
            ExitCode::FAILURE
        }
    }
}

fn groups() -> Vec<Group> {
    let text = fs::read(Path::new(DIRECTORY).join("haresources")).unwrap_or_default();
    haresources::parse(&text).0.groups.iter().map(haresources::Line::group).collect()
}

fn keys<'a>(groups: impl Iterator<Item = &'a Group>) -> ExitCode {
    print(&groups.map(|g| format!("{}\n", g.key())).collect::<String>());
    ExitCode::SUCCESS
}

/// The resources of each group, with the blank at the end that the original's lines have.
fn lines<'a>(groups: impl Iterator<Item = &'a Group>) -> ExitCode {
    let line = |g: &Group| g.resources.iter().map(|r| format!("{} ", r.word)).collect::<String>() + "\n";
    print(&groups.map(line).collect::<String>());
    ExitCode::SUCCESS
}

async fn group_status(runner: &Runner, group: Option<&Group>) -> &'static str {
    let (mut yes, mut no) = (false, false);
    for resource in group.map_or(&[][..], |g| &g.resources) {
        if runner.status(resource).await { yes = true } else { no = true }
    }
    match (yes, no) {
        (true, true) => "SOME",
        (true, false) => "ALL",
        _ => "NONE",
    }
}

async fn verify_all_idle(runner: &Runner, groups: &[Group], name: &str) -> ExitCode {
    let mut active = 0;
    for key in groups.iter().filter_map(|g| g.resources.first()) {
        if runner.status(key).await {
            eprintln!("CRITICAL: Resource {} is active, and should not be!", key.word);
            eprintln!("CRITICAL: Non-idle resources can affect data integrity!");
            eprintln!("info: If you don't know what this means, then get help!");
            eprintln!("info: Read the docs and/or the source to {name} for more details.");
            active += 1;
        }
    }
    ExitCode::from(active)
}

/// Whether this node holds the group; none if heartbeat does not run.
fn held(group: &Group) -> Option<bool> {
    match client::request(&heartbeat_socket(&run_dir()), &Request::Status, client::PATIENCE) {
        Ok(Response::Cluster(cluster)) => {
            let found = cluster.groups.iter().find(|g| g.resources.first().is_some_and(|r| r == group.key()));
            Some(found.is_some_and(|g| g.owner.as_deref() == Some(cluster.me.as_str())))
        }
        _ => None,
    }
}

/// Runs a group as heartbeat would, in this process.
fn with_runner(me: &str, work: impl AsyncFnOnce(&Runner) -> ExitCode) -> ExitCode {
    let tell: Tell = Arc::new(|level, text: &str| {
        if level != Level::Debug {
            eprintln!("{}: {text}", crate::log::heartbeat::word(level));
        }
    });
    let runner = || {
        let owned = Owned::open(&run_dir().join("heartbeat").join("owned.json"))?;
        let vips = Arc::new(Vips::new(Addresses::connect()?, owned, Arc::new(Peers::default()), Arc::clone(&tell)));
        let cf = fs::read(Path::new(DIRECTORY).join("ha.cf")).unwrap_or_default();
        let builtin = ha_cf::parse(&cf, "").0.builtin.is_none_or(|b| b.value);
        let environment = [("HA_CURHOST", me), ("HA_DIR", DIRECTORY), ("OCF_ROOT", "/usr/lib/ocf")];
        let environment = environment.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        Ok::<_, anyhow::Error>(Runner::new(me, vips, builtin, None, environment, Arc::clone(&tell)))
    };
    let done =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from).and_then(|runtime| {
            runtime.block_on(async {
                let runner = runner()?;
                Ok(work(&runner).await)
            })
        });
    done.unwrap_or_else(|e| {
        eprintln!("ERROR: {e:#}");
        ExitCode::FAILURE
    })
}
