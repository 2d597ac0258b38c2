//! Looking after what runs here: each resource's status, the carrier of each address's interface, and a slow repetition of
//! the addresses' announcements.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::core::ToCore;
use super::edge::Edge;
use crate::agents::haresources::addresses;
use crate::agents::watch::{Verdict, Watch};
use crate::cluster::io::{GroupId, Input, Level, Outcome};
use crate::errors;

/// Between two announcements of an address that has been here for a while.
const ANNOUNCE: Duration = Duration::from_secs(60);
/// Between two looks at the carriers.
const CARRIER: Duration = Duration::from_millis(500);
/// So many looks in a row without a carrier are no blink.
const LOOKS: u32 = 2;

impl Edge {
    /// `#lvs-ha: monitor`.
    pub(super) async fn monitor(self: Arc<Self>) {
        let Some(monitor) = self.settings.local.monitor else { return };
        let mut watch = Watch::default();
        let mut tick = interval(monitor.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            for group in self.runner.running() {
                let key = group.key().to_owned();
                let Some(seen) = self.runner.look(&key).await else {
                    watch.stopped(&key);
                    continue;
                };
                let now = self.now();
                let mut dead = None;
                for (word, running) in seen {
                    match watch.found(now, &key, &word, running, monitor.moves_at) {
                        Verdict::Well => {}
                        // What stands behind the first one is started again along with it.
                        verdict => dead = dead.or(Some((word, verdict))),
                    }
                }
                match dead {
                    Some((word, Verdict::Restart(count))) => self.restart(&key, &word, count).await,
                    Some((word, _)) => {
                        let why = format!("{word} does not run any more, for the {}. time within an hour", monitor.moves_at);
                        self.broken(&key, why).await;
                    }
                    None => {}
                }
            }
        }
    }

    async fn restart(&self, key: &str, word: &str, count: u32) {
        let text = format!("{word} does not run any more (failure {count} within an hour): starting it again");
        self.log.write(Level::Error, &text);
        self.events.push(self.now(), super::edge::told(Level::Error, &text));
        if let Outcome::Failed(why) = self.runner.restart(key, word).await {
            self.broken(key, format!("{word} cannot be started again: {why}")).await;
        }
    }

    async fn broken(&self, key: &str, why: String) {
        if let Some(group) = self.settings.groups.iter().position(|g| g.key() == key) {
            self.tell_core(ToCore::Input(Input::Broken { group: GroupId(group), why })).await;
        }
    }

    /// `#lvs-ha: carrier`: told when an interface loses its carrier while an address of ours is on it.
    pub(super) async fn carrier(self: Arc<Self>) {
        if !self.settings.local.carrier {
            return;
        }
        // Since how many looks an interface has had no carrier; it had one before.
        let mut without: BTreeMap<String, u32> = BTreeMap::new();
        let mut had: BTreeMap<String, bool> = BTreeMap::new();
        let mut tick = interval(CARRIER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let Ok(carriers) = self.vips.carriers().await else { continue };
            let states: BTreeMap<String, bool> = carriers.iter().map(|(_, name, carrier)| (name.clone(), *carrier)).collect();
            had.retain(|name, _| states.contains_key(name));
            for (name, carrier) in states {
                if carrier {
                    without.remove(&name);
                    had.insert(name, true);
                    continue;
                }
                let looks = without.entry(name.clone()).or_default();
                *looks += 1;
                if *looks != LOOKS || !had.contains_key(&name) {
                    continue;
                }
                self.log.write(Level::Warn, &format!("Interface {name} has lost its carrier."));
                let lost = |ip| carriers.iter().any(|(i, n, _)| *i == ip && *n == name);
                for group in self.runner.running() {
                    if addresses(&group.resources).into_iter().any(lost) {
                        self.broken(group.key(), format!("{name} has lost its carrier")).await;
                    }
                }
            }
        }
    }

    /// Announces the addresses again now and then.
    pub(super) async fn announce(self: Arc<Self>) {
        let mut tick = interval(ANNOUNCE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(e) = self.vips.refresh().await {
                self.log.write(Level::Error, &format!("Cannot announce the addresses again: {}", errors::chain(&e)));
            }
        }
    }
}
