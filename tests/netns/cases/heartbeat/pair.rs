//! Two nodes, alpha and beta: their files, what can be done to them and asked of them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

use crate::host::{Host, Output};
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;
use crate::table::{Machine, Product, Role};

/// How long a change of state may take on a busy machine. Heartbeat's own pauses are up to half a minute.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// The daemon's command, at a place where the original has it too.
pub const HEARTBEAT: &str = "/usr/libexec/heartbeat/heartbeat";
/// The address of alpha's group.
pub const VIP_A: &str = "10.9.0.101";
/// The address of beta's group.
pub const VIP_B: &str = "10.9.0.102";

const RECORD: &str = "/var/log/rsc.log";
/// A resource that records when its start begins and when its stop has ended.
const RECORDER: &str = r#"#!/bin/sh
case $2 in
start) echo "$(date +%s.%N) $1 start" >>/var/log/rsc.log; : >"/run/recorder.$1" ;;
stop) rm -f "/run/recorder.$1"; echo "$(date +%s.%N) $1 stop" >>/var/log/rsc.log ;;
status) if [ -e "/run/recorder.$1" ]; then echo running; else echo stopped; exit 3; fi ;;
*) exit 1 ;;
esac
"#;

/// What a pair is to be.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Whose programs alpha and beta have.
    pub products: [Product; 2],
    /// The media lines of alpha's and beta's ha.cf.
    pub media: [&'static str; 2],
    /// Method and key.
    pub auth: &'static str,
    /// In seconds.
    pub deadtime: u8,
    /// In seconds.
    pub initdead: u8,
    /// In milliseconds.
    pub keepalive: u16,
    /// `auto_failback`.
    pub failback: &'static str,
    /// More lines of ha.cf.
    pub more: &'static str,
    /// Whether there are hosts `client` and `witness` beside the pair.
    pub neighbours: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            products: [Product::LvsHa; 2],
            media: ["ucast eth0 10.9.0.2", "ucast eth0 10.9.0.1"],
            auth: "sha1 a secret",
            deadtime: 3,
            initdead: 30,
            keepalive: 200,
            failback: "on",
            more: "",
            neighbours: false,
        }
    }
}

/// The pair.
pub struct Pair<'a> {
    /// 10.9.0.1; its group is [`VIP_A`] and the recorder `ra`.
    pub alpha: &'a Host,
    /// 10.9.0.2; its group is [`VIP_B`] and the recorder `rb`.
    pub beta: &'a Host,
    lab: &'a Lab,
    /// Who lost power, and when.
    lost: RefCell<Vec<(f64, String)>>,
    legacy: bool,
}

impl<'a> Pair<'a> {
    /// Starts the hosts and writes their files. Heartbeat is not started.
    pub fn build(lab: &'a mut Lab, setup: &Setup) -> Result<Self, Failure> {
        let mut machines = vec![
            Machine::new("alpha", "10.9.0.1/24").product(setup.products[0]),
            Machine::new("beta", "10.9.0.2/24").product(setup.products[1]),
        ];
        if setup.media[0].contains("eth1") {
            machines = (1..).zip(machines).map(|(n, m)| m.interface("eth1", "beat", &format!("10.10.0.{n}/24"))).collect();
        }
        if setup.neighbours {
            machines.push(Machine::new("client", "10.9.0.3/24").role(Role::Client));
            machines.push(Machine::new("witness", "10.9.0.4/24").role(Role::Client));
        }
        lab.start(&machines)?;
        let lab: &'a Lab = lab;
        let pair = Self {
            alpha: lab.host("alpha")?,
            beta: lab.host("beta")?,
            lab,
            lost: RefCell::default(),
            legacy: setup.failback == "legacy",
        };
        for (host, medium) in pair.both().into_iter().zip(setup.media) {
            let Setup { deadtime, initdead, keepalive, failback, more, .. } = setup;
            host.write_file(
                "/etc/ha.d/ha.cf",
                &format!(
                    "logfile /var/log/ha-log\ndebugfile /var/log/ha-debug\nlogfacility none\nkeepalive {keepalive}ms\nwarntime 1\n\
                     deadtime {deadtime}\ninitdead {initdead}\nudpport 694\n{medium}\nauto_failback {failback}\nnode alpha\n\
                     node beta\n{more}"
                ),
            )?;
            host.write_file(
                "/etc/ha.d/haresources",
                &format!("alpha IPaddr2::{VIP_A}/24/eth0 recorder::ra\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"),
            )?;
            host.write_file("/etc/ha.d/authkeys", &format!("auth 1\n1 {}\n", setup.auth))?;
            host.write_file_mode("/etc/ha.d/resource.d/recorder", RECORDER, 0o755)?;
        }
        Ok(pair)
    }

    /// A host of the same lab beside the two.
    pub fn other(&self, name: &str) -> Result<&'a Host, Failure> {
        self.lab.host(name)
    }

    /// Alpha and beta.
    pub fn both(&self) -> [&'a Host; 2] {
        [self.alpha, self.beta]
    }

    /// Starts heartbeat on both and waits until each has its own group.
    pub fn start(&self) -> Result<(), Failure> {
        self.start_without_waiting()?;
        self.owned("alpha", "beta")
    }

    /// Starts heartbeat on both.
    pub fn start_without_waiting(&self) -> Result<(), Failure> {
        for host in self.both() {
            host.run(HEARTBEAT)?.ok()?;
        }
        Ok(())
    }

    /// Waits until alpha's group is on the one and beta's group on the other node and nowhere else, and both nodes agree.
    pub fn owned(&self, a: &str, b: &str) -> Result<(), Failure> {
        let holders =
            |vip: &str| -> Vec<&str> { self.both().into_iter().filter(|h| h.has_address(vip)).map(Host::name).collect() };
        wait_for(&format!("{VIP_A} on {a} and {VIP_B} on {b}"), PATIENCE, || {
            let (seen_a, seen_b) = (holders(VIP_A), holders(VIP_B));
            Ok(if seen_a == [a] && seen_b == [b] { Ok(()) } else { Err(format!("{seen_a:?} {seen_b:?}")) })
        })?;
        for host in self.both() {
            // The original leaves its pid file behind, and without reports (legacy) it says `none` whatever it has.
            let runs = host.has_power() && host.run("kill -0 $(cat /run/heartbeat.pid)")?.code == 0;
            if runs && !(self.legacy && host.machine().product == Product::Originals) {
                let name = host.name();
                let wanted = match (a == name, b == name) {
                    (true, true) => "all",
                    (false, false) => "none",
                    _ => "local",
                };
                resources(host, wanted)?;
            }
        }
        Ok(())
    }

    /// Waits until each node has both addresses: neither hears the other.
    pub fn split(&self) -> Result<(), Failure> {
        wait_for("both addresses on both nodes", PATIENCE, || {
            let has = |h: &Host| [VIP_A, VIP_B].iter().filter(|v| h.has_address(v)).count();
            let seen = self.both().map(has);
            Ok(if seen == [2, 2] { Ok(()) } else { Err(format!("{seen:?}")) })
        })
    }

    /// Power loss of a node.
    pub fn power_off(&self, host: &Host) -> Result<(), Failure> {
        host.power_off();
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        self.lost.borrow_mut().push((now, host.name().to_owned()));
        Ok(())
    }

    /// Holds that nothing was started on one node while it ran on the other, and each resource runs on one node now.
    pub fn one_owner_at_a_time(&self) -> Result<(), Failure> {
        let mut calls = Vec::new();
        for host in self.both() {
            for line in host.read_file(RECORD)?.lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let [at, resource, verb] = words.as_slice() else { anyhow::bail!("{RECORD}: {line}") };
                calls.push((at.parse::<f64>()?, host.name().to_owned(), (*resource).to_owned(), (*verb).to_owned()));
            }
        }
        for (at, name) in self.lost.borrow().iter() {
            calls.extend(["ra", "rb"].map(|r| (*at, name.clone(), r.to_owned(), "power loss".to_owned())));
        }
        calls.sort_by(|x, y| x.0.total_cmp(&y.0));
        let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, node, resource, verb) in &calls {
            let running = owner.get(resource.as_str()).copied();
            if verb == "start" {
                ensure!(
                    running.is_none_or(|o| o == node),
                    "{resource} was started on {node} while it ran on {}:\n{calls:#?}",
                    running.unwrap_or_default()
                );
                owner.insert(resource, node);
            } else if running == Some(node) {
                owner.remove(resource.as_str());
            }
        }
        ensure!(owner.len() == 2, "running at the end: {owner:?}\n{calls:#?}");
        Ok(())
    }
}

/// Waits until `cl_status rscstatus` says this; several words are apart by `|`.
pub fn resources(host: &Host, wanted: &str) -> Result<(), Failure> {
    wait_for(&format!("the resources {wanted} on {}", host.name()), PATIENCE, || {
        let seen = host.run("cl_status rscstatus")?.text();
        if wanted.split('|').any(|w| w == seen.trim()) {
            return Ok(Ok(()));
        }
        std::thread::sleep(Duration::from_millis(200));
        Ok(Err(seen))
    })
}

/// Runs `hb_standby` or `hb_takeover` with these words.
pub fn ask(host: &Host, command: &str) -> Result<Output, Failure> {
    let output = host.run(&format!("/usr/share/heartbeat/{command}"))?;
    ensure!(output.code == 0, "{}: {command} ended with {}: {}", host.name(), output.code, output.text());
    Ok(output)
}

/// Waits until the page that `from` gets at this address is this one.
pub fn page(from: &Host, address: &str, wanted: &str) -> Result<(), Failure> {
    wait_for(&format!("the page {wanted:?} at {address}"), PATIENCE * 2, || {
        let seen = from.run(&format!("netns get http://{address}/"))?.text();
        if seen.trim() == wanted {
            return Ok(Ok(()));
        }
        std::thread::sleep(Duration::from_millis(200));
        Ok(Err(seen))
    })
}

/// The lines of a host's log that contain this; none while there is no log.
pub fn log_lines(host: &Host, text: &str) -> Result<Vec<String>, Failure> {
    let log = host.run("cat /var/log/ha-log")?.out;
    Ok(log.lines().filter(|l| l.contains(text)).map(str::to_owned).collect())
}

/// Waits for a line of a host's log that contains this.
pub fn wait_for_log(host: &Host, text: &str) -> Result<(), Failure> {
    wait_for(&format!("{text:?} in {}'s log", host.name()), PATIENCE, || {
        let log = host.run("tail -5 /var/log/ha-log")?.out;
        Ok(if log_lines(host, text)?.is_empty() { Err(log) } else { Ok(()) })
    })
}

/// Holds that the log has no error and no lost packet.
pub fn clean_log(host: &Host) -> Result<(), Failure> {
    let log = host.read_file("/var/log/ha-log").context("no log")?;
    let bad: Vec<&str> = log
        .lines()
        .filter(|l| (l.contains("ERROR") && !l.contains("lock ourselves into memory")) || l.contains("lost packet"))
        .collect();
    ensure!(
        !log.is_empty() && bad.is_empty(),
        "{}: {} lines of log, among them\n{}",
        host.name(),
        log.lines().count(),
        bad.join("\n")
    );
    Ok(())
}
