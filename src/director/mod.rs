//! The load balancer as a state machine: which real server is in service.
//!
//! `plan` is the configuration it works from, `health` counts, `probes` schedules, `desired` says what the kernel's table should
//! be and how much of a drift is left alone, `held` is what is out of service by hand, `report` words the log lines, `view` is the state as plain data. [`Director`]
//! turns time, verdicts and the kernel's table into checks to run and the table to have. No I/O, no clock: see
//! `daemon::ldirectord` for its driver.

pub mod agent;
pub mod alert;
mod desired;
mod health;
mod held;
pub mod plan;
mod probes;
mod report;
mod verdict;
mod view;

#[cfg(test)]
mod alert_scenarios;
#[cfg(test)]
mod hold_scenarios;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::checks::spec::{Spec, Verdict};
use crate::cluster::io::Mono;
use crate::ipvs::model::{DestKey, ServiceKey, Table};

use desired::Settled;
use health::Health;
use plan::{Alerts, Plan, Virtual, Watch};
use probes::Probes;

pub use alert::{Alert, Change, Phase};
pub use health::Token;
pub use held::{Files, Holds, Order, Target};
pub use report::{Event, Level, identity, service};

/// What happens to a director.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed; [`Director::poll_timeout`] has come.
    Tick,
    /// A check has ended.
    Verdict {
        /// Which run of it.
        token: Token,
        /// What it saw.
        verdict: Verdict,
    },
    /// The configuration has changed.
    Reload {
        /// The new one.
        plan: Box<Plan>,
        /// The kernel's table.
        actual: Table,
    },
    /// The files in `maintenancedir`.
    Maintenance(Files),
    /// The daemon is to end: [`Director::reconcile`] now purges.
    Stop,
}

/// What a director wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The desired table has changed: dump the kernel's, [`Director::reconcile`], apply the difference, and
    /// [`Director::confirm`] each command that the kernel has taken.
    Apply,
    /// Run a check; its end is an [`Input::Verdict`].
    Check {
        /// To be given back.
        token: Token,
        /// The check.
        spec: Spec,
    },
    /// To be logged.
    Event(Event),
    /// To be told to whom it may concern.
    Alert {
        /// What.
        alert: Alert,
        /// To whom.
        alerts: Alerts,
    },
    /// A fallbackcommand is to be run, by a shell.
    Command {
        /// Of which service: one after the other.
        service: ServiceKey,
        /// With its arguments.
        line: String,
    },
    /// A line for a monitor file, without date and process.
    Monitor {
        /// The file.
        file: String,
        /// The line.
        line: String,
    },
}

/// The state machine. Feed it with [`handle`](Self::handle), then drain [`poll_output`](Self::poll_output), then sleep until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Director {
    plan: Plan,
    /// One for each of `plan.virtuals`, in their order.
    services: Vec<Service>,
    /// Where in `plan.virtuals` each service is.
    index: BTreeMap<ServiceKey, usize>,
    probes: Probes,
    /// Services that are ours but no longer in the plan.
    orphans: BTreeSet<ServiceKey>,
    settled: Settled,
    holds: Holds,
    files: Files,
    /// While a start or reload is under way.
    opening: Option<Phase>,
    stopping: bool,
    dirty: bool,
    outputs: VecDeque<Output>,
}

/// State of a virtual service.
#[derive(Debug)]
struct Service {
    /// One for each of the virtual's real servers, in their order.
    reals: Vec<Health>,
    /// Where in `reals` each entry of the table is looked after: more than one place if it is written twice.
    places: BTreeMap<DestKey, Vec<usize>>,
    /// Whether the fallback is to serve, and since when that is so.
    fallback: (bool, Mono),
    /// What the fallbackcommand was last told: whether no real server is up.
    told: Option<bool>,
}

impl Director {
    /// A director for `plan`, on a kernel that has the table `actual`: real servers that are in service there stay until a
    /// check says otherwise. `recorded` are the services that an earlier run has left as its own.
    #[must_use]
    pub fn new(plan: Plan, actual: &Table, recorded: BTreeSet<ServiceKey>, now: Mono) -> Self {
        let mut director = Self {
            plan: Plan { globals: plan.globals.clone(), virtuals: Vec::new() },
            services: Vec::new(),
            index: BTreeMap::new(),
            probes: Probes::default(),
            orphans: recorded,
            settled: Settled::default(),
            holds: Holds::default(),
            files: Files::default(),
            opening: Some(Phase::Starting),
            stopping: false,
            dirty: false,
            outputs: VecDeque::new(),
        };
        director.adopt(now, plan, actual);
        director.start_due(now);
        director
    }

    /// Takes an input into account.
    pub fn handle(&mut self, now: Mono, input: Input) {
        match input {
            Input::Tick => {
                self.opened();
                self.climb(now);
                if self.next_deadline().is_some_and(|at| at <= now) {
                    self.rehold(now);
                }
            }
            Input::Verdict { token, verdict } => self.verdict(now, token, &verdict),
            Input::Reload { plan, actual } => {
                self.opening = Some(Phase::Reloading);
                self.adopt(now, *plan, &actual);
            }
            Input::Maintenance(files) => {
                self.opened();
                self.take_files(now, files);
            }
            Input::Stop => {
                self.end_fallback_commands();
                self.stopping = true;
                self.dirty = true;
            }
        }
        self.start_due(now);
    }

    /// The next thing it wants, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.dirty) {
            return Some(Output::Apply);
        }
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Tick`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        let times = [self.probes.next(), self.next_deadline(), self.next_step()];
        if self.stopping { None } else { times.into_iter().flatten().min() }
    }

    /// The configuration in force.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The services that may be changed and removed: those of the plan and those left over from an earlier one. While it
    /// stops, only those that a stop removes.
    #[must_use]
    pub fn owned(&self) -> BTreeSet<ServiceKey> {
        let planned = self.plan.virtuals.iter().filter(|v| !self.stopping || v.cleanstop).map(|v| v.service.key);
        planned.chain(self.orphans.iter().copied()).collect()
    }

    /// Each virtual with its state.
    fn each(&self) -> impl Iterator<Item = (&Virtual, &Service)> {
        self.plan.virtuals.iter().zip(&self.services)
    }

    /// The virtual of that key with its place and state.
    fn find(&self, key: &ServiceKey) -> Option<(usize, &Virtual, &Service)> {
        let place = *self.index.get(key)?;
        Some((place, self.plan.virtuals.get(place)?, self.services.get(place)?))
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Takes a plan over, with all that is still true of the old one's state.
    fn adopt(&mut self, now: Mono, plan: Plan, actual: &Table) {
        let services = plan.virtuals.iter().map(|v| self.carried(now, v, actual)).collect();
        self.drop_fallback_commands(&plan);
        self.orphans.extend(self.plan.virtuals.iter().map(|v| v.service.key));
        for v in &plan.virtuals {
            self.orphans.remove(&v.service.key);
        }
        self.plan = plan;
        self.services = services;
        self.index = self.plan.virtuals.iter().enumerate().map(|(n, v)| (v.service.key, n)).collect();
        self.settled = Settled::default();
        self.dirty = true;
        self.probes.rebuild(now, &self.plan);
        self.rehold(now);
    }

    /// The state of a virtual of a new plan.
    fn carried(&self, now: Mono, v: &Virtual, actual: &Table) -> Service {
        let old = self.find(&v.service.key).map(|(_, o, s)| (o, s));
        let entries = actual.services.get(&v.service.key).map(|s| &s.dests);
        let reals = v.reals.iter().map(|real| {
            let same = |check: bool| {
                let (o, s) = old?;
                let mut places = s.places.get(&real.dest.key)?.iter();
                let place = places.find(|n| !check || o.reals.get(**n).is_some_and(|r| r.check == real.check))?;
                s.reals.get(*place)
            };
            let mut health = match (same(true), same(false)) {
                (Some(health), _) => health.clone(),
                (None, Some(health)) => {
                    let (since, agent) = (health.since, health.agent);
                    Health { since, agent, ..Health::unchecked(health.serving, now) }
                }
                (None, None) => {
                    let entry = entries.and_then(|d| d.get(&real.dest.key));
                    Health::unchecked(entry.is_some_and(|d| d.weight > 0 || real.dest.weight == 0), now)
                }
            };
            if real.agent.is_none() || !old.is_some_and(|(o, _)| o.reals.iter().any(|r| r.agent == real.agent)) {
                health.agent = Default::default();
            }
            health.serving &= health.failures < v.failurecount;
            health.ramp = health.ramp.filter(|_| v.slow_start.is_some());
            if v.watch == Watch::On && !(health.serving && health.checked) {
                health = Health { checked: true, ..Health::unchecked(true, now) };
            }
            health
        });
        let told = old.filter(|(o, _)| o.fallback_command == v.fallback_command).and_then(|(_, s)| s.told);
        let reals = reals.collect();
        let mut places: BTreeMap<DestKey, Vec<usize>> = BTreeMap::new();
        for (n, real) in v.reals.iter().enumerate() {
            places.entry(real.dest.key).or_default().push(n);
        }
        Service { reals, places, fallback: old.map_or((false, now), |(_, s)| s.fallback), told }
    }

    /// Starts every check that is due.
    fn start_due(&mut self, now: Mono) {
        if self.stopping {
            return;
        }
        while let Some((token, spec)) = self.probes.start(now) {
            self.outputs.push_back(Output::Check { token, spec });
        }
    }
}
