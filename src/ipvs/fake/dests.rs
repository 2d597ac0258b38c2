//! The real servers of one service: found by key, listed newest first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::table::{Dest, DestKey};

#[derive(Debug, Clone, Default)]
pub(super) struct Dests {
    by_age: BTreeMap<Reverse<u64>, Dest>,
    ages: BTreeMap<DestKey, Reverse<u64>>,
    added: u64,
}

impl Dests {
    pub(super) fn get_mut(&mut self, key: &DestKey) -> Option<&mut Dest> {
        self.by_age.get_mut(self.ages.get(key)?)
    }

    pub(super) fn add(&mut self, dest: Dest) {
        self.added += 1;
        self.ages.insert(dest.key, Reverse(self.added));
        self.by_age.insert(Reverse(self.added), dest);
    }

    pub(super) fn remove(&mut self, key: &DestKey) -> Option<Dest> {
        self.by_age.remove(&self.ages.remove(key)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Dest> {
        self.by_age.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Dest> {
        self.by_age.values_mut()
    }
}
