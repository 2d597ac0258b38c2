//! The load balancer as a state machine: which real server is in service.
//!
//! `plan` is the configuration it works from, `health` counts and schedules, `desired` says what the kernel's table should
//! be and how much of a drift is left alone, `held` is what is out of service by hand, `report` words the log lines, `view` is the state as plain data. [`Director`]
//! turns time, verdicts and the kernel's table into checks to run and the table to have. No I/O, no clock: see
//! `daemon::ldirectord` for its driver.

mod desired;
mod health;
mod held;
pub mod plan;
mod report;
mod view;

#[cfg(test)]
mod hold_scenarios;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod simulation;

use std::collections::{BTreeSet, VecDeque};

use crate::checks::spec::{Spec, Verdict};
use crate::cluster::io::Mono;
use crate::ipvs::model::{DestKey, ServiceKey, Table};

use desired::Settled;
use health::{Health, Probe, ProbeState, Step};
use plan::{Plan, Virtual, Watch};

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
}

/// The state machine. Feed it with [`handle`](Self::handle), then drain [`poll_output`](Self::poll_output), then sleep until
/// [`poll_timeout`](Self::poll_timeout).
#[derive(Debug)]
pub struct Director {
    plan: Plan,
    /// One for each of `plan.virtuals`, in their order.
    services: Vec<Service>,
    probes: Vec<Probe>,
    tokens: u64,
    /// Services that are ours but no longer in the plan.
    orphans: BTreeSet<ServiceKey>,
    settled: Settled,
    holds: Holds,
    files: Files,
    stopping: bool,
    dirty: bool,
    outputs: VecDeque<Output>,
}

/// State of a virtual service.
#[derive(Debug)]
struct Service {
    /// One for each of the virtual's real servers, in their order.
    reals: Vec<Health>,
    /// Whether the fallback is to serve, and since when that is so.
    fallback: (bool, Mono),
}

impl Director {
    /// A director for `plan`, on a kernel that has the table `actual`: real servers that are in service there stay until a
    /// check says otherwise. `recorded` are the services that an earlier run has left as its own.
    #[must_use]
    pub fn new(plan: Plan, actual: &Table, recorded: BTreeSet<ServiceKey>, now: Mono) -> Self {
        let mut director = Self {
            plan: Plan { globals: plan.globals.clone(), virtuals: Vec::new() },
            services: Vec::new(),
            probes: Vec::new(),
            tokens: 0,
            orphans: recorded,
            settled: Settled::default(),
            holds: Holds::default(),
            files: Files::default(),
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
                if self.next_deadline().is_some_and(|at| at <= now) {
                    self.rehold(now);
                }
            }
            Input::Verdict { token, verdict } => self.verdict(now, token, &verdict),
            Input::Reload { plan, actual } => self.adopt(now, *plan, &actual),
            Input::Maintenance(files) => self.take_files(now, files),
            Input::Stop => {
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
        let due = self.probes.iter().filter_map(|p| match p.state {
            ProbeState::Due(at) => Some(at),
            ProbeState::Running(_) => None,
        });
        if self.stopping { None } else { due.chain(self.next_deadline()).min() }
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

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Takes a plan over, with all that is still true of the old one's state.
    fn adopt(&mut self, now: Mono, plan: Plan, actual: &Table) {
        let services = plan.virtuals.iter().map(|v| self.carried(now, v, actual)).collect();
        self.orphans.extend(self.plan.virtuals.iter().map(|v| v.service.key));
        for v in &plan.virtuals {
            self.orphans.remove(&v.service.key);
        }
        self.plan = plan;
        self.services = services;
        self.settled = Settled::default();
        self.dirty = true;
        self.rebuild_probes(now);
        self.rehold(now);
    }

    /// The state of a virtual of a new plan.
    fn carried(&self, now: Mono, v: &Virtual, actual: &Table) -> Service {
        let old = self.each().find(|(o, _)| o.service.key == v.service.key);
        let entries = actual.services.get(&v.service.key).map(|s| &s.dests);
        let reals = v.reals.iter().map(|real| {
            let same = |check: bool| {
                let (o, s) = old?;
                let mut pairs = o.reals.iter().zip(&s.reals);
                pairs.find(|(r, _)| r.dest.key == real.dest.key && (!check || r.check == real.check)).map(|(_, h)| h)
            };
            let mut health = match (same(true), same(false)) {
                (Some(health), _) => health.clone(),
                (None, Some(health)) => Health { since: health.since, ..Health::unchecked(health.serving, now) },
                (None, None) => {
                    let entry = entries.and_then(|d| d.get(&real.dest.key));
                    Health::unchecked(entry.is_some_and(|d| d.weight > 0 || real.dest.weight == 0), now)
                }
            };
            health.serving &= health.failures < v.failurecount;
            if v.watch == Watch::On && !(health.serving && health.checked) {
                health = Health { checked: true, ..Health::unchecked(true, now) };
            }
            health
        });
        Service { reals: reals.collect(), fallback: old.map_or((false, now), |(_, s)| s.fallback) }
    }

    /// One probe for each different question and interval; those that were there go on as they were.
    fn rebuild_probes(&mut self, now: Mono) {
        let mut old = std::mem::take(&mut self.probes);
        for v in self.plan.virtuals.iter().filter(|v| v.watch == Watch::Checks) {
            for real in &v.reals {
                let same = |p: &Probe| p.spec == real.check && p.interval == v.interval;
                if self.probes.iter().any(same) {
                    continue;
                }
                let kept = old.iter().position(same).map(|i| old.swap_remove(i));
                self.probes.push(kept.unwrap_or_else(|| Probe::new(real.check.clone(), v.interval, now)));
            }
        }
    }

    /// Starts every check that is due.
    fn start_due(&mut self, now: Mono) {
        if self.stopping {
            return;
        }
        for probe in &mut self.probes {
            if matches!(probe.state, ProbeState::Due(at) if at <= now) {
                self.tokens += 1;
                let token = Token(self.tokens);
                probe.state = ProbeState::Running(token);
                self.outputs.push_back(Output::Check { token, spec: probe.spec.clone() });
            }
        }
    }

    /// A check has ended: all real servers that share it count it.
    fn verdict(&mut self, now: Mono, token: Token, verdict: &Verdict) {
        let count = self.probes.len();
        let found = self.probes.iter_mut().enumerate().find(|(_, p)| p.state == ProbeState::Running(token));
        let Some((index, probe)) = found else { return };
        probe.ended(now, index, count);
        let (spec, interval) = (probe.spec.clone(), probe.interval);
        let mut events = Vec::new();
        for (v, service) in self.plan.virtuals.iter().zip(&mut self.services) {
            if v.watch != Watch::Checks || v.interval != interval {
                continue;
            }
            for (real, health) in v.reals.iter().zip(&mut service.reals).filter(|(r, _)| r.check == spec) {
                let (step, wiped) = health.count(now, verdict, v.failurecount);
                if wiped > 0 {
                    events.push(report::reset(v, real));
                }
                if matches!(step, Step::Soft | Step::Down | Step::StillDown) {
                    events.push(report::failed_check(v, real, &verdict.text));
                }
                if step == Step::Soft {
                    events.push(report::soft_failure(v, real, health.failures));
                }
                self.dirty |= matches!(step, Step::Up | Step::Down);
            }
        }
        events.into_iter().for_each(|e| self.event(e));
        if self.dirty {
            self.update_fallbacks(now);
        }
    }

    /// The fallback serves when no real server does. With checks off, documentation says, it never does.
    fn update_fallbacks(&mut self, now: Mono) {
        for (v, service) in self.plan.virtuals.iter().zip(&mut self.services) {
            let active = v.fallback.is_some() && v.watch != Watch::Off && !service.reals.iter().any(Health::in_service);
            if service.fallback.0 != active {
                service.fallback = (active, now);
            }
        }
    }

    /// The last entry of the plan for a key in the table: where one real server is written twice, that one's weight and
    /// method are used.
    fn real(v: &Virtual, key: DestKey) -> Option<&plan::Real> {
        v.reals.iter().rev().find(|r| r.dest.key == key)
    }
}
