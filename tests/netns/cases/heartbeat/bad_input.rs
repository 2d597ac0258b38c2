//! What heartbeat refuses: one clear error, a non-zero exit, nothing half configured.

use anyhow::ensure;

use super::pair::{HEARTBEAT, PATIENCE, VIP_A, log_lines};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Machine;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/a broken line in each file is named with its column", Kernel::Any, broken_lines),
    Case::new("heartbeat/a readable key file is refused in the original's words", Kernel::Any, readable_keys),
    Case::new("heartbeat/a missing interface is refused", Kernel::Any, missing_interface),
    Case::new("heartbeat/it wants root", Kernel::Any, no_permission),
    Case::new("heartbeat/a taken port is refused", Kernel::Any, port_taken),
    Case::new("heartbeat/an address that a stranger has is not taken", Kernel::Any, stranger),
];

const HA_CF: &str =
    "logfile /var/log/ha-log\nkeepalive 200ms\ndeadtime 3\ninitdead 6\nbcast eth0\nauto_failback on\nnode alpha beta\n";
const HARESOURCES: &str = "alpha IPaddr2::10.9.0.101/24/eth0\n";
const AUTHKEYS: &str = "auth 1\n1 sha1 a secret\n";

fn alpha(lab: &mut Lab) -> Result<&Host, Failure> {
    lab.start(&[Machine::new("alpha", "10.9.0.1/24")])?;
    let host = lab.host("alpha")?;
    host.write_file("/etc/ha.d/ha.cf", HA_CF)?;
    host.write_file("/etc/ha.d/haresources", HARESOURCES)?;
    host.write_file("/etc/ha.d/authkeys", AUTHKEYS)?;
    Ok(host)
}

/// Runs the command: it must fail with these texts and leave nothing behind.
fn refused(host: &Host, command: &str, texts: &[&str]) -> Result<String, Failure> {
    let seen = host.run(command)?;
    ensure!(seen.code != 0, "it started: {seen:?}");
    for text in texts {
        ensure!(seen.err.contains(text), "no {text:?} in\n{}", seen.err);
    }
    // Its start was refused before its process ended.
    wait_for("nothing to be left behind", PATIENCE, || {
        let left = host.run("cat /proc/[0-9]*/comm | grep -e heartbeat -e lvs-ha; ls /run/heartbeat.pid /run/lvs-ha/*.sock")?.out;
        Ok(if left.is_empty() { Ok(()) } else { Err(left) })
    })?;
    ensure!(!host.has_address(VIP_A), "it took the address");
    Ok(seen.err)
}

/// How many lines say ERROR.
fn errors(said: &str) -> usize {
    said.lines().filter(|l| l.contains("ERROR")).count()
}

fn broken_lines(lab: &mut Lab) -> Result<(), Failure> {
    let host = alpha(lab)?;
    for (file, good, bad, texts) in [
        ("ha.cf", HA_CF, HA_CF.replace("deadtime 3", "deadtime soon"), ["ha.cf", "line 3", "column 10"]),
        ("ha.cf", HA_CF, HA_CF.replace("bcast eth0", "brodcast eth0"), ["ha.cf", "line 5", "column 1"]),
        (
            "haresources",
            HARESOURCES,
            format!("# groups\n{}", HARESOURCES.replace("alpha", "gamma")),
            ["haresources", "line 2", "column 1"],
        ),
        ("authkeys", AUTHKEYS, AUTHKEYS.replace("sha1", "rot13"), ["authkeys", "line 2", "column 3"]),
        ("authkeys", AUTHKEYS, AUTHKEYS.replace("auth 1", "auth one"), ["authkeys", "line 1", "column 6"]),
    ] {
        let path = format!("/etc/ha.d/{file}");
        host.write_file(&path, &bad)?;
        refused(host, HEARTBEAT, &texts).map_err(|e| e.context(bad.clone()))?;
        host.write_file(&path, good)?;
    }
    host.run(HEARTBEAT)?.ok()?;
    host.run(&format!("{HEARTBEAT} -k"))?.ok().map(drop)
}

fn readable_keys(lab: &mut Lab) -> Result<(), Failure> {
    let host = alpha(lab)?;
    host.write_file_mode("/etc/ha.d/authkeys", AUTHKEYS, 0o644)?;
    let said = refused(host, HEARTBEAT, &[])?;
    let wanted = [
        "ERROR: Bad permissions on keyfile [/etc/ha.d//authkeys], 600 recommended.",
        "ERROR: Authentication configuration error.",
        "ERROR: Configuration error, heartbeat not started.",
    ];
    let lines: Vec<&str> = said.lines().filter(|l| l.contains("ERROR")).collect();
    ensure!(lines.len() == 3 && lines.iter().zip(wanted).all(|(l, w)| l.ends_with(w)), "{said}");
    Ok(())
}

fn missing_interface(lab: &mut Lab) -> Result<(), Failure> {
    let host = alpha(lab)?;
    for medium in ["bcast eth7", "mcast eth7 239.0.0.43 694 1 0"] {
        host.write_file("/etc/ha.d/ha.cf", &HA_CF.replace("bcast eth0", medium))?;
        refused(host, HEARTBEAT, &["ha.cf", "line 5", "column", "eth7"])?;
    }
    Ok(())
}

fn no_permission(lab: &mut Lab) -> Result<(), Failure> {
    let host = alpha(lab)?;
    // A copy: the folder of the executable may be closed to others.
    host.run("cp -L /usr/sbin/lvs-ha /run/lvs-ha-copy; chmod 755 /run/lvs-ha-copy")?.ok()?;
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups /run/lvs-ha-copy heartbeat";
    let said = refused(host, nobody, &["root"])?;
    ensure!(errors(&said) == 1, "{said}");
    Ok(())
}

fn port_taken(lab: &mut Lab) -> Result<(), Failure> {
    let host = alpha(lab)?;
    for medium in ["bcast eth0", "ucast eth0 10.9.0.2", "mcast eth0 239.0.0.43 694 1 0"] {
        host.write_file("/etc/ha.d/ha.cf", &HA_CF.replace("bcast eth0", medium))?;
        let _other = host.spawn("exec netns hold 694")?;
        wait_for("the other program to have the port", PATIENCE, || {
            // 694 is 2B6.
            let taken = host.run("grep -q ':02B6 ' /proc/net/udp")?.code == 0;
            Ok(if taken { Ok(()) } else { Err("it is free".to_owned()) })
        })?;
        let said = refused(host, HEARTBEAT, &["694"])?;
        ensure!(errors(&said) == 1, "{medium}: {said}");
    }
    Ok(())
}

fn stranger(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("stranger", "10.9.0.9/24 10.9.0.101/24")])?;
    let host = alpha(lab)?.name().to_owned();
    let (host, stranger) = (lab.host(&host)?, lab.host("stranger")?);
    let mac = stranger.run("cat /sys/class/net/eth0/address")?.ok()?;
    host.run(HEARTBEAT)?.ok()?;
    let told = wait_for("the start of the group to fail", PATIENCE, || {
        let told = log_lines(host, mac.trim())?;
        Ok(if told.is_empty() { Err("no line names the MAC".to_owned()) } else { Ok(told) })
    })?;
    ensure!(told[0].contains(VIP_A) && told[0].contains("ERROR"), "{told:?}");
    ensure!(!host.has_address(VIP_A), "the address was taken");
    let seen = host.run(&format!("ping -c 1 -W 5 {VIP_A}"))?;
    ensure!(seen.code == 0, "the stranger lost its address: {}", seen.text());
    Ok(())
}
