//! What the original was seen to do (`tests/data/ldirectord`), asked of ours.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};

use crate::host::{executable, root};
use crate::lab::Lab;
use crate::runner::Failure;
use crate::table::{Machine, Product};

/// The cases whose tables were recorded, with Debian's ipvsadm to read ours.
pub fn with_table(lab: &mut Lab) -> Result<(), Failure> {
    replay(lab, Product::Originals, &recorded(true)?)
}

/// The cases that end before the table is touched.
pub fn without_table(lab: &mut Lab) -> Result<(), Failure> {
    replay(lab, Product::LvsHa, &recorded(false)?)
}

fn replay(lab: &mut Lab, product: Product, cases: &[PathBuf]) -> Result<(), Failure> {
    lab.start(&[Machine::new("director", "10.9.0.1/24").product(product)])?;
    let host = lab.host("director")?;
    // /run is the host's own, and its name is what the executable goes by.
    host.run(&format!("ln -sfn '{}' /run/ldirectord", executable().display()))?.ok()?;
    let check = root().join("tests/data/ldirectord/replay/check.py");
    let words: Vec<String> = cases.iter().map(|c| format!("'{}'", c.display())).collect();
    let command = format!(
        "exec timeout 1200 python3 -B '{}' -v --jobs 8 --slow 3 --ldirectord /run/ldirectord {}",
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
    ensure!(found.len() > 35, "only {} recorded cases", found.len());
    Ok(found)
}
