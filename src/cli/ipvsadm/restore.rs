//! `-R`: command lines from standard input. Any command but `-R` itself may stand there.
//!
//! Changes of the table are kept back while more input is at hand and sent together. A change that the kernel refuses, or a
//! line with an unknown option, is reported and the rest goes on; a line that makes no sense ends the run. The exit status is
//! that of the last line.

use std::io::{BufRead as _, BufReader, Read};

use super::args::{self, Action, UsageError};
use super::names::{Ahead, System};
use super::{REFUSED, UNREADABLE, act, complain};
use crate::ipvs::client::Client;
use crate::ipvs::model::Command;
use crate::ipvs::wire::Request;

/// Most changes that are kept back.
const BATCH: usize = 1000;

/// Bytes that are read at a time.
const INPUT: usize = 1 << 16;

/// Runs the lines; the exit status.
pub(super) fn run(program: &str, client: &mut Client, names: &System, input: impl Read) -> u8 {
    let mut input = BufReader::with_capacity(INPUT, input);
    let mut status = 0;
    let mut kept: Vec<Command> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => return send(client, &mut kept).unwrap_or(status),
            Ok(_) => {}
            Err(error) => {
                send(client, &mut kept);
                eprintln!("{program}: standard input: {error}");
                return UNREADABLE;
            }
        }
        let line = String::from_utf8_lossy(&line);
        let words: Vec<&str> = args::saved::words(&line).collect();
        if words.is_empty() {
            continue;
        }
        let action = match args::parse(&words, &Ahead { names, rest: input.buffer() }) {
            Ok(Action::Restore) => Err(UsageError::NoCommand),
            parsed => parsed,
        };
        match action {
            Ok(Action::Change(Request::Change(command))) => {
                kept.push(command);
                // What is typed, or comes from a slow pipe, takes effect line by line.
                if kept.len() >= BATCH || !input.buffer().contains(&b'\n') {
                    status = send(client, &mut kept).unwrap_or(status);
                }
            }
            Ok(action) => {
                send(client, &mut kept);
                status = act(client, names, &action);
                if matches!(action, Action::Help | Action::Version) {
                    return status;
                }
            }
            Err(error) => {
                send(client, &mut kept);
                status = complain(program, &error);
                if !matches!(error, UsageError::Option(_)) {
                    return status;
                }
            }
        }
    }
}

/// Sends what was kept back; the status of the last change, `None` if there was none.
fn send(client: &mut Client, kept: &mut Vec<Command>) -> Option<u8> {
    let commands = std::mem::take(kept);
    if commands.is_empty() {
        return None;
    }
    match client.apply(&commands) {
        Ok(report) => {
            for refused in &report.failed {
                eprintln!("{}", refused.text);
            }
            Some(if report.failed.last().is_some_and(|refused| refused.index + 1 == commands.len()) { REFUSED } else { 0 })
        }
        Err(error) => {
            eprintln!("{error}");
            Some(REFUSED)
        }
    }
}
