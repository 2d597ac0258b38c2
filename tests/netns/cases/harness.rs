//! The harness itself: hosts are apart where they must be and meet where they must.

use std::time::Duration;

use anyhow::ensure;

use crate::host::root;
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::{self, Machine, Product};

pub const CASES: &[Case] = &[
    Case::new("harness/hosts meet on their network only", Kernel::Any, hosts_meet),
    Case::new("harness/files and names are a host's own", Kernel::Any, private_files),
    Case::new("harness/power loss takes processes and addresses, not the disk", Kernel::Any, power_loss),
    Case::new("harness/the probe tells the time without answer", Kernel::Any, probe),
    Case::new("harness/a pulled cable cuts, a plugged one heals", Kernel::Any, cable),
    Case::new("harness/the Vagrantfile has the table's hosts", Kernel::Any, vagrantfile),
    Case::new("harness/a host has the originals, the one beside it ours", Kernel::Any, originals).originals(),
    Case::new("harness/this kernel balances with IPVS", Kernel::Ipvs, has_ipvs),
];

fn hosts_meet(lab: &mut Lab) -> Result<(), Failure> {
    let far = Machine::new("c", "10.9.0.3/24").interface("eth1", "other", "10.8.0.3/24");
    lab.start(&[
        Machine::new("a", "10.9.0.1/24"),
        Machine::new("b", "10.9.0.2/24").interface("eth1", "lone", "10.8.0.2/24"),
        far,
    ])?;
    lab.host("a")?.run("ping -c 1 -W 5 10.9.0.2")?.ok()?;
    let apart = lab.host("b")?.run("ping -c 1 -W 1 10.8.0.3")?;
    ensure!(apart.code != 0, "networks of different names are connected: {}", apart.text());
    Ok(())
}

fn private_files(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24"), Machine::new("b", "10.9.0.2/24")])?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    ensure!(a.run("uname -n")?.ok()? == "a\n", "host name");
    for file in ["/etc/ha.d/ha.cf", "/etc/hosts", "/etc/init.d/x", "/run/x", "/var/lib/heartbeat/x", "/var/log/x", "/usr/sbin/x"]
    {
        a.write_file(file, "of a\n")?;
        ensure!(a.run(&format!("cat {file}"))?.ok()? == "of a\n", "{file} on a");
        ensure!(b.run(&format!("cat {file}"))?.out != "of a\n", "{file} of a is seen on b");
        ensure!(std::fs::read(file).unwrap_or_default() != b"of a\n", "{file} of a is seen on this machine");
    }
    let processes = b.run("ls -d /proc/[0-9]* | wc -l")?.ok()?;
    ensure!(processes.trim().parse::<u32>()? < 10, "b sees foreign processes: {processes}");
    Ok(())
}

fn power_loss(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24"), Machine::new("b", "10.9.0.2/24")])?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    a.run("echo kept >/etc/kept; echo lost >/run/lost; ip addr add 10.9.0.100/24 dev eth0; sleep 1000 >/dev/null & ")?.ok()?;
    b.run("ping -c 1 -W 5 10.9.0.100")?.ok()?;
    a.power_off();
    ensure!(b.run("ping -c 1 -W 1 10.9.0.100")?.code != 0, "a dead host answers");
    ensure!(a.run("true").is_err(), "a command ran on a dead host");
    a.power_on()?;
    b.run("ping -c 1 -W 5 10.9.0.1")?.ok()?;
    let seen = a.run("cat /etc/kept; ls /run/lost; ip -4 -br addr show eth0; pgrep -x sleep")?.out;
    ensure!(seen.contains("kept") && !seen.contains("lost") && !seen.contains("10.9.0.100"), "after the power loss: {seen}");
    ensure!(a.run("grep -l ^sleep /proc/[0-9]*/comm")?.out.is_empty(), "a process survived");
    Ok(())
}

/// Goes in: a web server that loses power, another that takes its address two seconds later. Must come out: a gap that is
/// longer, and ends.
fn probe(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24"), Machine::new("b", "10.9.0.2/24"), Machine::new("c", "10.9.0.3/24")])?;
    let (a, b, c) = (lab.host("a")?, lab.host("b")?, lab.host("c")?);
    let take = "echo page >/var/www/html/index.html && ip addr add 10.9.0.100/24 dev eth0 && /etc/init.d/httpd start";
    a.run(take)?.ok()?;
    let probe = c.spawn("exec netns probe 10.9.0.100:80 --seconds 120 --until /run/enough")?;
    probe.said("answered")?;
    a.power_off();
    std::thread::sleep(Duration::from_secs(2));
    b.run(take)?.ok()?;
    // In place of the announcement that a director would make.
    c.run("ip neigh flush all")?.ok()?;
    c.run("for i in 1 2 3 4 5 6 7 8 9 10; do netns get http://10.9.0.100/ && exit; done; exit 1")?.ok()?;
    std::thread::sleep(Duration::from_secs(1));
    c.write_file("/run/enough", "")?;
    let (code, said) = probe.finish()?;
    let gap = said.split_whitespace().skip_while(|w| *w != "gap").nth(1).and_then(|n| n.parse::<u32>().ok());
    ensure!(code == Some(0) && gap.is_some_and(|g| g > 1900), "{code:?} {said}");
    Ok(())
}

fn cable(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24"), Machine::new("b", "10.9.0.2/24")])?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    a.cable("eth0", false)?;
    ensure!(b.run("ping -c 1 -W 1 10.9.0.1")?.code != 0, "a pulled cable carries");
    a.cable("eth0", true)?;
    b.run("ping -c 1 -W 5 10.9.0.1")?.ok().map(drop)
}

/// The Vagrantfile repeats the table in lines `"NAME" => { role: "ROLE", front: "ADDRESS", beat: "ADDRESS" }`.
fn vagrantfile(_: &mut Lab) -> Result<(), Failure> {
    let text = std::fs::read_to_string(root().join("vagrant/Vagrantfile"))?;
    let said: Vec<String> =
        text.lines().filter(|l| l.contains("role:")).map(|l| l.trim().trim_end_matches(',').to_owned()).collect();
    let wanted: Vec<String> = table::demo()
        .iter()
        .map(|machine| {
            let networks: String = machine
                .interfaces
                .iter()
                .map(|i| format!(", {}: \"{}\"", i.network, i.addresses[0].split('/').next().unwrap_or_default()))
                .collect();
            format!("\"{}\" => {{ role: \"{}\"{networks} }}", machine.name, machine.role.script())
        })
        .collect();
    ensure!(said == wanted, "the Vagrantfile says\n{}\nthe table\n{}", said.join("\n"), wanted.join("\n"));
    Ok(())
}

fn originals(lab: &mut Lab) -> Result<(), Failure> {
    let original = Machine::new("a", "10.9.0.1/24").product(Product::Originals);
    lab.start(&[original, Machine::new("b", "10.9.0.2/24")])?;
    let version = lab.host("a")?.run("/usr/libexec/heartbeat/heartbeat -V")?.ok()?;
    ensure!(version.starts_with("3.0.6"), "{version}");
    for (host, origin) in [("a", "perl"), ("b", "/lvs-ha")] {
        let seen = lab
            .host(host)?
            .run("head -c 100 /usr/sbin/ldirectord | head -n 1 | tr -d '\\0'; readlink -f /usr/sbin/ldirectord")?;
        ensure!(seen.out.contains(origin), "ldirectord of host {host}: {}", seen.text());
    }
    Ok(())
}

fn has_ipvs(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24")])?;
    // Through a process of the host: the file shows the table of its reader's namespace.
    let table = lab.host("a")?.run("cat /proc/net/ip_vs")?.ok()?;
    ensure!(table.starts_with("IP Virtual Server version"), "{table}");
    Ok(())
}
