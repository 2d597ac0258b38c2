//! Large tables, and tables that others change while they are listed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::ensure;

use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::Machine;

/// Services and real servers that stay.
const SERVICES: usize = 150;
const REALS: usize = 300;
/// Looks at the table while it changes.
const LOOKS: usize = 25;

/// A service with many real servers, and many with none.
fn standing() -> String {
    let mut rules = "-A -t 10.9.0.100:80 -s rr\n".to_owned();
    for n in 0..REALS {
        let _ = writeln!(rules, "-a -t 10.9.0.100:80 -r 10.9.{}.{}:80 -m -w 1", 1 + n / 200, 1 + n % 200);
    }
    for n in 1..SERVICES {
        let _ = writeln!(rules, "-A -t 10.9.0.100:{} -s rr", 1000 + n);
    }
    rules
}

/// Goes in: a table of lists longer than what the kernel hands out at once; two programs that add and delete entries of both
/// lists as fast as they can. Must come out, at each look: every entry that stayed, once.
pub(super) fn changing(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("server10", "172.25.60.10/24")])?;
    let host = lab.host("server10")?;
    let mut standing = standing();
    host.write_file("/var/tmp/standing", &standing)?;
    host.run("ipvsadm -R < /var/tmp/standing")?.ok()?;
    let toggle = |name: &str, add: &str, delete: &str| -> Result<_, Failure> {
        host.write_file(name, &format!("{add}\n{delete}\n").repeat(500))?;
        host.spawn(&format!("echo begins; while cat {name}; do :; done | ipvsadm -R"))
    };
    // The newest entry is the first of its list: what comes after it is handed out by a place that moves.
    let real = "-t 10.9.0.100:80 -r 10.9.9.9:80";
    let reals = toggle("/var/tmp/reals", &format!("-a {real} -m"), &format!("-d {real}"))?;
    let services = toggle("/var/tmp/services", "-A -t 10.9.0.200:80 -s rr", "-D -t 10.9.0.200:80")?;
    reals.said("begins")?;
    services.said("begins")?;
    let mut moved = 0;
    for look in 0..LOOKS {
        if look == LOOKS / 2 {
            // A service with a tunnel is not read in one piece.
            let tunnel = "-a -t 10.9.0.100:80 -r 10.9.8.8:80 -i -w 1 --tun-type ipip\n";
            host.run(&format!("ipvsadm {tunnel}"))?.ok()?;
            standing.push_str(tunnel);
        }
        let seen = host.run("ipvsadm -Sn")?.ok()?;
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        seen.lines().for_each(|line| *count.entry(line).or_default() += 1);
        for line in standing.lines() {
            let times = count.remove(line).unwrap_or(0);
            ensure!(times == 1, "look {look}: {line}: listed {times} times");
        }
        for (line, times) in count {
            let known = line.contains("10.9.9.9:80") || line.contains("10.9.0.200:80");
            ensure!(known && times == 1, "look {look}: {line}: listed {times} times");
            moved += 1;
        }
    }
    ensure!(moved > 0, "no look saw an entry of those that come and go: nothing was changed");
    Ok(())
}

/// Goes in: 20,000 real servers. Must come out: the same, byte for byte.
pub(super) fn large(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("server10", "172.25.60.10/24")])?;
    let host = lab.host("server10")?;
    let mut rules = String::new();
    for service in 1..=20 {
        let _ = writeln!(rules, "-A -t 10.9.0.{service}:80 -s rr");
        for n in 0..1000 {
            let (third, last) = (n / 250, 1 + n % 250);
            let _ = writeln!(rules, "-a -t 10.9.0.{service}:80 -r 10.8.{third}.{last}:80 -m -w 1");
        }
    }
    host.write_file("/var/tmp/rules", &rules)?;
    host.run("ipvsadm -R < /var/tmp/rules")?.ok()?;
    let seen = host.run("ipvsadm -Sn")?.ok()?;
    ensure!(seen == rules, "{} lines came back for {}", seen.lines().count(), rules.lines().count());
    host.run("ipvsadm -C")?.ok()?;
    let left = host.run("ipvsadm -Sn")?.ok()?;
    ensure!(left.is_empty(), "after -C: {left}");
    Ok(())
}
