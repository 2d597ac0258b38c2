//! The demo: the tutorial's pair of directors with direct routing, told step by step with what really happens.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::arena;
use crate::host::Host;
use crate::lab::{Lab, wait_for};
use crate::story::Story;
use crate::table::{self, Product, VIP};

/// The longest that a step may take before its promise counts as not kept: the files' dead time is 30 s, their initial dead
/// time 120 s, and an emulated kernel is slow.
const PATIENCE: Duration = Duration::from_secs(300);
/// Twelve visits of the client, counted by page.
const VISITS: &str = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s -m 10 http://172.25.60.200/; done | sort | uniq -c";

/// `LVS_HA_LAB_USE=originals` runs the demo with Debian's heartbeat, ldirectord and ipvsadm, to compare.
fn product() -> Product {
    match std::env::var("LVS_HA_LAB_USE").as_deref() {
        Ok("originals") => Product::Originals,
        _ => Product::LvsHa,
    }
}

/// Starts and provisions the demo's hosts.
pub fn build(lab: &mut Lab) -> anyhow::Result<()> {
    ensure!(arena::has_ipvs(), "this kernel has no IPVS: tests/lab boots one that has");
    let machines: Vec<_> = table::demo().into_iter().map(|m| m.product(product())).collect();
    lab.start(&machines)?;
    lab.provision()
}

/// The command that starts heartbeat.
pub fn heartbeat() -> &'static str {
    match product() {
        Product::LvsHa | Product::Servers => "heartbeat",
        Product::Originals => "/usr/libexec/heartbeat/heartbeat",
    }
}

/// `netns demo`.
pub fn command(_: &[&str]) -> anyhow::Result<ExitCode> {
    arena::enter()?;
    let mut lab = Lab::new()?;
    let mut story = Story::new();
    let told = build(&mut lab).and_then(|()| tell(&lab, &mut story));
    if let Err(e) = &told {
        story.promise("the demo runs to its end", &format!("{e:#}"), false);
        println!("{}", lab.logs());
    }
    Ok(story.end())
}

fn tell(lab: &Lab, story: &mut Story) -> anyhow::Result<()> {
    let (ten, eleven, client) = (lab.host("server10")?, lab.host("server11")?, lab.host("client")?);
    let (twelve, thirteen) = (lab.host("server12")?, lab.host("server13")?);

    story.step("Two directors start");
    story.show(ten, "cat /etc/ha.d/haresources")?;
    for director in [ten, eleven] {
        story.show(director, heartbeat())?.ok()?;
    }
    serves(ten, &["172.25.60.12", "172.25.60.13"])?;
    story.show(ten, "ip -4 -brief address show eth0")?;
    for director in [ten, eleven] {
        story.show(director, "cl_status nodestatus server10; cl_status nodestatus server11; cl_status rscstatus")?;
    }
    let idle = !has_vip(eleven)?;
    story.promise("one director serves, the other waits", if idle { "server10 serves" } else { "both have the address" }, idle);

    story.step("The kernel balances");
    story.show(ten, "ipvsadm -Ln")?;
    visits(story, client, "12 requests: 6 and 6", &[("page of server12", 6), ("page of server13", 6)])?;
    story.show(ten, "ipvsadm -Ln --stats")?;
    status(story, ten)?;

    story.step("A real server stops");
    story.show(twelve, "/etc/init.d/httpd stop")?.ok()?;
    let took = serves(ten, &["172.25.60.13"])?;
    story.say(&format!("taken out after {:.1} s", took.as_secs_f64()));
    story.show(ten, "ipvsadm -Ln")?;
    visits(story, client, "a dead real server gets no request", &[("page of server13", 12)])?;

    story.step("The other one stops too");
    story.show(thirteen, "/etc/init.d/httpd stop")?.ok()?;
    serves(ten, &["127.0.0.1"])?;
    story.show(ten, "ipvsadm -Ln")?;
    visits(story, client, "no real server: the fallback page", &[("fallback page of server10", 12)])?;

    story.step("Both return");
    for real in [twelve, thirteen] {
        story.show(real, "/etc/init.d/httpd start")?.ok()?;
    }
    serves(ten, &["172.25.60.12", "172.25.60.13"])?;
    story.show(ten, "ipvsadm -Ln")?;
    visits(story, client, "returned real servers get requests", &[("page of server12", 6), ("page of server13", 6)])?;

    for (from, to) in [(ten, eleven), (eleven, ten)] {
        story.step(&format!("{} goes on standby", from.name()));
        story.show(from, "/usr/share/heartbeat/hb_standby")?.ok()?;
        serves(to, &["172.25.60.12", "172.25.60.13"])?;
        story.show(to, "ipvsadm -Ln")?;
        let left = wait_for("the old director to let go", PATIENCE, || {
            let table = table(from)?;
            Ok(if has_vip(from)? || !table.is_empty() { Err(format!("{table:?}")) } else { Ok(()) })
        });
        story.promise(
            &format!("hb_standby moves all to {}", to.name()),
            &left.as_ref().map_or_else(|e| format!("{e:#}"), |()| "address, table and checks moved".to_owned()),
            left.is_ok(),
        );
        visits(story, client, &format!("{} balances", to.name()), &[("page of server12", 6), ("page of server13", 6)])?;
    }

    story.step("The active director loses power");
    story.say("client# netns probe 172.25.60.200:80: a request every 10 ms");
    let probe = client.spawn(&format!("exec netns probe {VIP}:80 --seconds 600 --until /run/enough"))?;
    probe.said("answered")?;
    ten.power_off();
    story.say("server10 has no power");
    let took = serves(eleven, &["172.25.60.12", "172.25.60.13"])?;
    std::thread::sleep(Duration::from_secs(3));
    client.write_file("/run/enough", "")?;
    let (code, said) = probe.finish()?;
    story.say(&format!("    {}", said.trim()));
    story.show(eleven, "ip -4 -brief address show eth0")?;
    story.show(eleven, "ipvsadm -Ln")?;
    status(story, eleven)?;
    let gap = said.split_whitespace().skip_while(|w| *w != "gap").nth(1).and_then(|n| n.parse::<u64>().ok());
    let gap = gap.filter(|_| code == Some(0)).context("the probe did not see the service return")?;
    story.promise(
        "power loss: the other director serves (dead time 30 s)",
        &format!("gap {gap} ms, table complete after {:.1} s", took.as_secs_f64()),
        gap > 1000 && gap < 60_000,
    );
    visits(story, client, "server11 balances after the power loss", &[("page of server12", 6), ("page of server13", 6)])
}

/// The whole of it on one screen; the originals have no such thing.
fn status(story: &mut Story, director: &Host) -> anyhow::Result<()> {
    if product() == Product::LvsHa {
        story.show(director, "lvs-ha status")?;
    }
    Ok(())
}

/// Twelve visits; the pages must come in these numbers.
fn visits(story: &mut Story, client: &Host, promise: &str, expected: &[(&str, u32)]) -> anyhow::Result<()> {
    let said = story.show(client, VISITS)?.out;
    let seen: Vec<(&str, u32)> =
        said.lines().filter_map(|l| l.trim().split_once(' ')).filter_map(|(n, page)| Some((page, n.parse().ok()?))).collect();
    let text: Vec<String> = seen.iter().map(|(page, n)| format!("{n} x {page}")).collect();
    story.promise(promise, &if text.is_empty() { "no answer".to_owned() } else { text.join(", ") }, seen == expected);
    Ok(())
}

/// Waits until the director has the address and balances among these real servers and no other; says how long it took.
fn serves(director: &Host, reals: &[&str]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    wait_for(&format!("{} to balance among {}", director.name(), reals.join(", ")), PATIENCE, || {
        let table = table(director)?;
        Ok(if has_vip(director)? && table == reals { Ok(()) } else { Err(format!("{table:?}")) })
    })?;
    Ok(start.elapsed())
}

fn has_vip(director: &Host) -> anyhow::Result<bool> {
    Ok(director.run("ip -4 -o address show dev eth0")?.out.contains(&format!(" {VIP}/")))
}

/// The real servers in service (weight above 0) of the director's kernel, sorted.
fn table(director: &Host) -> anyhow::Result<Vec<String>> {
    let listing = director.run("ipvsadm -Ln")?.out;
    let mut reals: Vec<String> = listing
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [arrow, address, _, weight, ..] = words.as_slice() else { return None };
            (*arrow == "->" && weight.parse::<u32>().is_ok_and(|w| w > 0)).then(|| address.trim_end_matches(":80").to_owned())
        })
        .collect();
    reals.sort();
    Ok(reals)
}
