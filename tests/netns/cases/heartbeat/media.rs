//! Two daemons of ours on the less usual links, and a link that goes and comes back beside another.

use std::fs::File;
use std::io::{Read as _, Write as _};

use anyhow::ensure;
use nix::pty::{OpenptyResult, openpty};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

use super::pair::{Pair, Setup, ask, clean_log, log_lines};
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};

pub const CASES: &[Case] = &[
    Case::new("heartbeat/a serial line alone: start and standby", Kernel::Any, serial).slow(),
    Case::new("heartbeat/ucast6: start and standby", Kernel::Any, ucast6).slow(),
    Case::new("heartbeat/mcast6: start and standby", Kernel::Any, mcast6).slow(),
    Case::new("heartbeat/of two links one is lost and comes back", Kernel::Any, two).slow(),
];

const UCAST: [&str; 2] = ["ucast eth0 10.9.0.2", "ucast eth0 10.9.0.1"];

/// The pair with other links than it was built with.
fn with_links(pair: &Pair<'_>, links: [String; 2]) -> Result<(), Failure> {
    for (n, (host, link)) in pair.both().into_iter().zip(links).enumerate() {
        let text = host.read_file("/etc/ha.d/ha.cf")?;
        host.write_file("/etc/ha.d/ha.cf", &text.replace(UCAST[n], &link))?;
        host.run(&format!("ip -6 addr add fd09::{}/64 dev eth0 nodad", n + 1))?.ok()?;
    }
    pair.start()?;
    ask(pair.alpha, "hb_standby all")?;
    pair.owned("beta", "beta")?;
    ask(pair.alpha, "hb_takeover local")?;
    pair.owned("alpha", "beta")?;
    for host in pair.both() {
        clean_log(host)?;
    }
    pair.one_owner_at_a_time()
}

/// Two terminals whose other ends are joined, as a null modem cable joins two serial ports.
fn serial(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let ends = [openpty(None, None)?, openpty(None, None)?];
    let mut names = Vec::new();
    for end in &ends {
        let mut raw = tcgetattr(&end.slave)?;
        cfmakeraw(&mut raw);
        tcsetattr(&end.slave, SetArg::TCSANOW, &raw)?;
        names.push(ttyname(&end.slave)?.display().to_string());
    }
    let [a, b] = &ends;
    for (from, to) in [(a, b), (b, a)] {
        let (mut from, mut to) = (master(from)?, master(to)?);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends when the terminals are closed.
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if to.write_all(&buffer[..n]).is_err() {
                    break;
                }
            }
        });
    }
    let [a, b] = names.as_slice() else { anyhow::bail!("two ends") };
    with_links(&pair, [format!("serial {a}"), format!("serial {b}")])
}

fn master(end: &OpenptyResult) -> Result<File, Failure> {
    Ok(File::from(end.master.try_clone()?))
}

fn ucast6(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    with_links(&pair, ["ucast6 eth0 fd09::2".to_owned(), "ucast6 eth0 fd09::1".to_owned()])
}

fn mcast6(lab: &mut Lab) -> Result<(), Failure> {
    let pair = Pair::build(lab, &Setup::default())?;
    let link = || "mcast6 eth0 ff05::43 694 1 0".to_owned();
    with_links(&pair, [link(), link()])
}

fn two(lab: &mut Lab) -> Result<(), Failure> {
    let media = ["ucast eth0 10.9.0.2\nucast eth1 10.10.0.2", "ucast eth0 10.9.0.1\nucast eth1 10.10.0.1"];
    let pair = Pair::build(lab, &Setup { media, deadtime: 2, ..Setup::default() })?;
    pair.start()?;
    // Not eth0: an address whose interface has no carrier moves.
    for (lost, times) in [("eth1", 2), ("eth1", 3)] {
        pair.beta.cable(lost, false)?;
        let dead = format!("Link beta:{lost} dead.");
        crate::lab::wait_for(&dead, super::pair::PATIENCE, || {
            let seen = log_lines(pair.alpha, &dead)?.len();
            Ok(if seen + 1 == times { Ok(()) } else { Err(format!("{seen} times")) })
        })?;
        pair.beta.cable(lost, true)?;
        let up = format!("Link beta:{lost} up.");
        crate::lab::wait_for(&up, super::pair::PATIENCE, || {
            let seen = log_lines(pair.alpha, &up)?.len();
            Ok(if seen == times { Ok(()) } else { Err(format!("{seen} times")) })
        })?;
    }
    pair.owned("alpha", "beta")?;
    for host in pair.both() {
        clean_log(host)?;
        let dead = log_lines(host, ": is dead")?;
        ensure!(dead.is_empty(), "{dead:?}");
    }
    pair.one_owner_at_a_time()
}
