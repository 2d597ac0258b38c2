//! A node of ours beside Debian's Heartbeat 3.0.6 through everything that happens to a pair, in each mode of failback, as
//! the one and as the other node; and what the media and digests do.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use super::pair::{HEARTBEAT, Pair, Setup, ask, clean_log, log_lines, wait_for_log};
use crate::host::Host;
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;

pub const CASES: &[Case] = &[
    Case::new("heartbeat/mixed, all sequences: alpha is ours, auto_failback on", Kernel::Any, all::<0, 0>).originals().slow(),
    Case::new("heartbeat/mixed, all sequences: beta is ours, auto_failback on", Kernel::Any, all::<1, 0>).originals().long(),
    Case::new("heartbeat/mixed, all sequences: alpha is ours, auto_failback off", Kernel::Any, all::<0, 1>).originals().long(),
    Case::new("heartbeat/mixed, all sequences: beta is ours, auto_failback off", Kernel::Any, all::<1, 1>).originals().slow(),
    Case::new("heartbeat/mixed, all sequences: alpha is ours, auto_failback legacy", Kernel::Any, all::<0, 2>).originals().slow(),
    Case::new("heartbeat/mixed, all sequences: beta is ours, auto_failback legacy", Kernel::Any, all::<1, 2>).originals().long(),
    Case::new("heartbeat/mixed, all sequences: both are the original, on", Kernel::Any, all::<2, 0>).originals().long(),
    Case::new("heartbeat/mixed, ucast and crc: alpha is ours", Kernel::Any, media::<0, 0, 0>).originals().long(),
    Case::new("heartbeat/mixed, ucast and crc: beta is ours", Kernel::Any, media::<1, 0, 0>).originals().long(),
    Case::new("heartbeat/mixed, ucast and md5: alpha is ours", Kernel::Any, media::<0, 0, 1>).originals().long(),
    Case::new("heartbeat/mixed, ucast and md5: beta is ours", Kernel::Any, media::<1, 0, 1>).originals().long(),
    Case::new("heartbeat/mixed, bcast and crc: alpha is ours", Kernel::Any, media::<0, 1, 0>).originals().long(),
    Case::new("heartbeat/mixed, bcast and crc: beta is ours", Kernel::Any, media::<1, 1, 0>).originals().long(),
    Case::new("heartbeat/mixed, bcast and md5: alpha is ours", Kernel::Any, media::<0, 1, 1>).originals().slow(),
    Case::new("heartbeat/mixed, bcast and md5: beta is ours", Kernel::Any, media::<1, 1, 1>).originals().long(),
    Case::new("heartbeat/mixed, bcast and sha1: alpha is ours", Kernel::Any, media::<0, 1, 2>).originals().long(),
    Case::new("heartbeat/mixed, bcast and sha1: beta is ours", Kernel::Any, media::<1, 1, 2>).originals().long(),
    Case::new("heartbeat/mixed, mcast and crc: alpha is ours", Kernel::Any, media::<0, 2, 0>).originals().long(),
    Case::new("heartbeat/mixed, mcast and crc: beta is ours", Kernel::Any, media::<1, 2, 0>).originals().slow(),
    Case::new("heartbeat/mixed, mcast and md5: alpha is ours", Kernel::Any, media::<0, 2, 1>).originals().long(),
    Case::new("heartbeat/mixed, mcast and md5: beta is ours", Kernel::Any, media::<1, 2, 1>).originals().long(),
    Case::new("heartbeat/mixed, mcast and sha1: alpha is ours", Kernel::Any, media::<0, 2, 2>).originals().long(),
    Case::new("heartbeat/mixed, mcast and sha1: beta is ours", Kernel::Any, media::<1, 2, 2>).originals().long(),
];

const MODES: [&str; 3] = ["on", "off", "legacy"];
/// Who is ours.
const PRODUCTS: [[Product; 2]; 3] =
    [[Product::LvsHa, Product::Originals], [Product::Originals, Product::LvsHa], [Product::Originals, Product::Originals]];

/// A pair that goes from one sequence to the next.
struct Course<'a> {
    pair: Pair<'a>,
    mode: &'static str,
    said: String,
}

impl<'a> Course<'a> {
    /// One sequence; afterwards the original's log is looked at. Where communication was cut it misses packets, rightly.
    fn step(&mut self, name: &str, cut: bool, what: impl FnOnce(&Pair<'a>) -> Result<(), Failure>) -> Result<(), Failure> {
        let start = std::time::Instant::now();
        what(&self.pair).with_context(|| format!("{}: {name}", self.mode))?;
        for host in self.pair.both().into_iter().filter(|h| h.has_power()) {
            let hears_ours = self.pair.both().iter().any(|h| h.machine().product == Product::LvsHa);
            logs(host, cut || !hears_ours).with_context(|| format!("{}: {name}", self.mode))?;
        }
        let _ = write!(self.said, "{name} {:.0} s, ", start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// The original's log is clean. Whoever hears an original may report a packet as lost and found: its own overtake each other.
fn logs(host: &Host, cut: bool) -> Result<(), Failure> {
    // Of a partition the original says that both have everything, and ours that the cable is out, which is so; the original's
    // send_arp does not like it where its address goes while it announces it.
    let cut_off = |l: &String| l.contains("Both machines own") || l.contains("has lost its carrier");
    let own = |l: &String| l.contains("lock ourselves into memory") || l.contains("libnet_write failed") || cut && cut_off(l);
    let bad: Vec<String> = log_lines(host, "ERROR")?.into_iter().filter(|l| !own(l)).collect();
    ensure!(bad.is_empty(), "{}: {bad:#?}", host.name());
    // Empty after power loss, where it was put away before.
    if host.machine().product == Product::Originals && !cut && !log_lines(host, "")?.is_empty() {
        clean_log(host)?;
    }
    // What was looked at is put away, so that one sequence does not answer for another.
    host.run("cat /var/log/ha-log >>/var/log/ha-log.old; : >/var/log/ha-log")?.ok().map(drop)
}

fn all<const OURS: usize, const MODE: usize>(lab: &mut Lab) -> Result<(), Failure> {
    let mode = MODES[MODE];
    let setup = Setup { products: PRODUCTS[OURS], deadtime: 2, initdead: 10, failback: mode, ..Setup::default() };
    let pair = Pair::build(lab, &setup)?;
    let (alpha, beta) = (pair.alpha, pair.beta);
    let mut course = Course { pair, mode, said: String::new() };
    course.step("both start", false, Pair::start)?;
    if mode == "legacy" {
        course.step("standby is refused", false, |pair| {
            for host in pair.both() {
                ask(host, "hb_standby all")?;
                wait_for_log(host, "Standby mode only implemented when nice_failback on")?;
            }
            pair.owned("alpha", "beta")
        })?;
    } else {
        for (giver, set, a, b) in [
            (alpha, "all", "beta", "beta"),
            (beta, "all", "alpha", "alpha"),
            (alpha, "foreign", "alpha", "beta"),
            (alpha, "local", "beta", "beta"),
            (beta, "failback", "alpha", "beta"),
            (beta, "local", "alpha", "alpha"),
            (alpha, "failback", "alpha", "beta"),
        ] {
            course.step(&format!("hb_standby {set} on {}", giver.name()), false, |pair| {
                ask(giver, &format!("hb_standby {set}"))?;
                pair.owned(a, b)
            })?;
        }
        for (taker, set, a, b) in [
            (alpha, "all", "alpha", "alpha"),
            (beta, "local", "alpha", "beta"),
            (beta, "all", "beta", "beta"),
            (alpha, "local", "alpha", "beta"),
        ] {
            course.step(&format!("hb_takeover {set} on {}", taker.name()), false, |pair| {
                ask(taker, &format!("hb_takeover {set}"))?;
                pair.owned(a, b)
            })?;
        }
    }
    for (who, other) in [(alpha, "beta"), (beta, "alpha")] {
        course.step(&format!("{} stops", who.name()), false, |pair| {
            who.run(&format!("{HEARTBEAT} -k"))?.ok()?;
            pair.owned(other, other)
        })?;
        start_again(&mut course, who)?;
        course.step(&format!("{} loses power", who.name()), false, |pair| {
            pair.power_off(who)?;
            pair.owned(other, other)?;
            who.power_on()
        })?;
        start_again(&mut course, who)?;
        course.step(&format!("{} is killed and starts at once", who.name()), true, |pair| {
            who.run(&format!("pkill -9 heartbeat; {HEARTBEAT}"))?.ok()?;
            pair.owned("alpha", "beta")
        })?;
    }
    for (first, second) in [(alpha, beta), (beta, alpha)] {
        course.step(&format!("{} starts alone", first.name()), false, |pair| {
            // Together: what the one leaves the other has no time to take.
            let stops = [alpha, beta].map(|h| h.spawn(&format!("{HEARTBEAT} -k")));
            for stop in stops {
                stop?.finish()?;
            }
            first.run(HEARTBEAT)?.ok()?;
            pair.owned(first.name(), first.name())
        })?;
        start_again(&mut course, second)?;
    }
    course.pair.one_owner_at_a_time()?;
    if OURS == 2 {
        // Sometimes it ends with one node that has everything and another that ignores the handshake.
        return Ok(());
    }
    course.step("a partition heals", true, |pair| {
        pair.beta.cable("eth0", false)?;
        pair.split()?;
        pair.beta.cable("eth0", true)?;
        pair.owned("alpha", "beta")
    })?;
    println!("    {}", course.said);
    Ok(())
}

fn start_again(course: &mut Course<'_>, who: &Host) -> Result<(), Failure> {
    who.run(HEARTBEAT)?.ok()?;
    let (mode, name) = (course.mode, format!("{} comes back", who.name()));
    let other = if who.name() == "alpha" { "beta" } else { "alpha" };
    course.step(&name, false, |pair| {
        if mode == "off" {
            pair.owned(other, other)?;
            ask(who, "hb_takeover local")?;
        }
        pair.owned("alpha", "beta")
    })
}

/// Start and standby.
fn media<const OURS: usize, const MEDIUM: usize, const METHOD: usize>(lab: &mut Lab) -> Result<(), Failure> {
    let media = [["ucast eth0 10.9.0.2", "ucast eth0 10.9.0.1"], ["bcast eth0"; 2], ["mcast eth0 239.0.0.43 694 1 0"; 2]][MEDIUM];
    let auth = ["crc", "md5 a secret", "sha1 a secret"][METHOD];
    let pair = Pair::build(lab, &Setup { products: PRODUCTS[OURS], media, auth, deadtime: 2, ..Setup::default() })?;
    pair.start()?;
    for (giver, owner) in [(pair.alpha, "beta"), (pair.beta, "alpha")] {
        ask(giver, "hb_standby all")?;
        pair.owned(owner, owner)?;
    }
    ask(pair.alpha, "hb_standby foreign")?;
    pair.owned("alpha", "beta")?;
    for host in pair.both() {
        logs(host, false)?;
    }
    pair.one_owner_at_a_time()
}
