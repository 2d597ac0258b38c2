//! Pairs of the original, of one node of each kind, and of ours, side by side: for how long a client that asks every 10 ms
//! has no answer.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::middle_and_largest;
use crate::arena;
use crate::cases::heartbeat::pair::{HEARTBEAT, Pair, Setup, VIP_A, VIP_B, ask};
use crate::host;
use crate::lab::Lab;
use crate::table::Product;
use crate::watch::{Watch, now};

const DEADTIME: u8 = 1;
const SWITCHOVERS: usize = 8;
const LOSSES: usize = 3;
const PARTITIONS: usize = 2;
/// Until nothing moves any more after a healed partition: the original is done after 20.
const CALM: Duration = Duration::from_secs(28);

const PAIRS: [(&str, [Product; 2]); 4] = [
    ("Heartbeat 3.0.6", [Product::Originals, Product::Originals]),
    ("alpha is lvs-ha", [Product::LvsHa, Product::Originals]),
    ("beta is lvs-ha", [Product::Originals, Product::LvsHa]),
    ("lvs-ha", [Product::LvsHa, Product::LvsHa]),
];

/// What a client saw, in milliseconds.
struct Seen {
    /// A group given by alpha and taken by beta, and back.
    given: Vec<f64>,
    taken_back: Vec<f64>,
    /// From the moment that alpha's silence has lasted for the dead time.
    power_loss: Vec<f64>,
    healed: Vec<f64>,
}

pub fn run() -> anyhow::Result<()> {
    host::originals()?;
    arena::enter()?;
    println!(
        "Milliseconds without an answer, middle and largest; four pairs side by side, deadtime {DEADTIME} s, keepalive 200 ms"
    );
    let seen: Vec<_> = std::thread::scope(|scope| {
        let each: Vec<_> = PAIRS.iter().map(|(_, products)| scope.spawn(|| measure(*products))).collect();
        each.into_iter().map(|t| t.join().unwrap_or_else(|_| anyhow::bail!("a measurement panicked"))).collect()
    });
    let mut rows = Vec::new();
    for ((name, _), seen) in PAIRS.iter().zip(seen) {
        match seen {
            Ok(seen) => rows.push((*name, seen)),
            // The others are still worth knowing.
            Err(e) => println!("{name}: not measured: {e:#}"),
        }
    }
    type Part = fn(&Seen) -> &Vec<f64>;
    let parts: [(&str, Part); 4] = [
        ("hb_standby, alpha gives", |s| &s.given),
        ("hb_standby, beta gives", |s| &s.taken_back),
        ("power loss, beyond dead time", |s| &s.power_loss),
        ("partition healed", |s| &s.healed),
    ];
    for (what, part) in parts {
        println!("{what}");
        let first = rows.iter().find(|(name, _)| *name == PAIRS[0].0).map(|(_, s)| middle_and_largest(part(s).clone()).0);
        for (name, seen) in &rows {
            let (middle, largest) = middle_and_largest(part(seen).clone());
            let ratio = first.map_or(f64::NAN, |f| f / middle);
            println!("  {name:18} {middle:8.0} {largest:8.0}   the original takes {ratio:5.1} times as long");
        }
    }
    Ok(())
}

fn measure(products: [Product; 2]) -> anyhow::Result<Seen> {
    let mut lab = Lab::new()?;
    let pair = Pair::build(&mut lab, &Setup { products, deadtime: DEADTIME, neighbours: true, ..Setup::default() })?;
    pair.start()?;
    let client = Watch::start(pair.other("client")?, &[VIP_A, VIP_B], false)?;
    let mut seen = Seen { given: Vec::new(), taken_back: Vec::new(), power_loss: Vec::new(), healed: Vec::new() };
    for round in 0..SWITCHOVERS {
        let (giver, owner) = [(pair.alpha, "beta"), (pair.beta, "alpha")][round % 2];
        let from = now();
        ask(giver, "hb_standby all")?;
        pair.owned(owner, owner)?;
        std::thread::sleep(Duration::from_millis(500));
        let into = if round % 2 == 0 { &mut seen.given } else { &mut seen.taken_back };
        into.push(client.silence(VIP_A, from, now())?);
    }
    ask(pair.alpha, "hb_standby foreign")?;
    pair.owned("alpha", "beta")?;
    for _ in 0..LOSSES {
        let packets = pair.beta.spawn("exec tcpdump -l -n -tt -i eth0 src 10.9.0.1 and udp port 694 2>/dev/null")?;
        packets.said("10.9.0.1.")?;
        // In its first seconds a node announces a longer dead time; then another moment between two heartbeats each time.
        std::thread::sleep(Duration::from_millis(8000 + 70 * seen.power_loss.len() as u64));
        let from = now();
        pair.power_off(pair.alpha)?;
        pair.owned("beta", "beta")?;
        std::thread::sleep(Duration::from_millis(500));
        let text = packets.text()?;
        let last = text.lines().filter_map(|l| l.split(' ').next()?.parse::<f64>().ok()).next_back().context("no heartbeat")?;
        let spans = client.spans("silence", VIP_A, from, now())?;
        let answered = spans.last().context("no silence after a power loss")?.until;
        seen.power_loss.push((answered - last - f64::from(DEADTIME)) * 1000.0);
        pair.alpha.power_on()?;
        pair.alpha.run(HEARTBEAT)?.ok()?;
        pair.owned("alpha", "beta")?;
    }
    for _ in 0..PARTITIONS {
        pair.beta.cable("eth0", false)?;
        pair.split()?;
        std::thread::sleep(Duration::from_secs(2));
        let from = now();
        pair.beta.cable("eth0", true)?;
        std::thread::sleep(CALM);
        let lost = [VIP_A, VIP_B].map(|vip| client.silence(vip, from, now()));
        let [a, b] = lost;
        seen.healed.push(a?.max(b?));
        ensure!(pair.alpha.has_address(VIP_A) || pair.beta.has_address(VIP_A), "nobody has {VIP_A} after the partition");
        if pair.owned("alpha", "beta").is_err() {
            // The original sometimes ends with one node that has everything; it is of no use for another round.
            break;
        }
    }
    Ok(seen)
}
