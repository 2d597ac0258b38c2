//! The loop: an input of the corpus is changed and run; one that reached new code joins the corpus.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use super::coverage::{self, Reached};
use super::limits;
use super::mutate::{self, Dice};
use super::targets::Target;

/// How long a target is fuzzed.
#[derive(Clone, Copy)]
pub enum Budget {
    /// Changed inputs.
    Runs(u64),
    /// Processor time, beside the reading of the seeds.
    Seconds(u64),
}

/// Tries to make a failing input shorter.
const SHORTENINGS: usize = 3000;

thread_local! {
    /// What the last panic said, and where.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub struct Fuzzer {
    target: &'static Target,
    dice: Dice,
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    reached: Reached,
    runs: u64,
}

impl Fuzzer {
    pub fn new(target: &'static Target, seed: u64) -> Self {
        let (dice, reached) = (Dice::new(seed), Reached::nothing());
        Self { target, dice, corpus: Vec::new(), words: Vec::new(), reached, runs: 0 }
    }

    /// Reads the seeds, then changed ones; tells what failed. Whether nothing did.
    pub fn run(mut self, budget: Budget) -> bool {
        let name = self.target.name;
        match self.first_failure(budget) {
            None => {
                let edges = if coverage::available() { format!(", {} edges", self.reached.count()) } else { String::new() };
                println!("{name}: ok, {} inputs, {} kept{edges}", self.runs, self.corpus.len());
                true
            }
            Some(input) => {
                let (input, why) = quietly(|| self.shorten(input));
                println!("{name}: FAILED: {why}\n    {}", shown(name, &input));
                false
            }
        }
    }

    /// Whether an error is found, as one must be here.
    pub fn finds(mut self) -> bool {
        self.first_failure(Budget::Runs(20_000)).is_some()
    }

    fn first_failure(&mut self, budget: Budget) -> Option<Vec<u8>> {
        let seeds = (self.target.seeds)();
        assert!(!seeds.is_empty(), "{}: no seeds", self.target.name);
        quietly(|| self.search(seeds, budget))
    }

    /// The first failing input.
    fn search(&mut self, seeds: Vec<Vec<u8>>, budget: Budget) -> Option<Vec<u8>> {
        self.words = words(&seeds);
        for seed in seeds {
            self.runs += 1;
            if self.fails(&seed).is_some() {
                return Some(seed);
            }
            if self.reached.take() || !coverage::available() {
                self.corpus.push(seed);
            }
        }
        let end = match budget {
            Budget::Runs(n) => (self.runs + n, Duration::MAX),
            Budget::Seconds(n) => (u64::MAX, limits::processor() + Duration::from_secs(n)),
        };
        while self.runs < end.0 && limits::processor() < end.1 {
            self.runs += 1;
            // What was found lately leads on more often.
            let recent = self.corpus.len().min(16);
            let pick = if self.dice.below(2) == 0 { self.corpus.len() - recent } else { 0 };
            let mut input = self.corpus[pick + self.dice.below(self.corpus.len() - pick)].clone();
            let other = self.dice.pick(&self.corpus).clone();
            mutate::change(&mut self.dice, &mut input, &other, &self.words, self.target.longest);
            if self.fails(&input).is_some() {
                return Some(input);
            }
            if self.reached.take() {
                self.corpus.push(input);
            }
        }
        None
    }

    /// Why the input fails, if it does.
    fn fails(&self, input: &[u8]) -> Option<String> {
        let mut fine = false;
        let cost = limits::measure(self.target.name, input, || {
            fine = panic::catch_unwind(AssertUnwindSafe(|| (self.target.run)(input))).is_ok();
        });
        if !fine {
            return Some(SAID.with(RefCell::take).unwrap_or_else(|| "a panic without words".to_owned()));
        }
        if cost.time > limits::TIME {
            return Some(format!("took {:?} of processor time", cost.time));
        }
        (cost.memory > limits::MEMORY).then(|| format!("needed {} bytes at once", cost.memory))
    }

    /// A shorter input that fails too, and why.
    fn shorten(&self, mut input: Vec<u8>) -> (Vec<u8>, String) {
        let mut why = self.fails(&input).unwrap_or_else(|| "not a second time".to_owned());
        let slow = why.starts_with("took");
        let mut tries = if slow { 30 } else { SHORTENINGS };
        let mut size = input.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < input.len() && tries > 0 {
                tries -= 1;
                let mut shorter = input.clone();
                shorter.drain(at..(at + size).min(input.len()));
                match self.fails(&shorter) {
                    Some(reason) => (input, why) = (shorter, reason),
                    None => at += size,
                }
            }
            size /= 2;
        }
        (input, why)
    }
}

/// Runs it while panics are noted, not shown.
fn quietly<T>(run: impl FnOnce() -> T) -> T {
    panic::set_hook(Box::new(|info| {
        SAID.with(|said| said.replace(Some(info.to_string().replace('\n', " "))));
    }));
    let done = run();
    drop(panic::take_hook());
    done
}

/// Keeps the input in a file and tells where it is and what it says.
pub fn shown(target: &str, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("fuzz");
    let path = folder.join(target);
    let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, input));
    let place = kept.map_or_else(|e| format!("not kept: {e}"), |()| path.display().to_string());
    let text = input[..input.len().min(2000)].escape_ascii();
    format!("{} bytes, {place}\n    b\"{text}\"", input.len())
}

/// The words of the seeds, to be put where they are not expected.
fn words(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    const MOST: usize = 2000;
    let apart = |b: &u8| b.is_ascii_whitespace() || b",;=:()[]".contains(b);
    let words = seeds.iter().flat_map(|s| s.split(apart)).filter(|w| (1..=40).contains(&w.len()));
    let words: BTreeSet<&[u8]> = words.collect();
    let step = words.len().div_ceil(MOST).max(1);
    words.into_iter().step_by(step).map(<[u8]>::to_vec).collect()
}
