//! Runs fallbackcommands: one task for each service, so that one that hangs holds up nobody. Only the last word counts for
//! a command that is slower than the changes.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::child;
use crate::director::Event;
use crate::ipvs::model::ServiceKey;

/// For one run; its process group is killed then.
const LIMIT: Duration = Duration::from_secs(60);
/// For those that run when the daemon ends.
const LAST: Duration = Duration::from_secs(5);

/// The tasks.
#[derive(Debug)]
pub(super) struct Fallbacks {
    services: BTreeMap<ServiceKey, (watch::Sender<String>, JoinHandle<()>)>,
    told: mpsc::Sender<Event>,
}

impl Fallbacks {
    /// None run yet; what fails goes to `told`.
    pub(super) fn new(told: mpsc::Sender<Event>) -> Self {
        Self { services: BTreeMap::new(), told }
    }

    /// Runs a command line of a service, after the one that runs.
    pub(super) fn run(&mut self, key: ServiceKey, line: String) {
        let told = self.told.clone();
        let (lines, _) = self.services.entry(key).or_insert_with(|| {
            let (sender, receiver) = watch::channel(String::new());
            (sender, tokio::spawn(obey(receiver, told)))
        });
        lines.send_replace(line);
    }

    /// Waits for those that run, for some seconds.
    pub(super) async fn finish(self) {
        let (lines, mut tasks): (Vec<_>, Vec<_>) = self.services.into_values().unzip();
        drop(lines);
        let _ = timeout(LAST, async {
            for task in &mut tasks {
                let _ = task.await;
            }
        })
        .await;
    }
}

async fn obey(mut lines: watch::Receiver<String>, told: mpsc::Sender<Event>) {
    let mut last = String::new();
    // The last word is heard even when the sender is gone already.
    while lines.changed().await.is_ok() || lines.has_changed().is_ok_and(|new| new) {
        let line = lines.borrow_and_update().clone();
        if line == last {
            continue;
        }
        if let Err(why) = child::run(child::shell(&line), "", LIMIT).await {
            let _ = told.send(Event::warn(format!("fallbackcommand {line}: {why}"))).await;
        }
        last = line;
    }
}
