//! The director's state as plain data, together with what the kernel counts.

use std::collections::BTreeMap;

use crate::cluster::io::Mono;
use crate::director::Director;
use crate::director::held::{Hold, Target};
use crate::ipvs::model::{Dest, DestEntry, ServiceEntry};
use crate::status::snapshot::{LastCheck, Member, Real, Virtual};

impl Director {
    /// The virtual services in the file's order, as of `now`, with the kernel's table as last dumped.
    #[must_use]
    pub fn view(&self, now: Mono, kernel: &[ServiceEntry]) -> Vec<Virtual> {
        let kernel: BTreeMap<_, _> = kernel.iter().map(|e| (e.service.key, e)).collect();
        self.each()
            .map(|(v, state)| {
                let entry = kernel.get(&v.service.key);
                let dests: BTreeMap<_, _> = entry.into_iter().flat_map(|e| &e.dests).map(|d| (d.dest.key, d)).collect();
                let find = |dest: &Dest| dests.get(&dest.key).copied();
                let reals = v.reals.iter().zip(&state.reals).map(|(real, health)| Real {
                    held: health.held().map(|h| h.word().to_owned()),
                    deadline: match health.hold {
                        Some(Hold::Drained(Some(until))) => Some((until - now).as_secs_f64()),
                        _ => None,
                    },
                    failures: health.failures,
                    last_check: health.last.as_ref().map(|(verdict, at)| LastCheck {
                        up: verdict.up,
                        text: verdict.text.clone(),
                        took: verdict.took.as_secs_f64(),
                        ago: (now - *at).as_secs_f64(),
                    }),
                    ..shown(&real.written, &real.dest, health.word(), (now - health.since).as_secs_f64(), find(&real.dest))
                });
                let fallback = v.fallback.as_ref().map(|dest| {
                    let word = if state.fallback.0 { "active" } else { "inactive" };
                    let entry = find(dest).filter(|_| state.fallback.0 || v.reals.iter().all(|r| r.dest.key != dest.key));
                    shown(&dest.key.to_string(), dest, word, (now - state.fallback.1).as_secs_f64(), entry)
                });
                Virtual {
                    key: v.service.key,
                    scheduler: v.service.scheduler.clone(),
                    persistent: v.service.persistence.as_ref().map(|p| p.timeout),
                    installed: entry.is_some(),
                    reals: reals.collect(),
                    fallback,
                }
            })
            .collect()
    }
}

impl Director {
    /// The real servers that are meant, in each of their virtual services, of a [`view`](Self::view).
    #[must_use]
    pub fn members(&self, view: Vec<Virtual>, target: Target) -> Vec<Member> {
        let mut out = Vec::new();
        for (v, shown) in self.plan.virtuals.iter().zip(view) {
            let means = v.reals.iter().zip(shown.reals).filter(|(real, _)| target.means(real));
            out.extend(means.map(|(_, real)| Member { service: shown.key, real }));
        }
        out
    }
}

/// What real servers and fallbacks have in common.
fn shown(address: &str, dest: &Dest, state: &str, since: f64, entry: Option<&DestEntry>) -> Real {
    Real {
        address: address.to_owned(),
        forward: dest.forward,
        weight: dest.weight,
        installed_weight: entry.map(|e| e.dest.weight),
        state: state.to_owned(),
        since,
        held: None,
        deadline: None,
        failures: 0,
        last_check: None,
        active: entry.map_or(0, |e| e.active),
        inactive: entry.map_or(0, |e| e.inactive),
        conns: entry.map_or(0, |e| e.stats.conns),
    }
}
