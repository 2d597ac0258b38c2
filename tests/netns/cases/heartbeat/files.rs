//! The files of a pair: what is said when they differ, and what SIGHUP does with changed ones.

use std::time::Duration;

use anyhow::ensure;

use super::clients::{configure, written};
use super::pair::{HEARTBEAT, PATIENCE, Pair, Setup, VIP_A, VIP_B, ask, log_lines};
use super::resources::{groups, succeeds};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/nodes tell when their files differ", Kernel::Any, differ).slow(),
    Case::new("heartbeat/SIGHUP takes a changed ha.cf over and keeps what runs", Kernel::Any, hangup_ours).slow(),
    Case::new("heartbeat/SIGHUP with the original on the other side", Kernel::Any, hangup_mixed).originals().slow(),
];

/// Waits until `lvs-ha status` says this, and ends with that.
fn status(host: &Host, code: i32, line: &str) -> Result<(), Failure> {
    wait_for(&format!("`{line}` in the status of {}", host.name()), PATIENCE, || {
        let seen = host.run("lvs-ha status")?;
        if seen.code == code && seen.out.contains(line) {
            return Ok(Ok(()));
        }
        std::thread::sleep(Duration::from_millis(300));
        Ok(Err(seen.text()))
    })
}

fn differ(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    pair.start()?;
    // The links' addresses in ha.cf are each node's own.
    for host in pair.both() {
        status(host, 0, "All is well.")?;
    }
    let text = pair.alpha.read_file("/etc/ha.d/haresources")?;
    pair.alpha.write_file("/etc/ha.d/haresources", &format!("{text}alpha recorder::rc\n"))?;
    pair.alpha.write_file("/etc/ha.d/ldirectord.cf", "checktimeout=3\n")?;
    status(pair.alpha, 1, "DEGRADED  files of beta differ from those here: haresources, ldirectord.cf")?;
    status(pair.beta, 1, "DEGRADED  files of alpha differ from those here: haresources, ldirectord.cf")?;
    groups(&pair, &format!("alpha IPaddr2::{VIP_A}/24/eth0 recorder::ra\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"))?;
    pair.alpha.run("rm /etc/ha.d/ldirectord.cf")?.ok()?;
    for host in pair.both() {
        status(host, 0, "All is well.")?;
    }
    ensure!(!log_lines(pair.alpha, "Files of beta differ from those here: haresources")?.is_empty(), "not in the log");
    ensure!(log_lines(pair.alpha, "differ from those here: ha.cf")?.is_empty(), "the links count");
    Ok(())
}

fn hangup_ours(lab: &mut Lab) -> Result<(), Failure> {
    hangup(lab, [Product::LvsHa; 2])
}

fn hangup_mixed(lab: &mut Lab) -> Result<(), Failure> {
    hangup(lab, [Product::LvsHa, Product::Originals])
}

/// Goes in: files with errors, a greater dead time and one more group. Must come out: the same process, nothing stopped or
/// started but for the new group, and a peer that has missed nothing.
fn hangup(lab: &mut Lab, products: [Product; 2]) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products, ..Setup::default() })?;
    let alpha = pair.alpha;
    let child = "#!/bin/sh\ntrap 'echo ended >>/var/log/child; exit 0' TERM\necho started >>/var/log/child\nwhile :; do sleep 0.1; done\n";
    alpha.write_file_mode("/usr/local/bin/child", child, 0o755)?;
    configure(alpha, "respawn root /usr/local/bin/child\n")?;
    pair.start()?;
    written(alpha, "/var/log/child", "started\n")?;
    let good = alpha.read_file("/etc/ha.d/ha.cf")?;
    let pid = alpha.read_file("/run/heartbeat.pid")?;
    let asked = |text: &str| -> Result<String, Failure> {
        alpha.write_file("/etc/ha.d/ha.cf", text)?;
        // The file's time is to be another one.
        alpha.run("touch -d \"$(date -d '-1 day')\" /etc/ha.d/ha.cf; kill -HUP $(cat /run/heartbeat.pid)")?.ok()
    };
    asked(&good.replace("deadtime 3", "deadtime nonsense"))?;
    written(alpha, "/var/log/ha-log", "The files have errors: the running configuration stays.")?;
    groups(
        &pair,
        &format!(
            "alpha recorder::new\nalpha IPaddr2::{VIP_A}/24/eth0 recorder::ra\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"
        ),
    )?;
    let generation = alpha.read_file("/var/lib/heartbeat/hb_generation")?;
    let greater = |host: &Host| -> Result<(), Failure> {
        let text =
            host.read_file("/etc/ha.d/ha.cf")?.replace("deadtime nonsense", "deadtime 4").replace("deadtime 3", "deadtime 4");
        host.write_file("/etc/ha.d/ha.cf", &text)?;
        host.run("kill -HUP $(cat /run/heartbeat.pid)")?.ok()?;
        wait_for("the new dead time", PATIENCE, || {
            let seen = host.run("cl_status hbparameter -p deadtime")?.text();
            std::thread::sleep(Duration::from_millis(100));
            Ok(if seen.trim() == "4" { Ok(()) } else { Err(seen) })
        })
    };
    greater(alpha)?;
    succeeds(alpha, "test -e /run/recorder.new")?;
    written(alpha, "/var/log/child", "started\nended\nstarted\n")?;
    pair.owned("alpha", "beta")?;
    ensure!(alpha.read_file("/run/heartbeat.pid")? == pid, "another process");
    ensure!(alpha.read_file("/var/lib/heartbeat/hb_generation")? != generation, "the same generation");
    let record = alpha.read_file("/var/log/rsc.log")?;
    let words: Vec<&str> = record.lines().filter_map(|l| l.split_once(' ').map(|(_, what)| what)).collect();
    ensure!(words == ["ra start", "new start"], "{words:?}");
    ensure!(!pair.beta.read_file("/var/log/rsc.log")?.contains("ra start"), "beta took over");
    let dead = log_lines(pair.beta, "is dead")?;
    let restart = log_lines(pair.beta, "Heartbeat restart on node alpha")?;
    ensure!(dead.is_empty() && restart.len() == 1, "{dead:?} {restart:?}");
    // The other node as well: it does not take a group that its own run does not know.
    if products[1] == Product::LvsHa {
        greater(pair.beta)?;
        pair.owned("alpha", "beta")?;
    }
    // What is kept can be given away, and stopped.
    ask(alpha, "hb_standby all")?;
    pair.owned("beta", "beta")?;
    alpha.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    Ok(())
}
