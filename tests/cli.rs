//! The small commands through the built executable, against a server that plays the daemons with recorded snapshots.
//! `cl_status`'s expected output was recorded from Heartbeat 3.0.6 in the same situation (`tests/data/cl_status`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use lvs_ha::cluster::io::Set;
use lvs_ha::control::proto::{Request, Response};
use lvs_ha::control::server::Server;
use lvs_ha::control::{director_socket, heartbeat_socket};
use lvs_ha::status::overview::Overview;
use lvs_ha::status::render::{Look, screen};
use lvs_ha::status::snapshot::{Cluster, Director, LastCheck};

fn cluster() -> Cluster {
    serde_json::from_str(include_str!("data/status/heartbeat.json")).unwrap()
}

fn director() -> Director {
    serde_json::from_str(include_str!("data/status/ldirectord.json")).unwrap()
}

/// The same cluster after the other node's death.
fn peer_dead() -> Cluster {
    let mut cluster = cluster();
    cluster.resources = "all".into();
    cluster.held = Set::All;
    let beta = &mut cluster.nodes[1];
    beta.status = "dead".into();
    (beta.since, beta.heard) = (12.0, Some(13.0));
    beta.links.iter_mut().for_each(|l| l.up = false);
    let group = &mut cluster.groups[1];
    (group.owner, group.since, group.reason) = (Some("alpha".into()), 11.8, "node beta is dead".into());
    cluster
}

/// Daemons that answer with what they were given, and what they were asked.
struct Machine {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Machine {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { dir: tempfile::tempdir().unwrap(), runtime, asked: Arc::default() }
    }

    fn serve(&self, path: &Path, status: Response) {
        let server = self.runtime.block_on(async { Server::bind(path) }).unwrap();
        let asked = Arc::clone(&self.asked);
        self.runtime.spawn(async move {
            let answer = move |request| {
                asked.lock().unwrap().push(Request::clone(&request));
                let status = status.clone();
                async move {
                    match (request, status) {
                        (_, refused @ Response::Refused { .. }) => refused,
                        (Request::Status, status) => status,
                        _ => Response::Accepted,
                    }
                }
            };
            server.serve(answer).await;
        });
    }

    fn heartbeat(self, cluster: Cluster) -> Self {
        self.serve(&heartbeat_socket(self.dir.path()), Response::Cluster(Box::new(cluster)));
        self
    }

    fn ldirectord(self, director: Director) -> Self {
        self.serve(&director_socket(self.dir.path(), &director.instance), Response::Director(Box::new(director.clone())));
        self
    }

    /// Standard output, standard error and exit status of a command, called by `name`.
    fn run(&self, name: &str, args: &[&str]) -> (String, String, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lvs-ha"));
        command.arg0(name).args(args).env("LVS_HA_RUN_DIR", self.dir.path()).env_remove("NO_COLOR");
        let out = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out.stdout), text(out.stderr), out.status.code().unwrap())
    }
}

/// A log line without date, host and process id; other lines as they are.
fn undated(line: &str, name: &str) -> String {
    match line.split_once(&format!(" {name}: [")) {
        Some((_, rest)) => rest.split_once("]: ").unwrap().1.to_owned(),
        None => line.to_owned(),
    }
}

/// Runs every command of a recording and compares.
fn replay(recorded: &str, machine: &Machine) {
    let ours = format!("3.0.6 (lvs-ha {})", cluster().version);
    let mut count = 0;
    for block in recorded.split("$ cl_status").skip(1) {
        let (words, expected) = block.split_once('\n').unwrap();
        let args: Vec<_> = words.split_whitespace().collect();
        let (out, err, code) = machine.run("/usr/bin/cl_status", &args);
        let err: String = err.lines().map(|l| format!("2> {}\n", undated(l, "cl_status"))).collect();
        assert_eq!(format!("{out}{err}({code})\n"), expected.replace("VERSION", &ours), "cl_status{words}");
        count += 1;
    }
    assert!(count >= 8, "only {count} commands in the recording");
}

#[test]
fn cl_status_says_what_heartbeat_3_0_6_says_while_it_runs() {
    replay(include_str!("data/cl_status/running.txt"), &Machine::new().heartbeat(cluster()));
}

#[test]
fn cl_status_says_what_heartbeat_3_0_6_says_when_it_is_stopped() {
    replay(include_str!("data/cl_status/stopped.txt"), &Machine::new());
}

#[test]
fn cl_status_says_what_heartbeat_3_0_6_says_after_the_peers_death() {
    replay(include_str!("data/cl_status/peer_dead.txt"), &Machine::new().heartbeat(peer_dead()));
}

#[test]
fn cl_status_tells_a_refusal_from_a_stop() {
    let machine = Machine::new();
    machine.serve(&heartbeat_socket(machine.dir.path()), Response::Refused { why: "because".into() });
    let (out, _, code) = machine.run("cl_status", &["hbstatus"]);
    let expected = "Heartbeat is apparently running on this machine, but refuses my connection\n(because)\n";
    assert_eq!((out.as_str(), code), (expected, 1));
    let (_, err, code) = machine.run("cl_status", &["rscstatus"]);
    let lines: Vec<_> = err.lines().map(|l| undated(l, "cl_status")).collect();
    assert_eq!((lines.join("\n").as_str(), code), ("ERROR: Cannot signon with heartbeat\nERROR: REASON: because", 1));
}

#[test]
fn hb_standby_says_it_and_asks_for_it() {
    let machine = Machine::new().heartbeat(cluster());
    for (args, word, set) in [
        (&[][..], "all", Set::All),
        (&["local"], "local", Set::Local),
        (&["foreign"], "foreign", Set::Foreign),
        (&["failback"], "foreign", Set::Foreign),
    ] {
        let (out, err, code) = machine.run("/usr/share/heartbeat/hb_standby", args);
        assert_eq!((out.as_str(), code), ("", 0));
        let (date, said) = err.split_at("Nov 20 21:43:21 ".len());
        assert_eq!(said, format!("Going standby [{word}].\n"));
        assert!(date.chars().nth(3) == Some(' ') && date.matches(':').count() == 2, "{date:?}");
        assert_eq!(machine.asked.lock().unwrap().pop(), Some(Request::Standby { set }));
    }
}

#[test]
fn hb_takeover_is_silent_and_failback_brings_home_what_prefers_this_node() {
    let machine = Machine::new().heartbeat(cluster());
    for (args, set) in [(&["hb_takeover"][..], Set::All), (&["hb_takeover", "failback"], Set::Local)] {
        assert_eq!(machine.run("lvs-ha", args), (String::new(), String::new(), 0));
        assert_eq!(machine.asked.lock().unwrap().pop(), Some(Request::Takeover { set }));
    }
}

#[test]
fn hb_standby_and_hb_takeover_fail_in_words() {
    let machine = Machine::new();
    for name in ["/usr/share/heartbeat/hb_standby", "/usr/share/heartbeat/hb_takeover"] {
        let usage = format!("{name} [all|foreign|local|failback]\n");
        assert_eq!(machine.run(name, &["a", "b"]), (format!("{name}: too many arguments\nusage:\n"), usage.clone(), 1));
        assert_eq!(machine.run(name, &["x"]), (format!("{name}: wrong resources(x).\nusage:\n"), usage.clone(), 1));
        assert_eq!(machine.run(name, &["--help"]), ("usage:\n".into(), usage, 1));
        let stopped = format!("{name}: heartbeat is not running on this machine\n");
        assert_eq!(machine.run(name, &[]), (String::new(), stopped, 1));
    }
    machine.serve(&heartbeat_socket(machine.dir.path()), Response::Refused { why: "resources are in motion".into() });
    let refused = machine.run("hb_standby", &[]);
    assert_eq!(refused, (String::new(), "hb_standby: resources are in motion\n".into(), 1));
}

#[test]
fn status_shows_a_machine_that_is_well() {
    let machine = Machine::new().heartbeat(cluster()).ldirectord(director());
    let (out, err, code) = machine.run("lvs-ha", &["status"]);
    assert_eq!(out, include_str!("data/status/well.txt"));
    assert_eq!((err.as_str(), code), ("", 0));
}

/// Everything that can be wrong at once.
fn degraded() -> Overview {
    let mut cluster = peer_dead();
    cluster.nodes[2].status = "dead".into();
    cluster.groups[0].moving = Some("starting".into());
    cluster.groups[0].resources.extend((1..9).map(|n| format!("Filesystem::/dev/drbd{n}::/local/number{n}::ext4")));
    cluster.groups[1].owner = None;
    let mut director = director();
    director.config_error =
        Some("Error [4800] reading file /etc/ha.d/ldirectord.cf at line 7: Unknown command foo, column 1".into());
    let service = &mut director.virtuals[0];
    for real in &mut service.reals {
        (real.state, real.installed_weight, real.failures) = ("down".into(), Some(0), 4);
        let text = "connection\x1b[2J refused\n".to_owned() + &"long ".repeat(30);
        real.last_check = Some(LastCheck { up: false, text, took: 5.0, ago: 2.0 });
    }
    let fallback = service.fallback.as_mut().unwrap();
    (fallback.state, fallback.installed_weight) = ("active".into(), Some(1));
    director.virtuals[1].reals[0].installed_weight = None;
    let unanswered = vec!["ldirectord other.cf: died without a stop (its control socket is left)".into()];
    Overview { heartbeat: Some(cluster), ldirectord: vec![director], unanswered }
}

#[test]
fn status_puts_what_is_wrong_first_and_keeps_the_width() {
    let overview = degraded();
    let text = screen(&overview, Look { width: 100, colour: false });
    assert_eq!(text, include_str!("data/status/degraded.txt"));
    assert_eq!(overview.exit_status(), 1);
    let table: Vec<_> = text.lines().skip(overview.problems().len()).filter(|l| !l.contains("is in error")).collect();
    assert!(table.iter().all(|l| l.chars().count() <= 100));
    let coloured = screen(&overview, Look { width: 100, colour: true });
    assert_eq!(coloured.replace("\x1b[32m", "").replace("\x1b[1;31m", "").replace("\x1b[0m", ""), text);
}

#[test]
fn status_in_json_is_what_the_daemons_report() {
    let machine = Machine::new().heartbeat(peer_dead()).ldirectord(director());
    let (out, err, code) = machine.run("lvs-ha", &["status", "--json"]);
    assert_eq!((err.as_str(), code), ("", 1));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(serde_json::from_value::<Cluster>(json["heartbeat"].clone()).unwrap(), peer_dead());
    assert_eq!(serde_json::from_value::<Vec<Director>>(json["ldirectord"].clone()).unwrap(), [director()]);
    assert_eq!(json["problems"], serde_json::json!(["node beta is dead"]));
}

#[test]
fn status_tells_nothing_from_a_daemon_that_died_or_refuses() {
    let machine = Machine::new();
    let (out, err, code) = machine.run("lvs-ha", &["status"]);
    assert_eq!((out.as_str(), code), ("", 3));
    assert!(err.starts_with("Nothing runs here: "), "{err}");
    let (out, _, code) = machine.run("lvs-ha", &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, json), (3, serde_json::json!({"heartbeat": null, "ldirectord": [], "unanswered": [], "problems": []})));
    drop(std::os::unix::net::UnixListener::bind(director_socket(machine.dir.path(), "www-a.cf")).unwrap());
    machine.serve(&heartbeat_socket(machine.dir.path()), Response::Refused { why: "permission denied".into() });
    let (out, _, code) = machine.run("lvs-ha", &["status"]);
    assert_eq!(code, 4);
    assert!(out.contains("heartbeat: permission denied\n"), "{out}");
    assert!(out.contains("ldirectord www-a.cf: died without a stop (its control socket "), "{out}");
}

#[test]
fn the_executable_tells_what_it_can_be_called() {
    let machine = Machine::new();
    for args in [&["help"][..], &["--help"]] {
        let (out, _, code) = machine.run("lvs-ha", args);
        assert_eq!(code, 0);
        for name in ["status", "cl_status", "hb_standby", "hb_takeover"] {
            assert!(out.lines().any(|l| l.trim_start().starts_with(&format!("{name} "))), "{name} is not in:\n{out}");
        }
    }
    let version = format!("lvs-ha {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(machine.run("/usr/sbin/lvs-ha", &["--version"]), (version, String::new(), 0));
    assert_eq!(machine.run("lvs-ha", &[]).2, 2);
    let (_, err, code) = machine.run("lvs-ha", &["nonsense"]);
    assert!(code == 2 && err.contains("nonsense"), "{err}");
}
