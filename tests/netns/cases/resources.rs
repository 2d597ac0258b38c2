//! The scripts of `resource.d` and `vagrant`, run as heartbeat and LSB ask: each answers start, stop and status, twice too.

use anyhow::ensure;

use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::{self, Machine, Role, VIP};

pub const CASES: &[Case] = &[
    Case::new("resources/httpd is an LSB script", Kernel::Any, httpd),
    Case::new("resources/httpd refuses a taken port", Kernel::Any, httpd_port_taken),
    Case::new("resources/lvs-real-server silences ARP and undoes all", Kernel::Any, real_server),
    Case::new("resources/ldirectord hands file and action on", Kernel::Any, ldirectord),
    Case::new("resources/every role is provisioned, twice too", Kernel::Any, provision),
];

/// Runs each command and holds its exit status against the expected one.
fn statuses(lab: &Lab, host: &str, expected: &[(&str, i32)]) -> Result<(), Failure> {
    for (command, code) in expected {
        let seen = lab.host(host)?.run(command)?;
        ensure!(seen.code == *code, "`{command}` ended with {}, not {code}: {}", seen.code, seen.text());
    }
    Ok(())
}

fn httpd(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24"), Machine::new("b", "10.9.0.2/24")])?;
    lab.host("a")?.write_file("/var/www/html/index.html", "page of a\n")?;
    let script = "/etc/init.d/httpd";
    let status = format!("{script} status");
    let (start, stop) = (format!("{script} start"), format!("{script} stop"));
    statuses(lab, "a", &[(&status, 3), (&stop, 0), (&start, 0), (&start, 0), (&status, 0), (script, 2)])?;
    let b = lab.host("b")?;
    for page in ["", "/", "/index.html"] {
        let seen = b.run(&format!("netns get http://10.9.0.1{page}"))?.ok()?;
        ensure!(seen == "page of a\n", "{page}: {seen}");
    }
    for bad in ["/nothing", "/../default/httpd"] {
        ensure!(b.run(&format!("netns get http://10.9.0.1{bad}"))?.code != 0, "{bad} is answered");
    }
    let log = lab.host("a")?.read_file("/var/log/httpd.log")?;
    ensure!(log.contains("10.9.0.2 GET /index.html 200 OK") && log.contains("GET /nothing 404"), "{log}");
    statuses(
        lab,
        "a",
        &[("kill -9 $(cat /run/httpd.pid); sleep 0.2", 0), (&status, 1), (&start, 0), (&stop, 0), (&stop, 0), (&status, 3)],
    )?;
    ensure!(b.run("netns get http://10.9.0.1/")?.code != 0, "a stopped server answers");
    Ok(())
}

fn httpd_port_taken(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24")])?;
    let host = lab.host("a")?;
    let _other = host.spawn("exec netns httpd --dir /etc --port 80")?;
    host.run("for i in 1 2 3 4 5 6 7 8 9 10; do netns get http://127.0.0.1/hostname && exit; sleep 0.2; done; exit 1")?.ok()?;
    let seen = host.run("/etc/init.d/httpd start")?;
    ensure!(seen.code == 1 && seen.err.contains("port 80 is taken"), "{seen:?}");
    Ok(())
}

fn real_server(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("real", "172.25.60.12/24"), Machine::new("client", "172.25.60.20/24")])?;
    let (real, client) = (lab.host("real")?, lab.host("client")?);
    let settings = "ip -4 -o addr; sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce; ls /run";
    let script = "/etc/ha.d/resource.d/lvs-real-server 172.25.60.200";
    let (start, stop, status) = (format!("{script} start"), format!("{script} stop"), format!("{script} status"));
    // An address of the host itself answers whichever interface it is on, unless ARP is silenced.
    real.run("ip addr add 172.25.60.200/32 dev lo")?.ok()?;
    client.run("ping -c 1 -W 5 172.25.60.200")?.ok()?;
    real.run("ip addr del 172.25.60.200/32 dev lo; sysctl -q net.ipv4.conf.all.arp_announce=1")?.ok()?;
    client.run("ip neigh flush all")?.ok()?;

    let before = real.run(settings)?.ok()?;
    statuses(lab, "real", &[(&status, 3), (&start, 0), (&start, 0), (&status, 0)])?;
    ensure!(real.run(&status)?.out == "running\n", "status while started");
    ensure!(real.run(settings)?.ok()?.contains("lo    inet 172.25.60.200/32"), "no address on lo");
    ensure!(client.run("ping -c 1 -W 1 172.25.60.200")?.code != 0, "the real server answers ARP for the balanced address");
    client.run("ping -c 1 -W 5 172.25.60.12")?.ok()?;
    statuses(lab, "real", &[(&stop, 0), (&stop, 0), (&status, 3), ("/etc/ha.d/resource.d/lvs-real-server start", 2)])?;
    let after = real.run(settings)?.ok()?;
    ensure!(before == after, "before\n{before}after\n{after}");
    Ok(())
}

fn ldirectord(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24")])?;
    let host = lab.host("a")?;
    host.write_file_mode("/usr/local/bin/recorder", "#!/bin/sh\necho \"$#:$*\"\nexit 7\n", 0o755)?;
    for (words, code, said) in
        [("status", 7, "1:status\n"), ("www.cf start", 7, "2:www.cf start\n"), ("", 2, ""), ("www.cf dance", 2, "")]
    {
        let seen = host.run(&format!("LDIRECTORD=/usr/local/bin/recorder /etc/ha.d/resource.d/ldirectord {words}"))?;
        ensure!(seen.code == code && seen.out == said, "ldirectord {words}: {seen:?}");
    }
    Ok(())
}

fn provision(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&table::demo())?;
    lab.provision()?;
    lab.provision()?;
    for host in lab.hosts() {
        match host.machine().role {
            Role::Director => {
                let files = host.run("cat /etc/ha.d/haresources; stat -c %a /etc/ha.d/authkeys")?.ok()?;
                ensure!(files.contains(&format!("IPaddr::{VIP}/24/eth0")) && files.ends_with("600\n"), "{files}");
            }
            Role::RealServer => {
                let name = host.name();
                let address = host.machine().interfaces[0].addresses[0].replace("/24", "");
                let page = lab.host("client")?.run(&format!("netns get http://{address}/"))?.ok()?;
                ensure!(page == format!("page of {name}\n"), "{page}");
            }
            Role::Client => {
                host.run("ping -c 1 -W 5 server10")?.ok()?;
            }
        }
    }
    Ok(())
}
