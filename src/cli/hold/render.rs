//! What the commands say of the real servers they were about.

use std::fmt::Write as _;

use crate::status::snapshot::Member;

/// One line for each virtual service that has the real server: weight, hold, connections.
#[must_use]
pub fn members(members: &[Member]) -> String {
    let mut out = String::new();
    for Member { service, real } in members {
        let weight = real.installed_weight.map_or("not in the table".to_owned(), |w| format!("weight {w}"));
        let held = real.held.as_deref().map(|h| format!(", {h}")).unwrap_or_default();
        let deadline = real.deadline.map(|d| format!(", leaves the table in {d:.0} s")).unwrap_or_default();
        let connections = format!("{} active and {} inactive connections", real.active, real.inactive);
        let _ = writeln!(out, "{service}  {}  {weight}{held}{deadline}, check {}, {connections}", real.address, real.state);
    }
    out
}

/// Whether nobody is connected any more.
#[must_use]
pub fn done(members: &[Member]) -> bool {
    members.iter().all(|m| m.real.installed_weight.is_none() || (m.real.active == 0 && m.real.inactive == 0))
}

/// The active and the inactive connections that are left, over all virtual services.
#[must_use]
pub fn left(members: &[Member]) -> (u64, u64) {
    let sum = |of: fn(&Member) -> u32| members.iter().map(|m| u64::from(of(m))).sum::<u64>();
    (sum(|m| m.real.active), sum(|m| m.real.inactive))
}

/// The same in words.
#[must_use]
pub fn progress(members: &[Member]) -> String {
    let (active, inactive) = left(members);
    let deadline = members.iter().filter_map(|m| m.real.deadline).min_by(f64::total_cmp);
    let deadline = deadline.map(|d| format!(", {d:.0} s to the deadline")).unwrap_or_default();
    format!("{active} active and {inactive} inactive connections left{deadline}")
}
