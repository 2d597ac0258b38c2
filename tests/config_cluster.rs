//! heartbeat's files as people have them: the field's tutorials and our own samples, from disk to settings; and files that
//! cannot be used, to the report that the user reads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lvs_ha::config::load::cluster::{Loaded, load, node_name};
use lvs_ha::config::lookup::Lookup;
use lvs_ha::config::report::{has_errors, parts, render};
use lvs_ha::config::settings::{Failback, Medium, Method, Settings};
use lvs_ha::ipvs::model::Protocol;

/// A host with two interfaces and neither heartbeat's users nor its programs.
struct Bare;

impl Lookup for Bare {
    fn host(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }
    fn service(&self, _: &str, _: Option<Protocol>) -> Option<u16> {
        None
    }
    fn interface(&self, name: &str) -> bool {
        matches!(name, "eth0" | "eth1")
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn executable(&self, _: &str) -> bool {
        false
    }
}

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with the three files; `authkeys` has the mode.
fn folder(cf: &[u8], haresources: &[u8], authkeys: &[u8], mode: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("ha.cf", cf), ("haresources", haresources), ("authkeys", authkeys)] {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    fs::set_permissions(dir.path().join("authkeys"), fs::Permissions::from_mode(mode)).unwrap();
    dir
}

fn report(loaded: &Loaded) -> String {
    render(&parts(&loaded.findings, &loaded.sources), |level, text| format!("{level}: {text}"))
}

fn tutorial(pair: &str, cf: &str, node: &str) -> (Settings, String) {
    tutorial_with(pair, cf, "haresources", node)
}

fn tutorial_with(pair: &str, cf: &str, haresources: &str, node: &str) -> (Settings, String) {
    let file = |name: &str| fs::read(data("tests/data/tutorials").join(pair).join(name)).unwrap();
    let dir = folder(&file(cf), &file(haresources), &file("authkeys"), 0o600);
    let loaded = load(dir.path(), node, &Bare);
    let text = report(&loaded);
    assert!(!has_errors(&loaded.findings), "{text}");
    (loaded.settings.expect("settings"), text)
}

fn seconds(s: &Settings) -> [Duration; 4] {
    [s.keepalive, s.warntime, s.deadtime, s.initdead]
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn pair_web_gives_its_settings() {
    let (got, text) = tutorial("pair-web", "ha.cf", "web1");
    assert_eq!(got.nodes, ["web1", "web2"]);
    assert_eq!(got.media, [Medium::Bcast { interface: "eth0".into() }]);
    assert_eq!(seconds(&got), [s(1), s(15), s(30), s(30)]);
    assert_eq!((got.failback, got.keys.keys[0].method), (Failback::On, Method::Md5));
    assert_eq!(got.groups[0].key(), "IPaddr::192.168.204.8/24/eth0");
    assert_eq!(got.groups[0].resources[1].script, "httpd");
    assert_eq!(got.log.facility.as_deref(), Some("daemon"));
    assert!(!text.contains("WARN"), "{text}");
    let (got, _) = tutorial_with("pair-web", "ha.cf", "haresources.filesystem", "web2");
    assert_eq!(got.groups[0].resources[1].args, ["192.168.204.11:/data/nfs/www", "/var/www/html", "nfs"]);
}

#[test]
fn pair_apache_gives_its_settings_on_both_nodes() {
    for (node, peer) in [("node1", 51), ("node2", 50)] {
        let (got, text) = tutorial("pair-apache", &format!("ha.cf.{node}"), node);
        assert_eq!(got.media, [Medium::Ucast { interface: "eth1".into(), peer: Ipv4Addr::new(172, 16, 0, peer) }]);
        assert_eq!(seconds(&got), [s(2), s(4), s(60), s(120)]);
        assert_eq!(got.ping[0].hosts, [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))]);
        assert_eq!((got.failback, got.keys.active, got.keys.keys[0].method), (Failback::On, 1, Method::Crc));
        assert_eq!(
            (got.log.file.as_deref(), got.log.debug_file.as_deref()),
            (Some("/var/log/ha-log"), Some("/var/log/ha-debug"))
        );
        assert_eq!(got.log.facility.as_deref(), Some("local0"));
        assert_eq!((got.groups[0].node.as_str(), got.groups[0].key()), ("node1", "IPaddr::10.0.0.60"));
        for told in ["apiauth ipfail has no effect", "auth crc is no protection"] {
            assert_eq!(text.matches(told).count(), 1, "{text}");
        }
        assert_eq!(text.matches("WARN").count(), 2, "{text}");
    }
}

#[test]
fn pair_nginx_gives_its_settings_and_its_trap() {
    for (node, peer) in [("vm3", 204), ("vm4", 203)] {
        let (got, text) = tutorial("pair-nginx", &format!("ha.cf.{node}"), node);
        assert_eq!(got.media, [Medium::Ucast { interface: "eth0".into(), peer: Ipv4Addr::new(172, 16, 1, peer) }]);
        assert_eq!((got.failback, got.keys.active), (Failback::Off, 2));
        assert_eq!(got.groups[0].resources[0].args, ["172.16.1.200/24/eth0:0"]);
        assert!(text.contains("ping node 172.16.1.200 is an address of haresources"), "{text}");
        assert!(text.contains("the key is that of the sample file"), "{text}");
    }
}

#[test]
fn pair_lvs_gives_its_settings() {
    let (got, _) = tutorial("pair-lvs", "ha.cf", "server11");
    assert_eq!(seconds(&got), [s(2), s(10), s(30), s(120)]);
    let scripts: Vec<&str> = got.groups[0].resources.iter().map(|r| r.script.as_str()).collect();
    assert_eq!(scripts, ["IPaddr", "httpd", "ldirectord"]);
    assert_eq!(got.log.facility, None);
}

#[test]
fn the_samples_are_right_once_their_lines_are_uncommented_as_they_say() {
    let file = |name: &str| fs::read(data("conf").join(name)).unwrap();
    let (_, found) = lvs_ha::config::ha_cf::parse(&file("ha.cf"), "ha.cf");
    assert!(found.is_empty(), "{found:?}");
    let (_, found) = lvs_ha::config::haresources::parse(&file("haresources"));
    assert!(found.is_empty(), "{found:?}");
    let (keys, found) = lvs_ha::config::authkeys::parse(&file("authkeys"), "authkeys");
    assert!(found.iter().all(|d| d.what.starts_with("Missing auth")), "{found:?}");
    assert!(keys.keys().is_none(), "the sample must not bring a key that everybody knows");

    // A line `#word ...` is a directive of the sample, a line `# ...` is prose.
    let uncomment = |bytes: Vec<u8>| -> String {
        let text = String::from_utf8(bytes).unwrap();
        let line = |l: &str| match l.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && !rest.starts_with("lvs-ha:") => {
                rest.to_owned() + "\n"
            }
            _ => l.to_owned() + "\n",
        };
        text.lines().map(line).collect()
    };
    let (cf, found) = lvs_ha::config::ha_cf::parse(uncomment(file("ha.cf")).as_bytes(), "ha.cf");
    let errors: Vec<&str> = found.iter().filter(|d| d.is_error()).map(|d| d.what.as_str()).collect();
    assert!(errors.iter().all(|e| e.ends_with("is not available in this version of lvs-ha")), "{errors:?}");
    assert!(cf.nodes.len() == 2 && cf.media.len() >= 3 && cf.ping.len() >= 2, "{cf:?}");
    let (resources, _) = lvs_ha::config::haresources::parse(uncomment(file("haresources")).as_bytes());
    assert!(resources.groups.len() >= 2);
    let (keys, found) = lvs_ha::config::authkeys::parse(uncomment(file("authkeys")).as_bytes(), "authkeys");
    assert!(found.is_empty() && keys.keys().is_some(), "{found:?}");
}

const CF: &[u8] = b"logfacility daemon\nbcast eth0\nauto_failback on\nnode alpha\nnode beta\n";
const KEYS: &[u8] = b"auth 1\n1 sha1 a-long-random-key\n";

#[test]
fn a_key_file_that_others_may_read_stops_the_start_with_three_lines() {
    for (mode, good) in [(0o600, true), (0o400, true), (0o620, true), (0o640, false), (0o644, false), (0o604, false)] {
        let dir = folder(CF, b"alpha 10.0.0.9\n", KEYS, mode);
        let loaded = load(dir.path(), "alpha", &Bare);
        assert_eq!(loaded.settings.is_some(), good, "{mode:o}");
        let shown = format!("{}//authkeys", dir.path().display());
        let want = format!(
            "ERROR: Bad permissions on keyfile [{shown}], 600 recommended.\n\
             ERROR: Authentication configuration error.\n\
             ERROR: Configuration error, heartbeat not started.\n"
        );
        assert_eq!(report(&loaded), if good { String::new() } else { want });
    }
}

#[test]
fn missing_files_are_named_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let loaded = load(dir.path(), "alpha", &Bare);
    assert!(loaded.settings.is_none());
    let text = report(&loaded).replace(&dir.path().display().to_string(), "/etc/ha.d");
    for line in [
        "ERROR: Cannot open config file [/etc/ha.d//ha.cf]",
        "info: An annotated sample /etc/ha.d//ha.cf file is provided in the documentation.",
        "ERROR: Heartbeat not started: configuration error.",
        "ERROR: Cannot open keyfile [/etc/ha.d//authkeys].  Stop.",
        "ERROR: Authentication configuration error.",
        "ERROR: Cannot open resources file [/etc/ha.d//haresources]",
        "ERROR: Configuration error, heartbeat not started.",
    ] {
        assert_eq!(text.matches(line).count(), 1, "{line}\n{text}");
    }
    assert!(!text.contains("No heartbeat media"), "nothing is concluded from a file that was not read:\n{text}");
}

#[test]
fn the_report_never_shows_a_key() {
    let dir = folder(CF, b"", b"auth 1\n1 sha9 SECRET\n1x sha1 SECRET\nsha1 SECRET\n", 0o600);
    let loaded = load(dir.path(), "alpha", &Bare);
    let text = report(&loaded);
    assert!(text.contains("Invalid authtype [sha9]") && !text.contains("SECRET"), "{text}");
    assert!(!format!("{loaded:?}").contains("SECRET"));
}

#[test]
fn what_is_no_file_is_refused_and_blocks_nobody() {
    let dir = folder(CF, b"", KEYS, 0o600);
    fs::remove_file(dir.path().join("ha.cf")).unwrap();
    nix::unistd::mkfifo(&dir.path().join("ha.cf"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let text = report(&load(dir.path(), "alpha", &Bare));
    assert!(text.contains("Cannot open config file") && text.contains("not a regular file"), "{text}");
}

#[test]
fn nodeinfo_names_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let host = node_name(dir.path());
    assert!(!host.is_empty());
    fs::write(dir.path().join("nodeinfo"), "  gamma \nrest\n").unwrap();
    assert_eq!(node_name(dir.path()), "gamma");
    fs::write(dir.path().join("nodeinfo"), "\n").unwrap();
    assert_eq!(node_name(dir.path()), host);
}
