//! What follows when a resource that ran does not run any more, or an interface has lost its carrier. Pure.
//!
//! A resource is watched from the moment at which its status has said that it runs: a script whose status says nothing of use
//! is left alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::cluster::io::Mono;

/// Failures count for this long.
const WINDOW: Duration = Duration::from_secs(3600);
/// So many looks in a row without a carrier are no blink.
const LOOKS: u32 = 2;

/// The watched resources, by group and word.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<(String, String), VecDeque<Mono>>,
}

/// What to do about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Well,
    /// Start it again where it is: its failure of this number within the hour.
    Restart(u32),
    /// Let the group move: it has failed so often.
    Move(u32),
}

impl Watch {
    /// The status of a resource that should run: whether it does. The failure `moves_at` within the hour moves the group; the
    /// count begins anew then.
    pub fn found(&mut self, now: Mono, group: &str, resource: &str, running: bool, moves_at: u32) -> Verdict {
        let key = (group.to_owned(), resource.to_owned());
        if running {
            self.seen.entry(key).or_default();
            return Verdict::Well;
        }
        let Some(failures) = self.seen.get_mut(&key) else { return Verdict::Well };
        failures.retain(|at| now - *at < WINDOW);
        failures.push_back(now);
        let count = u32::try_from(failures.len()).unwrap_or(u32::MAX);
        if count < moves_at {
            return Verdict::Restart(count);
        }
        failures.clear();
        Verdict::Move(count)
    }

    /// The group does not run here any more. How often its resources have failed is not forgotten, but they are to be seen
    /// running again first.
    pub fn stopped(&mut self, group: &str) {
        self.seen.retain(|(g, _), failures| g != group || !failures.is_empty());
    }
}

/// The interfaces that have an address of ours.
#[derive(Debug, Default)]
pub struct Carriers {
    /// Of those that have had a carrier: the looks in a row without one.
    without: BTreeMap<String, u32>,
}

impl Carriers {
    /// A look: each interface, and whether it has a carrier. Returns those that have lost it. One that never had a carrier, as a
    /// bridge for virtual machines may have none, has lost nothing.
    pub fn found(&mut self, seen: &BTreeMap<String, bool>) -> BTreeSet<String> {
        self.without.retain(|name, _| seen.contains_key(name));
        for (name, carrier) in seen {
            if *carrier {
                self.without.insert(name.clone(), 0);
            } else if let Some(looks) = self.without.get_mut(name) {
                *looks = looks.saturating_add(1);
            }
        }
        self.without.iter().filter(|(_, looks)| **looks >= LOOKS).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    #[test]
    fn a_resource_is_restarted_until_it_has_failed_too_often() {
        let mut watch = Watch::default();
        assert_eq!(watch.found(at(0), "g", "r", false, 3), Verdict::Well, "never seen running");
        assert_eq!(watch.found(at(10), "g", "r", true, 3), Verdict::Well);
        assert_eq!(watch.found(at(20), "g", "r", false, 3), Verdict::Restart(1));
        assert_eq!(watch.found(at(30), "g", "other", false, 3), Verdict::Well, "each for itself");
        assert_eq!(watch.found(at(40), "g", "r", false, 3), Verdict::Restart(2));
        assert_eq!(watch.found(at(50), "g", "r", false, 3), Verdict::Move(3));
        assert_eq!(watch.found(at(60), "g", "r", false, 3), Verdict::Restart(1), "nobody took it: from the beginning");
    }

    #[test]
    fn old_failures_and_groups_that_were_stopped_do_not_count() {
        let mut watch = Watch::default();
        watch.found(at(0), "g", "r", true, 2);
        assert_eq!(watch.found(at(1), "g", "r", false, 2), Verdict::Restart(1));
        assert_eq!(watch.found(at(3602), "g", "r", false, 2), Verdict::Restart(1));
        watch.found(at(0), "h", "r", true, 1);
        watch.stopped("h");
        assert_eq!(watch.found(at(5), "h", "r", false, 1), Verdict::Well);
    }

    #[test]
    fn a_carrier_is_lost_when_it_was_there_and_two_looks_miss_it() {
        let mut carriers = Carriers::default();
        let mut look = |front: bool, back: bool| {
            let seen = [("front".to_owned(), front), ("back".to_owned(), back)].into();
            carriers.found(&seen).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!([look(true, false), look(true, false), look(true, false)], ["", "", ""], "back never had one");
        assert_eq!([look(false, false), look(true, true), look(false, false)], ["", "", ""], "a blink");
        assert_eq!([look(false, true), look(false, true), look(true, true)], ["front", "front", ""]);
        assert_eq!(carriers.found(&BTreeMap::new()).len(), 0);
    }
}
