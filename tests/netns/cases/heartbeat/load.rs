//! A node that has no time: busy loops, a log that cannot be written, scripts that fork, and a process that does not run at
//! all for longer than its dead time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::pair::{HEARTBEAT, Pair, Setup, VIP_A, ask, log_lines, wait_for_log};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/busy loops, a frozen log and a hundred scripts: nobody is taken for dead", Kernel::Any, busy).long(),
    Case::new("heartbeat/frozen beyond its dead time, it lets go before it speaks", Kernel::Any, frozen).slow(),
    Case::new("heartbeat/3,000 heartbeats beside the original's: no more of them late", Kernel::Any, late).originals().long(),
];

const GROUPS: usize = 100;
const LOOPS: usize = 20;
const LENGTH: Duration = Duration::from_secs(20);

/// A log on a file system that does not take anything; where there are no loop devices, a pipe that nobody reads.
struct Stuck<'a> {
    host: &'a Host,
    what: &'static str,
}

impl<'a> Stuck<'a> {
    /// The file system, still sound.
    fn prepare(host: &'a Host) -> Result<Self, Failure> {
        let made = host.run(
            "mkdir -p /run/frozen && dd if=/dev/zero of=/run/image bs=1M count=8 status=none && mkfs.ext4 -q /run/image && \
             mount -o loop /run/image /run/frozen",
        )?;
        let what = if made.code == 0 { "frozen file system" } else { "pipe without reader" };
        Ok(Self { host, what })
    }

    fn freeze(&self) -> Result<(), Failure> {
        let command = if self.what == "frozen file system" { "fsfreeze -f /run/frozen" } else { "mkfifo /run/frozen/ha-log" };
        self.host.run(command)?.ok().map(drop)
    }

    fn thaw(&self) -> Result<(), Failure> {
        let command = "fsfreeze -u /run/frozen || timeout 1 cat /run/frozen/ha-log >/dev/null; rm -f /run/frozen/ha-log";
        if self.what == "frozen file system" {
            return self.host.run("fsfreeze -u /run/frozen")?.ok().map(drop);
        }
        self.host.run(command).map(drop)
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        // A process that waits for a frozen file system cannot even be killed.
        let _ = self.thaw();
    }
}

fn busy(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { deadtime: 1, keepalive: 100, failback: "off", ..Setup::default() })?;
    let stuck = Stuck::prepare(pair.alpha)?;
    let more: String = (0..GROUPS).map(|n| format!("{} recorder::r{n}\n", ["alpha", "beta"][n % 2])).collect();
    for host in pair.both() {
        let groups = host.read_file("/etc/ha.d/haresources")?;
        host.write_file("/etc/ha.d/haresources", &format!("{groups}{more}"))?;
    }
    let text = pair.alpha.read_file("/etc/ha.d/ha.cf")?;
    pair.alpha.write_file("/etc/ha.d/ha.cf", &text.replace("/var/log/ha-log", "/run/frozen/ha-log"))?;
    pair.start()?;
    stuck.freeze()?;
    let began = Instant::now();
    let loops = format!("for i in $(seq {LOOPS}); do (timeout {} sh -c 'while :; do :; done' &) ; done", LENGTH.as_secs());
    pair.alpha.run(&loops)?.ok()?;
    // Everything moves to and fro as long as it lasts: each move is a hundred scripts that fork.
    let mut moves = 0;
    while began.elapsed() < LENGTH {
        let (giver, owner) = [(pair.alpha, "beta"), (pair.beta, "alpha")][moves % 2];
        ask(giver, "hb_standby all")?;
        pair.owned(owner, owner)?;
        moves += 1;
    }
    let late = [lateness(pair.alpha)?, lateness(pair.beta)?];
    stuck.thaw()?;
    println!(
        "    {}, {LOOPS} busy loops, {moves} moves of {GROUPS} scripts in {:.0} s: late by {:.1} and {:.1} ms at most",
        stuck.what,
        began.elapsed().as_secs_f64(),
        late[0] * 1000.0,
        late[1] * 1000.0
    );
    wait_for_log(pair.beta, "Comm_now_up")?;
    let dead = |text: String| text.lines().filter(|l| l.contains("is dead") || l.contains("deadtime)")).count();
    let logs = [pair.alpha.run("cat /run/frozen/ha-log /var/log/ha-debug")?.out, pair.beta.read_file("/var/log/ha-log")?];
    ensure!(!logs[0].is_empty() && !logs[1].is_empty(), "no logs");
    let [a, b] = logs.map(dead);
    ensure!(a + b == 0, "alpha said {a} times that somebody was dead or late beyond the dead time, beta {b} times");
    ensure!(moves > 1, "nothing moved");
    Ok(())
}

/// How late the heartbeat thread was at most, in seconds, as the daemon tells it itself.
fn lateness(host: &Host) -> Result<f64, Failure> {
    let status: serde_json::Value = serde_json::from_str(&host.run("lvs-ha status --json")?.ok()?)?;
    let mut found = Vec::new();
    collect(&status, &mut found);
    found.first().copied().context("the status does not tell how late heartbeat was")
}

fn collect(value: &serde_json::Value, found: &mut Vec<f64>) {
    match value {
        serde_json::Value::Object(map) => {
            found.extend(map.get("late").and_then(serde_json::Value::as_f64));
            map.values().for_each(|v| collect(v, found));
        }
        serde_json::Value::Array(list) => list.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}

/// Everything that runs on a host, stopped at once: by a cgroup's freezer, or, where there is none, by signals.
struct Frost {
    group: Option<(PathBuf, &'static str, &'static str, &'static str)>,
    pids: Vec<i32>,
}

impl Frost {
    fn new(host: &Host) -> Result<Self, Failure> {
        let space = fs::read_link(format!("/proc/{}/ns/pid", host.pid()?))?;
        let mut pids = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
            if fs::read_link(entry.path().join("ns/pid")).is_ok_and(|s| s == space) {
                pids.push(pid);
            }
        }
        ensure!(pids.len() > 1, "{}: nothing runs", host.name());
        let name = format!("lvs-ha-lab-{}-{}", std::process::id(), host.pid()?);
        let kinds =
            [("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN", "THAWED"), ("/sys/fs/cgroup", "cgroup.freeze", "1", "0")];
        for (root, file, on, off) in kinds {
            let group = Path::new(root).join(&name);
            if fs::create_dir(&group).is_ok() && group.join(file).exists() {
                for pid in &pids {
                    fs::write(group.join("cgroup.procs"), pid.to_string())?;
                }
                return Ok(Self { group: Some((group, file, on, off)), pids });
            }
            let _ = fs::remove_dir(&group);
        }
        Ok(Self { group: None, pids })
    }

    fn means(&self) -> &'static str {
        if self.group.is_some() { "cgroup freezer" } else { "SIGSTOP" }
    }

    fn set(&self, frozen: bool) -> Result<(), Failure> {
        if let Some((group, file, on, off)) = &self.group {
            return Ok(fs::write(group.join(file), if frozen { on } else { off })?);
        }
        for pid in &self.pids {
            kill(Pid::from_raw(*pid), if frozen { Signal::SIGSTOP } else { Signal::SIGCONT })?;
        }
        Ok(())
    }
}

impl Drop for Frost {
    fn drop(&mut self) {
        let _ = self.set(false);
        if let Some((group, ..)) = &self.group {
            let parent = group.parent().map(|p| p.join("cgroup.procs"));
            for pid in &self.pids {
                let _ = parent.as_ref().map(|p| fs::write(p, pid.to_string()));
            }
            let _ = fs::remove_dir(group);
        }
    }
}

fn frozen(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup { deadtime: 2, ..Setup::default() })?;
    pair.start()?;
    let frost = Frost::new(pair.alpha)?;
    // Started after the list was made: these go on.
    let addresses = pair.alpha.spawn("exec ip -ts -o monitor address")?;
    let packets = pair.beta.spawn("exec tcpdump -l -n -tt -i eth0 src 10.9.0.1 and udp port 694 2>/dev/null")?;
    packets.said("10.9.0.1.")?;
    frost.set(true)?;
    let from = crate::watch::now();
    wait_for("beta to take over", Duration::from_secs(60), || {
        Ok(if pair.beta.has_address(VIP_A) { Ok(()) } else { Err("not yet".to_owned()) })
    })?;
    let thawed = crate::watch::now();
    frost.set(false)?;
    addresses.said("Deleted")?;
    pair.owned("alpha", "beta")?;
    let text = packets.text()?;
    let spoke = text.lines().filter_map(|l| l.split(' ').next()?.parse::<f64>().ok()).find(|at| *at > from + 0.5);
    let spoke = spoke.context("alpha never spoke again")?;
    let text = addresses.text()?;
    let gone = text.lines().find(|l| l.contains("Deleted") && l.contains(VIP_A)).context("no removal of the address")?;
    let gone = stamp(gone).with_context(|| gone.to_owned())?;
    println!(
        "    {}: address gone {:.0} ms, first word {:.0} ms after it ran again",
        frost.means(),
        (gone - thawed) * 1000.0,
        (spoke - thawed) * 1000.0
    );
    ensure!(gone < spoke, "alpha spoke at {spoke:.3} and had its address until {gone:.3}");
    let told = log_lines(pair.alpha, "No local heartbeat")?;
    ensure!(told.len() == 1, "{told:?}");
    let partition = log_lines(pair.beta, "returning after partition")?;
    ensure!(partition.is_empty(), "{partition:?}");
    pair.alpha.run(&format!("{HEARTBEAT} -s"))?.ok().map(drop)
}

/// The time of a line of `ip -ts`: `[2026-11-27T07:30:00.123456] ...`.
fn stamp(line: &str) -> Option<f64> {
    let text = line.split_once('[')?.1.split_once(']')?.0;
    let at: jiff::civil::DateTime = text.parse().ok()?;
    let at = at.to_zoned(jiff::tz::TimeZone::system()).ok()?.timestamp();
    Some(at.as_microsecond() as f64 / 1e6)
}

/// A pair of ours and the original and a pair of originals say 3,000 heartbeats at 50 ms each, side by side.
fn late(lab: &mut Lab) -> Result<(), Failure> {
    const PERIOD: Duration = Duration::from_millis(50);
    let mut other = Lab::new()?;
    let setup = |products| Setup { products, keepalive: 50, deadtime: 1, more: "warntime 100ms\n", ..Setup::default() };
    let mixed = Pair::build(lab, &setup([Product::LvsHa, Product::Originals]))?;
    let real = Pair::build(&mut other, &setup([Product::Originals; 2]))?;
    for pair in [&mixed, &real] {
        pair.start()?;
        for host in pair.both() {
            host.run(": >/var/log/ha-log")?.ok()?;
        }
    }
    std::thread::sleep(PERIOD * 3000);
    let mut counts = Vec::new();
    for pair in [&mixed, &real] {
        for host in pair.both() {
            let warned = [log_lines(host, "WARN")?, log_lines(host, "ERROR")?, log_lines(host, "CRIT")?].concat();
            let (late, more): (Vec<String>, Vec<String>) = warned.into_iter().partition(|l| l.contains("Late heartbeat"));
            ensure!(more.is_empty(), "{}: {more:#?}", host.name());
            counts.push(late.len());
        }
    }
    let [by_ours, by_real, real_1, real_2] = counts.as_slice() else { anyhow::bail!("four nodes") };
    println!(
        "    late heartbeats: mixed pair {by_ours} (heard by ours) {by_real} (heard by the original), real pair {real_1} {real_2}"
    );
    // On a machine that is never idle a few are anybody's.
    ensure!(by_real + by_ours <= real_1 + real_2 + 5, "{counts:?}");
    Ok(())
}
