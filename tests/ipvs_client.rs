//! The client of the kernel's IPVS against a kernel of our own that fails on demand, and that kernel against the real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use lvs_ha::ipvs::client::{Client, Error};
use lvs_ha::ipvs::diff::diff;
use lvs_ha::ipvs::errno;
use lvs_ha::ipvs::fake::{Fault, Kernel, Socket};
use lvs_ha::ipvs::model::{
    Command, Dest, DestEntry, DestKey, Forward, Persistence, Protocol, Service, ServiceFlags, ServiceKey, Stats, SyncDaemon,
    SyncRole, Table, TableService, Timeouts, Tunnel,
};
use lvs_ha::ipvs::model::{Family, Granularity};
use lvs_ha::ipvs::transport::Transport;
use lvs_ha::ipvs::wire::constants::{cmd, nlmsg};
use lvs_ha::ipvs::wire::message::{Content, Head, messages, push};
use lvs_ha::ipvs::wire::{Request, sockopt};
use proptest::prelude::*;
use serde_json::Value;

fn key(n: u16) -> ServiceKey {
    ServiceKey::Addr { protocol: Protocol::Tcp, addr: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 100)), port: n }
}

fn service(n: u16) -> Service {
    Service { key: key(n), scheduler: "rr".into(), flags: ServiceFlags::default(), persistence: None, engine: None }
}

fn dest(n: u16) -> Dest {
    let [high, low] = n.to_be_bytes();
    let key = DestKey { addr: IpAddr::V4(Ipv4Addr::new(10, 9, high + 1, low)), port: 80 };
    Dest { key, forward: Forward::Masq, weight: 1, upper: 0, lower: 0, tunnel: Tunnel::default() }
}

fn client(kernel: &Kernel) -> Client<Socket> {
    Client::over(kernel.socket()).unwrap()
}

/// A kernel with one service of this many real servers.
fn filled(dests: u16) -> Kernel {
    let kernel = Kernel::new();
    let mut commands = vec![Command::AddService(service(80))];
    commands.extend((0..dests).map(|n| Command::AddDest(key(80), dest(n))));
    let report = client(&kernel).apply(&commands).unwrap();
    assert_eq!((report.done, report.failed), (commands.len(), vec![]));
    kernel
}

fn table(kernel: &Kernel) -> Table {
    client(kernel).dump().unwrap().into_iter().collect()
}

/// A kernel that has the older interface too: for every service it tells of `members` real servers and lists these.
struct Older {
    socket: Socket,
    members: u32,
    dests: Vec<(u8, u32)>,
}

impl Transport for Older {
    fn another(&self) -> std::io::Result<Self> {
        Ok(Self { socket: self.socket.another()?, members: self.members, dests: self.dests.clone() })
    }

    fn send(&mut self, datagram: &[u8]) -> std::io::Result<()> {
        self.socket.send(datagram)
    }

    fn receive(&mut self, buffer: &mut Vec<u8>) -> std::io::Result<usize> {
        self.socket.receive(buffer)
    }

    fn get_option(&mut self, option: i32, data: &mut [u8]) -> std::io::Result<()> {
        if option == sockopt::GET_SERVICE {
            data[44..48].copy_from_slice(&self.members.to_ne_bytes());
            return Ok(());
        }
        for (slot, (last, forward)) in data[24..].chunks_exact_mut(96).zip(&self.dests) {
            slot.fill(0);
            slot[..6].copy_from_slice(&[10, 9, 7, *last, 0, 80]);
            slot[8..12].copy_from_slice(&forward.to_ne_bytes());
        }
        Ok(())
    }
}

/// What a client that needs no counters lists for a service of 200 real servers.
fn uncounted(members: u32, dests: &[(u8, u32)]) -> Vec<DestKey> {
    let older = Older { socket: filled(200).socket(), members, dests: dests.to_vec() };
    let listed = Client::over(older).unwrap().dump_uncounted().unwrap();
    listed[0].dests.iter().map(|entry| entry.dest.key).collect()
}

#[test]
fn real_servers_are_read_in_one_piece_where_that_tells_all() {
    let whole: Vec<String> = uncounted(2, &[(1, 0), (2, 3)]).iter().map(ToString::to_string).collect();
    assert_eq!(whole, ["10.9.7.1:80", "10.9.7.2:80"]);
    assert!(uncounted(0, &[]).is_empty(), "a service without real servers is there all the same");
    for (members, dests, why) in [
        (3, &[(1, 0), (2, 0)][..], "one of the other family was left out"),
        (1, &[(1, 0), (2, 0)][..], "one came in between"),
        (2, &[(1, 0), (2, 2)][..], "a tunnel"),
    ] {
        assert_eq!(uncounted(members, dests).len(), 200, "{why}");
    }
}

/// 134 requests that a real kernel answered, most of them wrong ones, each in the state left by those before.
#[test]
fn the_fake_kernel_refuses_what_linux_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ipvs/errors.json");
    let recorded: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(recorded.len() > 130);
    let kernel = Kernel::new();
    kernel.set_network(&["lo", "dummy0"], &[Ipv4Addr::new(10, 9, 0, 255)]);
    let mut socket = kernel.socket();
    for (sequence, case) in (1..).zip(&recorded) {
        let number = |name: &str| case[name].as_u64().unwrap();
        let bytes = case["attrs"].as_str().unwrap().as_bytes();
        let bytes: Vec<u8> =
            bytes.chunks(2).map(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).unwrap()).collect();
        let mut datagram = Vec::new();
        let flags = u16::try_from(number("flags")).unwrap();
        let (command, version) = (u8::try_from(number("cmd")).unwrap(), u8::try_from(number("version")).unwrap());
        push(&mut datagram, Head { family: 32, flags, sequence, command, version }, |_| {});
        datagram.extend_from_slice(&bytes);
        let length = u32::try_from(datagram.len()).unwrap().to_ne_bytes();
        datagram[..4].copy_from_slice(&length);
        socket.send(&datagram).unwrap();
        let (mut kinds, mut outcome) = (Vec::new(), 0);
        let mut buffer = Vec::with_capacity(1 << 16);
        while socket.receive(&mut buffer).is_ok() {
            for message in messages(&buffer) {
                kinds.push(match message.unwrap().content {
                    Content::Outcome(0) => "ack",
                    Content::Outcome(errno) => {
                        outcome = errno;
                        "error"
                    }
                    Content::Done(_) => "done",
                    _ => "ipvs",
                });
            }
        }
        let wanted: Vec<&str> = case["replies"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
        assert_eq!((i64::from(outcome), &kinds), (case["errno"].as_i64().unwrap(), &wanted), "{}", case["name"]);
    }
}

#[test]
fn what_is_written_is_read_back() {
    let kernel = Kernel::new();
    let mut client = client(&kernel);
    assert_eq!(client.info().version_parts(), (1, 2, 1));
    let granularity = Granularity::Mask(0xffff_ff00);
    let persistent = Service {
        persistence: Some(Persistence { timeout: 60, granularity }),
        engine: Some("sip".into()),
        flags: ServiceFlags(ServiceFlags::ONE_PACKET),
        ..service(80)
    };
    let marked = Service { key: ServiceKey::Fwmark { mark: 7, family: Family::Inet6 }, ..service(0) };
    let tunnel = Dest { forward: Forward::Ipip, tunnel: Tunnel { kind: 1, port: 5555, flags: 1 }, upper: 9, lower: 3, ..dest(1) };
    let commands = [
        Command::AddService(persistent.clone()),
        Command::AddService(marked.clone()),
        Command::AddDest(persistent.key, tunnel.clone()),
    ];
    assert_eq!(client.apply(&commands).unwrap().done, 3);
    let counted = DestEntry {
        dest: tunnel.clone(),
        active: 4,
        inactive: 5,
        persistent: 6,
        stats: Stats { conns: u64::from(u32::MAX) + 7, in_bps: 3, ..Stats::default() },
    };
    assert!(kernel.observe(&persistent.key, &counted));
    let seen = client.dump().unwrap();
    assert_eq!(seen.iter().map(|e| &e.service).collect::<Vec<_>>(), [&persistent, &marked]);
    assert_eq!(seen[0].dests, [counted]);
    assert_eq!(client.service(marked.key).unwrap().service, marked);

    client.execute(&Request::SetTimeouts(Timeouts { tcp: 100, tcp_fin: 0, udp: 30 })).unwrap();
    assert_eq!(client.timeouts().unwrap(), Timeouts { tcp: 100, tcp_fin: 120, udp: 30 });
    let wished =
        SyncDaemon { role: SyncRole::Backup, interface: "eth0".into(), sync_id: 3, max_length: 0, group: None, port: 0, ttl: 0 };
    client.execute(&Request::StartSync(wished.clone())).unwrap();
    let group = Some(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81)));
    assert_eq!(client.sync_daemons().unwrap(), [SyncDaemon { max_length: 1472, group, port: 8848, ttl: 1, ..wished }]);
    client.execute(&Request::Zero(None)).unwrap();
    assert_eq!(client.dump().unwrap()[0].dests[0].stats, Stats::default());
    client.execute(&Request::Flush).unwrap();
    assert_eq!(client.dump().unwrap(), []);
}

#[test]
fn without_ipvs_the_module_is_loaded_or_the_command_named() {
    let kernel = Kernel::new();
    kernel.unload(true);
    assert!(Client::over(kernel.socket()).is_ok());
    kernel.unload(false);
    let error = Client::over(kernel.socket()).unwrap_err();
    assert!(matches!(error, Error::NoIpvs { .. }) && error.to_string().contains("`modprobe ip_vs`"), "{error}");
    kernel.unload(true);
    kernel.permit(false);
    assert!(matches!(Client::over(kernel.socket()).unwrap_err(), Error::Permission));
}

#[test]
fn a_refused_command_is_named_and_the_others_are_done() {
    let kernel = filled(0);
    let mut client = client(&kernel);
    let mut commands: Vec<_> = (0..600).map(|n| Command::AddDest(key(80), dest(n))).collect();
    commands.insert(300, Command::DeleteDest(key(80), dest(999).key));
    commands.push(Command::AddService(service(80)));
    let report = client.apply(&commands).unwrap();
    assert_eq!(report.done, 600);
    let failed: Vec<_> = report.failed.iter().map(|f| (f.index, f.errno, f.text.as_str())).collect();
    assert_eq!(failed, [(300, errno::ENOENT, "No such destination"), (601, errno::EEXIST, "Service already exists")]);
    assert_eq!(table(&kernel).services[&key(80)].dests.len(), 600);
}

/// Each request of a long exchange meets each fault once. Goes in: a table to be replaced. Must come out: the new table, or an
/// error that says that it is not known; after it a second attempt from what is read then succeeds. Nothing is listed wrong.
#[test]
fn every_fault_at_every_request_ends_in_the_table_or_an_error() {
    let faults = [
        Fault::Refuse(errno::EBUSY),
        Fault::Refuse(errno::EINTR),
        Fault::Refuse(errno::EAGAIN),
        Fault::Overrun,
        Fault::Interrupt,
        Fault::Silence,
    ];
    let desired = {
        let mut dests: BTreeMap<_, _> = (2..8).map(|n| (dest(n).key, dest(n))).collect();
        dests.get_mut(&dest(3).key).unwrap().weight = 7;
        let one = TableService { service: Service { scheduler: "wlc".into(), ..service(80) }, dests };
        let other = TableService { service: service(81), dests: [(dest(1).key, dest(1))].into() };
        Table { services: [(key(80), one), (key(81), other)].into() }
    };
    let replace = |kernel: &Kernel| -> Result<usize, Error> {
        let mut client = Client::over(kernel.socket())?;
        let actual: Table = client.dump()?.into_iter().collect();
        let commands = diff(&actual, &desired, &BTreeSet::new());
        let report = client.apply(&commands)?;
        Ok(report.failed.len())
    };
    let requests = {
        let kernel = filled(6);
        let before = kernel.log().len();
        assert_eq!(replace(&kernel).unwrap(), 0);
        kernel.log().len() - before
    };
    assert!(requests > 8, "only {requests} requests");
    for fault in faults {
        for nth in 0..requests {
            let kernel = filled(6);
            kernel.fail(nth, fault);
            let outcome = replace(&kernel);
            match (fault, &outcome) {
                (Fault::Refuse(_) | Fault::Interrupt, Ok(0)) => {}
                // Only refusals and the end of a batch are answered: an answer that never was is not missed.
                (Fault::Overrun, Ok(0)) | (Fault::Silence, Ok(_)) => {}
                (Fault::Overrun, Err(Error::Overrun)) | (Fault::Silence, Err(Error::NoAnswer)) => {}
                other => panic!("request {nth}: {other:?}"),
            }
            if table(&kernel) != desired {
                assert!(!matches!(fault, Fault::Refuse(_) | Fault::Interrupt), "request {nth}, {fault:?}: not the table");
                assert_eq!(replace(&kernel).unwrap(), 0, "request {nth}, {fault:?}");
                assert_eq!(table(&kernel), desired, "request {nth}, {fault:?}");
            }
        }
    }
}

#[test]
fn a_dump_that_was_given_up_does_not_block_the_next() {
    let kernel = filled(500);
    let mut client = client(&kernel);
    // The answers of the list's first datagram are lost, the rest of it is still to come.
    kernel.fail(1, Fault::Overrun);
    assert_eq!(client.dump().unwrap()[0].dests.len(), 500);
}

#[test]
fn a_service_deleted_between_the_lists_is_not_listed_without_its_real_servers() {
    let kernel = filled(3);
    let mut other = client(&kernel);
    other.apply(&[Command::AddService(service(81)), Command::AddDest(key(81), dest(1))]).unwrap();
    // Gone when the list of services has been read, before that of its real servers.
    kernel.meanwhile(move |_| {
        let _ = other.apply(&[Command::DeleteService(key(81))]);
    });
    let seen = client(&kernel).dump().unwrap();
    assert_eq!(seen.iter().map(|e| (e.service.key, e.dests.len())).collect::<Vec<_>>(), [(key(80), 3)]);
}

#[test]
fn lists_of_one_datagram_are_read_once() {
    let kernel = filled(50);
    let mut client = client(&kernel);
    let before = kernel.log().len();
    client.dump().unwrap();
    assert_eq!(kernel.log()[before..], [cmd::GET_SERVICE, cmd::GET_DEST]);
}

#[test]
fn messages_of_a_dump_are_flagged_as_such() {
    let kernel = filled(1);
    let mut socket = kernel.socket();
    let mut datagram = Vec::new();
    Request::DumpServices.push(&mut datagram, 32, 5, false);
    socket.send(&datagram).unwrap();
    let mut buffer = Vec::with_capacity(1 << 16);
    socket.receive(&mut buffer).unwrap();
    assert!(messages(&buffer).all(|m| m.unwrap().flags & nlmsg::F_MULTI != 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Others add and delete real servers while the list is handed out in small pieces. What stayed all the time is listed
    /// once, nothing is listed twice, and nothing is listed that never was there.
    #[test]
    fn what_stays_is_listed_once_whatever_others_do(
        steps in prop::collection::vec(prop::collection::vec((any::<bool>(), 0u16..60), 0..4), 0..40),
    ) {
        let kernel = filled(40);
        kernel.set_datagram(2000);
        let mut other = client(&kernel);
        let touched: BTreeSet<u16> = steps.iter().flatten().map(|(_, n)| *n).collect();
        let mut script = steps.into_iter();
        kernel.meanwhile(move |_| {
            let changes = script.next().unwrap_or_default().into_iter().map(|(add, n)| match add {
                true => Command::AddDest(key(80), dest(n)),
                false => Command::DeleteDest(key(80), dest(n).key),
            });
            let _ = other.apply(&changes.collect::<Vec<_>>());
        });
        let seen = client(&kernel).service(key(80)).unwrap();
        let listed: BTreeSet<DestKey> = seen.dests.iter().map(|d| d.dest.key).collect();
        prop_assert_eq!(listed.len(), seen.dests.len(), "something is listed twice");
        for n in (0..40).filter(|n| !touched.contains(n)) {
            prop_assert!(listed.contains(&dest(n).key), "real server {} is lost", n);
        }
        let known: BTreeSet<DestKey> = (0..60).map(|n| dest(n).key).collect();
        prop_assert!(listed.is_subset(&known));
    }
}
