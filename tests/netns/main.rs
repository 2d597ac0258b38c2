//! Hosts made of network namespaces: the cases that need real interfaces, real processes or the kernel's IPVS, the demo, and
//! a shell on the hosts. `tests/lab` is the way in; plain `cargo test` runs the cases that need no IPVS, if it is root.
//!
//! | file | owns |
//! |---|---|
//! | `table` | THE table of the demo's hosts, shared by demo, shell, cases and (by agreement) the Vagrantfile |
//! | `arena` | the private network and mount namespace that all hosts hang in |
//! | `host`, `init` | one host: its namespaces, files, cables, processes; its process 1 |
//! | `lab` | the hosts of one case |
//! | `runner`, `cases` | the cases and how they are run side by side |
//! | `bench` | measurements beside the originals, as ratios |
//! | `demo`, `story`, `probe` | the demo, its table of promises, the client's clock |
//! | `watch` | a pair's neighbours: who answers for an address, and when nobody does |
//! | `shell` | a prompt on the hosts |
//! | `httpd` | the web server of the hosts |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(unreachable_pub)] // in an executable, `pub` only says: for the other files

mod arena;
mod bench;
mod cases;
mod demo;
mod host;
mod httpd;
mod init;
mod lab;
mod probe;
mod runner;
mod shell;
mod story;
mod table;
mod watch;

use std::process::ExitCode;

const USAGE: &str = "usage: netns test [FILTER] [--kernel any|ipvs] [--all] | demo | shell [HOST] | list | where
       netns bench heartbeat | bench ipvs | bench ldirectord native|beside
       netns httpd --dir DIR --port N | probe ADDRESS:PORT --seconds N | watch ADDRESS... [--arp] | get URL | hold PORT";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.split_first() {
        Some((&"test", rest)) => runner::command(rest),
        Some((&"bench", rest)) => bench::command(rest),
        Some((&"demo", rest)) => demo::command(rest),
        Some((&"shell", rest)) => shell::command(rest),
        Some((&"list", _)) => runner::list(),
        Some((&"where", _)) => host::print_paths(),
        Some((&"httpd", rest)) => httpd::command(rest),
        Some((&"probe", rest)) => probe::command(rest),
        Some((&"get", rest)) => probe::get_command(rest),
        Some((&"watch", rest)) => watch::command(rest),
        Some((&"hold", rest)) => probe::hold_command(rest),
        Some((&"host-init", rest)) => init::outer(rest),
        Some((&"host-pid1", rest)) => init::pid1(rest),
        Some((&("help" | "--help" | "-h"), _)) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        // What cargo hands to every test executable: a filter, options of the harness we do not have.
        _ => runner::under_cargo(&words),
    };
    done.unwrap_or_else(|e| {
        eprintln!("netns: {e:#}");
        ExitCode::FAILURE
    })
}

/// The value after `option`, if it is there.
fn option<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let at = words.iter().position(|w| *w == option)?;
    words.get(at + 1).copied()
}
