//! Fuzzing: everything that reads bytes from outside, with inputs grown from recorded ones. `tests/lab fuzz` is the way in;
//! plain `cargo test` reads all seeds and a few hundred changed ones.
//!
//! | file | owns |
//! |---|---|
//! | `targets` | what is read and what must hold of what was read |
//! | `seeds` | the recorded inputs, from `tests/data` and `conf` |
//! | `engine` | the corpus and the loop: change an input, run it, keep it when it reached new code |
//! | `mutate` | how an input is changed |
//! | `coverage` | which code was reached, if the library was compiled to tell (`tests/fuzz/rustc`) |
//! | `limits` | the memory and time of one input |
//!
//! A failing input is made shorter, shown, and kept below `target/fuzz`; `--input FILE` runs it again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(unreachable_pub)] // in an executable, `pub` only says: for the other files

mod coverage;
mod engine;
mod limits;
mod mutate;
mod seeds;
mod targets;

use std::process::ExitCode;

use engine::{Budget, Fuzzer};

const USAGE: &str = "usage: fuzz [TARGET...] [--seconds N | --runs N] [--seed N] [--input FILE | --names]";
/// Changed inputs of each target in plain `cargo test`.
const RUNS: u64 = 400;
/// The run that everybody repeats, unless another seed is given.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let mut budget = Budget::Runs(RUNS);
    let (mut seed, mut input, mut names, mut listed) = (SEED, None, Vec::new(), false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().and_then(|v| v.parse::<u64>().ok());
        match word.as_str() {
            "--seconds" => budget = Budget::Seconds(value().expect(USAGE)),
            "--runs" => budget = Budget::Runs(value().expect(USAGE)),
            "--seed" => seed = value().expect(USAGE),
            "--input" => input = Some(words.next().expect(USAGE)),
            "--names" => listed = true,
            // What cargo hands to every test executable: options of the harness we do not have.
            option if option.starts_with('-') => {}
            _ => names.push(word),
        }
    }
    let chosen: Vec<_> =
        targets::ALL.iter().filter(|t| names.is_empty() || names.iter().any(|n| t.name.contains(n.as_str()))).collect();
    if chosen.is_empty() && matches!(budget, Budget::Seconds(_)) {
        eprintln!("fuzz: no target of that name; --names shows them");
        return ExitCode::FAILURE;
    }
    if listed {
        chosen.iter().for_each(|t| println!("{}", t.name));
        return ExitCode::SUCCESS;
    }
    if let Some(path) = input {
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        chosen.iter().for_each(|target| (target.run)(&bytes));
        println!("{} passed, 0 failed", chosen.len());
        return ExitCode::SUCCESS;
    }
    limits::watch();
    let how = if coverage::available() { "guided by coverage" } else { "unguided" };
    println!("fuzzing {} targets, {how}, seed {seed}", chosen.len());
    targets::PLANTED.iter().for_each(|target| assert!(Fuzzer::new(target, seed).finds(), "{} was not found", target.name));
    let failed = chosen.iter().filter(|target| !Fuzzer::new(target, seed).run(budget)).count();
    println!("{} passed, {failed} failed", chosen.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
