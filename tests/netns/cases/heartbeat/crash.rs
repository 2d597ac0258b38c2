//! kill -9 of heartbeat at any moment, then a start: what the files say comes about, and nothing else is touched.

use std::time::Duration;

use anyhow::ensure;

use super::pair::{HEARTBEAT, PATIENCE, Pair, Setup, VIP_A, VIP_B, ask};
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::runner::{Case, Failure, Kernel};

pub const CASES: &[Case] = &[
    Case::new("heartbeat/killed at ten moments of its start, it comes back whole", Kernel::Any, while_starting).slow(),
    Case::new("heartbeat/killed at ten moments of a standby, it comes back whole", Kernel::Any, while_moving).slow(),
];

/// Somebody's own address on each node, but for the last digit.
const FOREIGN: &str = "10.9.0.7";

fn while_starting(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, 694, |pair, host, moment| {
        host.run(&format!("{HEARTBEAT} -k"))?.ok()?;
        host.run(HEARTBEAT)?.ok()?;
        let _ = pair;
        std::thread::sleep(moment * 6);
        Ok(())
    })
}

fn while_moving(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, 306, |pair, host, moment| {
        let other = if host.name() == "alpha" { pair.beta } else { pair.alpha };
        ask(other, if moment.as_millis() % 2 == 0 { "hb_standby all" } else { "hb_takeover all" })?;
        std::thread::sleep(moment);
        Ok(())
    })
}

/// Ten times: `until` brings heartbeat on one node to a moment (up to a second, by the seed), there it is killed and started
/// again, at once or when the other node has taken over.
fn story(lab: &mut Lab, seed: u64, until: fn(&Pair<'_>, &Host, Duration) -> Result<(), Failure>) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    for host in pair.both() {
        let other = if host.name() == "alpha" { "1" } else { "2" };
        host.run(&format!("ip addr add {FOREIGN}{other}/32 dev eth0 label eth0:9"))?.ok()?;
    }
    pair.start()?;
    let mut random = Random(seed);
    for round in 0..10 {
        let host = pair.both()[usize::from(random.next() & 1 == 0)];
        let (moment, dead) = (Duration::from_millis(random.next() % 1000), random.next() & 3 == 0);
        let told = format!("seed {seed}, round {round}: {} killed after {moment:?}, seen dead: {dead}", host.name());
        let step = || {
            until(&pair, host, moment)?;
            host.run("kill -9 $(cat /run/heartbeat.pid)")?.ok()?;
            if dead {
                let other = if host.name() == "alpha" { pair.beta } else { pair.alpha };
                wait_for("the other node to take over", PATIENCE, || {
                    let both = other.has_address(VIP_A) && other.has_address(VIP_B);
                    Ok(if both { Ok(()) } else { Err("it has not".to_owned()) })
                })?;
            }
            host.run(HEARTBEAT)?.ok()?;
            whole(&pair)
        };
        step().map_err(|e| e.context(told))?;
    }
    Ok(())
}

/// Waits until each group is on one node, both nodes agree which, and holds that the interface has nothing else.
fn whole(pair: &Pair<'_>) -> Result<(), Failure> {
    // Somebody who was told to give all away while the other died may keep all.
    wait_for("one owner of each group and both nodes to agree", PATIENCE, || {
        let mut seen = Vec::new();
        for host in pair.both() {
            let held = [VIP_A, VIP_B].iter().filter(|v| host.has_address(v)).count();
            seen.push((held, host.run("cl_status rscstatus")?.text().trim().to_owned()));
        }
        let once = [VIP_A, VIP_B].iter().all(|v| pair.alpha.has_address(v) != pair.beta.has_address(v));
        let agree =
            seen.iter().all(|(held, said)| matches!((held, said.as_str()), (0, "none") | (1, "local" | "foreign") | (2, "all")));
        std::thread::sleep(Duration::from_millis(200));
        Ok(if once && agree { Ok(()) } else { Err(format!("{seen:?}")) })
    })?;
    for host in pair.both() {
        let listed = host.run("ip -4 -o addr show dev eth0")?.ok()?;
        let mut addresses: Vec<&str> = listed.lines().filter_map(|l| l.split_whitespace().nth(3)).collect();
        addresses.retain(|a| !a.starts_with(VIP_A) && !a.starts_with(VIP_B));
        let number = if host.name() == "alpha" { 1 } else { 2 };
        let mut wanted = [format!("10.9.0.{number}/24"), format!("{FOREIGN}{number}/32")];
        addresses.sort_unstable();
        wanted.sort_unstable();
        ensure!(addresses == wanted, "{}: {listed}", host.name());
    }
    Ok(())
}

/// A generator that gives the same moments for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
