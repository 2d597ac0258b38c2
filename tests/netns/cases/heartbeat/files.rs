//! The files of a pair: what is said when they differ, and what SIGHUP does with changed ones.

use std::time::Duration;

use anyhow::ensure;

use super::pair::{PATIENCE, Pair, Setup, VIP_A, VIP_B, log_lines};
use super::resources::groups;
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};

pub const CASES: &[Case] = &[Case::new("heartbeat/nodes tell when their files differ", Kernel::Any, differ).slow()];

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
