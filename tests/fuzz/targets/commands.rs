//! Command lines, and the lines of the control socket.

use lvs_ha::cli;
use lvs_ha::cli::ipvsadm::args::{self, Action, saved as saved_lines};
use lvs_ha::cli::ipvsadm::render;
use lvs_ha::config::ipvsadm_default;
use lvs_ha::control::proto::{Greeting, Request as Ask, Response};
use lvs_ha::ipvs::model::{DestEntry, Service, ServiceEntry, ServiceFlags, ServiceKey, Stats, Table};
use lvs_ha::ipvs::wire::Request;
use lvs_ha::ipvs::wire::message::messages;
use lvs_ha::status::overview::Overview;
use lvs_ha::status::render::{Look, screen};

use super::names::Host;
use crate::seeds;

/// Recorded command lines, a word a line.
pub fn ipvsadm_words() -> Vec<Vec<u8>> {
    let word = |w: &serde_json::Value| w.as_str().unwrap().to_owned();
    let lines = seeds::ipvsadm("args").into_iter().map(|args| args.as_array().unwrap().iter().map(word).collect::<Vec<_>>());
    let mut all: Vec<Vec<u8>> = lines.map(|words| words.join("\n").into_bytes()).collect();
    all.sort();
    all.dedup();
    all
}

/// It is refused with words and a status, or it is a request that fits.
pub fn ipvsadm(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    one(&text.split('\n').collect::<Vec<_>>());
}

fn one(words: &[&str]) {
    match args::parse(words, &Host) {
        Ok(Action::Change(request)) => fits(&request),
        Ok(_) => {}
        Err(error) => {
            assert!(matches!(error.status(), 2 | 255));
            assert!(!error.text("ipvsadm").is_empty());
        }
    }
}

fn fits(request: &Request) {
    let mut bytes = Vec::new();
    request.push(&mut bytes, 32, 1, true);
    assert!(bytes.len() <= Request::MAX_BYTES);
    assert_eq!(messages(&bytes).filter(Result::is_ok).count(), 1);
    assert!(!request.to_string().is_empty());
}

/// Recorded saved files, and what was fed to `-R`.
pub fn ipvsadm_saved() -> Vec<Vec<u8>> {
    let text = |v: serde_json::Value| v.as_str().filter(|t| t.contains("-A")).map(|t| t.as_bytes().to_vec());
    let mut all: Vec<Vec<u8>> = ["stdin", "stdout"].into_iter().flat_map(seeds::ipvsadm).filter_map(text).collect();
    all.extend(seeds::files("table.txt"));
    all.sort();
    all.dedup();
    all
}

pub fn saved(bytes: &[u8]) {
    for line in bytes.split(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(line);
        one(&saved_lines::words(&line).collect::<Vec<_>>());
    }
    let text = String::from_utf8_lossy(bytes);
    match saved_lines::read(&text, &Host) {
        Ok(saved) => again(saved.table),
        Err(errors) => {
            let lines = text.lines().count();
            assert!(errors.iter().all(|e| (1..=lines).contains(&e.line) && !e.text.is_empty()));
        }
    }
}

/// A table is read as it was saved.
fn again(mut table: Table) {
    let entries: Vec<ServiceEntry> = table
        .services
        .values_mut()
        .map(|found| {
            // Thresholds are not saved.
            for dest in found.dests.values_mut() {
                (dest.upper, dest.lower) = (0, 0);
            }
            let (active, inactive, persistent, stats) = (0, 0, 0, Stats::default());
            let dests = found.dests.values().map(|d| DestEntry { dest: d.clone(), active, inactive, persistent, stats });
            ServiceEntry { service: found.service.clone(), stats, dests: dests.collect() }
        })
        .collect();
    // A joined option can have a value that is no word of a line, such as `ipvsadm`.
    let plain = |name: &str| name != "ipvsadm" && name.bytes().all(|b| b.is_ascii_alphanumeric());
    // A mark of 2^31 or more is saved as the original does, as a negative number, which nobody reads.
    let small = |key: &ServiceKey| !matches!(key, ServiceKey::Fwmark { mark: 0x8000_0000.., .. });
    // So is flag-3 of sh and mh beside another flag: without a word.
    let third = |s: &Service| matches!(s.scheduler.as_str(), "sh" | "mh") && s.flags.has(ServiceFlags::SCHED3);
    let named = |s: &Service| plain(&s.scheduler) && s.engine.as_deref().is_none_or(plain);
    if !entries.iter().all(|e| small(&e.service.key) && !third(&e.service) && named(&e.service)) {
        return;
    }
    let text = render::save(&entries, None);
    let found = saved_lines::read(&text, &Host).unwrap_or_else(|e| panic!("{e:?} in {text}"));
    assert_eq!(found.table, table, "{text}");
}

pub fn defaults() -> Vec<Vec<u8>> {
    ["AUTO=\"true\"\nDAEMON=\"both\"\nIFACE=\"eth1\"\nSYNCID=\"7\"\n", "# ipvsadm\nexport AUTO='false'\nDAEMON=none # no\n"]
        .map(|s| s.as_bytes().to_vec())
        .to_vec()
}

/// Debian's variables: a number that fits, or lines that exist.
pub fn default(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match ipvsadm_default::parse(&text) {
        Ok(found) => assert!(found.sync_id <= 255 && found.roles.len() <= 2),
        Err(errors) => {
            let lines = text.lines().count();
            assert!(!errors.is_empty() && errors.iter().all(|e| (1..=lines).contains(&e.line) && !e.text.is_empty()));
        }
    }
}

pub fn words() -> Vec<Vec<u8>> {
    ["-d\n/etc/ha.d/ldirectord.cf\nstart", "ldirectord.cf\nforce-reload", "-f\n-d", "-skrvV", "--help", "-dv\n--", "-?"]
        .map(|s| s.as_bytes().to_vec())
        .to_vec()
}

/// The other commands: an instance's name never leaves its folder.
pub fn others(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    if let Err(error) = cli::heartbeat::args::parse(words.iter().map(String::as_str)) {
        assert!(!error.to_string().is_empty());
    }
    if let Ok(cli::ldirectord::args::Invocation::Act(act)) = cli::ldirectord::args::parse(&words) {
        let name = act.instance();
        assert!(name == act.config_name() || !name.contains('/'), "{name:?}");
    }
}

pub fn control_lines() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        r#"{"v":1}"#,
        r#"{"do":"status"}"#,
        r#"{"do":"standby","set":"all"}"#,
        r#"{"do":"takeover","set":"foreign"}"#,
        r#"{"is":"accepted"}"#,
        r#"{"is":"refused","why":"no"}"#,
    ]
    .map(|s| s.as_bytes().to_vec())
    .to_vec();
    for (name, mut document) in seeds::documents("tests/data/status") {
        let kind = if name == "heartbeat" { "cluster" } else { "director" };
        document["is"] = kind.into();
        all.push(serde_json::to_vec(&document).unwrap());
    }
    all
}

/// A line is no such thing, or is written so that it is read as the same; a state can be shown.
pub fn control(bytes: &[u8]) {
    if let Ok(greeting) = serde_json::from_slice::<Greeting>(bytes) {
        assert_eq!(serde_json::from_str::<Greeting>(&serde_json::to_string(&greeting).unwrap()).unwrap(), greeting);
    }
    if let Ok(ask) = serde_json::from_slice::<Ask>(bytes) {
        assert_eq!(serde_json::from_str::<Ask>(&serde_json::to_string(&ask).unwrap()).unwrap(), ask);
    }
    let Ok(response) = serde_json::from_slice::<Response>(bytes) else { return };
    let line = serde_json::to_string(&response).unwrap();
    assert!(!line.contains('\n'));
    let again: Response = serde_json::from_str(&line).unwrap();
    // The last digit of a fraction may change once.
    assert_eq!(serde_json::to_string(&again).unwrap().len() / 64, line.len() / 64);
    let mut overview = Overview::default();
    match response {
        Response::Cluster(cluster) => overview.heartbeat = Some(*cluster),
        Response::Director(director) => overview.ldirectord.push(*director),
        _ => return,
    }
    assert!(overview.exit_status() <= 1);
    for width in [0, 80, 1000] {
        let screen = screen(&overview, Look { width, colour: false });
        assert!(!screen.is_empty() && screen.len() < 10_000 + bytes.len() * 200);
        assert!(!screen.chars().any(|c| c.is_control() && c != '\n'), "control characters reach the terminal");
    }
}
