use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::config::diag::Severity;
use crate::config::settings::{Medium, Method};
use crate::ipvs::model::Protocol;

/// A host with eth0 and eth1, the user root, and two names.
struct Host;

impl Lookup for Host {
    fn host(&self, name: &str) -> Vec<IpAddr> {
        match name {
            "peer" => vec!["fe80::1".parse().unwrap(), Ipv4Addr::new(10, 0, 0, 2).into()],
            "six" => vec!["fe80::1".parse().unwrap()],
            _ => Vec::new(),
        }
    }
    fn service(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }
    fn udp_service_name(&self, port: u16) -> Option<String> {
        (port == 53).then(|| "domain".to_owned())
    }
    fn interface(&self, name: &str) -> bool {
        matches!(name, "eth0" | "eth1")
    }
    fn user(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
    fn group(&self, name: &str) -> Option<u32> {
        (name == "root").then_some(0)
    }
    fn executable(&self, path: &str) -> bool {
        path == "/bin/true"
    }
}

const OK: &str = "bcast eth0\nauto_failback on\nnode alpha beta\n";
const KEYS: &str = "auth 1\n1 sha1 a-long-random-key\n";
const GROUPS: &str = "alpha 10.0.0.9 httpd\n";

fn resolve(cf: &str, haresources: &str, authkeys: &str, me: &str) -> (Option<Settings>, Vec<Finding>) {
    let (cf, a) = ha_cf::parse(cf.as_bytes(), "ha.cf");
    let (keys, b) = crate::config::authkeys::parse(authkeys.as_bytes(), "authkeys");
    let (resources, _) = crate::config::haresources::parse(haresources.as_bytes());
    assert!(a.iter().chain(&b).all(|d| !d.is_error()), "{a:?} {b:?}");
    let files = Files { ha_cf: &cf, haresources: &resources, haresources_shown: "/etc/ha.d//haresources", authkeys: &keys };
    settings(files, me, &Host)
}

/// The settings of `lines` added above a file that is right, without any finding.
fn good(lines: &str) -> Settings {
    let (settings, found) = resolve(&format!("logfacility daemon\n{lines}\n{OK}"), GROUPS, KEYS, "alpha");
    assert!(found.is_empty(), "{lines:?}: {found:?}");
    settings.unwrap()
}

fn texts(found: &[Finding], severity: Severity) -> Vec<&str> {
    found.iter().filter(|f| f.diagnostic.severity == severity).map(|f| f.diagnostic.what.as_str()).collect()
}

#[test]
fn errors_of_lines_are_the_originals() {
    for (lines, want) in [
        ("deadtime 2", "Dead time [2000] is too small compared to keeplive [1000]"),
        ("keepalive 200ms\ndeadtime 400ms", "Dead time [400] is too small compared to keeplive [200]"),
        ("initdead 5", "Initial dead time [5000] is smaller than deadtime [30000]"),
        ("deadping 1", "Ping dead time [1000] is too small compared to keeplive [1000]"),
        ("bcast nope", "Illegal bcast [UDP/IP broadcast] in config file [nope]"),
        ("bcast nope", "glib: IP interface [nope] does not exist"),
        ("bcast nope", "glib: Get broadcast for interface nope failed: No such device"),
        ("ucast eth0 nosuch", "glib: ucast: cannot resolve hostname"),
        ("ucast eth0 six", "glib: ucast: cannot resolve hostname"),
        ("mcast nope 225.0.0.1 694 1 0", "glib: mcast device [nope] is invalid or not set up properly"),
        ("ping nosuch", "Illegal ping [ping membership] in config file [nosuch]"),
        ("ping_group g nosuch", "Illegal ping_group [ping group membership] in config file [g]"),
        ("respawn nouser /bin/true", "Invalid uid [nouser] specified for client child"),
        ("respawn root /bin/nope", "Client child command [/bin/nope] is not executable"),
        ("failfast nouser /usr/lib/heartbeat/ipfail", "Invalid uid [nouser] specified for client child"),
        (
            "stonith_host * external/ssh hostlist=beta",
            "The fencing device external/ssh cannot be used: /usr/sbin/stonith is not there",
        ),
        ("apiauth x uid=nouser", "Bad uid list [nouser]"),
        ("apiauth x gid=root,nogroup2", "Bad gid list [root,nogroup2]"),
        ("apiauth x uid=nouser", "Invalid apiauth directive [x uid=nouser]"),
        ("autojoin any", "You need either unset autojoin or enable crm"),
        ("ping alpha_", "Illegal ping [ping membership] in config file [alpha_]"),
        ("bcast eth1\nudpport 700", "heartbeat: udpport setting must precede media statements"),
    ] {
        let (settings, found) = resolve(&format!("{lines}\n{OK}"), GROUPS, KEYS, "alpha");
        assert!(settings.is_none(), "{lines:?}");
        assert!(texts(&found, Severity::Error).contains(&want), "{lines:?}: {found:?}");
    }
}

#[test]
fn errors_of_the_whole_are_the_originals() {
    for (cf, want) in [
        ("bcast eth0\nauto_failback on\n", "no nodes defined"),
        ("bcast eth0\nauto_failback on\nnode beta\n", "Current node [alpha] not in configuration!"),
        ("auto_failback on\nnode alpha beta\n", "No heartbeat media defined"),
    ] {
        let (settings, found) = resolve(cf, "", KEYS, "alpha");
        assert!(settings.is_none());
        assert!(texts(&found, Severity::Error).contains(&want), "{cf:?}: {found:?}");
        assert!(found.iter().all(|f| f.late));
    }
    let (settings, found) = resolve("bcast eth0\nnode alpha beta\n", "", KEYS, "alpha");
    assert_eq!(settings.unwrap().failback, Failback::Legacy);
    assert_eq!(texts(&found, Severity::Warning)[0], "Deprecated 'legacy' auto_failback option selected.");
    let (_, found) = resolve(OK, "gamma x\nalpha y\ndelta\n", KEYS, "alpha");
    assert_eq!(
        texts(&found, Severity::Error),
        ["Bad nodename in /etc/ha.d//haresources [gamma]", "Bad nodename in /etc/ha.d//haresources [delta]"]
    );
}

#[test]
fn warnings_name_the_traps() {
    for (lines, want) in [
        ("udpport 53", "heartbeat: udp port 53 reserved for service \"domain\"."),
        ("deadtime 40\nwarntime 60", "warntime [60000] is not less than deadtime [40000]"),
        ("deadtime 30\ninitdead 40", "initdead [40000] is less than twice deadtime [30000]"),
        ("deadtime 5\ninitdead 9", "Initial dead time [9000 ms] may be too small!"),
        ("ucast nope 10.0.0.1", "glib: ucast: interface [nope] does not exist"),
        ("bcast eth0", "bcast eth0 is given twice"),
        ("node ALPHA", "node alpha is given twice"),
        ("ping 10.0.0.1 10.0.0.1", "ping node 10.0.0.1 is given twice"),
        ("ping_group g 10.0.0.1 nosuch", "glib: unknown host: nosuch"),
        ("ping 10.0.0.9", "ping node 10.0.0.9 is an address of haresources, of node alpha"),
        ("respawn hacluster /usr/lib/heartbeat/ccm", "ccm has no effect here"),
        (
            "apiauth ipfail gid=haclient uid=hacluster",
            "apiauth ipfail has no effect here: the original's client socket is not offered",
        ),
        ("use_logd on", "use_logd has no effect here: no logging daemon is needed"),
    ] {
        let (settings, found) = resolve(&format!("{lines}\n{OK}"), GROUPS, KEYS, "alpha");
        assert!(settings.is_some(), "{lines:?}: {found:?}");
        assert!(texts(&found, Severity::Warning).contains(&want), "{lines:?}: {found:?}");
    }
    let (_, found) = resolve(OK, GROUPS, "auth 1\n1 crc\n", "alpha");
    assert!(texts(&found, Severity::Warning)[0].starts_with("auth crc is no protection"));
    let (_, found) = resolve(OK, GROUPS, "auth 1\n1 sha1 HI!\n", "alpha");
    assert!(texts(&found, Severity::Warning)[0].starts_with("the key is that of the sample file"));
}

#[test]
fn one_address_for_two_nodes_is_an_error_and_for_one_a_warning() {
    let (settings, found) = resolve(OK, "alpha 10.0.0.9 a\nbeta 10.0.0.9 b\n", KEYS, "alpha");
    assert!(settings.is_none(), "{found:?}");
    let (settings, found) = resolve(OK, "alpha 10.0.0.9 a\nalpha 10.0.0.9 b\n", KEYS, "alpha");
    assert!(settings.is_some());
    assert_eq!(texts(&found, Severity::Warning).len(), 1);
}

#[test]
fn the_defaults_are_the_originals() {
    let s = good("");
    let secs = Duration::from_secs;
    assert_eq!((s.keepalive, s.deadtime, s.warntime, s.initdead, s.deadping), (secs(1), secs(30), secs(15), secs(30), secs(30)));
    assert_eq!((s.hopfudge, s.udpport, s.rtprio, s.max_rexmit_delay), (1, 694, Some(1), Duration::from_millis(250)));
    assert_eq!((s.msgfmt, s.generation, s.log_badpack, s.builtin), (MsgFmt::Classic, GenerationFrom::File, true, true));
    assert_eq!(s.media, [Medium::Bcast { interface: "eth0".into() }]);
    for (lines, want) in [("deadtime 5", 12), ("deadtime 6", 12), ("deadtime 10", 20), ("deadtime 11", 11)] {
        assert_eq!(good(lines).initdead, secs(want), "{lines}");
    }
    assert_eq!(good("realtime off").rtprio, None);
}

#[test]
fn parameters_are_shown_as_written_or_by_default() {
    let s = good("keepalive 200ms\ndeadtime 1\nmsgfmt classic");
    let get = |name: &str| s.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(get("keepalive"), Some("200ms"));
    assert_eq!(get("deadtime"), Some("1"));
    assert_eq!(get("deadping"), Some("1000ms"));
    assert_eq!(get("warntime"), Some("500ms"));
    assert_eq!(get("auto_failback"), Some("on"));
    assert_eq!(get("udpport"), Some("694"));
    for listlike in ["node", "apiauth", "bcast", "env", "rtprio", "foo"] {
        assert_eq!(get(listlike), None, "{listlike}");
    }
}

#[test]
fn names_become_addresses_and_ports_follow_their_order() {
    assert_eq!(good("ucast eth1 peer").media[0], Medium::Ucast { interface: "eth1".into(), peer: Ipv4Addr::new(10, 0, 0, 2) });
    assert_eq!(good("udpport 700").udpport, 700);
    let (settings, found) = resolve(&format!("{OK}udpport 700\n"), GROUPS, KEYS, "alpha");
    assert_eq!(settings.unwrap().udpport, 694, "a port below the links never was used");
    assert_eq!(texts(&found, Severity::Warning).len(), 1);
    let s = good("ping_group routers 10.0.0.3 10.0.0.4\nping 10.0.0.5");
    assert_eq!((s.ping[0].name.as_str(), s.ping[0].hosts.len(), s.ping[1].name.as_str()), ("routers", 2, "10.0.0.5"));
}

#[test]
fn names_are_compared_in_lower_case() {
    let (settings, found) = resolve("bcast eth0\nauto_failback off\nnode ALPHA Beta\n", "Alpha x\n", KEYS, "Alpha");
    let s = settings.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((s.me.as_str(), s.nodes, s.groups[0].node.as_str()), ("alpha", vec!["alpha".to_owned(), "beta".into()], "alpha"));
}

#[test]
fn without_any_log_line_syslog_is_used() {
    let (settings, found) = resolve(OK, GROUPS, KEYS, "alpha");
    assert_eq!(settings.unwrap().log.facility.as_deref(), Some("daemon"));
    assert_eq!(texts(&found, Severity::Info), ["No log entry found in ha.cf -- use syslog, facility daemon"]);
    let (settings, _) = resolve(&format!("logfacility none\n{OK}"), GROUPS, KEYS, "alpha");
    assert_eq!(settings.unwrap().log.facility, None);
    assert_eq!(good("").keys.get(1).unwrap().method, Method::Sha1);
}
