//! The kernel's table as the daemon sees and changes it.

use std::collections::BTreeMap;

use crate::daemon::record::Record;
use crate::director::{Director, Event};
use crate::ipvs::client::{self, Client, Report};
use crate::ipvs::diff::diff;
use crate::ipvs::model::{Command, ServiceEntry, Table};
use crate::ipvs::transport::Transport;

/// Rounds of one reconciliation: the table may have changed between the look at it and the commands.
const ROUNDS: usize = 3;

/// What is asked of a client, over whichever transport.
trait Ipvs: Send {
    fn dump(&mut self) -> Result<Vec<ServiceEntry>, client::Error>;
    fn apply(&mut self, commands: &[Command]) -> Result<Report, client::Error>;
}

impl<T: Transport + Send> Ipvs for Client<T> {
    fn dump(&mut self) -> Result<Vec<ServiceEntry>, client::Error> {
        // The director judges by connections and weights, never by counters.
        self.dump_uncounted()
    }

    fn apply(&mut self, commands: &[Command]) -> Result<Report, client::Error> {
        Client::apply(self, commands)
    }
}

/// The netlink socket and what is known through it.
pub(super) struct Kernel {
    client: Box<dyn Ipvs>,
    seen: Vec<ServiceEntry>,
    /// What is refused at present: command -> reason, each logged once.
    refused: BTreeMap<String, String>,
    /// Why the table could not be read, while that is so.
    unreadable: Option<String>,
}

impl Kernel {
    /// The kernel behind an open client. Opening fails without IPVS in the kernel or without the permission to use it.
    pub(super) fn new<T: Transport + Send + 'static>(client: Result<Client<T>, client::Error>) -> anyhow::Result<Self> {
        let client = Box::new(client.map_err(said)?);
        Ok(Self { client, seen: Vec::new(), refused: BTreeMap::new(), unreadable: None })
    }

    /// The table as it was last read.
    pub(super) fn seen(&self) -> &[ServiceEntry] {
        &self.seen
    }

    /// Reads the table.
    pub(super) fn dump(&mut self) -> anyhow::Result<Table> {
        self.seen = self.client.dump().map_err(said)?;
        Ok(self.seen.iter().cloned().collect())
    }

    /// Brings the table to what the director wants, the record first. What is worth a log line comes back; a failure is
    /// told once, until it is over or another.
    pub(super) fn reconcile(&mut self, director: &mut Director, record: &mut Record) -> Vec<Event> {
        let mut events = Vec::new();
        let mut refused = BTreeMap::new();
        for _ in 0..ROUNDS {
            let actual = match self.dump() {
                Ok(table) => table,
                Err(error) => {
                    let text = format!("{error:#}");
                    if self.unreadable.as_ref() != Some(&text) {
                        events.push(Event::error(text.clone()));
                    }
                    self.unreadable = Some(text);
                    return events;
                }
            };
            self.unreadable = None;
            let goal = director.reconcile(&actual);
            let owned = director.owned();
            let commands = diff(&actual, &goal, &owned);
            if let Err(error) = record.write(&owned) {
                events.push(Event::error(format!("{error}: a crash would now leave services that nobody owns")));
            }
            refused.clear();
            if commands.is_empty() {
                break;
            }
            match self.client.apply(&commands) {
                Ok(report) => {
                    for command in commands.iter().filter(|c| report.failed.iter().all(|f| f.command != **c)) {
                        director.confirm(command);
                    }
                    refused.extend(report.failed.into_iter().map(|f| (format!("{:?}", f.command), f.to_string())));
                }
                // What has been done is seen in the next round.
                Err(error) => {
                    refused.insert(String::new(), error.to_string());
                }
            }
            if refused.is_empty() {
                break;
            }
        }
        for (command, reason) in &refused {
            if self.refused.get(command) != Some(reason) {
                events.push(Event::error(reason.clone()));
            }
        }
        self.refused = refused;
        events
    }
}

/// These errors name their causes themselves: with the chain they would be said twice.
fn said(error: client::Error) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}
