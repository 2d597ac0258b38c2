//! What the demo tells: steps with the commands and their real outputs, and at the end what was promised and what was seen.

use std::process::ExitCode;
use std::time::Instant;

use crate::host::{Host, Output};

/// A tale under way.
pub struct Story {
    start: Instant,
    step: u32,
    promises: Vec<(String, String, bool)>,
}

impl Story {
    /// Begins.
    pub fn new() -> Self {
        Self { start: Instant::now(), step: 0, promises: Vec::new() }
    }

    /// A new chapter.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        println!("\n== {}. {title}  [{:.0} s]", self.step, self.start.elapsed().as_secs_f64());
    }

    /// Runs a command on a host before the reader's eyes.
    pub fn show(&self, host: &Host, command: &str) -> anyhow::Result<Output> {
        println!("{}# {command}", host.name());
        let output = host.run(command)?;
        for line in output.text().lines() {
            println!("    {line}");
        }
        Ok(output)
    }

    /// Says something.
    pub fn say(&self, text: &str) {
        println!("{text}");
    }

    /// Holds a promise against what was seen.
    pub fn promise(&mut self, promised: &str, seen: &str, kept: bool) {
        println!("  {} {promised}: {seen}", if kept { "ok:" } else { "NOT KEPT:" });
        self.promises.push((promised.to_owned(), seen.to_owned(), kept));
    }

    /// Prints the table of promises; success if all were kept.
    pub fn end(self) -> ExitCode {
        let width = self.promises.iter().map(|(p, _, _)| p.chars().count()).max().unwrap_or_default();
        println!("\n{:width$}  seen", "promised");
        for (promised, seen, kept) in &self.promises {
            println!("{promised:width$}  {seen}{}", if *kept { "" } else { "   <-- NOT KEPT" });
        }
        let broken = self.promises.iter().filter(|(_, _, kept)| !kept).count();
        println!("\n{} kept, {broken} not kept, in {:.0} s", self.promises.len() - broken, self.start.elapsed().as_secs_f64());
        if broken == 0 && !self.promises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
