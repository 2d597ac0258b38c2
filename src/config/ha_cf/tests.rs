use proptest::prelude::*;

use super::*;
use crate::config::diag::Severity;

const SHOWN: &str = "/etc/ha.d//ha.cf";

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    parse(text.as_bytes(), SHOWN)
}

/// The file of a text in which nothing is wrong.
fn clean(text: &str) -> File {
    let (file, found) = read(text);
    assert!(found.is_empty(), "{text:?}: {found:?}");
    file
}

/// Lines and the error that each gives, alone: the original's words.
const ERRORS: &[(&str, &str)] = &[
    ("foo bar", "Illegal directive [foo] in /etc/ha.d//ha.cf"),
    ("Keepalive 1", "Illegal directive [Keepalive] in /etc/ha.d//ha.cf"),
    ("keepalive=2", "Illegal directive [keepalive=2] in /etc/ha.d//ha.cf"),
    ("normalpoll 1", "Illegal directive [normalpoll] in /etc/ha.d//ha.cf"),
    ("badpackets x", "Illegal directive [badpackets] in /etc/ha.d//ha.cf"),
    ("warntime 0", "Warn time [0] is invalid."),
    ("warntime x", "Warn time [x] is invalid."),
    ("udpport abc", "heartbeat: invalid port [abc] specified."),
    ("udpport 0", "heartbeat: invalid port [0] specified."),
    ("baud 1234", "heartbeat: invalid baudrate [1234] specified."),
    ("ucast eth0", "glib: ucast: [eth0] missing target IP address/hostname"),
    ("mcast eth0", "glib: mcast [eth0] missing mcast address"),
    ("mcast eth0 225.0.0.1", "glib: mcast [eth0] missing port"),
    ("mcast eth0 225.0.0.1 694", "glib: mcast [eth0] missing ttl"),
    ("mcast eth0 225.0.0.1 694 1", "glib: mcast [eth0] missing loop"),
    ("mcast eth0 10.0.0.1 694 1 0", "glib: mcast [eth0] bad addr [10.0.0.1]"),
    ("mcast eth0 foo 694 1 0", "glib: mcast [eth0] bad addr [foo]"),
    ("mcast eth0 225.0.0.1 0 1 0", "glib:  mcast [eth0] bad port [0]"),
    ("mcast eth0 225.0.0.1 694 5 0", "glib:  mcast [eth0] bad ttl [5]"),
    ("mcast eth0 225.0.0.1 694 1 2", "glib:  mcast [eth0] bad loop [2]"),
    ("mcast6 eth0", "glib: mcast6 [eth0] missing mcast6 address"),
    ("mcast6 eth0 1.2.3.4 694 1 0", "glib:  mcast6 [eth0] bad addr [1.2.3.4]"),
    ("ucast6 eth0", "glib: ucast6 [eth0] missing ucast6 address"),
    ("nice_failback maybe", "nice_failback flag is obsolete.. Use auto_failback {on, off, legacy} instead."),
    ("logfacility bogus", "Log facility(bogus) not valid"),
    ("rtprio 200", "Illegal realtime priority [200]"),
    ("rtprio 0", "Illegal realtime priority [0]"),
    ("hbgenmethod foo", "Illegal hb generation method [foo]"),
    ("uuidfrom x", "Invalid uuidfrom directive [x]"),
    ("autojoin xx", "Invalid autojoin directive [xx]"),
    ("compression foo", "Compression module(foo) not found"),
    ("compression_threshold 0", "set_compression_threshold: compress_threshhold(0) invalid"),
    ("traditional_compression maybe", "set_traditional_compression:Invalid directive value maybe"),
    ("max_rexmit_delay 0", "Invalid max_rexmit_delay time(0)"),
    ("respawn", "Invalid uid [] specified for client child"),
    ("respawn root", "Client child command [] is not full pathname"),
    ("respawn root true", "Client child command [true] is not full pathname"),
    ("failfast root true", "Client child command [true] is not full pathname"),
    ("apiauth", "Invalid apiauth directive []"),
    ("apiauth x", "Invalid apiauth directive [x]"),
    ("apiauth x foo", "Missing uid or gid in apiauth"),
    ("apiauth x uid=root uid=root", "Duplicate uid list in apiauth"),
    ("apiauth x gid=a gid=b", "Duplicate gid list in apiauth"),
    ("apiauth x uid=root\napiauth x uid=root", "Duplicate apiauth directive for API client x: [x uid=root]"),
    ("stonith", "No Stonith type given"),
    ("stonith_host alpha", "No Stonith type given"),
    ("stonith nope /etc/x", "Invalid Stonith type [nope]"),
    ("stonith_host * nope beta", "Invalid Stonith type [nope]"),
    ("env =x", "set_env: invalid nvpair(=x)"),
];

/// Lines that the original refuses without naming them, or that this version does not execute: an error all the same.
const REFUSED: &[&str] = &[
    "keepalive x",
    "keepalive 0",
    "keepalive 2sec",
    "keepalive = 2",
    "deadtime x",
    "initdead -1",
    "deadping 5s",
    "hopfudge 300",
    "hopfudge x",
    "conn_logd_time 0",
    "auto_failback maybe",
    "use_logd maybe",
    "syslogmsgfmt maybe",
    "log_badpack maybe",
    "coredumps maybe",
    "realtime maybe",
    "debug 300",
    "memreserve 0",
    "msgfmt foo",
    "crm maybe",
    "use_apphbd maybe",
    "ping_group",
    "ping_group g",
    "ucast",
    "mcast",
    "mcast6 eth0 10.0.0.1 694 1 0",
    "ucast6 eth0",
    "crm on",
    "crm respawn",
    "pacemaker yes",
    "#lvs-ha: nothing 1",
    "#lvs-ha: builtin maybe",
    "#lvs-ha: monitor 5parsecs",
    "#lvs-ha: monitor 10s none",
    "#lvs-ha: notify tell",
];

/// Lines that are used, or change nothing that anybody relies on, with the warning they give.
const WARNED: &[(&str, &str)] = &[
    ("keepalive", "has no value"),
    ("bcast", "has no value"),
    ("keepalive 1 2", "is given again"),
    ("udp eth0", "WARNING: directive 'udp' replaced by 'bcast'"),
    ("nice_failback on", "nice_failback on has been strictly interpreted as 'auto_failback legacy'"),
    ("auto_failback on\nnice_failback on", "'nice_failback on' has been changed to 'auto_failback off'"),
    ("traditional_compression on", "no effect"),
    ("uuidfrom nodename", "no effect"),
    ("watchdog /dev/watchdog", "is not opened by lvs-ha"),
    ("quorum_server q", "no effect"),
    ("use_apphbd yes", "no effect"),
    ("env NAME", "sets nothing"),
];

/// Lines that are used, or accepted because the original does nothing with them either.
const ACCEPTED: &[&str] = &[
    "serial /dev/ttyS0",
    "mcast6 eth0 ff02::1 694 1 0",
    "ucast6 eth0 fe80::1",
    "ping6 ::1",
    "",
    "   # a comment",
    "keepalive 200ms # often",
    "deadtime 30\r",
    "initdead 0",
    "warntime 4000ms",
    "hopfudge 255",
    "udpport 694",
    "baud 19200",
    "bcast eth0,eth1 eth2",
    "ucast eth0 10.0.0.1 surplus",
    "mcast eth0 225.0.0.1 694 1 0",
    "ping 10.0.0.1 router",
    "ping_group g a b",
    "auto_failback OFF",
    "logfile /var/log/ha-log",
    "logfacility none",
    "use_logd no",
    "conn_logd_time 60",
    "realtime off",
    "rtprio 99",
    "memreserve 6500",
    "hbgenmethod time",
    "msgfmt netstring",
    "uuidfrom file",
    "autojoin none",
    "compression bz2",
    "compression_threshold 2",
    "traditional_compression no",
    "max_rexmit_delay 250",
    "respawn hacluster /usr/lib64/heartbeat/ipfail",
    "apiauth ipfail gid=haclient uid=hacluster,root",
    "cluster mine",
    "env A=b=c",
    "coredumps true",
    "coreroot /nowhere",
    "crm off",
    "pacemaker 0",
    "record_config_changes on",
    "record_pengine_inputs on",
    "enable_config_writes on",
    "crm_daemon_dir /x",
    "crmd_spawns_pengine on",
    "#lvs-ha: builtin off",
];

#[test]
fn the_errors_are_the_originals() {
    for (line, want) in ERRORS {
        let (_, found) = read(line);
        assert!(found.iter().any(|d| d.is_error() && d.what == *want), "{line:?}: {found:?}");
        assert!(found.iter().any(|d| d.is_error() && d.span.is_some()), "{line:?} has no place: {found:?}");
    }
}

#[test]
fn what_is_not_executed_is_refused_at_its_place() {
    for line in REFUSED {
        let (_, found) = read(line);
        let errors: Vec<_> = found.iter().filter(|d| d.is_error()).collect();
        assert!(!errors.is_empty(), "{line:?}: {found:?}");
        assert!(errors.iter().any(|d| d.span.is_some()), "{line:?}: {found:?}");
    }
}

#[test]
fn what_has_no_effect_is_told() {
    for (line, want) in WARNED {
        let (_, found) = read(line);
        assert!(found.iter().all(|d| !d.is_error()), "{line:?}: {found:?}");
        assert!(found.iter().any(|d| d.severity == Severity::Warning && d.what.contains(want)), "{line:?}: {found:?}");
    }
}

#[test]
fn good_lines_give_no_word() {
    for line in ACCEPTED {
        clean(line);
    }
    clean(&ACCEPTED.join("\n").replace("compression bz2", "# "));
}

#[test]
fn the_apiauth_error_ends_with_its_syntax() {
    let (_, found) = read("apiauth x foo");
    let texts: Vec<&str> = found.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(
        texts,
        [
            "Missing uid or gid in apiauth",
            "Invalid apiauth directive [x foo]",
            "Syntax: apiauth client [uid=uidlist] [gid=gidlist]",
            "Where uidlist is a comma-separated list of uids,",
            "and gidlist is a comma-separated list of gids",
            "One or the other must be specified.",
        ]
    );
    assert!(found[2..].iter().all(|d| d.severity == Severity::Info));
}

#[test]
fn all_errors_are_told_at_once_and_each_at_its_place() {
    let text = "keepalive x\nfoo\nbcast eth0\n  rtprio 200\n";
    let (file, found) = read(text);
    let places: Vec<&str> = found.iter().map(|d| &text[d.span.unwrap().range()]).collect();
    assert_eq!(places, ["x", "foo", "200"]);
    assert_eq!(file.media.len(), 1);
}

#[test]
fn a_misspelt_directive_has_its_hint() {
    for (line, want) in [("Keepalive 1", "keepalive"), ("nodes a", "node"), ("deadtme 3", "deadtime"), ("bcats eth0", "bcast")] {
        let hint = read(line).1[0].hint.clone();
        let near = hint.is_some_and(|h| h.contains(want));
        assert_eq!(near, want != "bcast", "{line}");
    }
    assert_eq!(read("zzz 1").1[0].hint, None);
}

#[test]
fn the_last_value_counts_and_is_remembered_as_written() {
    let (file, found) = read("keepalive 1,2 200ms\nauto_failback ON\ncluster foo bar\nrealtime YES");
    assert!(found.iter().all(|d| d.severity == Severity::Warning));
    assert_eq!(file.keepalive.unwrap().value, Duration::from_millis(200));
    let written: Vec<(&str, &str)> = file.written.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(written, [("keepalive", "200ms"), ("auto_failback", "ON"), ("cluster", "bar"), ("realtime", "YES")]);
}

#[test]
fn failback_follows_the_order_of_old_and_new_directives() {
    let value = |text: &str| read(text).0.auto_failback.unwrap().value;
    assert_eq!(value("auto_failback yes"), Failback::On);
    assert_eq!(value("auto_failback Legacy"), Failback::Legacy);
    assert_eq!(value("nice_failback on"), Failback::Legacy);
    assert_eq!(value("auto_failback on\nnice_failback off"), Failback::Off);
    assert_eq!(value("nice_failback on\nauto_failback on"), Failback::On);
}

#[test]
fn nodes_links_and_programs_are_kept_in_order() {
    let file = clean(
        "node Web1, web2\nnode WEB3\nudpport 700\nucast eth1 peer.example\nbcast eth0 eth1\nmcast eth2 239.0.0.43 694 1 0\n",
    );
    let nodes: Vec<&str> = file.nodes.iter().map(|n| n.value.as_str()).collect();
    assert_eq!(nodes, ["web1", "web2", "web3"]);
    assert_eq!(file.media.len(), 4);
    assert!(
        matches!(&file.media[0].value, Medium::Ucast { interface, host } if interface == "eth1" && host.value == "peer.example")
    );
    assert!(matches!(&file.media[3].value, Medium::Mcast { ttl: 1, looped: false, port: 694, .. }));
    let file = clean("respawn root /bin/sh -c \"a, b\"  # x\n");
    assert_eq!(file.clients[0].command, "/bin/sh -c \"a, b\"");
    let file = clean("apiauth x uid=a,b gid=c\n");
    assert_eq!(file.apiauth[0].users.iter().map(|u| u.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn our_own_lines_are_comments_to_the_original() {
    assert_eq!(clean("  #lvs-ha: builtin off").builtin.map(|b| b.value), Some(false));
    assert_eq!(clean("# lvs-ha: builtin off").builtin, None);
    assert_eq!(clean("#lvs-ha: reboot off").reboot.map(|r| r.value), Some(false));
    let monitor =
        |text: &str| clean(&format!("#lvs-ha: monitor {text}")).monitor.map(|m| m.map(|m| (m.every.as_millis(), m.moves_at)));
    assert_eq!(monitor("off"), Some(None));
    assert_eq!((monitor("10s"), monitor("1500ms 5")), (Some(Some((10_000, 3))), Some(Some((1500, 5)))));
    assert_eq!(clean("#lvs-ha: notify /usr/local/bin/tell").notify[0].value, "/usr/local/bin/tell");
    let device = clean("stonith_host Alpha external/ssh hostlist=beta").stonith.remove(0);
    assert_eq!((device.host.as_deref(), device.stonith.kind.as_str()), (Some("alpha"), "external/ssh"));
    assert_eq!(clean("stonith_host * fence_apc ip=10.0.0.9").stonith[0].host, None);
}

/// Every line of the tables above, as the seed of broken files.
fn any_line() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = ERRORS.iter().chain(WARNED).map(|(l, _)| *l).chain(REFUSED.iter().chain(ACCEPTED).copied()).collect();
    prop::sample::select(lines).prop_map(str::to_owned)
}

fn places_are_inside(bytes: &[u8], found: &[Diagnostic]) -> bool {
    found.iter().filter_map(|d| d.span).all(|s| s.start <= s.end && s.end <= bytes.len())
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (_, found) = parse(&bytes, SHOWN);
        prop_assert!(places_are_inside(&bytes, &found));
    }

    #[test]
    fn mutated_lines_are_read_without_panic(
        lines in prop::collection::vec(any_line(), 1..8),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8),
    ) {
        let mut bytes = lines.join("\n").into_bytes();
        for (at, byte, what) in cuts {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        let (_, found) = parse(&bytes, SHOWN);
        prop_assert!(places_are_inside(&bytes, &found));
    }
}
