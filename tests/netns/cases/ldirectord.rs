//! ldirectord on hosts: the recorded cases replayed, sudden deaths, restarts under traffic, broken files, servers that hang.

mod alerts;
mod connections;
mod crash;
mod hanging;
mod held;
mod refusals;
mod reload;
mod replay;

use std::time::Duration;

use crate::host::{Host, Running, executable};
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::{Machine, Product};

pub const CASES: &[Case] = &[
    Case::new("ldirectord/recorded cases: start and stop", Kernel::Ipvs, replay::starts_and_stops).originals(),
    Case::new("ldirectord/recorded cases: reload, alerts, maintenance", Kernel::Ipvs, replay::reloads).originals(),
    Case::new("ldirectord/recorded cases: the table", Kernel::Ipvs, replay::tables).originals(),
    Case::new("ldirectord/recorded cases: kinds of checks", Kernel::Ipvs, replay::checks).originals(),
    Case::new("ldirectord/recorded cases: services", Kernel::Ipvs, replay::services).originals(),
    Case::new("ldirectord/recorded cases: all the others", Kernel::Ipvs, replay::rest).long().originals(),
    Case::new("ldirectord/the original's refusals, replayed", Kernel::Any, replay::without_table),
    Case::new("ldirectord/killed while it starts", Kernel::Ipvs, crash::starting).originals(),
    Case::new("ldirectord/killed while it starts, often", Kernel::Ipvs, crash::starting_often).long().originals(),
    Case::new("ldirectord/killed while it runs", Kernel::Ipvs, crash::running).originals(),
    Case::new("ldirectord/killed while it runs, often", Kernel::Ipvs, crash::running_often).long().originals(),
    Case::new("ldirectord/killed while it reloads", Kernel::Ipvs, crash::reloading).originals(),
    Case::new("ldirectord/killed while it reloads, often", Kernel::Ipvs, crash::reloading_often).long().originals(),
    Case::new("ldirectord/killed while it stops", Kernel::Ipvs, crash::stopping).originals(),
    Case::new("ldirectord/killed while it stops, often", Kernel::Ipvs, crash::stopping_often).long().originals(),
    Case::new("ldirectord/connections outlive its restart", Kernel::Ipvs, connections::outlive_a_restart),
    Case::new("ldirectord/a broken file on reload changes nothing", Kernel::Ipvs, reload::broken).originals(),
    Case::new("ldirectord/servers that hang delay no other", Kernel::Ipvs, hanging::delays_no_other).originals(),
    Case::new("ldirectord/a dead server is told of on every way", Kernel::Ipvs, alerts::are_sent).originals(),
    Case::new("ldirectord/drained, in maintenance, settings lent", Kernel::Ipvs, held::by_command).originals(),
    Case::new("ldirectord/slow start, agent, children", Kernel::Ipvs, held::slow_start_agent_and_children).originals(),
    Case::new("ldirectord/without permission on the table", Kernel::Ipvs, refusals::no_permission).originals(),
    Case::new("ldirectord/a broken line stops the start", Kernel::Any, refusals::broken_line),
    Case::new("ldirectord/a missing file", Kernel::Any, refusals::missing_file),
    Case::new("ldirectord/started by nobody", Kernel::Any, refusals::nobody),
    Case::new("ldirectord/a kernel without IPVS", Kernel::NoIpvs, refusals::no_ipvs),
];

/// The configuration of these cases.
const FILE: &str = "/etc/ha.d/www.cf";
const LOG: &str = "/var/log/ldirectord.log";
/// The longest that a table may take: what is waited for takes a few check intervals, an emulated machine is slow.
const PATIENCE: Duration = Duration::from_secs(90);

/// A director with our ldirectord and Debian's ipvsadm as the witness. The addresses of its real servers are its own, so that
/// a web server on one of its ports is one of them.
fn director(lab: &mut Lab) -> Result<&Host, Failure> {
    lab.start(&[Machine::new("director", "10.9.0.1/24 10.9.0.11/24 10.9.0.12/24").product(Product::Originals)])?;
    let host = lab.host("director")?;
    let exe = executable();
    host.run(&format!("for n in lvs-ha ldirectord; do ln -sfn '{}' /usr/sbin/$n; done", exe.display()))?.ok()?;
    host.write_file("/var/www/html/index.html", "up\n")?;
    Ok(host)
}

/// A web server on a port of the host, until it is dropped.
fn server(host: &Host, port: u16) -> Result<Running, Failure> {
    let server = host.spawn(&format!("exec netns httpd --dir /var/www/html --port {port}"))?;
    wait_for(&format!("a web server on port {port}"), PATIENCE, || {
        let seen = host.run(&format!("netns get http://127.0.0.1:{port}/"))?;
        Ok(if seen.code == 0 { Ok(()) } else { Err(seen.text()) })
    })?;
    Ok(server)
}

/// The lines of `ipvsadm -Sn`, sorted.
fn table(host: &Host) -> Result<Vec<String>, Failure> {
    let text = host.run("ipvsadm -Sn")?.ok()?;
    let mut lines: Vec<String> = text.lines().map(|l| l.trim_end().to_owned()).collect();
    lines.sort();
    Ok(lines)
}

/// Waits for a table; `wanted` in any order.
fn becomes(host: &Host, wanted: &[&str], limit: Duration) -> Result<(), Failure> {
    let mut wanted: Vec<&str> = wanted.to_vec();
    wanted.sort_unstable();
    wait_for(&format!("the table\n{}\n", wanted.join("\n")), limit, || {
        let seen = table(host)?;
        Ok(if seen == wanted { Ok(()) } else { Err(format!("\n{}", seen.join("\n"))) })
    })
}
