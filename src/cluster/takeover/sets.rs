//! Sets of groups, and the words that stand for them on the wire: seen from one node, a group is local (its line of
//! `haresources` names that node) or foreign.

use std::collections::BTreeSet;

use crate::cluster::io::{GroupId, Set};
use crate::config::settings::Settings;

/// Some groups.
pub(in crate::cluster) type Groups = BTreeSet<GroupId>;

impl Set {
    /// The word on the wire and in the commands.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Foreign => "foreign",
            Self::All => "all",
        }
    }

    /// The set a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::None, Self::Local, Self::Foreign, Self::All].into_iter().find(|s| s.word() == word)
    }

    /// The same groups seen from the other node of two.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self::of(self.foreign(), self.local())
    }

    /// The set with these halves.
    #[must_use]
    pub fn of(local: bool, foreign: bool) -> Self {
        match (local, foreign) {
            (false, false) => Self::None,
            (true, false) => Self::Local,
            (false, true) => Self::Foreign,
            (true, true) => Self::All,
        }
    }

    /// Whether the local half is in it.
    #[must_use]
    pub fn local(self) -> bool {
        matches!(self, Self::Local | Self::All)
    }

    /// Whether the foreign half is in it.
    #[must_use]
    pub fn foreign(self) -> bool {
        matches!(self, Self::Foreign | Self::All)
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self::of(self.local() || other.local(), self.foreign() || other.foreign())
    }

    /// This one less the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self::of(self.local() && !other.local(), self.foreign() && !other.foreign())
    }
}

/// The groups that `set` means, seen from `node`.
pub(super) fn expand(settings: &Settings, set: Set, node: &str) -> Groups {
    let wanted = |own: bool| if own { set.local() } else { set.foreign() };
    settings.groups.iter().enumerate().filter(|(_, g)| wanted(g.node == node)).map(|(i, _)| GroupId(i)).collect()
}

/// The word for `groups`, seen from `node`. A half of which there is any is in it; a half without groups is in it when
/// `hollow` says so: the original claims empty halves as well, and its peer expects it.
pub(super) fn project(settings: &Settings, groups: &Groups, hollow: Set, node: &str) -> Set {
    let half = |own: bool, claimed: bool| {
        let mut all =
            settings.groups.iter().enumerate().filter(|(_, g)| (g.node == node) == own).map(|(i, _)| GroupId(i)).peekable();
        if all.peek().is_none() { claimed } else { all.any(|g| groups.contains(&g)) }
    };
    Set::of(half(true, hollow.local()), half(false, hollow.foreign()))
}

/// The exact list for more than two nodes, where the words say too little: numbers of the groups, in the file's order.
pub(super) fn list(groups: &Groups) -> String {
    groups.iter().map(|g| g.0.to_string()).collect::<Vec<_>>().join(" ")
}

/// Reads such a list; numbers beyond `count` are ignored.
pub(super) fn from_list(text: &str, count: usize) -> Groups {
    text.split_whitespace().filter_map(|n| n.parse().ok()).filter(|n| *n < count).map(GroupId).collect()
}

/// The field with the exact list.
pub(super) const LIST: &str = "lvsha_groups";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_mirror() {
        for set in [Set::None, Set::Local, Set::Foreign, Set::All] {
            assert_eq!(Set::from_word(set.word()), Some(set));
            assert_eq!(set.mirrored().mirrored(), set);
            assert_eq!(Set::of(set.local(), set.foreign()), set);
            assert_eq!(set.with(Set::All).without(set), Set::All.without(set));
        }
        assert_eq!(Set::Local.mirrored(), Set::Foreign);
        assert_eq!(Set::from_word("transition"), None);
    }

    #[test]
    fn lists_are_bounded() {
        let groups = Groups::from([GroupId(0), GroupId(2)]);
        assert_eq!(list(&groups), "0 2");
        assert_eq!(from_list("0 2 7 x -1", 3), groups);
    }
}
