//! Resources of a pair: what runs them, what happens when they fail, die, or lose their network, and the commands that scripts
//! call.

use std::time::Duration;

use anyhow::ensure;

use super::clients::{configure, written};
use super::pair::{PATIENCE, Pair, Setup, VIP_A, VIP_B, ask, log_lines};
use crate::host::{Host, originals};
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/Debian's agents, OCF instances and init scripts run unmodified", Kernel::Any, agents).originals().slow(),
    Case::new("heartbeat/a failed start goes to the other node", Kernel::Any, failed_start_ours).slow(),
    Case::new("heartbeat/a failed start goes to the original", Kernel::Any, failed_start_mixed).originals().slow(),
    Case::new("heartbeat/a resource that dies is restarted, and moves in the end", Kernel::Any, monitored).slow(),
    Case::new("heartbeat/a group leaves an interface without carrier", Kernel::Any, carrier).slow(),
    Case::new("heartbeat/haresources is read for each operation", Kernel::Any, reread).slow(),
    Case::new("heartbeat/the commands that scripts call", Kernel::Any, commands).slow(),
    Case::new("heartbeat/a dead node is fenced before its groups are taken", Kernel::Any, fenced).slow(),
];

/// The lines of the recorder's log.
fn record(host: &Host) -> String {
    host.read_file("/var/log/rsc.log").unwrap_or_default()
}

pub(super) fn groups(pair: &Pair<'_>, text: &str) -> Result<(), Failure> {
    for host in pair.both() {
        host.write_file("/etc/ha.d/haresources", text)?;
    }
    Ok(())
}

/// Waits until a command of the host succeeds.
pub(super) fn succeeds(host: &Host, command: &str) -> Result<(), Failure> {
    wait_for(&format!("`{command}` on {}", host.name()), PATIENCE, || {
        let seen = host.run(command)?;
        if seen.code == 0 {
            return Ok(Ok(()));
        }
        std::thread::sleep(Duration::from_millis(200));
        Ok(Err(seen.text()))
    })
}

fn agents(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let from = originals()?.display().to_string();
    for host in pair.both() {
        host.run(&format!("mkdir -p /usr/lib/ocf && cp -a '{from}/usr/lib/ocf/.' /usr/lib/ocf/"))?.ok()?;
        host.run("mkdir -p /var/data /var/mounted /etc/ha.d/conf/OCF/Dummy && echo page >/var/data/page")?.ok()?;
        host.write_file(
            "/etc/ha.d/conf/OCF/Dummy/one",
            "# an instance\nstate=\"/var/log/dummy.state\"\nOCF_RESKEY_state=$state\n",
        )?;
        let init = "#!/bin/sh\ncase $1 in\nstart) : >/run/initd ;;\nstop) rm -f /run/initd ;;\n\
                    status) if [ -e /run/initd ]; then echo \"initd is running\"; else echo stopped; exit 3; fi ;;\nesac\n";
        host.write_file_mode("/etc/init.d/initd", init, 0o755)?;
    }
    // Alpha has the wrappers of resource.d as well, beta the agents alone.
    pair.alpha
        .run(&format!(
            "cp -a '{from}'/etc/ha.d/resource.d/. /etc/ha.d/resource.d/ && cp -a '{from}/etc/ha.d/shellfuncs' /etc/ha.d/"
        ))?
        .ok()?;
    groups(
        &pair,
        &format!(
            "alpha IPaddr2::{VIP_A}/24/eth0 Filesystem::/var/data::/var/mounted::none::bind OCF::Dummy::one initd Delay::0 recorder::ra\n\
             beta IPaddr2::{VIP_B}/24/eth0 IPv6addr::fd00:9::102/64/eth0 recorder::rb\n"
        ),
    )?;
    pair.start()?;
    let runs = "test -e /var/mounted/page && test -e /var/log/dummy.state && test -e /run/initd && test -e /run/recorder.ra";
    succeeds(pair.alpha, runs)?;
    succeeds(pair.beta, "ip -6 addr show dev eth0 | grep -q fd00:9::102/64")?;
    let how = log_lines(pair.alpha, "Running /etc/ha.d/resource.d/Filesystem /var/data /var/mounted none bind start")?;
    ensure!(how.len() == 1, "{how:?}");
    let said = ask(pair.alpha, "hb_standby --wait all")?;
    ensure!(said.out.lines().all(|l| l.starts_with("beta: ")) && said.out.lines().count() == 2, "{said:?}");
    pair.owned("beta", "beta")?;
    pair.beta.run(runs)?.ok()?;
    ensure!(pair.alpha.run("test -e /var/mounted/page || test -e /var/log/dummy.state || test -e /run/initd")?.code != 0);
    let how = log_lines(pair.beta, "Running /usr/lib/ocf/resource.d/heartbeat/Filesystem start")?;
    ensure!(how.len() == 1, "{how:?}");
    pair.one_owner_at_a_time()
}

fn failed_start_ours(lab: &mut Lab) -> Result<(), Failure> {
    failed_start(lab, [Product::LvsHa; 2])
}

fn failed_start_mixed(lab: &mut Lab) -> Result<(), Failure> {
    failed_start(lab, [Product::LvsHa, Product::Originals])
}

/// The original keeps a group that did not start, and says that it holds it.
fn failed_start(lab: &mut Lab, products: [Product; 2]) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { products, ..Setup::default() })?;
    let broken = "#!/bin/sh\ncase $1 in start) exit 7 ;; status) echo stopped ;; esac\n";
    let good = "#!/bin/sh\ncase $1 in start) : >/run/part ;; stop) rm -f /run/part ;; status) [ -e /run/part ] && echo running ;; esac; exit 0\n";
    pair.alpha.write_file_mode("/etc/ha.d/resource.d/part", broken, 0o755)?;
    pair.beta.write_file_mode("/etc/ha.d/resource.d/part", good, 0o755)?;
    groups(&pair, &format!("alpha IPaddr2::{VIP_A}/24/eth0 recorder::ra part\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"))?;
    pair.start_without_waiting()?;
    pair.owned("beta", "beta")?;
    succeeds(pair.beta, "test -e /run/part")?;
    let why = log_lines(pair.alpha, "released: start failed: ")?;
    ensure!(why.len() == 1 && why[0].contains("Return code 7 from /etc/ha.d/resource.d/part"), "{why:?}");
    pair.one_owner_at_a_time()
}

/// A resource whose status tells that it was asked, and hangs when told so.
const WATCHED: &str = r#"#!/bin/sh
case $2 in
start) : >"/run/watched.$1"; echo start >>"/var/log/watched.$1" ;;
stop) rm -f "/run/watched.$1" "/run/hang.$1"; echo stop >>"/var/log/watched.$1" ;;
status)
    if [ -e "/run/hang.$1" ]; then echo hangs >>"/var/log/watched.$1"; sleep 1000; fi
    if [ -e "/run/watched.$1" ]; then echo seen >>"/var/log/watched.$1"; echo running; else echo stopped; exit 3; fi ;;
esac
"#;

/// How often a watched resource's log has this line.
fn times(host: &Host, resource: &str, line: &str) -> usize {
    let log = host.read_file(&format!("/var/log/watched.{resource}")).unwrap_or_default();
    log.lines().filter(|l| *l == line).count()
}

fn monitored(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let alpha = pair.alpha;
    for host in pair.both() {
        configure(host, "#lvs-ha: monitor 500ms 3\n")?;
        host.write_file_mode("/etc/ha.d/resource.d/watched", WATCHED, 0o755)?;
    }
    groups(
        &pair,
        &format!(
            "alpha IPaddr2::{VIP_A}/24/eth0 watched::a watched::b recorder::ra\nalpha watched::c\n\
             beta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"
        ),
    )?;
    pair.start()?;
    for resource in ["a", "b", "c"] {
        written(alpha, &format!("/var/log/watched.{resource}"), "start\nseen\n")?;
    }
    // A status that hangs holds up no other group.
    alpha.run(": >/run/hang.c")?.ok()?;
    written(alpha, "/var/log/watched.c", "hangs\n")?;
    // An address that somebody has removed comes back, and nothing else is touched for it.
    alpha.run(&format!("ip addr del {VIP_A}/24 dev eth0"))?.ok()?;
    wait_for("the address again", PATIENCE, || Ok(if alpha.has_address(VIP_A) { Ok(()) } else { Err("away".to_owned()) }))?;
    ensure!(times(alpha, "a", "start") == 1 && record(alpha).matches("ra start").count() == 1, "{}", record(alpha));
    // A resource comes back with what stands behind it, and not with what stands before.
    for starts in [2, 3] {
        alpha.run("rm /run/watched.b")?.ok()?;
        wait_for("a restart in place", PATIENCE, || {
            std::thread::sleep(Duration::from_millis(100));
            let seen = (times(alpha, "b", "start"), record(alpha).matches("ra start").count());
            Ok(if seen == (starts, starts) { Ok(()) } else { Err(format!("{seen:?}")) })
        })?;
        succeeds(alpha, "test -e /run/watched.b && test -e /run/recorder.ra")?;
    }
    ensure!(times(alpha, "a", "start") == 1, "what stands before was started again");
    pair.owned("alpha", "beta")?;
    alpha.run("rm /run/watched.b")?.ok()?;
    succeeds(pair.beta, "test -e /run/watched.b && test -e /run/recorder.ra")?;
    ensure!(!alpha.has_address(VIP_A), "two owners");
    let why = log_lines(alpha, "is to move to another node: watched::b does not run any more")?;
    ensure!(why.len() == 1, "{why:?}");
    // The hanging status is not waited for when its group is to move.
    let said = ask(alpha, "hb_standby --wait all")?;
    ensure!(said.out.contains("beta: watched::c\n"), "{said:?}");
    ensure!(alpha.run("ps -e -o args= | grep -q '^sleep 100[0]'")?.code != 0, "the hanging status was left behind");
    pair.one_owner_at_a_time()
}

fn carrier(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        host.run("ip link add front type veth peer name switch && ip link set front up && ip link set switch up")?.ok()?;
    }
    groups(
        &pair,
        &format!(
            "alpha IPaddr2::{VIP_A}/24/eth0 IPaddr2::10.8.0.101/24/front recorder::ra\nalpha IPaddr2::10.8.0.103/24/front\n\
             beta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"
        ),
    )?;
    pair.start()?;
    succeeds(pair.alpha, "ip addr show dev front | grep -q 10.8.0.101/24")?;
    std::thread::sleep(Duration::from_secs(2));
    pair.alpha.run("ip link set switch down")?.ok()?;
    pair.owned("beta", "beta")?;
    let there = "ip addr show dev front | grep -q 10.8.0.101/24 && ip addr show dev front | grep -q 10.8.0.103/24";
    succeeds(pair.beta, there)?;
    for vip in ["10.9.0.101", "10.8.0.103"] {
        let why = log_lines(pair.alpha, &format!("{vip}/24/"))?;
        ensure!(why.iter().any(|l| l.ends_with("released: given to beta: front has lost its carrier")), "{why:#?}");
    }
    pair.one_owner_at_a_time()
}

fn reread(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    pair.start()?;
    groups(
        &pair,
        &format!("alpha IPaddr2::{VIP_A}/24/eth0 recorder::ra recorder::more\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"),
    )?;
    ask(pair.alpha, "hb_standby --wait local")?;
    succeeds(pair.beta, "test -e /run/recorder.more")?;
    groups(&pair, &format!("alpha IPaddr2::{VIP_A}/24/eth0\nbeta IPaddr2::{VIP_B}/24/eth0 recorder::rb\n"))?;
    ask(pair.beta, "hb_standby --wait foreign")?;
    // What was started is stopped, although the file does not name it any more.
    ensure!(pair.beta.run("test -e /run/recorder.more || test -e /run/recorder.ra")?.code != 0, "{}", record(pair.beta));
    ensure!(pair.alpha.run("test -e /run/recorder.ra")?.code != 0, "the new file was not read: {}", record(pair.alpha));
    Ok(())
}

fn commands(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let alpha = pair.alpha;
    let manager = "/usr/share/heartbeat/ResourceManager";
    let group = format!("IPaddr2::{VIP_A}/24/eth0");
    // Without heartbeat, in this process.
    alpha.run(&format!("{manager} takegroup {group}"))?.ok()?;
    ensure!(alpha.has_address(VIP_A) && record(alpha).contains("ra start"), "takegroup");
    ensure!(alpha.run(&format!("{manager} statgroup {group}"))?.out == "ALL\n");
    ensure!(alpha.run(&format!("{manager} verifyallidle"))?.code == 1);
    alpha.run(&format!("{manager} givegroup {group}"))?.ok()?;
    ensure!(!alpha.has_address(VIP_A), "givegroup");
    for (words, out, code) in [
        ("listkeys alpha", format!("{group}\n"), 0),
        ("ourkeys", format!("{group} recorder::ra \n"), 0),
        ("otherkeys", format!("IPaddr2::{VIP_B}/24/eth0 recorder::rb \n"), 0),
        ("status recorder::ra", String::new(), 3),
        ("dance", String::new(), 1),
    ] {
        let seen = alpha.run(&format!("{manager} {words}"))?;
        ensure!(seen.out == out && seen.code == code, "{words}: {seen:?}");
    }
    pair.start()?;
    // What a script of a third party does.
    let script = "#!/bin/sh\n. /etc/ha.d/shellfuncs\nha_log \"info: from a script\"\n$HA_NOARCHBIN/ResourceManager status recorder::ra || exit 9\n\
                  echo \"keepalive $(ha_parameter keepalive)\"\nha_clustermsg <<-!MSG\n\tt=hb_takeover\n\trsc_hold=foreign\n!MSG\n";
    alpha.write_file_mode("/usr/local/bin/third", script, 0o755)?;
    let seen = alpha.run("HA_LOGFILE=/var/log/third.log /usr/local/bin/third")?.ok()?;
    ensure!(seen == "keepalive 200ms\n", "{seen}");
    ensure!(alpha.read_file("/var/log/third.log")?.contains("info: from a script"));
    pair.owned("alpha", "alpha")?;
    alpha.run(&format!("{manager} takegroup {group}"))?.ok()?;
    let seen = pair.beta.run(&format!("{manager} takegroup {group}"))?;
    ensure!(seen.code == 1 && seen.err.contains("hb_takeover"), "{seen:?}");
    alpha.run("/usr/share/heartbeat/mach_down beta && /usr/share/heartbeat/req_resource x")?.ok()?;
    ensure!(alpha.run("/usr/lib/heartbeat/ipfail")?.code == 100);
    ensure!(alpha.run("/usr/share/heartbeat/hb_addnode")?.out == "usage: hb_addnode <node> <node> ...\n");
    alpha.run("/usr/share/heartbeat/hb_addnode gamma")?.ok()?;

    propagate(&pair)
}

/// `ssh` is a script that runs the command on the same host, in a folder that stands for the other node's.
fn propagate(pair: &Pair<'_>) -> Result<(), Failure> {
    let alpha = pair.alpha;
    alpha.write_file_mode(
        "/usr/bin/ssh",
        "#!/bin/sh\necho \"$1\" >>/var/log/ssh\necho \"$2\" | sed 's#/etc/ha.d#/var/other#g' >/var/log/command\nPATH=/usr/local/faulty:$PATH exec sh /var/log/command\n",
        0o755,
    )?;
    alpha.run("mkdir -p /var/other && cp /etc/ha.d/ha.cf /var/other/ && echo old >/var/other/haresources")?.ok()?;
    let seen = alpha.run("/usr/lib/heartbeat/ha_propagate")?.ok()?;
    for part in [
        "Propagating HA configuration files to node beta.\n",
        "--- beta:/etc/ha.d/haresources\n",
        "\n-old\n",
        "authkeys differs.\n",
        "Setting HA startup configuration on node beta.\n",
    ] {
        ensure!(seen.contains(part), "no {part:?} in {seen}");
    }
    ensure!(!seen.contains("a secret"), "the key is shown: {seen}");
    alpha.run("cmp /etc/ha.d/haresources /var/other/haresources && cmp /etc/ha.d/authkeys /var/other/authkeys")?.ok()?;
    ensure!(alpha.run("stat -c %a /var/other/authkeys; ls -A /var/other")?.out == "600\nauthkeys\nha.cf\nharesources\n");
    let again = alpha.run("/usr/lib/heartbeat/ha_propagate")?.ok()?;
    ensure!(
        again.contains("All files are the same there.") && alpha.read_file("/var/log/ssh")?.starts_with("root@beta\n"),
        "{again}"
    );
    // The last of two moves fails: the first one is taken back.
    alpha.write_file_mode(
        "/usr/local/faulty/mv",
        "#!/bin/sh\nfor to; do :; done\n[ \"$to\" != authkeys ] || exit 1\nexec /bin/mv \"$@\"\n",
        0o755,
    )?;
    alpha.run("cd /var/other && echo older >haresources && echo older >authkeys && chmod 600 authkeys")?.ok()?;
    let seen = alpha.run("/usr/lib/heartbeat/ha_propagate")?;
    ensure!(seen.code == 1 && seen.err.contains("nothing was changed there"), "{seen:?}");
    ensure!(
        alpha.run("cat /var/other/haresources /var/other/authkeys; ls -A /var/other")?.out
            == "older\nolder\nauthkeys\nha.cf\nharesources\n"
    );
    Ok(())
}

fn fenced(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        // The device works at the third try.
        let agent = "#!/bin/sh\ncat >>/var/log/fence\n[ \"$(grep -c action=reboot /var/log/fence)\" -ge 3 ]\n";
        host.write_file_mode("/usr/sbin/fence_lab", agent, 0o755)?;
        configure(host, "stonith_host * fence_lab ip=10.0.0.9\n")?;
    }
    pair.start()?;
    pair.power_off(pair.alpha)?;
    written(pair.beta, "/var/log/fence", "ip=10.0.0.9\naction=reboot\nport=alpha\n")?;
    ensure!(!pair.beta.has_address(VIP_A), "taken before the node was reset");
    pair.owned("beta", "beta")?;
    let log = pair.beta.read_file("/var/log/ha-log")?;
    let at = |text: &str| log.lines().position(|l| l.contains(text));
    let (reset, taken) = (at("node alpha now reset."), at("acquired: taken over: alpha is not there"));
    ensure!(reset.is_some() && reset < taken && log.matches("STONITH of alpha failed").count() == 2, "{log}");
    Ok(())
}
