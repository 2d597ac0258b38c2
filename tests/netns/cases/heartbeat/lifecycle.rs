//! A pair of ours through its life, on each kind of medium.

use anyhow::ensure;

use super::pair::{HEARTBEAT, Pair, Setup, ask, clean_log, log_lines, resources};
use super::resources::succeeds;
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};

pub const CASES: &[Case] = &[
    Case::new("heartbeat/start, standby, takeover, stop, restart", Kernel::Any, life).slow(),
    Case::new("heartbeat/addresses given up together do not bring each other back", Kernel::Any, together).slow(),
    Case::new("heartbeat/a partition heals to one owner", Kernel::Any, partition).slow(),
    Case::new("heartbeat/bcast and md5: start and standby", Kernel::Any, bcast).slow(),
    Case::new("heartbeat/mcast and crc: start and standby", Kernel::Any, mcast).slow(),
];

fn life(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    pair.start()?;
    ask(pair.alpha, "hb_standby")?;
    pair.owned("beta", "beta")?;
    ask(pair.alpha, "hb_takeover")?;
    pair.owned("alpha", "alpha")?;
    ask(pair.alpha, "hb_standby foreign")?;
    pair.owned("alpha", "beta")?;
    pair.beta.run(&format!("{HEARTBEAT} -k"))?.ok()?;
    pair.owned("alpha", "alpha")?;
    let stopped = pair.beta.run(&format!("{HEARTBEAT} -s"))?;
    ensure!(stopped.code == 1 && stopped.out == "heartbeat is stopped. No process\n", "{stopped:?}");
    pair.beta.run(HEARTBEAT)?.ok()?;
    pair.owned("alpha", "beta")?;
    for host in pair.both() {
        clean_log(host)?;
    }
    pair.one_owner_at_a_time()
}

/// Each removal looked for addresses that the kernel had dropped along with it, found those that the other groups gave up at
/// the same moment, and put them back.
fn together(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let more: String = (110..120).map(|n| format!("alpha IPaddr2::10.9.0.{n}/24/eth0\n")).collect();
    for host in pair.both() {
        let groups = host.read_file("/etc/ha.d/haresources")?;
        host.write_file("/etc/ha.d/haresources", &format!("{groups}{more}"))?;
    }
    pair.start()?;
    for (from, to) in [("alpha", "beta"), ("beta", "alpha")] {
        let [giver, taker] = if from == "alpha" { pair.both() } else { [pair.beta, pair.alpha] };
        ask(giver, "hb_standby all")?;
        pair.owned(to, to)?;
        let left: Vec<u32> = (110..120).filter(|n| giver.has_address(&format!("10.9.0.{n}"))).collect();
        ensure!(left.is_empty(), "{from} gave all away and still has {left:?}");
        let missing: Vec<u32> = (110..120).filter(|n| !taker.has_address(&format!("10.9.0.{n}"))).collect();
        ensure!(missing.is_empty(), "{to} took all and has not {missing:?}");
    }
    Ok(())
}

fn partition(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    pair.start()?;
    pair.beta.cable("eth0", false)?;
    for host in pair.both() {
        resources(host, "all")?;
    }
    pair.beta.cable("eth0", true)?;
    pair.owned("alpha", "beta")?;
    for host in pair.both() {
        // The log may be a moment behind.
        succeeds(host, "grep -q 'returning after partition' /var/log/ha-log")?;
        let told = log_lines(host, "returning after partition")?;
        ensure!(told.len() == 1, "{}: {told:?}", host.name());
    }
    Ok(())
}

fn bcast(lab: &mut Lab) -> Result<(), Failure> {
    medium(lab, &Setup { media: ["bcast eth0"; 2], auth: "md5 a secret", ..Setup::default() })
}

fn mcast(lab: &mut Lab) -> Result<(), Failure> {
    medium(lab, &Setup { media: ["mcast eth0 239.0.0.43 694 1 0"; 2], auth: "crc", ..Setup::default() })
}

fn medium(lab: &mut Lab, setup: &Setup) -> Result<(), Failure> {
    let pair = Pair::build(lab, setup)?;
    pair.start()?;
    ask(pair.beta, "hb_standby")?;
    pair.owned("alpha", "alpha")?;
    ask(pair.alpha, "hb_standby all")?;
    pair.owned("beta", "beta")?;
    for host in pair.both() {
        clean_log(host)?;
    }
    pair.one_owner_at_a_time()
}
