//! What follows from a verdict, and from the time that has passed since one: who is up, who is told, how much weight it gets.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::checks::spec::{Kind, Verdict};
use crate::cluster::io::Mono;
use crate::director::health::{Health, Ramp, Step, Token};
use crate::director::held::Hold;
use crate::director::plan::{Plan, Real, Virtual, Watch};
use crate::director::{Director, Output, report};

impl Director {
    /// A check has ended: all real servers that share it count it.
    pub(super) fn verdict(&mut self, now: Mono, token: Token, verdict: &Verdict) {
        self.opened();
        let Some(subjects) = self.probes.subjects(token) else { return };
        let mut heard = Heard::default();
        for s in subjects {
            let virt = self.plan.virtuals.get(s.service).zip(self.services.get_mut(s.service));
            let Some((v, service)) = virt else { continue };
            let Some((real, health)) = v.reals.get(s.real).zip(service.reals.get_mut(s.real)) else { continue };
            if s.agent {
                heard.agent(now, v, real, health, verdict);
            } else {
                heard.check(now, (s.service, v), (s.real, real), health, verdict);
            }
        }
        self.probes.ended(now, token, verdict.up, heard.fast);
        self.dirty |= heard.dirty;
        self.outputs.extend(heard.outputs);
        self.outputs.extend(heard.lines.into_iter().map(|(file, line)| Output::Monitor { file, line }));
        self.remind(now, heard.down);
        if self.dirty {
            self.update_fallbacks(now);
        }
    }

    /// A start or reload is over when every check has run.
    pub(super) fn opened(&mut self) {
        if self.opening.is_some() && self.probes.all_ran() {
            self.opening = None;
        }
    }

    /// The fallback serves when no real server does. With checks off, documentation says, it never does. The
    /// fallbackcommand is told the same.
    pub(super) fn update_fallbacks(&mut self, now: Mono) {
        for (v, service) in self.plan.virtuals.iter().zip(&mut self.services).filter(|(v, _)| v.watch != Watch::Off) {
            let idle = !service.reals.iter().any(Health::in_service);
            let active = v.fallback.is_some() && idle;
            if service.fallback.0 != active {
                service.fallback = (active, now);
            }
            if let Some(command) = &v.fallback_command
                && service.told != Some(idle)
            {
                service.told = Some(idle);
                self.outputs.push_back(tell(v, command, idle));
            }
        }
    }

    /// A stop removes what the fallbackcommands stand in for.
    pub(super) fn end_fallback_commands(&mut self) {
        let started = self.each().filter(|(v, s)| v.cleanstop && s.told == Some(true));
        let last: Vec<Output> = started.filter_map(|(v, _)| Some(tell(v, v.fallback_command.as_ref()?, false))).collect();
        self.outputs.extend(last);
    }

    /// Commands that are not in the new plan any more end.
    pub(super) fn drop_fallback_commands(&mut self, plan: &Plan) {
        let kept: BTreeSet<_> = plan.virtuals.iter().map(|v| (v.service.key, &v.fallback_command)).collect();
        let gone = self.each().filter(|(v, s)| s.told == Some(true) && !kept.contains(&(v.service.key, &v.fallback_command)));
        let last: Vec<Output> = gone.filter_map(|(v, _)| Some(tell(v, v.fallback_command.as_ref()?, false))).collect();
        self.outputs.extend(last);
    }

    /// Returning servers get more weight.
    pub(super) fn climb(&mut self, now: Mono) {
        for (v, service) in self.plan.virtuals.iter().zip(&mut self.services).filter(|(v, _)| v.slow_start.is_some()) {
            for health in service.reals.iter_mut().filter(|h| h.ramp.is_some()) {
                let next = v.slow_start.and_then(|length| health.ramp?.at(now, length));
                self.dirty |= health.ramp != next;
                health.ramp = next;
            }
        }
    }

    /// When the next of them gets more.
    pub(super) fn next_step(&self) -> Option<Mono> {
        let slow = self.each().filter_map(|(v, s)| Some((v.slow_start?, &s.reals)));
        slow.flat_map(|(length, reals)| reals.iter().filter_map(move |h| Some(h.ramp?.next(length)))).min()
    }
}

/// What one verdict has led to.
#[derive(Default)]
struct Heard {
    dirty: bool,
    outputs: Vec<Output>,
    /// Lines for monitor files: one for each file and check.
    lines: BTreeSet<(String, String)>,
    /// Servers that are down: virtual service and place.
    down: Vec<(usize, usize)>,
    /// The shortest wait that somebody in transition asks for.
    fast: Option<Duration>,
}

impl Heard {
    fn check(
        &mut self,
        now: Mono,
        (at, v): (usize, &Virtual),
        (place, real): (usize, &Real),
        health: &mut Health,
        verdict: &Verdict,
    ) {
        let known = health.checked;
        let warned = health.last.as_ref().and_then(|(v, _)| v.warning.clone());
        let (step, wiped) = health.count(now, verdict, v.failurecount, v.rise);
        let mut event = |event| self.outputs.push(Output::Event(event));
        if let Some(warning) = verdict.warning.as_ref().filter(|w| warned.as_ref() != Some(*w)) {
            event(report::warning(v, real, warning));
        }
        if wiped > 0 {
            event(report::reset(v, real));
        }
        if matches!(step, Step::Soft | Step::Down | Step::StillDown) {
            event(report::failed_check(v, real, &verdict.text));
        }
        match step {
            Step::Soft => event(report::soft_failure(v, real, health.failures)),
            // The change of the table tells of it.
            Step::Down => health.alerted = Some(now),
            Step::Up if known => health.climbs(now, v, real),
            _ => {}
        }
        if !health.serving && matches!(step, Step::Same | Step::StillDown) {
            self.down.push((at, place));
        }
        self.dirty |= matches!(step, Step::Up | Step::Down);
        if health.in_transition() {
            self.fast = [self.fast, v.fast_interval].into_iter().flatten().min();
        }
        if let Some(file) = &v.monitor
            && (verdict.up || !matches!(real.check.kind, Kind::Ping { .. }))
        {
            self.lines.insert((file.clone(), monitored(real, health, verdict)));
        }
    }

    /// An agent that does not answer has said nothing.
    fn agent(&mut self, now: Mono, v: &Virtual, real: &Real, health: &mut Health, verdict: &Verdict) {
        if !verdict.up {
            return;
        }
        let (before, held) = (health.agent, health.held().is_some());
        health.agent = health.agent.heard(&verdict.text);
        if health.agent == before {
            return;
        }
        if held && health.in_service() {
            health.climbs(now, v, real);
        }
        self.dirty = true;
        self.outputs.push(Output::Event(report::agent(v, real, &verdict.text)));
    }
}

impl Health {
    /// It comes back to service, slowly if that is asked for.
    pub(super) fn climbs(&mut self, now: Mono, v: &Virtual, real: &Real) {
        self.ramp = v.slow_start.filter(|_| real.dest.weight > 1).map(|_| Ramp::new(now));
    }
}

/// A fallbackcommand's line: the original's arguments.
fn tell(v: &Virtual, command: &str, start: bool) -> Output {
    let key = v.service.key;
    let word = if start { "start" } else { "stop" };
    let whom = match key {
        crate::ipvs::model::ServiceKey::Addr { protocol, .. } => format!("{} {}", report::service(&key), protocol.name()),
        crate::ipvs::model::ServiceKey::Fwmark { .. } => ":0 fwm".to_owned(),
    };
    Output::Command { service: key, line: format!("{command} {word} {whom}") }
}

/// A check in a monitor file.
fn monitored(real: &Real, health: &Health, verdict: &Verdict) -> String {
    if health.hold == Some(Hold::Maintenance) {
        return format!("{} [down] Server in maintenance", real.label);
    }
    let mut text = String::new();
    for c in verdict.text.chars() {
        match c {
            '%' => text.push_str("%25"),
            '|' => text.push_str("%7c"),
            '\r' => text.push_str("%0d"),
            '\n' => text.push_str("%0a"),
            other => text.push(other),
        }
    }
    let text = if text.is_empty() { "-" } else { &text };
    format!("{} [{}] {text}", real.label, if verdict.up { "up" } else { "down" })
}
