//! A prompt on the demo's hosts.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use crate::lab::Lab;
use crate::{arena, demo};

const HELP: &str = "HOST             a shell on that host (exit: back here)
HOST COMMAND     runs the command there
off HOST         power loss; on HOST: power is back
quit             ends the lab";

/// `netns shell [HOST]`: brings the demo's hosts up, provisioned, and asks for commands. Heartbeat is the
/// user's to start.
pub fn command(words: &[&str]) -> anyhow::Result<ExitCode> {
    arena::enter()?;
    let mut lab = Lab::new()?;
    demo::build(&mut lab)?;
    let names: Vec<&str> = lab.hosts().iter().map(|h| h.name()).collect();
    println!("hosts: {}\n{HELP}", names.join(" "));
    if let Some(host) = words.iter().find(|w| !w.starts_with('-')) {
        lab.host(host)?.shell()?;
    }
    let input = std::io::stdin();
    loop {
        print!("lab> ");
        std::io::stdout().flush()?;
        let mut line = String::new();
        if input.lock().read_line(&mut line)? == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let (first, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let done = match (first, rest) {
            ("", _) => Ok(()),
            ("quit" | "exit", _) => return Ok(ExitCode::SUCCESS),
            ("help", _) => {
                println!("{HELP}");
                Ok(())
            }
            ("off", host) => lab.host(host).map(|h| h.power_off()),
            ("on", host) => lab.host(host).and_then(|h| h.power_on()),
            (host, "") => lab.host(host).and_then(|h| h.shell()),
            (host, command) => lab.host(host).and_then(|h| h.interactive(command)),
        };
        if let Err(e) = done {
            println!("{e:#}");
        }
    }
}
