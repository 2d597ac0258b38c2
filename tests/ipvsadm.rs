//! What ipvsadm 1.31 was recorded to print and to exit with, against our arguments and renderer and a table that stands in
//! for the kernel's. Cases that need what the table is not (traffic, daemons, restore, the kernel's own checks) are named.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lvs_ha::cli::ipvsadm::args::{Action, Listing, Lookup, parse};
use lvs_ha::cli::ipvsadm::render::{self, Names, Style};
use lvs_ha::ipvs::model::{
    Command, DestEntry, Info, Protocol, Refusal, Service, ServiceEntry, ServiceKey, Stats, Table, Timeouts,
};
use lvs_ha::ipvs::refusal;
use lvs_ha::ipvs::wire::Request;
use serde_json::Value;

/// Cases that need a kernel, by the start of their names, and why.
const KERNEL: &[(&str, &str)] = &[
    ("daemon-", "synchronisation daemons"),
    ("mixed-family-and-sync", "synchronisation daemons"),
    ("traffic-", "connections"),
    ("restore-", "-R is run by the applet"),
    ("save-roundtrip", "-R is run by the applet"),
    ("fwmark-negative-save", "-R is run by the applet"),
    ("help-version", "our own text"),
    ("dest-not-unicast", "the kernel's check of addresses"),
    ("dest-v6-not-unicast", "the kernel's check of addresses"),
];

#[test]
fn recorded_command_lines_print_what_the_original_printed() {
    let names = Fixtures::read();
    let (mut seen, mut left_out) = (0, 0);
    for case in cases() {
        let name = case["name"].as_str().unwrap().to_owned();
        if KERNEL.iter().any(|(start, _)| name.starts_with(start)) {
            left_out += 1;
            continue;
        }
        seen += 1;
        let mut kernel = Kernel::default();
        for step in case["steps"].as_array().unwrap() {
            let words: Vec<String> = step["args"].as_array().unwrap().iter().map(|w| w.as_str().unwrap().to_owned()).collect();
            let (status, out, err) = kernel.run(&words, &names);
            let line = format!("{name}: ipvsadm {}", words.join(" "));
            assert_eq!(out, step["stdout"], "{line}");
            assert_eq!(i64::from(status), step["exit"], "{line}: {err}");
            assert_eq!(err.trim_end(), step["stderr"].as_str().unwrap().trim_end(), "{line}");
        }
    }
    assert!(seen >= 85 && left_out <= 36, "{seen} cases run, {left_out} left out");
}

fn cases() -> Vec<Value> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ipvsadm/cases");
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// Stands in for the kernel: takes commands, lists newest first.
struct Kernel {
    table: Table,
    /// Services, then real servers, in the order they were added.
    order: Vec<(ServiceKey, Vec<lvs_ha::ipvs::model::DestKey>)>,
    timeouts: Timeouts,
}

impl Default for Kernel {
    fn default() -> Self {
        Self { table: Table::default(), order: Vec::new(), timeouts: Timeouts { tcp: 900, tcp_fin: 120, udp: 300 } }
    }
}

impl Kernel {
    fn run(&mut self, words: &[String], names: &Fixtures) -> (u8, String, String) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let action = match parse(&words, names) {
            Ok(action) => action,
            Err(error) => return (error.status(), String::new(), error.text("ipvsadm")),
        };
        let done = |out: String| (0, out, String::new());
        match action {
            Action::Change(request) => match self.change(&request) {
                Ok(()) => done(String::new()),
                Err(errno) => (255, String::new(), refusal::text(&request, errno)),
            },
            Action::Save { numeric } => done(render::save(&self.entries(), shown(names, numeric))),
            Action::List { what, style } => match self.list(what, style, names) {
                Ok(out) => done(out),
                Err(text) => (1, String::new(), text),
            },
            other => panic!("{other:?}"),
        }
    }

    fn list(&self, what: Listing, style: Style, names: &Fixtures) -> Result<String, String> {
        let names = shown(names, style.numeric);
        let mut entries = self.entries();
        Ok(match what {
            Listing::Table => {
                let info = Info { version: 0x0001_0201, table_size: 4096 };
                render::table(&entries, Some(info), style, names)
            }
            Listing::Service(key) => {
                entries.retain(|entry| entry.service.key == key);
                if entries.is_empty() {
                    return Err(refusal::text(&Request::GetService(key), libc::ESRCH));
                }
                render::table(&entries, None, style, names)
            }
            Listing::Timeouts => render::timeouts(self.timeouts),
            Listing::Daemons => render::daemons(&[]),
            Listing::Connections => {
                let engines = style.columns == render::Columns::PersistentConn;
                render::connections("Pro FromIP\n", engines, names).unwrap()
            }
        })
    }

    fn change(&mut self, request: &Request) -> Result<(), i32> {
        match request {
            Request::Change(command) => self.command(command),
            Request::Flush => {
                self.table = Table::default();
                self.order.clear();
                Ok(())
            }
            Request::Zero(Some(key)) => self.table.services.get(key).map(|_| ()).ok_or(libc::ESRCH),
            Request::Zero(None) => Ok(()),
            Request::SetTimeouts(new) => {
                let set = |old: &mut u32, new: u32| *old = if new == 0 { *old } else { new };
                set(&mut self.timeouts.tcp, new.tcp);
                set(&mut self.timeouts.tcp_fin, new.tcp_fin);
                set(&mut self.timeouts.udp, new.udp);
                Ok(())
            }
            other => panic!("{other:?}"),
        }
    }

    fn command(&mut self, command: &Command) -> Result<(), i32> {
        match command {
            Command::AddService(s) | Command::EditService(s) if unknown(s) => return Err(libc::ENOENT),
            Command::AddDest(_, d) | Command::EditDest(_, d) if d.lower > d.upper => return Err(libc::ERANGE),
            _ => {}
        }
        self.table.apply(command).map_err(|refusal| match refusal {
            Refusal::ServiceExists | Refusal::DestExists => libc::EEXIST,
            Refusal::NoService => libc::ESRCH,
            Refusal::NoDest => libc::ENOENT,
        })?;
        match command {
            Command::AddService(s) => self.order.push((s.key, Vec::new())),
            Command::AddDest(key, d) => {
                let (_, dests) = self.order.iter_mut().find(|(k, _)| k == key).unwrap();
                dests.insert(0, d.key);
            }
            _ => {
                let table = &self.table;
                self.order.retain(|(key, _)| table.services.contains_key(key));
                for (key, dests) in &mut self.order {
                    dests.retain(|d| table.services[key].dests.contains_key(d));
                }
            }
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ServiceEntry> {
        let entry = |(key, dests): &(ServiceKey, Vec<_>)| {
            let found = &self.table.services[key];
            let dests = dests.iter().map(|key| {
                let dest = found.dests[key].clone();
                DestEntry { dest, active: 0, inactive: 0, persistent: 0, stats: Stats::default() }
            });
            ServiceEntry { service: found.service.clone(), stats: Stats::default(), dests: dests.collect() }
        };
        self.order.iter().map(entry).collect()
    }
}

fn unknown(service: &Service) -> bool {
    service.scheduler == "nosuch" || service.engine.as_deref() == Some("nosuch")
}

/// The name files that the recording was made with.
struct Fixtures {
    hosts: Vec<(IpAddr, Vec<String>)>,
    services: Vec<(String, u16, String)>,
}

impl Fixtures {
    fn read() -> Self {
        let file = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ipvsadm").join(name);
            std::fs::read_to_string(path).unwrap()
        };
        let text = file("hosts");
        let hosts = text.lines().map(|line| {
            let mut words = line.split_whitespace();
            (words.next().unwrap().parse().unwrap(), words.map(str::to_owned).collect())
        });
        let text = file("services");
        let services = text.lines().map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap().to_owned();
            let (port, protocol) = words.next().unwrap().split_once('/').unwrap();
            (name, port.parse().unwrap(), protocol.to_owned())
        });
        Self { hosts: hosts.collect(), services: services.collect() }
    }
}

impl Lookup for Fixtures {
    fn address(&self, host: &str) -> Option<Ipv4Addr> {
        self.hosts.iter().filter(|(_, names)| names.iter().any(|n| n == host)).find_map(|(addr, _)| match addr {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        })
    }

    fn port(&self, service: &str, protocol: Protocol) -> Option<u16> {
        self.services.iter().find(|(name, _, of)| name == service && of == protocol.name()).map(|(_, port, _)| *port)
    }
}

impl Names for Fixtures {
    fn host(&self, addr: IpAddr) -> Option<String> {
        self.hosts.iter().find(|(of, _)| *of == addr).map(|(_, names)| names[0].clone())
    }

    fn service(&self, port: u16, protocol: Protocol) -> Option<String> {
        self.services.iter().find(|(_, of, p)| *of == port && p == protocol.name()).map(|(name, ..)| name.clone())
    }
}

fn shown(names: &Fixtures, numeric: bool) -> Option<&dyn Names> {
    (!numeric).then_some(names)
}
