//! Scripts of third parties and the commands they call, beside the originals': the same words in, the same out.

use std::time::Duration;

use anyhow::ensure;

use super::pair::{PATIENCE, Pair, Setup, VIP_A, VIP_B, ask, log_lines};
use super::resources::{groups, succeeds};
use crate::host::{Host, originals};
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/drbddisk of drbd-utils runs as under the original", Kernel::Any, drbddisk).originals().slow(),
    Case::new("heartbeat/a systemd unit is the last resort", Kernel::Any, unit).slow(),
    Case::new("heartbeat/hb_addnode and hb_delnode reach the original", Kernel::Any, nodes).originals().slow(),
    Case::new("heartbeat/ResourceManager answers as the original's", Kernel::Any, resource_manager).originals().slow(),
];

/// Keeps the role of a resource in a file.
const DRBDADM: &str = "#!/bin/sh\necho \"$*\" >>/var/log/drbdadm\ncase $1 in\nprimary) echo Primary >/var/role ;;\nsecondary) echo Secondary >/var/role ;;\n\
                       role) echo \"$(cat /var/role 2>/dev/null || echo Secondary)/Secondary\" ;;\nesac\n";

/// `drbddisk` as Debian ships it, without an argument more; only what it asks of the kernel is played.
fn drbddisk(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products: [Product::LvsHa, Product::Originals], ..Setup::default() })?;
    let script = originals()?.join("etc/ha.d/resource.d/drbddisk");
    ensure!(script.is_file(), "no drbddisk among the originals");
    for host in pair.both() {
        host.run(&format!("cp '{}' /etc/ha.d/resource.d/", script.display()))?.ok()?;
        host.write_file_mode("/sbin/drbdadm", DRBDADM, 0o755)?;
    }
    groups(
        &pair,
        &format!("alpha drbddisk::r0 IPaddr2::{VIP_A}/24/eth0 recorder::ra\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"),
    )?;
    pair.start()?;
    let role = |host: &Host| host.read_file("/var/role").unwrap_or_default();
    ensure!(role(pair.alpha) == "Primary\n" && role(pair.beta) != "Primary\n", "{} {}", role(pair.alpha), role(pair.beta));
    ensure!(pair.alpha.run("/usr/share/heartbeat/ResourceManager status drbddisk::r0")?.code == 0, "status");
    ask(pair.alpha, "hb_standby all")?;
    pair.owned("beta", "beta")?;
    ensure!(role(pair.alpha) == "Secondary\n" && role(pair.beta) == "Primary\n", "{} {}", role(pair.alpha), role(pair.beta));
    // The same calls in the same order, but for how often the role is asked: the original does not watch.
    let calls = |host: &Host| -> Result<Vec<String>, Failure> {
        let mut calls: Vec<String> = host.read_file("/var/log/drbdadm")?.lines().map(str::to_owned).collect();
        calls.dedup();
        Ok(calls)
    };
    ensure!(calls(pair.alpha)? == ["role r0", "primary r0", "role r0", "secondary r0"], "{:?}", calls(pair.alpha)?);
    ensure!(calls(pair.beta)? == ["role r0", "primary r0"], "{:?}", calls(pair.beta)?);
    pair.one_owner_at_a_time()
}

/// There is no systemd on a host of the lab: its folder, a unit and a `systemctl` that keeps what it was told.
fn unit(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let systemctl = "#!/bin/sh\necho \"$*\" >>/var/log/systemctl\ncase $1 in\nstart) : >\"/run/unit.$2\" ;;\nstop) rm -f \"/run/unit.$2\" ;;\n\
                     is-active) [ -e \"/run/unit.$2\" ] ;;\nesac\n";
    for host in pair.both() {
        host.run("mkdir -p /run/systemd/system /etc/systemd/system")?.ok()?;
        host.write_file("/etc/systemd/system/web-of-the-lab.service", "[Service]\nExecStart=/bin/true\n")?;
        host.write_file_mode("/usr/bin/systemctl", systemctl, 0o755)?;
    }
    groups(
        &pair,
        &format!("alpha IPaddr2::{VIP_A}/24/eth0 web-of-the-lab recorder::ra\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"),
    )?;
    pair.start()?;
    succeeds(pair.alpha, "test -e /run/unit.web-of-the-lab.service")?;
    ask(pair.alpha, "hb_standby --wait all")?;
    succeeds(pair.beta, "test -e /run/unit.web-of-the-lab.service")?;
    ensure!(pair.alpha.run("test -e /run/unit.web-of-the-lab.service")?.code != 0, "the unit runs on both");
    let told = log_lines(pair.alpha, "Running /usr/bin/systemctl start web-of-the-lab.service")?;
    ensure!(told.len() == 1, "{told:?}");
    // A script of that name goes first.
    for host in pair.both() {
        host.write_file_mode("/etc/init.d/web-of-the-lab", "#!/bin/sh\n[ \"$1\" != status ] || echo stopped\n", 0o755)?;
    }
    ask(pair.alpha, "hb_takeover all")?;
    succeeds(pair.alpha, "grep -q 'Running /etc/init.d/web-of-the-lab start' /var/log/ha-log")
}

/// Every verb on files with what the original's sed and awk know: comments, joined lines, blanks, capitals.
fn resource_manager(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products: [Product::LvsHa, Product::Originals], ..Setup::default() })?;
    groups(
        &pair,
        "# the pair's groups\n\n  ALPHA   recorder::ra\trecorder::more   # first\nbeta recorder::rb \\\n   recorder::rc\nalpha recorder::rd\n",
    )?;
    let ask = |words: &str| -> Result<(), Failure> {
        let command = format!("HA_CURHOST=alpha HA_DEBUGLOG=/dev/null /usr/share/heartbeat/ResourceManager {words}");
        let [ours, theirs] = [pair.alpha.run(&command)?, pair.beta.run(&command)?];
        ensure!((&ours.out, ours.code) == (&theirs.out, theirs.code), "{words}: ours {ours:?}, the original's {theirs:?}");
        Ok(())
    };
    let running = |resource: &str, runs: bool| -> Result<(), Failure> {
        for host in pair.both() {
            ensure!((host.run(&format!("test -e /run/recorder.{resource}"))?.code == 0) == runs, "{resource} on {}", host.name());
        }
        Ok(())
    };
    let questions = [
        "listkeys alpha",
        "listkeys ALPHA",
        "listkeys beta",
        "listkeys gamma",
        "listkeys '.*'",
        "allkeys",
        "ourkeys",
        "otherkeys",
        "status recorder::ra",
        "status recorder::rb",
        "verifyallidle",
        "givegroup nothing",
        "takegroup nothing",
        "",
        "dance",
    ];
    questions.iter().try_for_each(|q| ask(q))?;
    for (verb, resource, all) in
        [("takegroup", "recorder::ra", true), ("takegroup", "recorder::rc", true), ("givegroup", "recorder::rb", false)]
    {
        ask(&format!("{verb} {resource}"))?;
        let group: &[&str] = if resource == "recorder::ra" { &["ra", "more"] } else { &["rb", "rc"] };
        group.iter().try_for_each(|r| running(r, all))?;
        questions.iter().try_for_each(|q| ask(q))?;
    }
    // Half of a group.
    for host in pair.both() {
        host.run("rm /run/recorder.more")?.ok()?;
    }
    let state = |host: &Host, key: &str| {
        host.run(&format!("HA_CURHOST=alpha HA_DEBUGLOG=/dev/stdout /usr/share/heartbeat/ResourceManager statgroup {key}"))
    };
    for key in ["recorder::ra", "recorder::rb", "recorder::rd"] {
        let [ours, theirs] = [state(pair.alpha, key)?.out, state(pair.beta, key)?.out];
        ensure!(ours == theirs && !ours.is_empty(), "statgroup {key}: ours {ours:?}, the original's {theirs:?}");
    }
    let idle = |host: &Host| host.run("HA_DEBUGLOG=/dev/null /usr/share/heartbeat/ResourceManager verifyallidle");
    let [ours, theirs] = [idle(pair.alpha)?, idle(pair.beta)?];
    // The original's are among its log lines.
    ensure!(!ours.err.is_empty() && theirs.err.contains(&ours.err) && ours.code == 1, "ours {ours:?}, the original's {theirs:?}");
    for command in ["hb_addnode", "hb_delnode --help", "hb_addnode --help", "hb_delnode"] {
        let [ours, theirs] = pair.both().map(|host| host.run(&format!("/usr/share/heartbeat/{command}")));
        let (ours, theirs) = (ours?, theirs?);
        ensure!((&ours.out, &ours.err, ours.code) == (&theirs.out, &theirs.err, theirs.code), "{command}: {ours:?} {theirs:?}");
    }
    Ok(())
}

fn nodes(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products: [Product::LvsHa, Product::Originals], ..Setup::default() })?;
    pair.start()?;
    let known = |wanted: bool| {
        wait_for("the original's list of nodes", PATIENCE, || {
            let seen = pair.beta.run("cl_status listnodes")?.text();
            std::thread::sleep(Duration::from_millis(200));
            Ok(if seen.lines().any(|l| l == "gamma") == wanted { Ok(()) } else { Err(seen) })
        })
    };
    ask(pair.alpha, "hb_addnode gamma")?;
    known(true)?;
    // It deletes only what is dead.
    succeeds(pair.beta, "cl_status nodestatus gamma | grep -qx dead")?;
    ask(pair.alpha, "hb_delnode gamma")?;
    known(false)?;
    pair.one_owner_at_a_time()
}
