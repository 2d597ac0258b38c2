//! What the kernel's table should be, and which differences are left alone.
//!
//! An entry whose desired value has changed is enforced. One that once was as desired and now differs was changed by
//! somebody's hand: it is put back only if the service or a serving real server is missing altogether. A weight set by
//! hand, a quiesced entry removed by hand, an entry added by hand all stay until the next change of state or reload,
//! because that is how people drain servers.

use std::collections::{BTreeMap, BTreeSet};

use crate::director::alert::{Alert, Change, about, about_entry};
use crate::director::health::Health;
use crate::director::held::Hold;
use crate::director::plan::{Real, Virtual, Watch};
use crate::director::{Director, Event, Service, report};
use crate::ipvs::model::{self, Command, Dest, DestKey, ServiceKey, Table, TableService};

/// What the kernel is known to have taken.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The services' own attributes.
    services: BTreeMap<ServiceKey, model::Service>,
    /// Real servers; `None`: absent.
    dests: BTreeMap<ServiceKey, BTreeMap<DestKey, Option<Dest>>>,
    /// Services that were seen without strangers since the start or the last reload.
    purged: BTreeSet<ServiceKey>,
}

impl Director {
    /// The table that the kernel should have, given the one it has: to be compared with it under [`Self::owned`].
    pub fn reconcile(&mut self, actual: &Table) -> Table {
        self.orphans.retain(|key| actual.services.contains_key(key));
        let mut goal = Table::default();
        if self.stopping {
            return goal;
        }
        let mut settled = std::mem::take(&mut self.settled);
        for (v, service) in self.each() {
            let key = v.service.key;
            let desired = service.desired(v);
            let wanted = match actual.services.get(&key) {
                Some(entry) => self.tolerant(&mut settled, v, service, desired, entry),
                None => {
                    settled.services.remove(&key);
                    settled.dests.remove(&key);
                    let dests = desired.into_iter().filter_map(|(k, d)| Some((k, d?))).collect();
                    TableService { service: v.service.clone(), dests }
                }
            };
            goal.services.insert(key, wanted);
        }
        self.settled = settled;
        goal
    }

    /// The kernel has taken the command.
    pub fn confirm(&mut self, command: &Command) {
        let (event, alert) = self.describe(command);
        match command {
            Command::AddService(s) | Command::EditService(s) => {
                self.settled.services.insert(s.key, s.clone());
            }
            Command::DeleteService(key) => {
                self.purged_reals(key);
                self.orphans.remove(key);
                self.settled.services.remove(key);
                self.settled.dests.remove(key);
            }
            Command::AddDest(key, dest) | Command::EditDest(key, dest) => {
                self.settled.dests.entry(*key).or_default().insert(dest.key, Some(dest.clone()));
            }
            Command::DeleteDest(key, dest) => {
                self.settled.dests.entry(*key).or_default().insert(*dest, None);
            }
        }
        self.event(event);
        if let Some((index, alert)) = alert {
            self.alert(index, alert);
        }
    }

    /// What one service should be, where the kernel has it as `entry`.
    fn tolerant(
        &self,
        settled: &mut Settled,
        v: &Virtual,
        state: &Service,
        desired: BTreeMap<DestKey, Option<Dest>>,
        entry: &TableService,
    ) -> TableService {
        let key = v.service.key;
        if entry.service == v.service {
            settled.services.insert(key, v.service.clone());
        }
        let drifted = settled.services.get(&key) == Some(&v.service);
        let service = if drifted { entry.service.clone() } else { v.service.clone() };

        let mut dests = BTreeMap::new();
        let mut strangers = 0;
        for (k, seen) in entry.dests.iter().filter(|(k, _)| !desired.contains_key(k)) {
            strangers += 1;
            if settled.purged.contains(&key) {
                dests.insert(*k, seen.clone());
            }
        }
        if strangers == 0 {
            settled.purged.insert(key);
        }
        let settled = settled.dests.entry(key).or_default();
        for (k, want) in desired {
            let seen = entry.dests.get(&k);
            let known = settled.get(&k);
            let quiesced = want.is_some() && !state.in_service(v, k);
            let result = if seen == want.as_ref() {
                settled.insert(k, want.clone());
                want
            } else if known == Some(&want) {
                if seen.is_none() && !quiesced { want } else { seen.cloned() }
            } else if quiesced && seen.is_none() && matches!(known, Some(Some(_))) && !self.plan.globals.readdquiescent {
                settled.insert(k, want);
                None
            } else {
                want
            };
            dests.extend(result.map(|d| (k, d)));
        }
        TableService { service, dests }
    }

    /// The log line for a command, and the alert of a virtual service's.
    fn describe(&self, command: &Command) -> (Event, Option<(usize, Alert)>) {
        let key = match command {
            Command::AddService(s) | Command::EditService(s) => {
                return (report::virtual_set(&s.key, matches!(command, Command::AddService(_))), None);
            }
            Command::DeleteService(key) => return (report::virtual_purged(key, self.when()), None),
            Command::AddDest(key, _) | Command::EditDest(key, _) | Command::DeleteDest(key, _) => key,
        };
        let dest = match command {
            Command::AddDest(_, d) | Command::EditDest(_, d) => d.key,
            Command::DeleteDest(_, d) => *d,
            _ => return (report::virtual_set(key, false), None),
        };
        let purged = || report::real_purged(key, &dest.to_string(), self.when());
        let Some((index, v, state)) = self.find(key) else { return (purged(), None) };
        let is_fallback = v.fallback.as_ref().is_some_and(|f| f.key == dest);
        let real = state.real(v, dest);
        let (change, event) = match (command, real) {
            (Command::AddDest(..) | Command::EditDest(..), _) if is_fallback && state.fallback.0 => {
                (Change::Added, report::fallback(v, dest, true))
            }
            (Command::AddDest(_, d), Some(real)) if state.in_service(v, dest) => {
                (Change::Added, report::real_set(v, real, d, true))
            }
            (Command::EditDest(_, d), Some(real)) if state.in_service(v, dest) => {
                let event = report::real_set(v, real, d, false);
                // A step of a slow start, or of an agent.
                let gradual = v.slow_start.is_some() || real.agent.is_some();
                if gradual && matches!(self.settled.dests.get(key).and_then(|d| d.get(&dest)), Some(Some(old)) if old.weight > 0)
                {
                    return (event, None);
                }
                (Change::Restored, event)
            }
            (Command::AddDest(..), Some(real)) => {
                (Change::Quiescent, report::real_quiesced(v, real, self.plan.globals.readdquiescent))
            }
            (Command::EditDest(..), Some(real)) => (Change::Quiescent, report::real_quiesced(v, real, false)),
            (Command::DeleteDest(..), Some(real)) => (Change::Deleted, report::real_deleted(v, real)),
            (Command::DeleteDest(..), None) if is_fallback => (Change::Deleted, report::fallback(v, dest, false)),
            _ => (Change::Purged, purged()),
        };
        let mut alert = match real {
            Some(real) => about(v, real, change, event.clone(), self.phase()),
            None => about_entry(v, dest, change, event.clone(), self.phase()),
        };
        alert.fallback = is_fallback && (real.is_none() || state.fallback.0);
        (event, Some((index, alert)))
    }

    /// The real servers in service go with the service at a stop: one line each, as the original has it.
    fn purged_reals(&mut self, key: &ServiceKey) {
        if !self.stopping {
            return;
        }
        let mut purged = Vec::new();
        if let Some((index, v, state)) = self.find(key) {
            for (real, _) in v.reals.iter().zip(&state.reals).filter(|(_, health)| health.serving) {
                let event = report::real_purged(key, &real.written, "stop");
                purged.push((index, about(v, real, Change::Purged, event.clone(), self.phase()), event));
            }
        }
        for (index, alert, event) in purged {
            self.event(event);
            self.alert(index, alert);
        }
    }

    /// The word in the lines about purged entries.
    fn when(&self) -> &'static str {
        if self.stopping { "stop" } else { "start" }
    }
}

impl Service {
    /// The last entry of the plan for a key in the table: where one real server is written twice, that one's weight and
    /// method are used.
    fn real<'a>(&self, v: &'a Virtual, key: DestKey) -> Option<&'a Real> {
        v.reals.get(*self.places.get(&key)?.last()?)
    }

    /// The states of the real servers with that key.
    fn healths(&self, key: DestKey) -> impl Iterator<Item = &Health> {
        self.places.get(&key).into_iter().flatten().filter_map(|n| self.reals.get(*n))
    }

    /// Whether the real server with that key is up. One that is written twice, with two checks, needs both.
    fn in_service(&self, v: &Virtual, key: DestKey) -> bool {
        let mut states = self.healths(key).map(Health::in_service);
        states.next().is_some_and(|first| first && states.all(|s| s))
            || (self.fallback.0 && v.fallback.as_ref().is_some_and(|f| f.key == key))
    }

    /// Whether a hold keeps the real server with that key in the table, or out of it; `None`: no hold has a say.
    fn kept(&self, key: DestKey) -> Option<bool> {
        self.healths(key).filter_map(Health::held).find_map(|hold| match hold {
            Hold::Drained(_) => Some(true),
            Hold::Removed => Some(false),
            Hold::Maintenance => None,
        })
    }

    /// Every key that the plan names for this service, and what should be there.
    fn desired(&self, v: &Virtual) -> BTreeMap<DestKey, Option<Dest>> {
        let mut out = BTreeMap::new();
        if let Some(fallback) = &v.fallback {
            out.insert(fallback.key, None);
        }
        for (real, health) in v.reals.iter().zip(&self.reals) {
            let key = real.dest.key;
            let entry = if self.in_service(v, key) {
                Some(Dest { weight: health.weight(real.dest.weight), ..real.dest.clone() })
            } else {
                // Unwatched servers that are not in the table stay visible with weight 0 only where quiescing is asked for.
                self.kept(key).unwrap_or(v.quiescent).then(|| Dest { weight: 0, ..real.dest.clone() })
            };
            out.insert(key, entry);
        }
        if let Some(fallback) = v.fallback.as_ref().filter(|_| self.fallback.0 && v.watch != Watch::Off) {
            out.insert(fallback.key, Some(fallback.clone()));
        }
        out
    }
}
