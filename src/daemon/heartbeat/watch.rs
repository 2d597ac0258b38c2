//! Looking after what runs here: each resource's status, the carrier of each address's interface, and a slow repetition of
//! the addresses' announcements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::core::ToCore;
use super::edge::{Edge, told};
use crate::agents::haresources::addresses;
use crate::agents::watch::{Carriers, Verdict, Watch};
use crate::cluster::io::{Fault, GroupId, Input, Level, Outcome};
use crate::config::settings::Monitor;
use crate::errors;

/// Between two announcements of an address that has been here for a while.
const ANNOUNCE: Duration = Duration::from_secs(60);
/// Between two looks at the carriers.
const CARRIER: Duration = Duration::from_millis(500);

impl Edge {
    /// `#lvs-ha: monitor`. Each group is looked at for itself: a status that hangs holds up no other group.
    pub(super) async fn monitor(self: Arc<Self>) {
        let Some(monitor) = self.settings.local.monitor else { return };
        let watch = Arc::new(Mutex::new(Watch::default()));
        let mut looks: JoinSet<String> = JoinSet::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut tick = interval(monitor.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    for group in self.runner.running() {
                        let key = group.key().to_owned();
                        if asked.insert(key.clone()) {
                            looks.spawn(Arc::clone(&self).look_after(key, Arc::clone(&watch), monitor));
                        }
                    }
                }
                Some(done) = looks.join_next() => match done {
                    Ok(key) => { asked.remove(&key); }
                    Err(e) => self.log.write(Level::Error, &format!("Watching a group has ended: {e}")),
                },
            }
        }
    }

    /// Asks a group's resources and does what follows. Returns the group's key.
    async fn look_after(self: Arc<Self>, key: String, watch: Arc<Mutex<Watch>>, monitor: Monitor) -> String {
        let watch = || watch.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = self.runner.look(&key).await else {
            watch().stopped(&key);
            return key;
        };
        let now = self.now();
        let mut dead = None;
        for (word, running) in &seen {
            match watch().found(now, &key, word, *running, monitor.moves_at) {
                Verdict::Well => {}
                // What stands behind the first one is started again along with it.
                verdict => dead = dead.or(Some((word, verdict))),
            }
        }
        match dead {
            Some((word, Verdict::Restart(count))) => self.restart(&key, word, count).await,
            Some((word, _)) => {
                let why = format!("{word} does not run any more, failure {} within an hour", monitor.moves_at);
                self.broken(&key, Fault::Resource, why).await;
            }
            None if seen.iter().all(|(_, running)| *running) => self.mended(&key, Fault::Resource).await,
            None => {}
        }
        key
    }

    async fn restart(&self, key: &str, word: &str, count: u32) {
        let text = format!("{word} does not run any more (failure {count} within an hour): starting it again");
        self.log.write(Level::Error, &text);
        self.events.push(self.now(), told(Level::Error, &text));
        if let Outcome::Failed(why) = self.runner.restart(key, word).await {
            self.broken(key, Fault::Resource, format!("{word} cannot be started again: {why}")).await;
        }
    }

    async fn broken(&self, key: &str, fault: Fault, why: String) {
        if let Some(group) = self.group(key) {
            self.tell_core(ToCore::Input(Input::Broken { group, fault, why })).await;
        }
    }

    async fn mended(&self, key: &str, fault: Fault) {
        if let Some(group) = self.group(key) {
            self.tell_core(ToCore::Input(Input::Mended { group, fault })).await;
        }
    }

    fn group(&self, key: &str) -> Option<GroupId> {
        self.settings.groups.iter().position(|g| g.key() == key).map(GroupId)
    }

    /// `#lvs-ha: carrier`: told when an interface loses its carrier while an address of ours is on it, and when it is back.
    pub(super) async fn carrier(self: Arc<Self>) {
        if !self.settings.local.carrier {
            return;
        }
        let mut known = Carriers::default();
        // The interfaces without, and the groups that were told of.
        let (mut lost, mut faulty) = (BTreeSet::new(), BTreeSet::new());
        let mut tick = interval(CARRIER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let Ok(carriers) = self.vips.carriers().await else { continue };
            let seen: BTreeMap<String, bool> = carriers.iter().map(|(_, name, carrier)| (name.clone(), *carrier)).collect();
            let now = known.found(&seen);
            for name in now.difference(&lost) {
                self.log.write(Level::Warn, &format!("Interface {name} has lost its carrier."));
            }
            lost = now;
            let on = |ip| carriers.iter().find(|(i, n, _)| *i == ip && lost.contains(n)).map(|(_, name, _)| name);
            let mut still = BTreeSet::new();
            for group in self.runner.running() {
                let Some(name) = addresses(&group.resources).into_iter().find_map(on) else { continue };
                let key = group.key().to_owned();
                if !faulty.contains(&key) {
                    self.broken(&key, Fault::Carrier, format!("{name} has lost its carrier")).await;
                }
                still.insert(key);
            }
            for key in faulty.difference(&still) {
                self.mended(key, Fault::Carrier).await;
            }
            faulty = still;
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
