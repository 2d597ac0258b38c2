//! A table written as command lines: what `ipvsadm -S` prints, or somebody wrote by hand, read as a whole before anything is
//! done with it.
//!
//! Lines are split as `-R` does it; those that begin with `#` say nothing. A line that repeats what is there already is
//! noted and passed over. Everything else that the kernel would refuse for want of a service or a real server is an error,
//! like a line that makes no sense.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use super::{Action, Lookup, UsageError, parse};
use crate::ipvs::model::{Command, Protocol, Refusal, Table};
use crate::ipvs::refusal;
use crate::ipvs::wire::Request;

/// What the lines say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// The table, whatever there was before.
    pub table: Table,
    /// What is no change of the table (timeouts, daemons, listings), with its line, in order.
    pub others: Vec<(usize, Action)>,
    /// Lines that repeat others.
    pub notes: Vec<LineError>,
    /// Whether there is any line that says something.
    pub empty: bool,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub found: String,
    /// What is wrong, in the words of ipvsadm(8).
    pub text: String,
    /// The exit status that this has.
    pub status: u8,
}

impl fmt::Display for LineError {
    /// `line 3: illegal weight specified: -a -t 10.0.0.1:80 -r 10.0.0.2 -w x`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.text.trim_end(), self.found)
    }
}

/// Exit status of what the kernel would refuse.
const REFUSED: u8 = 255;

/// Words between blanks; the word `ipvsadm` says nothing.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty() && *word != "ipvsadm")
}

/// Whether a text is of this form, judged by its first line that says something. `None`: none does.
#[must_use]
pub fn looks_saved(text: &str) -> Option<bool> {
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.next().map(|line| line.starts_with('-') || line.starts_with("ipvsadm "))
}

/// The names of hosts in the lines, for whoever wants to ask for all of them at once.
#[must_use]
pub fn hosts(text: &str) -> BTreeSet<String> {
    /// Knows everything and keeps what it was asked.
    #[derive(Default)]
    struct Asked(RefCell<BTreeSet<String>>);

    impl Lookup for Asked {
        fn address(&self, host: &str) -> Option<Ipv4Addr> {
            self.0.borrow_mut().insert(host.to_owned());
            Some(Ipv4Addr::UNSPECIFIED)
        }

        fn port(&self, _: &str, _: Protocol) -> Option<u16> {
            Some(0)
        }
    }

    let asked = Asked::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        // What is wrong with a line is told when it is its turn.
        let _ = parse(&words(line).collect::<Vec<_>>(), &asked);
    }
    asked.0.into_inner()
}

/// Reads the lines. `Err`: every line that is wrong.
pub fn read(text: &str, names: &dyn Lookup) -> Result<Saved, Vec<LineError>> {
    let mut saved = Saved { empty: true, ..Saved::default() };
    let mut errors = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = words(line).collect();
        if words.is_empty() || line.starts_with('#') {
            continue;
        }
        saved.empty = false;
        let wrong = |text: String, status| LineError { line: number + 1, found: line.trim().to_owned(), text, status };
        match parse(&words, names) {
            Ok(Action::Restore) => errors.push(wrong("a restore inside a restore".to_owned(), REFUSED)),
            Ok(Action::Change(Request::Flush)) => saved.table = Table::default(),
            Ok(Action::Change(Request::Change(command))) => {
                let Err(refusal) = saved.table.apply(&command) else { continue };
                let text = refusal_text(&command, refusal);
                if repeats(&saved.table, &command) {
                    saved.notes.push(wrong(text, 0));
                } else {
                    errors.push(wrong(text, REFUSED));
                }
            }
            Ok(action) => saved.others.push((number + 1, action)),
            Err(UsageError::NoCommand) => errors.push(wrong("a line must begin with a command such as -A".to_owned(), REFUSED)),
            Err(error) => errors.push(wrong(error.text("ipvsadm"), error.status())),
        }
    }
    if errors.is_empty() { Ok(saved) } else { Err(errors) }
}

/// Whether the table has already what the command would add.
fn repeats(table: &Table, command: &Command) -> bool {
    match command {
        Command::AddService(service) => table.services.get(&service.key).is_some_and(|s| s.service == *service),
        Command::AddDest(key, dest) => table.services.get(key).is_some_and(|s| s.dests.get(&dest.key) == Some(dest)),
        _ => false,
    }
}

/// A refusal of the model in the words that the kernel's has.
fn refusal_text(command: &Command, refused: Refusal) -> String {
    /// `EEXIST`, `ESRCH`, `ENOENT` of `asm-generic/errno-base.h`.
    const NUMBERS: [i32; 3] = [17, 3, 2];
    let [exists, no_service, no_dest] = NUMBERS;
    let errno = match refused {
        Refusal::ServiceExists | Refusal::DestExists => exists,
        Refusal::NoService => no_service,
        Refusal::NoDest => no_dest,
    };
    refusal::text(&Request::Change(command.clone()), errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoNames;

    impl Lookup for NoNames {
        fn address(&self, _: &str) -> Option<Ipv4Addr> {
            None
        }

        fn port(&self, _: &str, _: Protocol) -> Option<u16> {
            None
        }
    }

    const LINES: &str =
        "# by hand\n-A -t 10.0.0.1:80 -s rr\n\nipvsadm -a -t 10.0.0.1:80 -r 10.0.1.1:80 -g -w 1\r\n--set 10 0 0\n";

    #[test]
    fn lines_become_a_table_and_what_is_none_of_it_keeps_its_place() {
        let saved = read(LINES, &NoNames).unwrap();
        assert_eq!(
            saved.table.services.values().map(|s| (s.service.scheduler.as_str(), s.dests.len())).collect::<Vec<_>>(),
            [("rr", 1)]
        );
        assert_eq!(saved.others.len(), 1);
        assert_eq!(saved.others[0].0, 5);
        assert!(read("# nothing\n", &NoNames).unwrap().empty);
    }

    #[test]
    fn every_line_that_is_wrong_is_named() {
        let text = "-A -t 10.0.0.1:80\n-a -t 10.0.0.2:80 -r 10.0.1.1\n-A -t nowhere\n  # no comment\n-R\n-A -t 10.0.0.1:80 -s rr\n-A --no";
        let errors = read(text, &NoNames).unwrap_err();
        let said: Vec<String> = errors.iter().map(|e| format!("{e} ({})", e.status)).collect();
        assert_eq!(
            said,
            [
                "line 2: Service not defined: -a -t 10.0.0.2:80 -r 10.0.1.1 (255)",
                "line 3: illegal virtual server address[:port] specified: -A -t nowhere (2)",
                "line 4: a line must begin with a command such as -A: # no comment (255)",
                "line 5: a restore inside a restore: -R (255)",
                "line 6: Service already exists: -A -t 10.0.0.1:80 -s rr (255)",
                "line 7: --no: unknown option: -A --no (255)",
            ]
        );
    }

    #[test]
    fn a_line_that_repeats_another_is_noted() {
        let saved = read("-A -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n", &NoNames).unwrap();
        assert_eq!(saved.notes[0].to_string(), "line 2: Service already exists: -A -t 10.0.0.1:80");
        assert_eq!(saved.table.services.len(), 1);
    }

    #[test]
    fn a_saved_file_is_known_by_its_first_line() {
        assert_eq!(looks_saved("\n# x\n-A -t 1.2.3.4:5\n"), Some(true));
        assert_eq!(looks_saved("ipvsadm -A -f 1"), Some(true));
        assert_eq!(looks_saved("checktimeout=3\nvirtual=1.2.3.4:80\n"), Some(false));
        assert_eq!(looks_saved("# x\n"), None);
    }
}
