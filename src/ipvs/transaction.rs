//! All or nothing: a list of commands sent together, and taken back when one of them is refused.
//!
//! What must be undone is computed from the table read before, so it costs no further look. Deletions are sent only after
//! everything else was taken: they alone lose connections and counters, which no undoing brings back.

use std::collections::BTreeSet;

use super::diff::diff;
use super::errno;
use super::model::{Command, ServiceKey, Table};

/// What takes commands: the kernel, or what stands in for it.
pub trait Kernel {
    /// Why it could not be asked, or what became of a request is not known.
    type Error;

    /// The table as it is now.
    fn table(&mut self) -> Result<Table, Self::Error>;

    /// Has the commands done, all of them but those that come back as refused.
    fn send(&mut self, commands: &[Command]) -> Result<Vec<Refused>, Self::Error>;
}

/// A command that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{command}: {text}")]
pub struct Refused {
    /// Its place in the list.
    pub index: usize,
    /// The command.
    pub command: Command,
    /// Error number, positive.
    pub errno: i32,
    /// What it means here.
    pub text: String,
}

/// Why the table is not what it was to become.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure<E> {
    /// Commands were refused; the others were taken back, and the table is as it was.
    #[error("{}; the table is as it was", list(refused))]
    RolledBack {
        /// The refused ones.
        refused: Vec<Refused>,
    },
    /// Commands were refused, and so were some that take the others back.
    #[error("{}; taking back what was done failed: {}", list(refused), list(stuck))]
    Stuck {
        /// The refused ones.
        refused: Vec<Refused>,
        /// What could not be undone.
        stuck: Vec<Refused>,
    },
    /// What became of the commands is not known; where the table could be read again, it was put back as it was.
    #[error("{error}{}", if *restored { "; the table is as it was" } else { "; the table may be half changed" })]
    Lost {
        /// What happened.
        error: E,
        /// Whether the table is as it was before.
        restored: bool,
    },
}

/// Sends the commands, made from the table `before`, and takes back what was done if any is refused.
pub fn carry_out<K: Kernel>(kernel: &mut K, before: &Table, commands: &[Command]) -> Result<(), Failure<K::Error>> {
    let deletes = |c: &&Command| matches!(c, Command::DeleteService(_) | Command::DeleteDest(..));
    let stages: [Vec<Command>; 2] =
        [commands.iter().filter(|c| !deletes(c)).cloned().collect(), commands.iter().filter(deletes).cloned().collect()];
    let mut done: Vec<Command> = Vec::new();
    for stage in stages.iter().filter(|stage| !stage.is_empty()) {
        let refused = match kernel.send(stage) {
            Ok(refused) => refused,
            Err(error) => {
                let restored = restore(kernel, before, commands);
                return Err(Failure::Lost { error, restored });
            }
        };
        let missed: BTreeSet<usize> = refused.iter().map(|r| r.index).collect();
        done.extend(stage.iter().enumerate().filter(|(n, _)| !missed.contains(n)).map(|(_, c)| c.clone()));
        // What somebody else deleted meanwhile is gone, as it should be.
        let refused: Vec<Refused> = refused.into_iter().filter(|r| !(deletes(&&r.command) && is_gone(r.errno))).collect();
        if refused.is_empty() {
            continue;
        }
        return Err(match kernel.send(&undo(before, &done)) {
            Ok(stuck) if stuck.is_empty() => Failure::RolledBack { refused },
            Ok(stuck) => Failure::Stuck { refused, stuck },
            Err(error) => Failure::Lost { error, restored: restore(kernel, before, commands) },
        });
    }
    Ok(())
}

/// The commands that bring back the table `before` after `done` was done to it.
#[must_use]
pub fn undo(before: &Table, done: &[Command]) -> Vec<Command> {
    let mut now = before.clone();
    for command in done {
        // What the kernel took from this very table, the model takes too; if not, it needs no undoing.
        let _ = now.apply(command);
    }
    back(&now, before, done)
}

/// From the table `now` back to `before` on the services that the commands are about.
fn back(now: &Table, before: &Table, commands: &[Command]) -> Vec<Command> {
    let touched: BTreeSet<ServiceKey> = commands.iter().map(Command::service).collect();
    let services = before.services.iter().filter(|(key, _)| touched.contains(key));
    let goal = Table { services: services.map(|(k, s)| (*k, s.clone())).collect() };
    diff(now, &goal, &touched)
}

/// Reads the table again and puts it back; whether that worked.
fn restore<K: Kernel>(kernel: &mut K, before: &Table, commands: &[Command]) -> bool {
    let Ok(now) = kernel.table() else { return false };
    let commands = back(&now, before, commands);
    commands.is_empty() || kernel.send(&commands).is_ok_and(|refused| refused.is_empty())
}

fn is_gone(errno: i32) -> bool {
    matches!(errno, errno::ENOENT | errno::ESRCH)
}

fn list(refused: &[Refused]) -> String {
    let mut text: Vec<String> = refused.iter().take(5).map(ToString::to_string).collect();
    if refused.len() > text.len() {
        text.push(format!("and {} more", refused.len() - text.len()));
    }
    text.join("; ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ipvs::diff::tests::{key, table_strategy};

    /// Keeps a table; refuses the command of this number, counted over all that are sent, or loses the answer to a datagram.
    struct Fake {
        table: Table,
        sent: usize,
        refuse: Option<usize>,
        lose: Option<usize>,
        datagrams: usize,
    }

    impl Fake {
        fn new(table: &Table) -> Self {
            Self { table: table.clone(), sent: 0, refuse: None, lose: None, datagrams: 0 }
        }
    }

    impl Kernel for Fake {
        type Error = &'static str;

        fn table(&mut self) -> Result<Table, Self::Error> {
            Ok(self.table.clone())
        }

        fn send(&mut self, commands: &[Command]) -> Result<Vec<Refused>, Self::Error> {
            let mut refused = Vec::new();
            for (index, command) in commands.iter().enumerate() {
                let denied = self.refuse == Some(self.sent);
                self.sent += 1;
                // What follows from a refusal is refused too: a real server of a service that was not added.
                let errno = if denied { Some(12) } else { self.table.apply(command).err().map(|_| 3) };
                if let Some(errno) = errno {
                    refused.push(Refused { index, command: command.clone(), errno, text: String::new() });
                }
            }
            self.datagrams += 1;
            if self.lose == Some(self.datagrams - 1) { Err("lost") } else { Ok(refused) }
        }
    }

    fn all() -> BTreeSet<ServiceKey> {
        (0..5).map(key).collect()
    }

    proptest! {
        #[test]
        fn whichever_command_is_refused_the_table_is_as_it_was(before in table_strategy(), goal in table_strategy()) {
            let commands = diff(&before, &goal, &all());
            for n in 0..commands.len() {
                let mut fake = Fake { refuse: Some(n), ..Fake::new(&before) };
                let failure = carry_out(&mut fake, &before, &commands).unwrap_err();
                let Failure::RolledBack { refused } = failure else { panic!("{failure:?}") };
                prop_assert_eq!(refused[0].errno, 12);
                prop_assert_eq!(&fake.table, &before, "command {} refused", n);
            }
            let mut fake = Fake::new(&before);
            prop_assert_eq!(carry_out(&mut fake, &before, &commands), Ok(()));
            prop_assert_eq!(&fake.table, &goal);
            prop_assert!(fake.datagrams <= 2);
        }

        #[test]
        fn when_an_answer_is_lost_the_table_is_read_again_and_put_back(before in table_strategy(), goal in table_strategy()) {
            let commands = diff(&before, &goal, &all());
            prop_assume!(!commands.is_empty());
            let mut fake = Fake { lose: Some(0), ..Fake::new(&before) };
            let failure = carry_out(&mut fake, &before, &commands).unwrap_err();
            prop_assert_eq!(failure, Failure::Lost { error: "lost", restored: true });
            prop_assert_eq!(&fake.table, &before);
        }

        #[test]
        fn a_refusal_before_the_deletions_deletes_nothing(before in table_strategy(), goal in table_strategy()) {
            let commands = diff(&before, &goal, &all());
            let others = commands.iter().filter(|c| !matches!(c, Command::DeleteService(_) | Command::DeleteDest(..))).count();
            prop_assume!(others > 0);
            struct Watched(Fake);
            impl Kernel for Watched {
                type Error = &'static str;
                fn table(&mut self) -> Result<Table, Self::Error> {
                    self.0.table()
                }
                fn send(&mut self, commands: &[Command]) -> Result<Vec<Refused>, Self::Error> {
                    if self.0.datagrams == 0 {
                        assert!(!commands.iter().any(|c| matches!(c, Command::DeleteService(_) | Command::DeleteDest(..))));
                    }
                    self.0.send(commands)
                }
            }
            let mut fake = Watched(Fake { refuse: Some(0), ..Fake::new(&before) });
            prop_assert!(carry_out(&mut fake, &before, &commands).is_err());
            for (key, service) in &before.services {
                prop_assert_eq!(fake.0.table.services.get(key), Some(service));
            }
        }
    }

    #[test]
    fn what_another_deleted_meanwhile_is_no_failure() {
        struct Gone;
        impl Kernel for Gone {
            type Error = ();
            fn table(&mut self) -> Result<Table, ()> {
                Err(())
            }
            fn send(&mut self, commands: &[Command]) -> Result<Vec<Refused>, ()> {
                let gone = |(index, c): (usize, &Command)| Refused { index, command: c.clone(), errno: 3, text: String::new() };
                Ok(commands.iter().enumerate().map(gone).collect())
            }
        }
        assert_eq!(carry_out(&mut Gone, &Table::default(), &[Command::DeleteService(key(3))]), Ok(()));
    }
}
