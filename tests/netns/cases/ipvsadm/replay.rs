//! What ipvsadm 1.31 was seen to do (`tests/data/ipvsadm`), asked of ours on a real kernel; and the library in another network
//! namespace than the caller's.

use std::path::Path;

use anyhow::ensure;
use lvs_ha::ipvs::client::{Client, Netlink};
use lvs_ha::ipvs::transport::Transport as _;
use lvs_ha::ipvs::wire::sockopt;

use crate::host::{executable, root};
use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::Machine;

/// Cases of the lab into which the recorded ones are dealt: each must come to its end on an emulated kernel.
pub(super) const PARTS: usize = 4;

/// Goes in: the command lines of one part of the recorded cases. Must come out: the same output and exit status.
pub(super) fn recorded<const PART: usize>(lab: &mut Lab) -> Result<(), Failure> {
    let cases = std::fs::read_dir(root().join("tests/data/ipvsadm/cases"))?.count();
    ensure!(cases > 100, "only {cases} recorded cases");
    lab.start(&[Machine::new("server10", "172.25.60.10/24")])?;
    let host = lab.host("server10")?;
    // /run is the host's own, and its name is what the executable goes by.
    host.run(&format!("ln -sfn '{}' /run/ipvsadm", executable().display()))?.ok()?;
    let check = root().join("tests/data/ipvsadm/replay/check.py");
    let command = format!("exec timeout 800 python3 -B '{}' --ipvsadm /run/ipvsadm --part {PART}/{PARTS}", check.display());
    let (code, said) = host.spawn(&command)?.finish()?;
    let trouble: String = said.lines().filter(|l| !l.starts_with("pass ")).map(|l| format!("{l}\n")).collect();
    let mine = (0..cases).filter(|n| n % PARTS == PART - 1).count();
    ensure!(code == Some(0) && said.contains(&format!("\n{mine} passed, 0 failed\n")), "{trouble}");
    Ok(())
}

/// Goes in: a table on a host. Must come out: that table, read by a process that is not on that host and stays where it is.
pub(super) fn elsewhere(lab: &mut Lab) -> Result<(), Failure> {
    lab.start(&[Machine::new("server10", "172.25.60.10/24")])?;
    let host = lab.host("server10")?;
    host.run("ipvsadm -A -t 172.25.60.200:80 -s rr")?.ok()?;
    let namespace = format!("/proc/{}/ns/net", host.pid()?);
    let mine = || std::fs::read_link("/proc/thread-self/ns/net");
    let before = mine()?;
    let there = Client::over(Netlink::open_in(Path::new(&namespace))?)?.dump()?;
    ensure!(there.len() == 1, "the host's table has {} services", there.len());
    ensure!(mine()? == before, "the caller is in another namespace than before");
    host.run(
        "ipvsadm -a -t 172.25.60.200:80 -r 172.25.60.12:80 -g -w 5 && ipvsadm -a -t 172.25.60.200:80 -r 172.25.60.13:80 -g",
    )?
    .ok()?;
    one_piece(Netlink::open_in(Path::new(&namespace))?, Client::over(Netlink::open_in(Path::new(&namespace))?)?)?;
    let here = Client::open()?.dump()?;
    ensure!(here.is_empty(), "the caller's own table has {} services", here.len());
    let missing = Netlink::open_in(Path::new("/proc/0/ns/net")).err().map(|e| e.to_string()).unwrap_or_default();
    ensure!(missing.contains("/proc/0/ns/net"), "a namespace that is not there: {missing:?}");
    Ok(())
}

/// The older interface of this kernel has the layout that we read, and tells what netlink tells.
fn one_piece(mut kernel: Netlink, mut client: Client) -> Result<(), Failure> {
    let [entry] = &client.dump()?[..] else { anyhow::bail!("one service was made") };
    let key = entry.service.key;
    let mut answer = sockopt::service(&key).unwrap_or_default();
    kernel.get_option(sockopt::GET_SERVICE, &mut answer)?;
    ensure!(sockopt::members(&answer) == Some(2), "real servers: {:?}", sockopt::members(&answer));
    let mut answer = sockopt::dests_question(&key, 3).unwrap_or_default();
    kernel.get_option(sockopt::GET_DESTS, &mut answer)?;
    let read = sockopt::dests(&answer)?;
    ensure!(read == entry.dests, "{read:?} instead of {:?}", entry.dests);
    Ok(())
}
