//! The table changed as a whole: restored, applied from a file, loaded at boot.

use anyhow::ensure;

use crate::host::{Host, executable};
use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::Machine;

const SAVED: &str = "\
-A -t 10.9.0.100:80 -s rr
-a -t 10.9.0.100:80 -r 10.9.0.11:80 -g -w 1
-a -t 10.9.0.100:80 -r 10.9.0.12:80 -g -w 2
-A -f 5 -s sh -p 60
-a -f 5 -r 10.9.0.13:0 -m -w 1
";

fn host(lab: &mut Lab) -> Result<&Host, Failure> {
    lab.start(&[Machine::new("a", "10.9.0.1/24")])?;
    let host = lab.host("a")?;
    let exe = executable();
    host.run(&format!(
        "for n in lvs-ha ipvsadm ipvsadm-save ipvsadm-restore; do ln -sfn '{}' /usr/sbin/$n; done",
        exe.display()
    ))?
    .ok()?;
    host.write_file("/etc/saved", SAVED)?;
    Ok(host)
}

/// Runs it and looks at its exit status; what it said.
fn expect(host: &Host, command: &str, status: i32) -> Result<String, Failure> {
    let seen = host.run(command)?;
    ensure!(seen.code == status, "{command} ended with {}, not {status}: {}", seen.code, seen.text());
    Ok(seen.out + &seen.err)
}

fn saved(host: &Host, expected: &str) -> Result<(), Failure> {
    let seen = expect(host, "ipvsadm-save -n", 0)?;
    ensure!(seen == expected, "the table is\n{seen}and not\n{expected}");
    Ok(())
}

/// Goes in: a table, then a file with a line that makes no sense, one that the kernel refuses, and a good one. Must come out:
/// no change, no change, and the counters of the service that stayed the same are still there.
pub(super) fn restore(lab: &mut Lab) -> Result<(), Failure> {
    let host = host(lab)?;
    expect(host, "(echo '# comment'; cat /etc/saved) | ipvsadm-restore", 0)?;
    saved(host, SAVED)?;

    let said = expect(host, "(cat /etc/saved; echo '-a -t 10.9.0.100:80 -r 10.9.0.14 -w x') | ipvsadm-restore", 2)?;
    ensure!(said.contains("line 6: illegal weight specified"), "{said}");
    saved(host, SAVED)?;

    let bad = "sed -e '/-f 5/d' -e 's/-w 2/-w 9/' /etc/saved; echo '-A -t 10.9.0.101:80 -s nosuch'";
    let said = expect(host, &format!("({bad}) | ipvsadm-restore"), 255)?;
    ensure!(said.contains("nosuch") || said.contains("Scheduler or persistence engine not found"), "{said}");
    ensure!(said.contains("the table is as it was"), "{said}");
    saved(host, SAVED)?;

    host.run(
        "ip addr add 10.9.0.100/32 dev lo && ipvsadm -A -u 10.9.0.100:53 -s rr && ipvsadm -a -u 10.9.0.100:53 -r 10.9.0.1:53 -m",
    )?
    .ok()?;
    expect(host, "bash -c 'for n in 1 2 3; do echo x >/dev/udp/10.9.0.100/53; done'", 0)?;
    let udp = "-A -u 10.9.0.100:53 -s rr\n-a -u 10.9.0.100:53 -r 10.9.0.1:53 -m -w 1\n";
    host.write_file("/etc/more", &format!("{udp}{}", SAVED.replace("-w 2", "-w 7")))?;
    let connections = "grep -c UDP /proc/net/ip_vs_conn || true";
    let before = host.run(connections)?.ok()?;
    ensure!(before.trim() != "0", "no connection was made");
    expect(host, "ipvsadm-restore </etc/more", 0)?;
    ensure!(host.run(connections)?.ok()? == before, "connections of a service that did not change are gone");
    let seen = expect(host, "ipvsadm-save -n", 0)?;
    ensure!(seen.contains("10.9.0.12:80 -g -w 7") && seen.lines().count() == 7, "{seen}");
    Ok(())
}

/// Goes in: a saved file, a table that differs, an ldirectord.cf. Must come out: what differs, by word and by exit status; the
/// whole table from the one file, its own service alone from the other.
pub(super) fn apply(lab: &mut Lab) -> Result<(), Failure> {
    let host = host(lab)?;
    expect(host, "lvs-ha ipvs diff /etc/saved", 1)?;
    expect(host, "lvs-ha ipvs apply --dry-run /etc/saved", 0)?;
    saved(host, "")?;
    expect(host, "lvs-ha ipvs apply /etc/saved", 0)?;
    saved(host, SAVED)?;
    let said = expect(host, "lvs-ha ipvs diff /etc/saved", 0)?;
    ensure!(said.is_empty(), "{said}");

    host.run("ipvsadm -e -t 10.9.0.100:80 -r 10.9.0.12:80 -g -w 0 && ipvsadm -A -t 10.9.0.101:80")?.ok()?;
    let said = expect(host, "lvs-ha ipvs diff /etc/saved", 1)?;
    let expected = "~ tcp 10.9.0.100:80 -> 10.9.0.12:80: weight 0 => 2\n- tcp 10.9.0.101:80: scheduler wlc\n";
    ensure!(said == expected, "{said}");

    let cf = "checktimeout=3\nvirtual=10.9.0.101:80\n\treal=10.9.0.21:80 gate 5\n\tscheduler=wrr\n\tchecktype=connect\n";
    host.write_file("/etc/ld.cf", cf)?;
    expect(host, "lvs-ha ipvs apply /etc/ld.cf", 0)?;
    let seen = expect(host, "ipvsadm-save -n", 0)?;
    ensure!(seen.contains("-A -t 10.9.0.101:80 -s wrr\n-a -t 10.9.0.101:80 -r 10.9.0.21:80 -g -w 5\n"), "{seen}");
    ensure!(seen.contains("10.9.0.12:80 -g -w 0") && seen.contains("-A -f 5"), "others were touched: {seen}");

    expect(host, "lvs-ha ipvs diff /etc/none", 2)?;
    let said = expect(host, "lvs-ha ipvs explain 10.9.0.100:80", 0)?;
    ensure!(said.contains("yes 10.9.0.11:80") && said.contains("no  10.9.0.12:80: weight 0"), "{said}");
    expect(host, "lvs-ha ipvs explain 10.9.0.77:80", 1)?;
    let said = expect(host, "lvs-ha ipvs watch --count 2 --interval 0.2 --json 10.9.0.101:80", 0)?;
    ensure!(said.lines().count() == 2 && said.contains("\"real_server\":\"10.9.0.21:80\""), "{said}");
    expect(host, "lvs-ha ipvs sysctl --apply --sync both", 0)?;
    let seen = host.run("cat /proc/sys/net/ipv4/vs/sync_threshold /proc/sys/net/ipv4/ip_forward")?.ok()?;
    ensure!(seen == "2\t50\n1\n", "{seen:?}");
    Ok(())
}

/// Goes in: Debian's two files. Must come out: table and daemon at start, a broken rule at reload changes nothing, nothing left
/// after stop; all of it twice.
pub(super) fn boot(lab: &mut Lab) -> Result<(), Failure> {
    let host = host(lab)?;
    host.write_file("/etc/default/ipvsadm", "AUTO=\"true\"\nDAEMON=\"both\"\nIFACE=\"eth0\"\t\nSYNCID=7 # ours\n")?;
    host.write_file("/etc/ipvsadm.rules", &format!("# ipvsadm.rules\n{SAVED}"))?;
    for _ in 0..2 {
        expect(host, "lvs-ha ipvs boot start", 0)?;
        saved(host, SAVED)?;
        let daemons = expect(host, "ipvsadm -L --daemon", 0)?;
        ensure!(daemons.lines().count() == 2 && daemons.matches("mcast=eth0, syncid=7").count() == 2, "{daemons}");
    }
    host.run("echo '-A -t nowhere' >>/etc/ipvsadm.rules")?.ok()?;
    let said = expect(host, "lvs-ha ipvs boot reload", 1)?;
    ensure!(said.contains("/etc/ipvsadm.rules: line 7: illegal virtual server"), "{said}");
    saved(host, SAVED)?;
    expect(host, "lvs-ha ipvs boot save", 0)?;
    ensure!(host.read_file("/etc/ipvsadm.rules")? == format!("# ipvsadm.rules\n{SAVED}"), "what was saved");
    for _ in 0..2 {
        expect(host, "lvs-ha ipvs boot stop", 0)?;
        saved(host, "")?;
        ensure!(expect(host, "lvs-ha ipvs sync show", 0)?.is_empty(), "a daemon still runs");
    }
    expect(host, "lvs-ha ipvs sync start --interface nosuch", 1)?;
    host.write_file("/etc/default/ipvsadm", "DAEMON=slave\n")?;
    expect(host, "lvs-ha ipvs boot start", 2)?;
    Ok(())
}
