//! The pairs of the field's tutorials, with their files unchanged: what their readers were promised.

use std::time::Instant;

use anyhow::ensure;

use super::pair::{HEARTBEAT, PATIENCE, log_lines, page, resources};
use crate::host::{Host, root};
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::{Machine, Role};

pub const CASES: &[Case] = &[
    Case::new("heartbeat/tutorial pair-apache", Kernel::Any, apache).slow(),
    Case::new("heartbeat/tutorial pair-nginx", Kernel::Any, nginx).slow(),
    Case::new("heartbeat/tutorial pair-web", Kernel::Any, web).slow(),
    Case::new("heartbeat/tutorial pair-lvs", Kernel::Ipvs, lvs).slow(),
];

/// Copies the files of a tutorial, as their reader does, and the page of that node.
fn copy(host: &Host, tutorial: &str, page: &str) -> Result<(), Failure> {
    let from = root().join("tests/data/tutorials").join(tutorial);
    for file in ["ha.cf", "haresources", "authkeys", "ldirectord.cf"] {
        let own = from.join(format!("{file}.{}", host.name()));
        let path = if own.exists() { own } else { from.join(file) };
        if path.exists() {
            host.write_file(&format!("/etc/ha.d/{file}"), &std::fs::read_to_string(path)?)?;
        }
    }
    host.write_file("/var/www/html/index.html", &format!("{page}\n"))
}

/// Starts heartbeat on hosts, at the same time as its reader's two windows do.
fn start(hosts: &[&Host]) -> Result<(), Failure> {
    for host in hosts {
        let seen = host.run(HEARTBEAT)?;
        ensure!(seen.code == 0 && !seen.err.contains("ERROR"), "{}: {seen:?}", host.name());
    }
    Ok(())
}

fn owns(host: &Host, address: &str) -> Result<(), Failure> {
    let start = Instant::now();
    wait_for(&format!("{address} on {}", host.name()), PATIENCE * 2, || {
        Ok(if host.has_address(address) { Ok(()) } else { Err("it is not there".to_owned()) })
    })?;
    println!("    {address} on {} after {:.1} s", host.name(), start.elapsed().as_secs_f64());
    Ok(())
}

fn web(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[
        Machine::new("web1", "192.168.204.7/24"),
        Machine::new("web2", "192.168.204.9/24"),
        Machine::new("client", "192.168.204.20/24").role(Role::Client),
    ])?;
    let (web1, web2, client) = (lab.host("web1")?, lab.host("web2")?, lab.host("client")?);
    copy(web1, "pair-web", "HA1")?;
    copy(web2, "pair-web", "HA2")?;
    start(&[web1, web2])?;
    owns(web1, "192.168.204.8")?;
    page(client, "192.168.204.8", "HA1")?;
    let listed = web1.run("ip addr show eth0")?.out;
    ensure!(listed.contains("inet 192.168.204.8/24 brd 192.168.204.255 scope global secondary eth0"), "{listed}");
    resources(web1, "local|all")?;

    let said = web1.run("/usr/share/heartbeat/hb_standby")?;
    ensure!(said.code == 0 && said.text().trim_end().ends_with("Going standby [all]."), "{said:?}");
    page(client, "192.168.204.8", "HA2")?;
    resources(web1, "none")?;

    let said = web2.run("/usr/share/heartbeat/hb_standby")?;
    ensure!(said.code == 0, "{said:?}");
    page(client, "192.168.204.8", "HA1")?;
    resources(web1, "local|all")?;
    web1.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    ensure!(!web1.has_address("192.168.204.8"), "a stopped heartbeat left the address");
    page(client, "192.168.204.8", "HA2")
}

fn apache(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[
        Machine::new("node1", "10.0.0.50/24").interface("eth1", "beat", "172.16.0.50/24"),
        Machine::new("node2", "10.0.0.51/24").interface("eth1", "beat", "172.16.0.51/24"),
        Machine::new("router", "10.0.0.2/24").role(Role::Client),
    ])?;
    let (node1, node2, router) = (lab.host("node1")?, lab.host("node2")?, lab.host("router")?);
    copy(node1, "pair-apache", "page of node1")?;
    copy(node2, "pair-apache", "page of node2")?;
    start(&[node1, node2])?;
    owns(node1, "10.0.0.60")?;
    page(router, "10.0.0.60", "page of node1")?;
    let said = node1.run(&format!("{HEARTBEAT} -s"))?.ok()?;
    let pid = node1.run("cat /run/heartbeat.pid")?.ok()?;
    ensure!(said == format!("heartbeat OK [pid {} et al] is running on node1 [node1]...\n", pid.trim()), "{said}");
    // ipfail itself is built in, and has nobody to be let in.
    let told = log_lines(node1, "apiauth ipfail")?;
    ensure!(told.len() == 1 && told[0].contains("WARN"), "{told:?}");
    resources(node1, "local|all")?;

    node1.power_off();
    owns(node2, "10.0.0.60")?;
    page(router, "10.0.0.60", "page of node2")?;
    resources(node2, "local|all")?;
    node1.power_on()?;
    start(&[node1])?;
    owns(node1, "10.0.0.60")?;
    page(router, "10.0.0.60", "page of node1")?;
    resources(node1, "local|all")?;

    // The reader's window: one a second. The finer one measures.
    let fine = router.spawn("exec ping -n -i 0.01 -w 12 -W 1 10.0.0.60 | sed -n 's/.*icmp_seq=\\([0-9]*\\) .*/\\1/p'")?;
    let coarse = router.spawn("exec ping -n -i 1 -c 10 -W 2 10.0.0.60")?;
    node1.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    page(router, "10.0.0.60", "page of node2")?;
    let (_, seen) = coarse.finish()?;
    let (_, answered) = fine.finish()?;
    let answered: Vec<u32> = answered.lines().filter_map(|l| l.parse().ok()).collect();
    let gap = answered.windows(2).map(|w| (w[1] - w[0]) * 10).max().unwrap_or(u32::MAX);
    println!("    pair-apache: a graceful stop is a gap of {gap} ms");
    // One a second meets the gap by chance only.
    let received = seen.split(", ").find_map(|part| part.strip_suffix(" received")?.parse::<u32>().ok());
    ensure!(gap < 1000 && received.is_some_and(|n| n >= 9), "gap {gap} ms; {seen}");
    Ok(())
}

fn nginx(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[
        Machine::new("vm3", "172.16.1.203/24"),
        Machine::new("vm4", "172.16.1.204/24"),
        Machine::new("client", "172.16.1.20/24").role(Role::Client),
    ])?;
    let (vm3, vm4, client) = (lab.host("vm3")?, lab.host("vm4")?, lab.host("client")?);
    for vm in [vm3, vm4] {
        copy(vm, "pair-nginx", &format!("page of {}", vm.name()))?;
        // The reader's own step.
        vm.run("mv /etc/init.d/httpd /etc/init.d/nginx && ln -s /etc/init.d/nginx /etc/ha.d/resource.d/nginx")?.ok()?;
    }
    start(&[vm3, vm4])?;
    owns(vm3, "172.16.1.200")?;
    page(client, "172.16.1.200", "page of vm3")?;
    let listed = vm3.run("ip -4 -o addr show label eth0:0")?.ok()?;
    ensure!(listed.contains(" 172.16.1.200/24 "), "{listed}");
    let told = log_lines(vm3, "172.16.1.200")?;
    ensure!(told.iter().any(|l| l.contains("WARN") && l.contains("ping")), "the ping node is not warned of: {told:?}");
    resources(vm3, "local|all")?;

    vm3.power_off();
    owns(vm4, "172.16.1.200")?;
    page(client, "172.16.1.200", "page of vm4")?;
    vm3.power_on()?;
    start(&[vm3])?;
    resources(vm3, "none")?;
    resources(vm4, "local|all")?;
    ensure!(!vm3.has_address("172.16.1.200") && vm4.has_address("172.16.1.200"), "there was a failback");
    page(client, "172.16.1.200", "page of vm4")
}

fn lvs(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[
        Machine::new("server10", "172.25.60.10/24"),
        Machine::new("server11", "172.25.60.11/24"),
        Machine::new("server12", "172.25.60.12/24").role(Role::RealServer),
        Machine::new("server13", "172.25.60.13/24").role(Role::RealServer),
        Machine::new("client", "172.25.60.20/24").role(Role::Client),
    ])?;
    let (ten, eleven, client) = (lab.host("server10")?, lab.host("server11")?, lab.host("client")?);
    let reals = [lab.host("server12")?, lab.host("server13")?];
    for real in reals {
        real.provision()?;
    }
    for director in [ten, eleven] {
        copy(director, "pair-lvs", &format!("page of {}", director.name()))?;
    }
    start(&[ten, eleven])?;
    owns(ten, "172.25.60.100")?;
    // The reader types it: it is not in haresources.
    ten.run("ip addr add 172.25.60.200/24 dev eth0 label eth0:0")?.ok()?;
    balances(ten, &["172.25.60.12:80", "172.25.60.13:80"])?;
    visits(client, "6 page of server12, 6 page of server13")?;
    reals[0].run("/etc/init.d/httpd stop")?.ok()?;
    balances(ten, &["172.25.60.13:80"])?;
    visits(client, "12 page of server13")?;
    reals[1].run("/etc/init.d/httpd stop")?.ok()?;
    balances(ten, &["127.0.0.1:80"])?;
    visits(client, "12 page of server10")?;
    for real in reals {
        real.run("/etc/init.d/httpd start")?.ok()?;
    }
    balances(ten, &["172.25.60.12:80", "172.25.60.13:80"])?;
    ten.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    owns(eleven, "172.25.60.100")?;
    balances(eleven, &["172.25.60.12:80", "172.25.60.13:80"])?;
    balances(ten, &[])?;
    ensure!(!ten.has_address("172.25.60.100") && ten.has_address("172.25.60.200"), "addresses of the stopped director");
    page(client, "172.25.60.100", "page of server11")
}

/// Waits until the director's kernel balances among these.
fn balances(director: &Host, reals: &[&str]) -> Result<(), Failure> {
    wait_for(&format!("{} to balance among {reals:?}", director.name()), PATIENCE * 2, || {
        let listing = director.run("ipvsadm -Ln")?.out;
        let mut seen: Vec<&str> = listing
            .lines()
            .filter_map(|l| match l.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["->", real, _, weight, ..] if weight.parse::<u32>().is_ok_and(|w| w > 0) => Some(*real),
                _ => None,
            })
            .collect();
        seen.sort_unstable();
        Ok(if seen == reals { Ok(()) } else { Err(listing) })
    })
}

/// Twelve visits, counted by page.
fn visits(client: &Host, wanted: &str) -> Result<(), Failure> {
    let each = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do netns get http://172.25.60.200/; done | sort | uniq -c";
    let seen = client.run(each)?.ok()?;
    let seen: Vec<&str> = seen.lines().map(str::trim).collect();
    ensure!(seen.join(", ") == wanted, "{} instead of {wanted}", seen.join(", "));
    Ok(())
}
