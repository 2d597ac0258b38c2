//! What a node does when it cannot do what it should: a stop that fails, an address that somebody else has, a killed daemon's
//! addresses.

use std::time::Duration;

use anyhow::ensure;

use super::clients::{configure, written};
use super::pair::{HEARTBEAT, PATIENCE, Pair, Setup, VIP_A, VIP_B, ask, log_lines, resources};
use super::resources::{groups, succeeds};
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Machine;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/a resource that does not stop restarts the machine", Kernel::Any, reboots).slow(),
    Case::new("heartbeat/a resource that does not stop is waited for", Kernel::Any, waits).slow(),
    Case::new("heartbeat/an address that a stranger has is taken by no node", Kernel::Any, stranger).slow(),
    Case::new("heartbeat/a killed daemon's addresses go when others have them", Kernel::Any, leftover).slow(),
];

/// Its stop works only once /run/may-stop is there; a resource to its left records what happens.
const STUCK: &str = "#!/bin/sh\ncase $1 in\nstart) : >/run/stuck ;;\n\
                     stop) echo stop >>/var/log/stuck; [ -e /run/may-stop ] || exit 5; rm -f /run/stuck ;;\n\
                     status) if [ -e /run/stuck ]; then echo running; else echo stopped; fi ;;\nesac\n";

fn pair_with_stuck<'a>(lab: &'a mut Lab, more: &str) -> Result<Pair<'a>, Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        host.write_file_mode("/etc/ha.d/resource.d/stuck", STUCK, 0o755)?;
        host.write_file_mode(
            "/sbin/reboot",
            "#!/bin/sh\necho \"reboot $*\" >>/var/log/reboot\nwhile [ ! -e /run/seen ]; do sleep 0.1; done\n",
            0o755,
        )?;
        configure(host, more)?;
    }
    groups(&pair, &format!("alpha IPaddr2::{VIP_A}/24/eth0 recorder::ra stuck\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"))?;
    pair.start()?;
    succeeds(pair.alpha, "test -e /run/stuck")?;
    Ok(pair)
}

/// The command is called first; as it does nothing here, the kernel is asked, and the host is gone. The other node takes over
/// then and not before.
fn reboots(lab: &mut Lab) -> Result<(), Failure> {
    let pair = pair_with_stuck(lab, "")?;
    ask(pair.alpha, "hb_standby all")?;
    written(pair.alpha, "/var/log/reboot", "reboot -nf\n")?;
    let stops = pair.alpha.read_file("/var/log/stuck")?.lines().count();
    ensure!(stops == 11, "{stops} stops");
    ensure!(pair.alpha.has_address(VIP_A) && !pair.beta.has_address(VIP_A), "what stands before it was stopped or taken");
    ensure!(!log_lines(pair.alpha, "CRIT: Resource STOP failure. Reboot required!")?.is_empty(), "not in the log");
    pair.alpha.run(": >/run/seen")?.ok()?;
    wait_for("alpha to go down", PATIENCE, || {
        let up = pair.alpha.run("true").is_ok_and(|seen| seen.code == 0);
        Ok(if up { Err("it is up".to_owned()) } else { Ok(()) })
    })?;
    pair.power_off(pair.alpha)?;
    pair.owned("beta", "beta")?;
    pair.alpha.power_on()?;
    pair.one_owner_at_a_time()
}

/// It is tried until it works; nobody else takes the group meanwhile.
fn waits(lab: &mut Lab) -> Result<(), Failure> {
    let pair = pair_with_stuck(lab, "#lvs-ha: reboot off\n")?;
    ask(pair.alpha, "hb_standby all")?;
    wait_for("the last try of the first stop", PATIENCE, || {
        let seen = log_lines(pair.alpha, "could not be stopped")?;
        std::thread::sleep(Duration::from_millis(200));
        Ok(if seen.is_empty() { Err("no word in the log".to_owned()) } else { Ok(()) })
    })?;
    ensure!(!pair.beta.has_address(VIP_A) && pair.alpha.read_file("/var/log/reboot").is_err(), "not waited");
    pair.alpha.run(": >/run/may-stop")?.ok()?;
    pair.owned("beta", "beta")?;
    pair.one_owner_at_a_time()
}

fn stranger(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("gamma", "10.9.0.3/24")])?;
    let pair = Pair::build(lab, &Setup::default())?;
    let gamma = pair.other("gamma")?;
    gamma.run(&format!("ip addr add {VIP_A}/24 dev eth0"))?.ok()?;
    let mac = gamma.run("cat /sys/class/net/eth0/address")?.ok()?;
    pair.start_without_waiting()?;
    for host in pair.both() {
        let text = format!("{VIP_A} is in use: the unknown host {} answers for it on eth0", mac.trim());
        written(host, "/var/log/ha-log", &text)?;
    }
    resources(pair.beta, "local")?;
    ensure!(!pair.alpha.has_address(VIP_A) && !pair.beta.has_address(VIP_A), "taken from the stranger");
    ensure!(pair.alpha.run("test -e /run/recorder.ra")?.code != 0, "what stands behind the address was started");
    gamma.run(&format!("ip addr del {VIP_A}/24 dev eth0"))?.ok()?;
    wait_for("an owner of the address", PATIENCE, || {
        let seen = [pair.alpha.has_address(VIP_A), pair.beta.has_address(VIP_A)];
        Ok(if seen.contains(&true) { Ok(()) } else { Err("nobody".to_owned()) })
    })?;
    ensure!(!(pair.alpha.has_address(VIP_A) && pair.beta.has_address(VIP_A)), "both");
    Ok(())
}

fn leftover(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        let text = host.read_file("/etc/ha.d/ha.cf")?.replace("auto_failback on", "auto_failback off");
        host.write_file("/etc/ha.d/ha.cf", &text)?;
    }
    pair.start()?;
    // Somebody's own address, of which the record knows nothing.
    pair.alpha.run("ip addr add 10.9.0.77/32 dev eth0")?.ok()?;
    pair.alpha.run("kill -9 $(cat /run/heartbeat.pid)")?.ok()?;
    wait_for("beta to take over", PATIENCE, || {
        Ok(if pair.beta.has_address(VIP_A) { Ok(()) } else { Err("not yet".to_owned()) })
    })?;
    ensure!(pair.alpha.has_address(VIP_A), "the killed daemon's address was expected to be there still");
    pair.alpha.run(HEARTBEAT)?.ok()?;
    pair.owned("beta", "beta")?;
    let said = log_lines(pair.alpha, &format!("Removed {VIP_A}: left over from the last run and held by"))?;
    ensure!(said.len() == 1 && pair.alpha.has_address("10.9.0.77"), "{said:?}");
    Ok(())
}
