//! What follows when a resource that ran does not run any more. Pure.
//!
//! A resource is watched from the moment at which its status has said that it runs: a script whose status says nothing of use
//! is left alone.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cluster::io::Mono;

/// Failures count for this long.
const WINDOW: Duration = Duration::from_secs(3600);

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
}
