//! A reload that finds a broken file.

use anyhow::ensure;

use super::{FILE, LOG, PATIENCE, becomes, director, server, table};
use crate::lab::{Lab, wait_for};
use crate::runner::Failure;

const SERVICE: &str = "-A -t 10.9.0.100:80 -s rr";
const FIRST: &str = "-a -t 10.9.0.100:80 -r 10.9.0.11:8001 -m -w 1";
const SECOND: &str = "-a -t 10.9.0.100:80 -r 10.9.0.12:8002 -m -w 1";

/// The running configuration stays whole and at work; command, log and status say why.
pub fn broken(lab: &mut Lab) -> Result<(), Failure> {
    let host = director(lab)?;
    let _first = server(host, 8001)?;
    let second = server(host, 8002)?;
    let file = |virtual_line: &str| {
        format!(
            "checktimeout=5\ncheckinterval=1\nquiescent=no\nlogfile=\"{LOG}\"\n{virtual_line}\n\treal=10.9.0.11:8001 masq\n\treal=10.9.0.12:8002 masq\n\tservice=http\n\trequest=\"/\"\n\treceive=\"up\"\n\tscheduler=rr\n"
        )
    };
    host.write_file(FILE, &file("virtual=10.9.0.100:80"))?;
    host.run("ldirectord www.cf start")?.ok()?;
    becomes(host, &[SERVICE, FIRST, SECOND], PATIENCE)?;
    let whole = host.run("lvs-ha status")?;
    ensure!(whole.code == 0, "status of a whole configuration: {}", whole.text());

    // Had it been taken over in part, the table would now have a weight of 9.
    host.write_file(
        FILE,
        &file("virtual=10.9.0.100:80").replace("8001 masq", "8001 masq 9").replace("scheduler=rr", "shceduler=rr"),
    )?;
    let reload = host.run("ldirectord www.cf reload")?;
    let place = format!("reading file {FILE} at line 11: Unknown command");
    ensure!(reload.code == 2 && reload.err.contains(&place), "reload: {reload:?}");
    ensure!(reload.err.contains("keeps the configuration that it has"), "reload: {}", reload.err);
    let status = wait_for("the status that tells of the broken file", PATIENCE, || {
        let seen = host.run("lvs-ha status")?;
        Ok(if seen.text().contains("Unknown command") { Ok(seen) } else { Err(seen.text()) })
    })?;
    ensure!(status.code == 1 && status.out.contains("line 11"), "status: {status:?}");
    let json = host.run("lvs-ha status --json")?;
    ensure!(json.out.contains("\"config_error\": \"Error ["), "{}", json.out);
    let log = host.read_file(LOG)?;
    ensure!(log.contains(&place) && log.contains("was not taken over: the configuration before stays in force"), "{log}");
    let mut unchanged = [SERVICE, FIRST, SECOND].map(str::to_owned).to_vec();
    unchanged.sort();
    let seen = table(host)?;
    ensure!(seen == unchanged, "after the broken reload:\n{}", seen.join("\n"));

    drop(second);
    becomes(host, &[SERVICE, FIRST], PATIENCE)?;
    let _second = server(host, 8002)?;
    becomes(host, &[SERVICE, FIRST, SECOND], PATIENCE)?;

    host.write_file(FILE, &file("virtual=10.9.0.101:80"))?;
    host.run("ldirectord www.cf reload")?.ok()?;
    let moved = [SERVICE, FIRST, SECOND].map(|l| l.replace("10.9.0.100", "10.9.0.101"));
    becomes(host, &moved.iter().map(String::as_str).collect::<Vec<_>>(), PATIENCE)?;
    let status = host.run("lvs-ha status")?;
    ensure!(status.code == 0 && !status.out.contains("Unknown command"), "status of the mended file: {}", status.text());
    Ok(())
}
