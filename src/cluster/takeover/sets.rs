//! Sets of groups, and the words that stand for them on the wire: seen from one node, a group is local (its line of
//! `haresources` names that node) or foreign.

use std::collections::BTreeSet;

use crate::cluster::io::{GroupId, Set};
use crate::config::settings::{Group, Settings};

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

/// The exact list, for the wire: a group is named by what its line says, since another node may have read another file.
pub(super) fn list(all: &[Group], groups: &Groups) -> String {
    let names = names(all);
    groups.iter().filter_map(|g| names.get(g.0)).cloned().collect::<Vec<_>>().join(" ")
}

/// Reads such a list; a group that this node does not have is passed over.
pub(super) fn from_list(all: &[Group], text: &str) -> Groups {
    let names = names(all);
    text.split_whitespace().filter_map(|word| names.iter().position(|n| n == word)).map(GroupId).collect()
}

/// A short name for each group: FNV-1a of its node and key, and how many before it have the same.
fn names(all: &[Group]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for group in all {
        let line = format!("{} {}", group.node, group.key());
        let before = lines.iter().filter(|l| l.split('\n').next() == Some(&line)).count();
        lines.push(format!("{line}\n{before}"));
    }
    let hash = |line: &String| line.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    lines.iter().map(|line| format!("{:x}", hash(line))).collect()
}

/// The field with the exact list.
pub(super) const LIST: &str = "lvsha_groups";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::haresources::resource;

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
    fn a_list_names_groups_whatever_else_the_file_has() {
        let settings = |lines: &[&str]| -> Vec<Group> {
            let group = |line: &&str| {
                let (node, key) = line.split_once(' ').unwrap();
                Group { node: node.into(), resources: vec![resource(key)] }
            };
            lines.iter().map(group).collect()
        };
        let ours = settings(&["a 10.0.0.1", "a 10.0.0.2", "b 10.0.0.2", "a 10.0.0.2"]);
        let theirs = settings(&["b new", "a 10.0.0.1", "b 10.0.0.2", "a 10.0.0.2"]);
        let all = Groups::from([0, 1, 2, 3].map(GroupId));
        let text = list(&ours, &all);
        assert_eq!(from_list(&ours, &text), all);
        assert_eq!(from_list(&theirs, &text), Groups::from([1, 2, 3].map(GroupId)));
        assert_eq!(from_list(&ours, "0 x -1 ffffffffffff"), Groups::new());
    }
}
