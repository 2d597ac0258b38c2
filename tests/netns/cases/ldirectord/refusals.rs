//! Starts that cannot succeed: one clear error, an exit status other than 0, and nothing left behind.

use anyhow::ensure;

use super::{FILE, PATIENCE, director, table};
use crate::host::{Host, Output};
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;
use crate::table::Machine;

const GOOD: &str = "logfile=\"/run/log\"\nvirtual=10.9.0.100:80\n\treal=10.9.0.11:80 gate\n\tchecktype=on\n";
const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

/// A director without witness.
fn plain(lab: &mut Lab) -> Result<&Host, Failure> {
    lab.start(&[Machine::new("director", "10.9.0.1/24")])?;
    lab.host("director")
}

/// No process, no pid file, no record, no socket.
fn nothing_left(host: &Host, said: &Output) -> Result<(), Failure> {
    // A process that has just ended may still be in the list.
    wait_for("the end of every ldirectord", PATIENCE, || {
        let left = host.run("pgrep -a -x ldirectord")?.out;
        Ok(if left.is_empty() { Ok(()) } else { Err(left) })
    })?;
    let left = host.run("find /run -name '*ldirectord*' ! -type d; find /run/lvs-ha -type f ! -name lock")?.out;
    ensure!(left.is_empty(), "left behind: {left}after {said:?}");
    Ok(())
}

/// Whether standard error is one error that says `what`.
fn one_error(said: &Output, code: i32, what: &str) -> Result<(), Failure> {
    let errors = said.err.lines().filter(|l| l.starts_with("Error") || l.starts_with("ldirectord:") || l.contains("not found"));
    ensure!(said.code == code && said.err.contains(what) && errors.count() == 1, "wanted status {code} and {what:?}: {said:?}");
    Ok(())
}

pub fn broken_line(lab: &mut Lab) -> Result<(), Failure> {
    let host = plain(lab)?;
    host.write_file(FILE, &GOOD.replace("gate", "gtae"))?;
    let said = host.run("ldirectord www.cf start")?;
    one_error(&said, 2, &format!("reading file {FILE} at line 3: "))?;
    // The place within the line: what stands there is underlined.
    let lines: Vec<&str> = said.err.lines().collect();
    let shown = lines.iter().position(|l| l.contains("real=10.9.0.11:80 gtae"));
    let mark = shown.and_then(|n| lines.get(n + 1)).and_then(|l| l.find('^'));
    let word = shown.and_then(|n| lines[n].find("gtae"));
    ensure!(mark.is_some() && mark == word, "no mark below the word:\n{}", said.err);
    nothing_left(host, &said)
}

pub fn missing_file(lab: &mut Lab) -> Result<(), Failure> {
    let host = plain(lab)?;
    let said = host.run("ldirectord none.cf start")?;
    one_error(&said, 1, "Config file none.cf not found")?;
    nothing_left(host, &said)
}

pub fn nobody(lab: &mut Lab) -> Result<(), Failure> {
    let host = plain(lab)?;
    host.write_file(FILE, GOOD)?;
    let said = host.run(&format!("{NOBODY} ldirectord www.cf start"))?;
    ensure!(said.code != 0 && !said.err.is_empty(), "{said:?}");
    nothing_left(host, &said)
}

pub fn no_permission(lab: &mut Lab) -> Result<(), Failure> {
    let host = director(lab)?;
    // Everything else is allowed to it, so that only the table is in the way.
    host.write_file(FILE, GOOD)?;
    let said = host.run("setpriv --bounding-set -net_admin --inh-caps -net_admin ldirectord www.cf start")?;
    one_error(&said, 1, "ermission")?;
    nothing_left(host, &said)?;
    let said = host.run(&format!("{NOBODY} ldirectord www.cf start"))?;
    ensure!(said.code != 0 && !said.err.is_empty(), "{said:?}");
    nothing_left(host, &said)?;
    let seen = table(host)?;
    ensure!(seen.is_empty(), "in the table:\n{}", seen.join("\n"));
    Ok(())
}

pub fn no_ipvs(lab: &mut Lab) -> Result<(), Failure> {
    let host = plain(lab)?;
    host.write_file(FILE, GOOD)?;
    let said = host.run("ldirectord www.cf start")?;
    one_error(&said, 1, "IPVS")?;
    nothing_left(host, &said)
}
