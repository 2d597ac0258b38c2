//! What the original was seen to do (`tests/data/ldirectord`), asked of ours.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::host::{executable, root};
use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::{Machine, Product};

/// Of the cases whose tables were recorded, those of every run, in parts that each fit one lab case: starts, stops and
/// commands; reload and who is told; what is written to the table; checks of each kind; checks of each service.
const PARTS: [&[&str]; 5] = [
    &[
        "basic-quiescent",
        "cleanstop-no",
        "commands",
        "start-existing-table",
        "start-all-down-readd",
        "stop-with-broken-config",
        "supervised",
    ],
    &["autoreload", "emailalert", "fallbackcommand-virtual", "fork-yes", "maintenancedir", "reload-broken-config"],
    &["failurecount", "fallback-global-port", "fwmark-global-fallback", "gate-other-port", "hostnames", "ops-udp", "thresholds"],
    &["checkport", "checktype-combined", "checktype-off", "connect", "external", "external-killed", "external-perl"],
    &["dns-a", "ftp", "https-selfsigned", "ldap", "pop-nologin", "simpletcp", "sip-udp", "smtp"],
];

/// One of the [`PARTS`], with Debian's ipvsadm to read our tables.
fn part(lab: &mut Lab, part: usize) -> Result<(), Failure> {
    let recorded = recorded(true)?;
    let chosen: Vec<PathBuf> = recorded.into_iter().filter(|c| PARTS[part].iter().any(|name| c.ends_with(name))).collect();
    ensure!(chosen.len() == PARTS[part].len(), "not all recorded: {chosen:?}");
    replay(lab, Product::Originals, &chosen, 2)
}

pub fn starts_and_stops(lab: &mut Lab) -> Result<(), Failure> {
    part(lab, 0)
}

pub fn reloads(lab: &mut Lab) -> Result<(), Failure> {
    part(lab, 1)
}

pub fn tables(lab: &mut Lab) -> Result<(), Failure> {
    part(lab, 2)
}

pub fn checks(lab: &mut Lab) -> Result<(), Failure> {
    part(lab, 3)
}

pub fn services(lab: &mut Lab) -> Result<(), Failure> {
    part(lab, 4)
}

/// All the others.
pub fn rest(lab: &mut Lab) -> Result<(), Failure> {
    let every_run = |case: &PathBuf| PARTS.iter().copied().flatten().any(|name| case.ends_with(name));
    let chosen: Vec<PathBuf> = recorded(true)?.into_iter().filter(|c| !every_run(c)).collect();
    replay(lab, Product::Originals, &chosen, 8)
}

/// The cases that end before the table is touched.
pub fn without_table(lab: &mut Lab) -> Result<(), Failure> {
    replay(lab, Product::LvsHa, &recorded(false)?, 8)
}

fn replay(lab: &mut Lab, product: Product, cases: &[PathBuf], jobs: usize) -> Result<(), Failure> {
    lab.start(&[Machine::new("director", "10.9.0.1/24").product(product)])?;
    let host = lab.host("director")?;
    // /run is the host's own, and its name is what the executable goes by.
    host.run(&format!("ln -sfn '{}' /run/ldirectord", executable().display()))?.ok()?;
    let check = root().join("tests/data/ldirectord/replay/check.py");
    let words: Vec<String> = cases.iter().map(|c| format!("'{}'", c.display())).collect();
    let command = format!(
        "exec timeout 850 python3 -B '{}' -v --jobs {jobs} --slow 3 --ldirectord /run/ldirectord {}",
        check.display(),
        words.join(" ")
    );
    let (code, said) = host.spawn(&command)?.finish()?;
    let trouble: String = said.lines().filter(|l| !l.starts_with("pass ")).map(|l| format!("{l}\n")).collect();
    ensure!(code == Some(0) && said.contains(&format!("\n{} passed, 0 failed\n", cases.len())), "{trouble}");
    Ok(())
}

/// The folders of the cases that have steps, with a table or without.
fn recorded(with_table: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for of in ["bad", "cases"] {
        for folder in fs::read_dir(root().join("tests/data/ldirectord").join(of))? {
            let folder = folder?.path();
            let Ok(steps) = fs::read(folder.join("case.json")) else { continue };
            let steps: serde_json::Value =
                serde_json::from_slice(&steps).with_context(|| format!("{}/case.json", folder.display()))?;
            if (steps.get("net") != Some(&false.into())) == with_table {
                found.push(folder);
            }
        }
    }
    found.sort();
    ensure!(found.len() > 40, "only {} recorded cases", found.len());
    Ok(found)
}
