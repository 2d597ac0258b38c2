//! Answers of a real kernel (Linux 6.1), recorded, against the decoder; and the decoder against damaged ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::net::IpAddr;
use std::sync::LazyLock;

use lvs_ha::ipvs::model::{DestEntry, Family, Forward, Granularity, ServiceEntry, ServiceKey, Stats, SyncDaemon, SyncRole};
use lvs_ha::ipvs::wire::message::{Content, messages};
use lvs_ha::ipvs::wire::{Reply, decode, family_id};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::netlink::{Vector, vectors};

#[test]
fn every_recorded_answer_is_read_as_recorded() {
    let mut seen = 0;
    for vector in vectors() {
        let mut recorded = vector.replies.iter();
        for datagram in &vector.datagrams {
            for message in messages(datagram) {
                let message = message.unwrap_or_else(|e| panic!("{}: {e}", vector.name));
                let recorded = recorded.next().unwrap_or_else(|| panic!("{}: more answers than recorded", vector.name));
                compare(&vector, message.content, recorded);
                seen += 1;
            }
        }
        assert!(recorded.next().is_none(), "{}: fewer answers than recorded", vector.name);
    }
    assert!(seen > 60, "only {seen} answers");
}

fn compare(vector: &Vector, content: Content<'_>, recorded: &Value) {
    let name = &vector.name;
    match (content, recorded["kind"].as_str().unwrap()) {
        (Content::Outcome(n), "ack" | "error") => assert_eq!(i64::from(-n), recorded["error"], "{name}"),
        (Content::Done(n), "done") => assert_eq!(i64::from(-n), recorded["status"], "{name}"),
        (Content::Data { family: 16, command, attrs }, "nlctrl") => {
            assert_eq!(family_id(command, attrs), Ok(vector.family), "{name}");
        }
        (Content::Data { family, command, attrs }, "ipvs") => {
            assert_eq!(family, vector.family, "{name}");
            let reply = decode(command, attrs).unwrap_or_else(|e| panic!("{name}: {e}"));
            let top = &recorded["attrs"];
            let nest = &top[0]["value"];
            match reply {
                Reply::Service(entry) => compare_attrs(name, nest, |n| service_attr(&entry, n)),
                Reply::Dest(entry) => compare_attrs(name, nest, |n| dest_attr(&entry, n)),
                Reply::Sync(daemon) => compare_attrs(name, nest, |n| sync_attr(&daemon, n)),
                Reply::Timeouts(t) => compare_attrs(name, top, |n| match n {
                    "timeout_tcp" => json!(t.tcp),
                    "timeout_tcp_fin" => json!(t.tcp_fin),
                    "timeout_udp" => json!(t.udp),
                    other => panic!("{name}: {other}"),
                }),
                Reply::Info(i) => compare_attrs(name, top, |n| match n {
                    "version" => json!(i.version),
                    "conn_tab_size" => json!(i.table_size),
                    other => panic!("{name}: {other}"),
                }),
            }
        }
        (content, kind) => panic!("{name}: {content:?} where {kind} was recorded"),
    }
}

/// Compares every recorded attribute with what the typed answer says about it.
fn compare_attrs(name: &str, recorded: &Value, ours: impl Fn(&str) -> Value) {
    for attr in recorded.as_array().unwrap() {
        let what = attr["name"].as_str().unwrap();
        assert_eq!(ours(what), attr["value"], "{name}: {what}");
    }
}

fn service_attr(entry: &ServiceEntry, what: &str) -> Value {
    let service = &entry.service;
    let persistence = service.persistence.as_ref();
    let (protocol, addr, port, mark) = match service.key {
        ServiceKey::Addr { protocol, addr, port } => (protocol.number(), Some(addr), port, 0),
        ServiceKey::Fwmark { mark, .. } => (0, None, 0, mark),
    };
    match what {
        "af" => family(service.key.family()),
        "protocol" => json!(protocol),
        "addr" => address(addr.unwrap()),
        "port" => json!(port),
        "fwmark" => json!(mark),
        "sched_name" => json!(service.scheduler),
        // The kernel's own flag 2 is always set in answers and not kept.
        "flags" => json!({"flags": service.flags.0 | u32::from(persistence.is_some()) | 2, "mask": u32::MAX}),
        "timeout" => json!(persistence.map_or(0, |p| p.timeout)),
        "netmask" => match persistence.map_or(Granularity::host(service.key.family()), |p| p.granularity) {
            Granularity::Mask(mask) => address(IpAddr::V4(mask.into())),
            Granularity::Prefix(length) => json!(length),
        },
        "pe_name" => json!(service.engine),
        "stats" | "stats64" => stats(&entry.stats),
        other => panic!("attribute {other} of a service"),
    }
}

fn dest_attr(entry: &DestEntry, what: &str) -> Value {
    let dest = &entry.dest;
    match what {
        "addr" => address(dest.key.addr),
        "addr_family" => family(Family::of(dest.key.addr)),
        "port" => json!(dest.key.port),
        "fwd_method" => json!(match dest.forward {
            Forward::Masq => 0,
            Forward::Local => 1,
            Forward::Ipip => 2,
            Forward::Gate => 3,
            Forward::Other(n) => n,
        }),
        "weight" => json!(dest.weight),
        "u_thresh" => json!(dest.upper),
        "l_thresh" => json!(dest.lower),
        "active_conns" => json!(entry.active),
        "inact_conns" => json!(entry.inactive),
        "persist_conns" => json!(entry.persistent),
        "tun_type" => json!(dest.tunnel.kind),
        "tun_port" => json!(dest.tunnel.port),
        "tun_flags" => json!(dest.tunnel.flags),
        "stats" | "stats64" => stats(&entry.stats),
        other => panic!("attribute {other} of a real server"),
    }
}

fn sync_attr(daemon: &SyncDaemon, what: &str) -> Value {
    match what {
        "state" => json!(if daemon.role == SyncRole::Master { 1 } else { 2 }),
        "mcast_ifn" => json!(daemon.interface),
        "sync_id" => json!(daemon.sync_id),
        "sync_maxlen" => json!(daemon.max_length),
        "mcast_port" => json!(daemon.port),
        "mcast_ttl" => json!(daemon.ttl),
        "mcast_group" | "mcast_group6" => address(daemon.group.unwrap()),
        other => panic!("attribute {other} of a sync daemon"),
    }
}

fn family(family: Family) -> Value {
    json!(if family == Family::Inet { 2 } else { 10 })
}

fn address(addr: IpAddr) -> Value {
    json!(addr.to_string())
}

fn stats(s: &Stats) -> Value {
    let list = [
        ("conns", s.conns),
        ("inpkts", s.in_packets),
        ("outpkts", s.out_packets),
        ("inbytes", s.in_bytes),
        ("outbytes", s.out_bytes),
        ("cps", s.cps),
        ("inpps", s.in_pps),
        ("outpps", s.out_pps),
        ("inbps", s.in_bps),
        ("outbps", s.out_bps),
    ];
    list.iter().zip(1..).map(|((name, value), kind)| json!({"type": kind, "name": name, "value": value})).collect()
}

static DATAGRAMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| vectors().into_iter().flat_map(|v| v.datagrams).collect());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn damaged_answers_are_errors_and_never_a_panic(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut datagram = which.get(&DATAGRAMS).clone();
        for (at, value) in damage {
            let at = at.index(datagram.len());
            datagram[at] = value;
        }
        if let Some(cut) = cut {
            datagram.truncate(cut.index(datagram.len()));
        }
        for message in messages(&datagram).flatten() {
            if let Content::Data { command, attrs, .. } = message.content {
                let _ = decode(command, attrs);
                let _ = family_id(command, attrs);
            }
        }
    }
}
