//! ipvsadm beside Debian's: restore, list, save, clear and restore once more, of many real servers in few services and of few
//! in many. Each run has a fresh network namespace: after a large clearing the kernel's list of removed real servers makes
//! additions slow.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

use crate::arena;
use crate::host::{Host, executable};
use crate::lab::Lab;
use crate::table::{Machine, Product};

/// Runs of each, in turns; the fastest counts, since others use the machine too.
const RUNS: usize = 3;

/// What is measured: name, what the original is asked, what ours.
const STEPS: &[(&str, &str, &str)] = &[
    // What every other row has in it too.
    ("start", "ipvsadm -v > /dev/null", "OURS ipvsadm -v > /dev/null"),
    ("restore", "ipvsadm -R < RULES", "OURS ipvsadm -R < RULES"),
    ("list -Ln", "ipvsadm -Ln > /dev/null", "OURS ipvsadm -Ln > /dev/null"),
    ("save -Sn", "ipvsadm -Sn > /dev/null", "OURS ipvsadm -Sn > /dev/null"),
    ("nothing changed", "{ ipvsadm -C; ipvsadm -R < RULES; }", "OURS ipvs apply RULES > /dev/null"),
    ("clear", "ipvsadm -C", "OURS ipvsadm -C"),
];

/// What one command took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Seconds.
    wall: f64,
    /// Seconds of processor time, the kernel's on its behalf too.
    cpu: f64,
}

/// Prints a table for each shape.
pub fn run() -> anyhow::Result<()> {
    arena::enter()?;
    for (services, reals) in [(100, 100), (1000, 10)] {
        let mut lab = Lab::new()?;
        lab.start(&[Machine::new("server10", "172.25.60.10/24").product(Product::Originals)])?;
        let host = lab.host("server10")?;
        host.write_file("/var/tmp/rules", &rules(services, reals))?;
        println!(
            "\n{services} services of {reals} real servers; seconds, the fastest of {RUNS} runs; system calls for a tenth of the services"
        );
        println!(
            "{:<16} {:>10} {:>10} {:>7} {:>9}   {:>10} {:>10} {:>7}   {:>9} {:>7} {:>7}",
            "", "wall", "ours", "ratio", "no start", "cpu", "ours", "ratio", "syscalls", "ours", "ratio"
        );
        let mut costs = vec![[None::<Cost>; 2]; STEPS.len()];
        for _ in 0..RUNS {
            for program in [0, 1] {
                for (best, cost) in costs.iter_mut().zip(measure(host, program)?) {
                    let fastest = best[program].map_or(cost, |b| Cost { wall: b.wall.min(cost.wall), cpu: b.cpu.min(cost.cpu) });
                    best[program] = Some(fastest);
                }
            }
        }
        // Each one counted costs the emulated machine a millisecond.
        host.write_file("/var/tmp/rules", &rules(services / 10, reals))?;
        let calls = [calls(host, 0)?, calls(host, 1)?];
        for (n, (name, ..)) in STEPS.iter().enumerate() {
            let [Some(theirs), Some(ours)] = costs[n] else { continue };
            let (theirs_calls, ours_calls) = (calls[0][n], calls[1][n]);
            // The ratio of what is left when the start of a process is taken off; what is as short as that has none.
            let beyond = match (n, costs[0]) {
                (1.., [Some(a), Some(b)]) if ours.wall > 1.2 * b.wall => {
                    format!("{:.1}", (theirs.wall - a.wall) / (ours.wall - b.wall))
                }
                _ => String::new(),
            };
            println!(
                "{name:<16} {:>10.3} {:>10.3} {:>7.1} {beyond:>9}   {:>10.3} {:>10.3} {:>7.1}   {theirs_calls:>9} {ours_calls:>7} {:>7.1}",
                theirs.wall,
                ours.wall,
                theirs.wall / ours.wall,
                theirs.cpu,
                ours.cpu,
                theirs.cpu / ours.cpu,
                f64::from(theirs_calls) / f64::from(ours_calls)
            );
        }
    }
    Ok(())
}

fn rules(services: usize, reals: usize) -> String {
    let mut out = String::new();
    for service in 0..services {
        let vip = format!("10.9.{}.{}:80", service / 200, 1 + service % 200);
        let _ = writeln!(out, "-A -t {vip} -s rr");
        for real in 0..reals {
            let _ = writeln!(out, "-a -t {vip} -r 10.8.{}.{}:80 -m -w 1", service % 200, 1 + real);
        }
    }
    out
}

/// The commands of one program, each under what `wrap` makes of it, in a network namespace of their own.
fn script(program: usize, wrap: impl Fn(usize, &str) -> String) -> String {
    let ours = executable().display().to_string();
    let steps = STEPS.iter().enumerate().map(|(n, (_, original, own))| {
        let command = if program == 0 { original } else { own };
        wrap(n, &command.replace("OURS", &ours).replace("RULES", "/var/tmp/rules"))
    });
    format!("set -e\nip link set lo up\n{}\n", steps.collect::<Vec<_>>().join("\n"))
}

fn measure(host: &Host, program: usize) -> anyhow::Result<Vec<Cost>> {
    let script = script(program, |_, command| format!("time {command}"));
    host.write_file("/var/tmp/script", &format!("TIMEFORMAT='took %R %U %S'\n{script}"))?;
    let said = host.run("unshare -n bash /var/tmp/script 2>&1")?.ok()?;
    let costs: Vec<Cost> = said
        .lines()
        .filter_map(|line| line.strip_prefix("took "))
        .map(|line| {
            let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
            let [wall, user, system] = numbers[..] else { anyhow::bail!("{line}: not three numbers") };
            Ok(Cost { wall: wall.max(0.001), cpu: (user + system).max(0.001) })
        })
        .collect::<anyhow::Result<_>>()?;
    ensure!(costs.len() == STEPS.len(), "a step failed: {said}");
    Ok(costs)
}

/// System calls of each step; a run of its own, since counting them is slow.
fn calls(host: &Host, program: usize) -> anyhow::Result<Vec<u32>> {
    let script = script(program, |n, command| {
        host.write_file(&format!("/var/tmp/step{n}"), &format!("{command}\n")).map_or_else(
            |e| format!("echo {e}; exit 1"),
            |()| format!("strace -f -qq -c -U calls,name -o /var/tmp/calls{n} sh /var/tmp/step{n}"),
        )
    });
    host.write_file("/var/tmp/script", &script)?;
    host.run("unshare -n bash /var/tmp/script")?.ok()?;
    (0..STEPS.len())
        .map(|n| {
            let table = host.read_file(&format!("/var/tmp/calls{n}"))?;
            let total = table.lines().rev().find(|line| line.trim_end().ends_with("total"));
            let number = total.and_then(|line| line.split_whitespace().next()).with_context(|| format!("no total: {table}"))?;
            Ok(number.parse()?)
        })
        .collect()
}
