//! The settings as a table.

use crate::ipvs::sysctl::Row;

/// One line a setting: `!` where another value is advised, its name, the present value, the advised one and why. `all`: also
/// those that nothing is advised about, with what they mean.
pub(in crate::cli::ipvs) fn table(rows: &[Row], all: bool) -> String {
    let shown: Vec<&Row> = rows.iter().filter(|row| all || row.advice.is_some()).collect();
    let advised = |row: &Row| {
        let values = row.advice.as_ref().map(|a| a.values.clone()).unwrap_or_default();
        values.iter().map(|v| v.replace(' ', "/")).collect::<Vec<_>>().join(" or ").replace('/', " ")
    };
    let present = |row: &Row| row.present.clone().unwrap_or_else(|| "absent".to_owned());
    let width = |of: &dyn Fn(&Row) -> String, title: &str| {
        shown.iter().map(|row| of(row).chars().count()).chain([title.len()]).max().unwrap_or(0)
    };
    let name = |row: &Row| row.name.clone();
    let (names, presents, adviseds) = (width(&name, "SETTING"), width(&present, "PRESENT"), width(&advised, "ADVISED"));
    let mut out = format!("  {:<names$}  {:<presents$}  {:<adviseds$}  WHY\n", "SETTING", "PRESENT", "ADVISED");
    for row in &shown {
        let sign = if row.ok { ' ' } else { '!' };
        let hand = if row.advice.as_ref().is_some_and(|a| a.by_hand) { " (by hand)" } else { "" };
        let why = row.advice.as_ref().map(|a| a.why).or(row.meaning).unwrap_or_default();
        let line = format!("{sign} {:<names$}  {:<presents$}  {:<adviseds$}  {why}{hand}", row.name, present(row), advised(row));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::sysctl::{Situation, SyncRoles, report};

    #[test]
    fn what_is_not_as_advised_is_marked() {
        let present = [("net.ipv4.ip_forward", "0"), ("net.ipv4.vs.sync_threshold", "3\t50")];
        let present = present.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let situation = Situation { sync: SyncRoles::Both, ..Situation::default() };
        let text = table(&report(&situation, &present), false);
        assert!(text.contains("! net.ipv4.ip_forward "), "{text}");
        let line = text.lines().find(|l| l.contains("sync_threshold")).unwrap();
        assert!(line.starts_with("! ") && line.contains("  3 50 ") && line.contains("2 50 or 2 10 or 0 1"), "{line}");
        assert!(text.contains("absent"));
        assert!(!text.contains("amemthresh") && table(&report(&situation, &[].into()), true).contains("amemthresh"));
    }
}
