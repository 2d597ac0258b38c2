//! `ldirectord.cf` against what the Perl original was seen to do: its errors and its tables, and robustness.
//!
//! `tests/data/ldirectord/bad` holds files that the original refuses, with its messages; `cases` files that it runs, with
//! the table (`ipvsadm -Sn`) of a start at which every server was up. `tests/netns` replays them with the daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use lvs_ha::config::diag::{Diagnostic, Severity, Source, has_errors};
use lvs_ha::config::ldirectord_cf::describe_error;
use lvs_ha::config::lookup::Lookup;
use lvs_ha::config::resolve::director;
use lvs_ha::director::plan::Plan;
use lvs_ha::ipvs::model::{Dest, Forward, Granularity, Protocol, Service, ServiceFlags, ServiceKey};

/// A host like the one the cases were recorded on.
struct Host;

impl Lookup for Host {
    fn host(&self, name: &str) -> Vec<IpAddr> {
        let known = match name {
            "vip.test" => "10.9.0.100",
            "web1.test" => "10.9.0.11",
            "web2.test" => "10.9.0.12",
            "sorry.test" => "10.9.0.19",
            _ => name,
        };
        known.parse().into_iter().collect()
    }
    fn service(&self, name: &str, _: Option<Protocol>) -> Option<u16> {
        [("http", 80), ("www", 80), ("domain", 53)].iter().find(|(n, _)| *n == name).map(|(_, port)| *port)
    }
    fn interface(&self, _: &str) -> bool {
        true
    }
    fn user(&self, _: &str) -> Option<u32> {
        None
    }
    fn group(&self, _: &str) -> Option<u32> {
        None
    }
    fn executable(&self, path: &str) -> bool {
        path == "/bin/true" || (path.starts_with("/tmp/ld/") && !path.contains(' '))
    }
    fn directory(&self, path: &str) -> bool {
        path.starts_with("/tmp/ld/")
    }
    fn appendable(&self, path: &str) -> Result<(), String> {
        if path.starts_with("/nonexistent-dir") { Err("No such file or directory".to_owned()) } else { Ok(()) }
    }
}

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ldirectord").join(folder)
}

fn folders(of: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(data(of)).unwrap().map(|e| e.unwrap().path()).collect();
    found.sort();
    found
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_string_lossy().into_owned()
}

fn source(folder: &Path) -> Source {
    Source::new("FILE", text(folder))
}

/// The configuration; `@DIR@` is the folder of its log and scripts.
fn text(folder: &Path) -> Vec<u8> {
    let bytes = std::fs::read(folder.join("ldirectord.cf")).unwrap();
    String::from_utf8(bytes).unwrap().replace("@DIR@", "/tmp/ld").into_bytes()
}

/// What the original said on standard error.
fn said(folder: &Path) -> String {
    let recorded = std::fs::read_to_string(folder.join("expected/start.txt")).unwrap();
    let lines = recorded.lines().filter_map(|l| l.strip_prefix("stderr: "));
    lines.map(|l| l.replace("@DIR@/@NAME@.cf", "FILE").replace("@DIR@", "/tmp/ld") + "\n").collect()
}

/// The findings as the original prints them, without columns and excerpts.
fn messages(source: &Source, found: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in found {
        let word = if d.severity == Severity::Error { "Error" } else { "Warning" };
        match d.span {
            Some(s) => {
                let line = source.line_column(s.start).0;
                writeln!(out, "{word} [PID] reading file {} at line {line}: {}", source.name, d.what).unwrap();
            }
            None => writeln!(out, "{word} [PID]: {}", d.what).unwrap(),
        }
    }
    out
}

/// The plan's table with every server up, as `ipvsadm -Sn` lists it, sorted.
fn table(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for v in &plan.virtuals {
        let id = id(&v.service.key);
        lines.push(format!("-A {id}{}", options(&v.service)));
        let dests: BTreeMap<_, &Dest> = v.reals.iter().map(|r| (r.dest.key, &r.dest)).collect();
        lines.extend(dests.values().map(|d| format!("-a {id} -r {} {} -w {}", d.key, method(d.forward), d.weight)));
    }
    lines.sort();
    lines.iter().map(|l| format!("{l}\n")).collect()
}

fn id(key: &ServiceKey) -> String {
    match *key {
        ServiceKey::Addr { protocol, addr, port } => {
            format!("{} {}", if protocol == Protocol::Udp { "-u" } else { "-t" }, SocketAddr::new(addr, port))
        }
        ServiceKey::Fwmark { mark, .. } => format!("-f {mark}"),
    }
}

fn options(service: &Service) -> String {
    let mut out = format!(" -s {}", service.scheduler);
    if let Some(p) = &service.persistence {
        write!(out, " -p {}", p.timeout).unwrap();
        match p.granularity {
            Granularity::Mask(u32::MAX) | Granularity::Prefix(128) => {}
            Granularity::Mask(mask) => write!(out, " -M {}", std::net::Ipv4Addr::from(mask)).unwrap(),
            Granularity::Prefix(bits) => write!(out, " -M {bits}").unwrap(),
        }
    }
    if service.flags.has(ServiceFlags::ONE_PACKET) {
        out.push_str(" -o");
    }
    if service.scheduler == "mh" && service.flags.has(ServiceFlags::SCHED2) {
        out.push_str(" -b mh-port");
    }
    out
}

fn method(forward: Forward) -> &'static str {
    match forward {
        Forward::Gate => "-g",
        Forward::Masq => "-m",
        Forward::Ipip => "-i",
        other => panic!("{other:?} in a plan"),
    }
}

#[test]
fn errors_are_the_originals_at_its_lines() {
    let mut failures = String::new();
    let folders = folders("bad");
    assert!(folders.len() > 35);
    for folder in folders {
        let source = source(&folder);
        let (plan, found) = director::read(&source, &Host);
        let (got, want) = (messages(&source, &found), said(&folder));
        if plan.is_some() || !has_errors(&found) || got != want {
            writeln!(failures, "{}:\nwant {want:?}\ngot  {got:?}", name(&folder)).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn cases_are_planned_as_recorded_or_refused_clearly() {
    let (mut tables, mut refusals, mut failures) = (0, 0, String::new());
    for folder in folders("cases") {
        let source = source(&folder);
        let (plan, found) = director::read(&source, &Host);
        let expected = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
        let (want, got) = match (&plan, expected("table.txt"), expected("refused.txt")) {
            (Some(_), None, None) => continue,
            (Some(plan), want, _) => {
                tables += 1;
                (want, table(plan))
            }
            (None, _, want) => {
                refusals += 1;
                (want, messages(&source, &found))
            }
        };
        if want.as_ref() != Some(&got) {
            writeln!(failures, "{}:\nwant {want:?}\ngot  {got:?}", name(&folder)).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(tables > 25 && refusals > 0, "{tables} tables, {refusals} refusals");
}

/// The sample as it is, and with every commented directive (a # with no blank behind it) in force.
#[test]
fn the_sample_is_accepted_with_and_without_its_comments() {
    let sample = include_str!("../conf/ldirectord.cf");
    let uncommented: String = sample
        .lines()
        .map(|l| l.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).unwrap_or(l))
        .flat_map(|l| [l, "\n"])
        .collect();
    for (text, services) in [(sample, 1), (&uncommented, 12)] {
        let source = Source::new("FILE", text);
        let (plan, found) = director::read(&source, &Host);
        let told: Vec<&Diagnostic> = found
            .iter()
            .filter(|d| !d.what.contains("is not an executable file") && d.what != "maintenance directory does not exist")
            .collect();
        assert!(told.is_empty(), "{}", messages(&source, &found));
        assert_eq!(plan.unwrap().virtuals.len(), services);
    }
}

/// A small generator (xorshift): the same inputs in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % below.max(1)
    }
}

/// Everything that is read, resolved and shown of one input; the answer must be a plan or an error.
fn survives(bytes: &[u8]) {
    let source = Source::new("FILE", bytes);
    let (plan, found) = director::read(&source, &Host);
    assert_eq!(plan.is_none(), has_errors(&found), "{}", String::from_utf8_lossy(bytes));
    for d in found.iter().take(20) {
        let span = d.span.unwrap_or_default();
        assert!(span.start <= span.end && span.end <= bytes.len(), "{d:?}");
        assert!(describe_error(1, &source, d).contains("[1]"));
    }
}

#[test]
fn mutated_files_never_panic() {
    const SPICE: &[&[u8]] = &[
        b"\n",
        b"\n\n",
        b"\t",
        b"    ",
        b"#",
        b"\"",
        b"=",
        b":",
        b"[",
        b"]",
        b"->",
        b",",
        b"\r",
        b"\0",
        b"\xff",
        b"\xe2\x80\x9c",
        b"99999999999",
        b"virtual=",
        b"virtual6=[fd00::1]:80\n",
        b"\treal6=",
        b"real=",
        b"fallback=",
        b"checktype=",
        b"receive=\"(",
        b"\\",
        b"(?i)",
        b"{1,",
        b"gate",
    ];
    let files: Vec<Vec<u8>> = ["bad", "cases"].iter().flat_map(|of| folders(of)).map(|folder| text(&folder)).collect();
    let mut random = Random(0x1d1e_c70d);
    for round in 0..20_000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..=random.next(4) {
            let at = random.next(bytes.len() + 1);
            match random.next(5) {
                0 if at < bytes.len() => bytes[at] = u8::try_from(random.next(256)).unwrap(),
                1 => bytes.truncate(at),
                2 => {
                    let end = (at + random.next(12)).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => {
                    let other = &files[random.next(files.len())];
                    let from = random.next(other.len());
                    let to = (from + random.next(60)).min(other.len());
                    bytes.splice(at..at, other[from..to].iter().copied());
                }
                _ => {
                    bytes.splice(at..at, SPICE[random.next(SPICE.len())].iter().copied());
                }
            }
        }
        survives(&bytes);
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        survives(&bytes);
        survives(&[b"virtual=10.0.0.1:80\n\t", &bytes[..]].concat());
        survives(&[b"virtual=1\n\treal=10.0.0.2", &bytes[..]].concat());
    }
}
