//! A live pair of Debian's Heartbeat 3.0.6 becomes one of ours, node by node, and goes back, under the eyes of a client and of
//! a witness that sees every answer.

use anyhow::ensure;

use super::pair::{HEARTBEAT, Pair, Setup, VIP_A, VIP_B, ask};
use crate::host::{Host, executable, root};
use crate::lab::Lab;
use crate::runner::{Case, Failure, Kernel};
use crate::table::Product;
use crate::watch::{Watch, now};

pub const CASES: &[Case] = &[
    Case::new("heartbeat/a live pair is swapped for lvs-ha and back, auto_failback off", Kernel::Any, without_failback)
        .originals()
        .slow(),
    Case::new("heartbeat/a live pair is swapped for lvs-ha and back, auto_failback on", Kernel::Any, with_failback)
        .originals()
        .long(),
];

/// Where the names of the original's programs are, and what of them the swap must keep.
const KEEP: &str = "cd / && mkdir -p /var/originals && \
    for f in usr/share/heartbeat usr/libexec/heartbeat usr/lib/heartbeat usr/bin/cl_status usr/sbin/hb_* etc/ha.d/resource.d \
    etc/ha.d/harc etc/ha.d/shellfuncs etc/ha.d/rc.d; do [ ! -e $f ] || cp -a --parents $f /var/originals; done";
const PUT_BACK: &str = "find /usr/share/heartbeat /usr/libexec/heartbeat /usr/lib/heartbeat /usr/sbin /usr/bin /etc/ha.d \
    -lname /usr/sbin/lvs-ha -delete; cp -a /var/originals/. /";

fn without_failback(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, "off")
}

fn with_failback(lab: &mut Lab) -> Result<(), Failure> {
    story(lab, "on")
}

/// The steps, and for how long the client had no answer in each, in milliseconds.
struct Journey<'a> {
    pair: Pair<'a>,
    client: Watch,
    costs: Vec<(String, f64)>,
}

impl Journey<'_> {
    fn step(&mut self, name: &str, what: impl FnOnce(&Pair<'_>) -> Result<(), Failure>) -> Result<f64, Failure> {
        let from = now();
        what(&self.pair).map_err(|e| e.context(name.to_owned()))?;
        // The client's last questions are still to be answered.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let until = now();
        let cost = [VIP_A, VIP_B].map(|vip| self.client.silence(vip, from, until));
        let [a, b] = cost;
        let cost = a?.max(b?);
        self.costs.push((name.to_owned(), cost));
        Ok(cost)
    }
}

fn story(lab: &mut Lab, failback: &'static str) -> Result<(), Failure> {
    let products = [Product::Originals; 2];
    let pair = Pair::build(lab, &Setup { products, deadtime: 2, failback, neighbours: true, ..Setup::default() })?;
    let (alpha, beta) = (pair.alpha, pair.beta);
    let (client, witness) = (pair.other("client")?, pair.other("witness")?);
    for host in [alpha, beta] {
        host.run(KEEP)?.ok()?;
    }
    pair.start()?;
    let client = Watch::start(client, &[VIP_A, VIP_B], false)?;
    let witness = Watch::start(witness, &[VIP_A, VIP_B], true)?;
    let began = now();
    let mut journey = Journey { pair, client, costs: Vec::new() };
    // What the original costs its users when it is moved on purpose.
    let mut planned = 0.0;
    for (who, command, a, b) in [
        (alpha, "hb_standby all", "beta", "beta"),
        (alpha, "hb_takeover local", "alpha", "beta"),
        (beta, "hb_standby all", "alpha", "alpha"),
        (beta, "hb_takeover local", "alpha", "beta"),
    ] {
        let cost = journey.step(&format!("planned: {command} on {}", who.name()), |pair| {
            ask(who, command)?;
            pair.owned(a, b)
        })?;
        planned = f64::max(planned, cost);
    }
    for (who, ours) in [(alpha, true), (beta, true), (beta, false), (alpha, false)] {
        swap(&mut journey, who, ours, failback)?;
    }
    let said: Vec<String> = journey.costs.iter().map(|(name, cost)| format!("    {cost:5.0} ms  {name}")).collect();
    println!("{}", said.join("\n"));
    for (name, cost) in &journey.costs {
        // One sample each of the original's shell scripts, on a machine that is never idle.
        ensure!(*cost <= planned * 2.0, "{name}: {cost:.0} ms without an answer, a planned switchover {planned:.0}");
    }
    for vip in [VIP_A, VIP_B] {
        let two = witness.spans("two", vip, began, now())?;
        ensure!(two.is_empty(), "both nodes answered for {vip}: {two:?}");
    }
    journey.pair.one_owner_at_a_time()
}

/// One node gives its group away, gets the other programs and takes its group again.
fn swap(journey: &mut Journey<'_>, who: &Host, ours: bool, failback: &str) -> Result<(), Failure> {
    let (name, other) = (who.name(), if who.name() == "alpha" { "beta" } else { "alpha" });
    let to = if ours { "lvs-ha" } else { "Heartbeat 3.0.6" };
    if failback == "off" {
        journey.step(&format!("{name}: hb_standby all"), |pair| {
            ask(who, "hb_standby all")?;
            pair.owned(other, other)
        })?;
    }
    journey.step(&format!("{name}: heartbeat -k"), |pair| {
        who.run(&format!("{HEARTBEAT} -k"))?.ok()?;
        pair.owned(other, other)
    })?;
    if ours {
        let script = root().join("vagrant/provision/install.sh");
        who.run(&format!("sh '{}' '{}' '{}'", script.display(), root().display(), executable().display()))?.ok()?;
    } else {
        who.run(PUT_BACK)?.ok()?;
    }
    let version = who.run(&format!("{HEARTBEAT} -V; readlink -f {HEARTBEAT}"))?.text();
    ensure!(version.contains("lvs-ha") == ours, "{name} has {version}");
    let (a, b) = if failback == "on" { ("alpha", "beta") } else { (other, other) };
    journey.step(&format!("{name}: starts {to}"), |pair| {
        who.run(HEARTBEAT)?.ok()?;
        pair.owned(a, b)
    })?;
    if failback == "off" {
        journey.step(&format!("{name}: hb_takeover local"), |pair| {
            ask(who, "hb_takeover local")?;
            pair.owned("alpha", "beta")
        })?;
    }
    Ok(())
}
