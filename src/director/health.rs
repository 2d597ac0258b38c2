//! How often a real server failed and when it is asked next: counting and scheduling, once for every kind of check.

use std::time::Duration;

use crate::checks::spec::{Kind, Spec, Verdict};
use crate::cluster::io::Mono;
use crate::director::agent::{Agent, Will};
use crate::director::held::Hold;

/// Where one real server of one virtual service stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Health {
    /// Whether it counts as up.
    pub(super) serving: bool,
    /// Whether a check has said so; before that it is what the kernel's table said at the start.
    pub(super) checked: bool,
    /// Failed checks in a row.
    pub(super) failures: u32,
    /// Good checks in a row of one that is down.
    pub(super) successes: u32,
    /// When `serving` or `checked` last changed.
    pub(super) since: Mono,
    /// The last verdict and when it came.
    pub(super) last: Option<(Verdict, Mono)>,
    /// Whether and how somebody holds it out of service.
    pub(super) hold: Option<Hold>,
    /// What its agent says.
    pub(super) agent: Agent,
    /// Since when it is on its way back to its whole weight, and how far it is.
    pub(super) ramp: Option<Ramp>,
    /// When somebody was last told that it is down, while it is.
    pub(super) alerted: Option<Mono>,
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Same,
    /// It failed, not yet often enough.
    Soft,
    /// It went out of service.
    Down,
    /// It never was in service and its first check failed.
    StillDown,
    /// It succeeded, not yet often enough.
    Rising,
    /// It came into service.
    Up,
}

impl Health {
    /// Unchecked, and serving or not as the table had it.
    pub(super) fn unchecked(serving: bool, now: Mono) -> Self {
        Self {
            serving,
            checked: false,
            failures: 0,
            successes: 0,
            since: now,
            last: None,
            hold: None,
            agent: Agent::default(),
            ramp: None,
            alerted: None,
        }
    }

    /// Takes a verdict into account. `failurecount` failures in a row are needed to go down, `rise` successes to come up
    /// again, one to come up for the first time. The second value tells how many failures a success has wiped out.
    pub(super) fn count(&mut self, now: Mono, verdict: &Verdict, failurecount: u32, rise: u32) -> (Step, u32) {
        let before = (self.serving, self.checked);
        let wiped = if verdict.up { std::mem::take(&mut self.failures) } else { 0 };
        let step = if verdict.up {
            let enough = !self.checked || self.successes.saturating_add(1) >= rise;
            match (self.serving, enough) {
                (true, _) => Step::Same,
                (false, true) => {
                    (self.serving, self.successes, self.alerted) = (true, 0, None);
                    Step::Up
                }
                (false, false) => {
                    self.successes += 1;
                    Step::Rising
                }
            }
        } else {
            self.successes = 0;
            self.failures = self.failures.saturating_add(1);
            match (self.serving, self.failures >= failurecount.max(1)) {
                (true, true) => {
                    self.serving = false;
                    Step::Down
                }
                (true, false) => Step::Soft,
                (false, _) if before.1 => Step::Same,
                (false, _) => Step::StillDown,
            }
        };
        // A soft failure has not settled anything about a server nobody has seen up yet.
        self.checked |= step != Step::Soft;
        if before != (self.serving, self.checked) {
            self.since = now;
        }
        self.last = Some((verdict.clone(), now));
        (step, wiped)
    }

    /// Whether it is to have its weight.
    pub(super) fn in_service(&self) -> bool {
        self.serving && self.held().is_none()
    }

    /// How it is held out of service, by this side or by its agent.
    pub(super) fn held(&self) -> Option<Hold> {
        let agent = match self.agent {
            Agent { down: true, .. } | Agent { will: Will::Maintenance, .. } => Some(Hold::Maintenance),
            Agent { will: Will::Drain, .. } | Agent { percent: 0, .. } => Some(Hold::Drained(None)),
            _ => None,
        };
        self.hold.or(agent)
    }

    /// The part of a weight that it is to have now.
    pub(super) fn weight(&self, whole: u32) -> u32 {
        self.agent.of(self.ramp.map_or(whole, |ramp| ramp.of(whole)))
    }

    /// Whether it is between up and down.
    pub(super) fn in_transition(&self) -> bool {
        (self.serving && self.failures > 0) || (!self.serving && self.successes > 0)
    }

    /// The word for a status display.
    pub(super) fn word(&self) -> &'static str {
        match (self.checked, self.serving) {
            (false, _) => "unchecked",
            (true, true) => "up",
            (true, false) => "down",
        }
    }
}

/// The way of a returning server to its whole weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    since: Mono,
    /// From 1; at [`STEPS`] it is there.
    step: u32,
}

/// Steps of a slow start, the last one being the whole weight: few enough to be no burden, small enough to be smooth.
const STEPS: u32 = 10;

impl Ramp {
    /// At its first step.
    pub(super) fn new(now: Mono) -> Self {
        Self { since: now, step: 1 }
    }

    /// When the next step is due, of a whole way of that length.
    pub(super) fn next(self, length: Duration) -> Mono {
        self.since + length / STEPS * self.step
    }

    /// How far it is by now; `None`: there.
    pub(super) fn at(self, now: Mono, length: Duration) -> Option<Self> {
        let part = (length / STEPS).max(Duration::from_millis(1));
        let steps = (now - self.since).as_nanos() / part.as_nanos();
        let step = u32::try_from(steps).unwrap_or(STEPS).saturating_add(1);
        (step < STEPS).then_some(Self { step: step.max(self.step), ..self })
    }

    fn of(self, weight: u32) -> u32 {
        let part = u64::from(weight) * u64::from(self.step) / u64::from(STEPS);
        u32::try_from(part).unwrap_or(weight).max(u32::from(weight > 0))
    }
}

/// Names one run of a check, so that a late verdict for an old one is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// One check, for all real servers that share it: same question, same interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Probe {
    /// The question.
    pub(super) spec: Spec,
    /// From the end of one run to the start of the next.
    pub(super) interval: Duration,
    /// Waiting or running.
    pub(super) state: ProbeState,
    /// Whether it has run before.
    pub(super) ran: bool,
    /// Of a combined check: usual ones that come before the next of the other kind.
    usual: u32,
}

/// What a probe is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeState {
    /// To be started at this time.
    Due(Mono),
    /// Started.
    Running(Token),
}

impl Probe {
    /// One that is due at once.
    pub(super) fn new(spec: Spec, interval: Duration, now: Mono) -> Self {
        Self { spec, interval, state: ProbeState::Due(now), ran: false, usual: 0 }
    }

    /// What is asked next.
    pub(super) fn question(&self) -> &Spec {
        match &self.spec.kind {
            Kind::Combined { usual, .. } if self.usual > 0 => usual,
            Kind::Combined { negotiate, .. } => negotiate,
            _ => &self.spec,
        }
    }

    /// Its verdict has come: which of a combined check's questions is next. The thorough one comes first, again after as many
    /// good ones of the other as the file says, and after a failure of either until it succeeds.
    pub(super) fn counted(&mut self, up: bool) {
        if let Kind::Combined { every, .. } = self.spec.kind {
            self.usual = match (up, self.usual) {
                (false, _) => 0,
                (true, 0) => every,
                (true, left) => left - 1,
            };
        }
    }

    /// Its verdict has come. The first round starts all probes at once; so that they do not stay in step, the second
    /// comes somewhat early, by a part of the interval that depends on the place `index` of `count`. `fast`: the wait of a
    /// server in transition.
    pub(super) fn ended(&mut self, now: Mono, index: usize, count: usize, fast: Option<Duration>) {
        let mut wait = fast.map_or(self.interval, |fast| fast.min(self.interval));
        if !self.ran && fast.is_none() {
            let part = u32::try_from(index).unwrap_or(0);
            let whole = u32::try_from(count.max(1)).unwrap_or(u32::MAX).saturating_mul(2);
            wait = wait.saturating_sub(wait.saturating_mul(part) / whole);
        }
        self.ran = true;
        self.state = ProbeState::Due(now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(up: bool) -> Verdict {
        Verdict { up, text: String::new(), took: Duration::ZERO, warning: None }
    }

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    #[test]
    fn as_many_failures_in_a_row_as_asked_for_take_it_down() {
        let mut h = Health::unchecked(false, at(0));
        assert_eq!(h.count(at(1), &verdict(true), 3, 1), (Step::Up, 0));
        assert_eq!(h.count(at(2), &verdict(false), 3, 1), (Step::Soft, 0));
        assert_eq!(h.count(at(3), &verdict(false), 3, 1), (Step::Soft, 0));
        assert_eq!(h.count(at(4), &verdict(true), 3, 1), (Step::Same, 2));
        assert_eq!(h.since, at(1));
        for (t, step) in [(5, Step::Soft), (6, Step::Soft), (7, Step::Down), (8, Step::Same)] {
            assert_eq!(h.count(at(t), &verdict(false), 3, 1), (step, 0));
        }
        assert_eq!((h.since, h.failures, h.word()), (at(7), 4, "down"));
        assert_eq!(h.count(at(9), &verdict(true), 3, 1), (Step::Up, 4));
    }

    #[test]
    fn one_that_was_never_in_service_needs_no_count_to_be_down() {
        let mut h = Health::unchecked(false, at(0));
        assert_eq!(h.word(), "unchecked");
        assert_eq!(h.count(at(1), &verdict(false), 3, 1), (Step::StillDown, 0));
        assert_eq!(h.word(), "down");
        assert_eq!(h.count(at(2), &verdict(false), 3, 1), (Step::Same, 0));
    }

    #[test]
    fn a_combined_check_is_thorough_first_and_now_and_then_and_after_a_failure() {
        let spec = |kind| Spec { kind, addr: std::net::Ipv4Addr::LOCALHOST.into(), port: 80, timeout: Duration::from_secs(1) };
        let combined = |every| {
            let (usual, negotiate) = (Box::new(spec(Kind::Connect)), Box::new(spec(Kind::Nntp)));
            Probe::new(spec(Kind::Combined { every, usual, negotiate }), Duration::from_secs(1), at(0))
        };
        let run = |every, verdicts: &[bool]| {
            let mut probe = combined(every);
            let mut asked = String::new();
            for up in verdicts {
                asked.push(if probe.question().kind == Kind::Connect { 'c' } else { 'N' });
                probe.counted(*up);
            }
            asked
        };
        let (t, f) = (true, false);
        assert_eq!(run(2, &[t; 7]), "NccNccN");
        assert_eq!(run(3, &[f, f, t, t, f, f, t, t]), "NNNccNNc");
        assert_eq!(run(0, &[t; 3]), "NNN");
    }

    #[test]
    fn the_second_round_is_spread_and_never_later_than_the_interval() {
        let spec = Spec {
            kind: crate::checks::spec::Kind::Connect,
            addr: std::net::Ipv4Addr::LOCALHOST.into(),
            port: 80,
            timeout: Duration::from_secs(1),
        };
        let due = |index: usize| {
            let mut p = Probe::new(spec.clone(), Duration::from_secs(10), at(0));
            p.ended(at(1), index, 100, None);
            let ProbeState::Due(first) = p.state else { panic!("{p:?}") };
            p.ended(at(20), index, 100, None);
            assert_eq!(p.state, ProbeState::Due(at(30)));
            first
        };
        assert_eq!(due(0), at(11));
        assert!(due(99) > at(5) && due(99) < due(50) && due(50) < due(1), "{:?} {:?}", due(99), due(50));
    }
}
