//! Which checks there are, when each is due, and whom its verdict is about: one for each different question and interval.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::checks::spec::Spec;
use crate::cluster::io::Mono;
use crate::director::health::{Probe, ProbeState, Token};
use crate::director::plan::{Plan, Watch};

/// The checks of a plan. Nothing in it takes longer the more there are, but for [`rebuild`](Self::rebuild).
#[derive(Debug, Default)]
pub(super) struct Probes {
    list: Vec<Probe>,
    /// Whom each is about.
    subjects: Vec<Vec<Subject>>,
    due: BTreeSet<(Mono, usize)>,
    running: BTreeMap<Token, usize>,
    /// How many have never run.
    fresh: usize,
    tokens: u64,
}

/// A real server that a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject {
    /// Its virtual service's place in the plan.
    pub(super) service: usize,
    /// Its own place there.
    pub(super) real: usize,
    /// Whether its agent is asked; else it is checked.
    pub(super) agent: bool,
}

impl Probes {
    /// Those of a new plan; the ones that were there go on as they were.
    pub(super) fn rebuild(&mut self, now: Mono, plan: &Plan) {
        let known = std::mem::take(&mut self.list).into_iter();
        let mut known: BTreeMap<(Spec, Duration), Probe> = known.map(|p| ((p.spec.clone(), p.interval), p)).collect();
        self.subjects.clear();
        let mut places: BTreeMap<(&Spec, Duration), usize> = BTreeMap::new();
        for (service, v) in plan.virtuals.iter().enumerate().filter(|(_, v)| v.watch != Watch::Off) {
            for (real, r) in v.reals.iter().enumerate() {
                let check = Some(&r.check).filter(|_| v.watch == Watch::Checks);
                for (spec, agent) in [(check, false), (r.agent.as_ref(), true)] {
                    let Some(spec) = spec else { continue };
                    let place = *places.entry((spec, v.interval)).or_insert_with(|| {
                        let kept = known.remove(&(spec.clone(), v.interval));
                        self.list.push(kept.unwrap_or_else(|| Probe::new(spec.clone(), v.interval, now)));
                        self.subjects.push(Vec::new());
                        self.list.len() - 1
                    });
                    if let Some(subjects) = self.subjects.get_mut(place) {
                        subjects.push(Subject { service, real, agent });
                    }
                }
            }
        }
        self.due.clear();
        self.running.clear();
        for (place, probe) in self.list.iter().enumerate() {
            match probe.state {
                ProbeState::Due(at) => drop(self.due.insert((at, place))),
                ProbeState::Running(token) => drop(self.running.insert(token, place)),
            }
        }
        self.fresh = self.list.iter().filter(|p| !p.ran).count();
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Starts one that is due.
    pub(super) fn start(&mut self, now: Mono) -> Option<(Token, Spec)> {
        let (_, place) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        let probe = self.list.get_mut(place)?;
        self.tokens += 1;
        let token = Token(self.tokens);
        probe.state = ProbeState::Running(token);
        self.running.insert(token, place);
        Some((token, probe.question().clone()))
    }

    /// Whom this run of a check is about; `None` if the check is none of these any more.
    pub(super) fn subjects(&self, token: Token) -> Option<&[Subject]> {
        self.running.get(&token).and_then(|place| self.subjects.get(*place)).map(Vec::as_slice)
    }

    /// This run of a check has ended; `fast`: the wait until the next if a server is in transition.
    pub(super) fn ended(&mut self, now: Mono, token: Token, up: bool, fast: Option<Duration>) {
        let count = self.list.len();
        let Some(place) = self.running.remove(&token) else { return };
        let Some(probe) = self.list.get_mut(place) else { return };
        self.fresh -= usize::from(!probe.ran);
        probe.counted(up);
        probe.ended(now, place, count, fast);
        if let ProbeState::Due(at) = probe.state {
            self.due.insert((at, place));
        }
    }

    /// Whether each has run once.
    pub(super) fn all_ran(&self) -> bool {
        self.fresh == 0
    }
}
