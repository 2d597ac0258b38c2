//! Which values a director should have, given what it does, and how they stand beside the present ones.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{PREFIX, SETTINGS, same, setting_named};
use crate::ipvs::model::{Family, Forward, Table, TableService};

/// Which synchronisation daemons run on one director at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncRoles {
    /// None.
    #[default]
    None,
    /// The master here and the backup there; the roles change at a takeover.
    One,
    /// Master and backup on both directors: nothing changes at a takeover.
    Both,
}

/// What a director does, as far as advice depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Situation {
    /// Real servers are reached by direct routing.
    pub gate: bool,
    /// By tunnel.
    pub tunnel: bool,
    /// By address translation, IPv4.
    pub masq: bool,
    /// By address translation, IPv6.
    pub masq6: bool,
    /// A service is persistent.
    pub persistent: bool,
    /// Failed real servers get weight 0 (quiescent).
    pub quiesced: bool,
    /// Failed real servers are removed from the table.
    pub removed: bool,
    /// A service's scheduler is `sh` or `mh`: both directors choose alike.
    pub hashing: bool,
    /// The synchronisation daemons.
    pub sync: SyncRoles,
}

impl Situation {
    /// What a table shows. Whether failed servers are removed cannot be seen in it; that they are quiesced can, when a real
    /// server has weight 0.
    #[must_use]
    pub fn of(table: &Table, sync: SyncRoles) -> Self {
        let services = || table.services.values();
        let dests = || services().flat_map(|s| s.dests.values().map(move |d| (s, d)));
        let by = |forward| dests().any(|(_, d)| d.forward == forward);
        let masq = |family| dests().any(|(s, d)| d.forward == Forward::Masq && s.service.key.family() == family);
        let persistent = |s: &TableService| s.service.persistence.is_some();
        Self {
            gate: by(Forward::Gate),
            tunnel: by(Forward::Ipip),
            masq: masq(Family::Inet),
            masq6: masq(Family::Inet6),
            persistent: services().any(persistent),
            quiesced: dests().any(|(_, d)| d.weight == 0),
            removed: false,
            hashing: services().any(|s| matches!(s.service.scheduler.as_str(), "sh" | "mh")),
            sync,
        }
    }

    /// Adds what one more service of the plan does, with how its failed servers are treated.
    pub fn add(&mut self, service: &TableService, quiescent: bool) {
        let table = Table { services: [(service.service.key, service.clone())].into() };
        let more = Self::of(&table, SyncRoles::None);
        self.gate |= more.gate;
        self.tunnel |= more.tunnel;
        self.masq |= more.masq;
        self.masq6 |= more.masq6;
        self.persistent |= more.persistent;
        self.hashing |= more.hashing;
        self.quiesced |= quiescent;
        self.removed |= !quiescent;
    }
}

/// An advised value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The name, as sysctl(8) has it.
    pub name: String,
    /// Values that are fine; the first one is set where none of them is there.
    pub values: Vec<&'static str>,
    /// Why.
    pub why: &'static str,
    /// Has effects beyond IPVS that its owner must weigh: shown, never set by us.
    pub by_hand: bool,
}

/// What is advised in this situation, IPVS's own settings first. `interfaces`: those of the host, by name.
#[must_use]
pub fn advise(situation: &Situation, interfaces: &[&str]) -> Vec<Advice> {
    let mut out = Vec::new();
    let mut say = |when: bool, name: &str, values: &[&'static str], why: &'static str| {
        if when {
            out.push(Advice { name: format!("{PREFIX}{name}"), values: values.to_vec(), why, by_hand: false });
        }
    };
    let sync = situation.sync != SyncRoles::None;
    say(
        situation.sync == SyncRoles::One && (situation.gate || situation.tunnel),
        "backup_only",
        &["1"],
        "a backup director that is a real server too would send the packets it gets back in a circle",
    );
    say(true, "conn_reuse_mode", &["1", "2"], "otherwise new and recovered real servers get little from busy clients");
    say(true, "drop_entry", &["0", "1"], "always dropping harms clients when nobody attacks");
    say(true, "drop_packet", &["0", "1"], "always dropping harms clients when nobody attacks");
    say(
        situation.removed,
        "expire_nodest_conn",
        &["1"],
        "failed real servers are removed: their clients get a reset at once and need not wait for a timeout",
    );
    say(
        situation.persistent && situation.quiesced,
        "expire_quiescent_template",
        &["1"],
        "failed real servers get weight 0: without it persistent clients stay with the dead server",
    );
    say(situation.tunnel, "pmtu_disc", &["1"], "tunnels have less room in a packet; clients must hear of it");
    say(true, "run_estimation", &["1"], "otherwise counters and rates stand still");
    say(
        situation.hashing,
        "sloppy_tcp",
        &["1"],
        "with sh and mh the other director chooses the same real server, so a connection it never heard of goes on",
    );
    say(situation.masq, "snat_reroute", &["1"], "replies must leave on the route of the virtual address");
    say(sync, "sync_refresh_period", &["10"], "a director that starts later learns of connections that live on");
    say(sync, "sync_retries", &["1", "2", "3"], "one lost datagram then loses no connection");
    say(
        sync,
        "sync_threshold",
        &["2 50", "2 10", "0 1"],
        "a connection is announced when it is established; the default waits for its third packet",
    );
    say(sync, "sync_version", &["1"], "version 0 has neither IPv6 nor firewall marks nor timeouts");
    out.extend(advise_network(situation, interfaces));
    out
}

/// The settings outside of IPVS.
fn advise_network(situation: &Situation, interfaces: &[&str]) -> Vec<Advice> {
    let advice = |name: String, values: &[&'static str], why, by_hand| Advice { name, values: values.to_vec(), why, by_hand };
    let mut out = vec![
        advice(
            "net.ipv4.ip_forward".to_owned(),
            &["1"],
            "a director is a router: replies of masqueraded real servers need it",
            false,
        ),
        advice(
            "net.ipv4.conf.all.rp_filter".to_owned(),
            &["0", "2"],
            "the strict filter (1) drops packets that come in on another interface than their way back",
            false,
        ),
    ];
    if situation.masq6 {
        let why = "replies of masqueraded IPv6 real servers need it; it also stops router advertisements from being heard \
                   (accept_ra 2 keeps them)";
        out.push(advice("net.ipv6.conf.all.forwarding".to_owned(), &["1"], why, true));
    }
    if situation.gate {
        let why =
            "with direct routing packets leave on the interface they came from, and clients must not be told of a shorter way";
        for interface in ["all", "default"].iter().chain(interfaces) {
            let interface = interface.replace('.', "/");
            out.push(advice(format!("net.ipv4.conf.{interface}.send_redirects"), &["0"], why, false));
        }
    }
    out
}

/// One setting as it is, beside what is advised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name, as sysctl(8) has it.
    pub name: String,
    /// The present value, its parts separated by a blank; `None`: this kernel does not have the setting.
    pub present: Option<String>,
    /// The kernel's default, if it is the same everywhere.
    pub default: Option<&'static str>,
    /// What the setting does.
    pub meaning: Option<&'static str>,
    /// The advice, if there is one here.
    pub advice: Option<Advice>,
    /// Whether the present value is as advised, or nothing is advised, or the kernel does not have it.
    pub ok: bool,
}

/// All settings of IPVS and the advised ones of the network beside their present values (names of sysctl(8) to values).
#[must_use]
pub fn report(situation: &Situation, present: &BTreeMap<String, String>) -> Vec<Row> {
    let interfaces: Vec<String> = interfaces(present);
    let interfaces: Vec<&str> = interfaces.iter().map(String::as_str).collect();
    let advice = advise(situation, &interfaces);
    let mut names: Vec<String> = SETTINGS.iter().map(super::Setting::full_name).collect();
    names.extend(advice.iter().map(|a| a.name.clone()).filter(|name| !name.starts_with(PREFIX)));
    let row = |name: String| {
        let value = present.get(&name).map(|v| v.split_whitespace().collect::<Vec<_>>().join(" "));
        let advice = advice.iter().find(|a| a.name == name).cloned();
        let setting = setting_named(&name);
        let ok = match (&advice, &value) {
            (Some(advice), Some(value)) => fits(advice, value, present),
            _ => true,
        };
        let default = setting.map(|s| s.default).filter(|d| !d.is_empty());
        Row { name, present: value, default, meaning: setting.map(|s| s.meaning), advice, ok }
    };
    names.into_iter().map(row).collect()
}

/// What to write for the present values to be as advised: names and values, in the order to write them.
#[must_use]
pub fn changes(rows: &[Row]) -> Vec<(String, &'static str)> {
    let wrong = rows.iter().filter(|row| !row.ok);
    let advice = wrong.filter_map(|row| row.advice.as_ref()).filter(|advice| !advice.by_hand);
    advice.filter_map(|advice| Some((advice.name.clone(), *last_resort(advice)?))).collect()
}

/// The value to set. For the reverse path filter the larger of `all` and the interface's own holds, so that only 2 is sure to
/// end the strict one everywhere.
fn last_resort(advice: &Advice) -> Option<&&'static str> {
    if advice.name.ends_with(".rp_filter") { advice.values.last() } else { advice.values.first() }
}

fn fits(advice: &Advice, value: &str, present: &BTreeMap<String, String>) -> bool {
    if advice.name == RP_FILTER_ALL {
        // What holds on an interface is the larger of its own value and the one of `all`.
        let own = present.iter().filter(|(name, _)| name.starts_with(CONF) && name.ends_with(".rp_filter"));
        let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
        let skip = |name: &str| name == RP_FILTER_ALL || name.contains(".default.") || name.contains(".lo.");
        return number(value) != 1 && own.filter(|(n, _)| !skip(n)).all(|(_, own)| number(own).max(number(value)) != 1);
    }
    advice.values.iter().any(|wanted| same(wanted, value))
}

const CONF: &str = "net.ipv4.conf.";
const RP_FILTER_ALL: &str = "net.ipv4.conf.all.rp_filter";

/// The interfaces whose settings were read.
fn interfaces(present: &BTreeMap<String, String>) -> Vec<String> {
    let own = |name: &String| {
        let interface = name.strip_prefix(CONF)?.strip_suffix(".send_redirects")?;
        (!["all", "default", "lo"].contains(&interface)).then(|| interface.replace('/', "."))
    };
    present.keys().filter_map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::sysctl::setting_named;

    fn values(advice: &[Advice], name: &str) -> Option<Vec<&'static str>> {
        advice.iter().find(|a| a.name == name).map(|a| a.values.clone())
    }

    #[test]
    fn every_advised_value_is_one_that_the_kernel_takes() {
        let all = Situation {
            gate: true,
            tunnel: true,
            masq: true,
            masq6: true,
            persistent: true,
            quiesced: true,
            removed: true,
            hashing: true,
            sync: SyncRoles::One,
        };
        let advice = advise(&all, &["eth0"]);
        for a in &advice {
            for value in &a.values {
                if let Some(setting) = setting_named(&a.name) {
                    assert_eq!(setting.check(value), Ok(()));
                } else {
                    assert!(!a.name.starts_with(PREFIX), "{} is not known", a.name);
                }
            }
        }
        assert!(advice.len() > 15);
    }

    #[test]
    fn advice_depends_on_what_the_director_does() {
        let plain = advise(&Situation::default(), &[]);
        for name in ["backup_only", "expire_quiescent_template", "expire_nodest_conn", "sync_threshold", "sloppy_tcp"] {
            assert_eq!(values(&plain, &format!("{PREFIX}{name}")), None, "{name}");
        }
        assert!(!plain.iter().any(|a| a.name.contains("send_redirects")));
        let persistent = Situation { persistent: true, quiesced: true, ..Situation::default() };
        assert_eq!(values(&advise(&persistent, &[]), "net.ipv4.vs.expire_quiescent_template"), Some(vec!["1"]));
        let routed = Situation { gate: true, sync: SyncRoles::One, ..Situation::default() };
        let advice = advise(&routed, &["eth0.5"]);
        assert_eq!(values(&advice, "net.ipv4.vs.backup_only"), Some(vec!["1"]));
        assert_eq!(values(&advice, "net.ipv4.conf.eth0/5.send_redirects"), Some(vec!["0"]));
        let both = Situation { sync: SyncRoles::Both, ..routed };
        assert_eq!(values(&advise(&both, &[]), "net.ipv4.vs.backup_only"), None, "a master daemon runs as well");
    }

    fn present(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn what_is_as_advised_is_left_alone_and_the_rest_is_written() {
        let situation = Situation { gate: true, sync: SyncRoles::Both, ..Situation::default() };
        let present = present(&[
            ("net.ipv4.vs.sync_threshold", "2\t10\n"),
            ("net.ipv4.vs.sync_retries", "0\n"),
            ("net.ipv4.ip_forward", "1\n"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.default.rp_filter", "1"),
            ("net.ipv4.conf.eth0.rp_filter", "1"),
            ("net.ipv4.conf.eth0.send_redirects", "1"),
            ("net.ipv4.conf.all.send_redirects", "0"),
        ]);
        let rows = report(&situation, &present);
        let row = |name: &str| rows.iter().find(|r| r.name == name).unwrap();
        assert!(row("net.ipv4.vs.sync_threshold").ok);
        assert_eq!(row("net.ipv4.vs.sync_threshold").present.as_deref(), Some("2 10"));
        assert_eq!(row("net.ipv4.vs.sync_version").present, None);
        let expected =
            [("net.ipv4.vs.sync_retries", "1"), ("net.ipv4.conf.all.rp_filter", "2"), ("net.ipv4.conf.eth0.send_redirects", "0")];
        assert_eq!(changes(&rows), expected.map(|(n, v)| (n.to_owned(), v)));
    }

    #[test]
    fn forwarding_of_ipv6_is_left_to_its_owner() {
        let situation = Situation { masq6: true, ..Situation::default() };
        let rows = report(&situation, &present(&[("net.ipv6.conf.all.forwarding", "0")]));
        assert!(!rows.iter().find(|r| r.name == "net.ipv6.conf.all.forwarding").unwrap().ok);
        assert_eq!(changes(&rows), []);
    }
}
