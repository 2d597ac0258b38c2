//! The kernel's answers: netlink messages and attributes, and the text of `/proc/net/ip_vs_conn`.

use lvs_ha::cli::ipvsadm::args::{self, Action};
use lvs_ha::cli::ipvsadm::render::{self, Style};
use lvs_ha::ipvs::model::{Command, DestEntry, Forward, ServiceEntry, ServiceFlags, ServiceKey, Table};
use lvs_ha::ipvs::wire::attrs::{Attrs, attrs as walk};
use lvs_ha::ipvs::wire::message::{Content, messages};
use lvs_ha::ipvs::wire::{Reply, Request, decode, family_id, sockopt};

use super::names::Host;
use crate::seeds;

pub fn answers() -> Vec<Vec<u8>> {
    seeds::netlink()
}

/// A datagram of messages, as the socket gives it.
pub fn datagram(bytes: &[u8]) {
    // As what getsockopt left in a question: entries have a length, so there is no more of them than fits.
    assert!(sockopt::dests(bytes).is_ok_and(|dests| dests.len() <= bytes.len() / 96));
    assert!(sockopt::members(bytes).is_none() || bytes.len() >= 48);
    let mut seen = 0;
    let (mut service, mut dests): (Option<ServiceEntry>, Vec<DestEntry>) = (None, Vec::new());
    for message in messages(bytes) {
        seen += 1;
        let Ok(message) = message else { continue };
        if let Content::Data { family, command, attrs } = message.content {
            let _ = family_id(command, attrs);
            if family == 16 {
                continue;
            }
            match decode(command, attrs) {
                Ok(Reply::Service(entry)) => service = Some(entry),
                Ok(Reply::Dest(entry)) => dests.push(entry),
                Ok(reply) => again(&reply),
                Err(why) => assert!(!why.to_string().is_empty()),
            }
        }
    }
    assert!(seen <= bytes.len() / 16 + 1, "{seen} messages in {} bytes", bytes.len());
    if let Some(mut entry) = service {
        entry.dests = dests;
        again(&Reply::Service(entry.clone()));
        entry.dests.iter().for_each(|dest| again(&Reply::Dest(dest.clone())));
        listed(&entry);
        restored(entry);
    }
}

/// What was read is read again from the request that sets it.
fn again(reply: &Reply) {
    let whole = |name: &str| name.len() <= 60 && !name.contains('\u{fffd}');
    let request = match reply {
        Reply::Service(e) if whole(&e.service.scheduler) && e.service.engine.as_deref().is_none_or(whole) => {
            Request::Change(Command::AddService(e.service.clone()))
        }
        Reply::Dest(e) => {
            let key = ServiceKey::Fwmark { mark: 1, family: lvs_ha::ipvs::model::Family::Inet };
            Request::Change(Command::AddDest(key, e.dest.clone()))
        }
        Reply::Sync(daemon) if whole(&daemon.interface) => Request::StartSync(daemon.clone()),
        Reply::Timeouts(timeouts) => Request::SetTimeouts(*timeouts),
        _ => return,
    };
    let mut bytes = Vec::new();
    request.push(&mut bytes, 32, 1, true);
    assert!(bytes.len() <= Request::MAX_BYTES && bytes.len() % 4 == 0);
    let message = messages(&bytes).next().unwrap().unwrap();
    let Content::Data { command, attrs, .. } = message.content else { panic!("no data") };
    match (decode(command, attrs).expect("what we write can be read"), reply) {
        (Reply::Service(found), Reply::Service(was)) => assert_eq!(found.service, was.service),
        (Reply::Dest(found), Reply::Dest(was)) => assert_eq!(found.dest, was.dest),
        (found, was) => assert_eq!(&found, was),
    }
}

/// Any table can be listed.
fn listed(entry: &ServiceEntry) {
    use lvs_ha::cli::ipvsadm::render::Columns;
    for columns in [Columns::Connections, Columns::Stats, Columns::Rate, Columns::Thresholds, Columns::PersistentConn] {
        for exact in [false, true] {
            let style = Style { columns, exact, ..Style::default() };
            let text = render::table(std::slice::from_ref(entry), None, style, None);
            assert!(text.lines().count() > entry.dests.len());
        }
    }
}

/// A table that the kernel may have is saved as lines that make the same table.
fn restored(mut entry: ServiceEntry) {
    const NAMED: u32 = ServiceFlags::SCHED1 | ServiceFlags::SCHED2;
    let plain = |name: &str| !name.is_empty() && name.len() <= 15 && name.bytes().all(|b| b.is_ascii_lowercase());
    let service = &mut entry.service;
    let udp = matches!(service.key, ServiceKey::Addr { protocol: lvs_ha::ipvs::model::Protocol::Udp, .. });
    let known = service.flags.0 & !(NAMED | if udp { ServiceFlags::ONE_PACKET } else { 0 }) == 0;
    if !plain(&service.scheduler) || !service.engine.as_deref().is_none_or(plain) || !known {
        return;
    }
    entry.stats = Default::default();
    for dest in &mut entry.dests {
        // Thresholds are not saved; what the kernel made local is saved as gate.
        (dest.dest.upper, dest.dest.lower) = (0, 0);
        if !matches!(dest.dest.forward, Forward::Masq | Forward::Gate | Forward::Ipip) {
            return;
        }
    }
    let mut table = Table::default();
    for line in render::save(std::slice::from_ref(&entry), None).lines() {
        let words: Vec<&str> = args::saved::words(line).collect();
        let Ok(Action::Change(Request::Change(command))) = args::parse(&words, &Host) else {
            // Numbers beyond what ipvsadm takes (a timeout of a year, a port of 0) are refused there as in the original.
            return;
        };
        if table.apply(&command).is_err() {
            return;
        }
    }
    let expected: Table = [entry].into_iter().collect();
    for (key, was) in &expected.services {
        let found = &table.services[key];
        assert_eq!(found.service, was.service);
        for (key, dest) in &was.dests {
            let read = found.dests.get(key).expect("a real server is restored");
            assert_eq!((read.forward, read.weight), (dest.forward, dest.weight));
        }
    }
}

/// The attributes of recorded answers.
pub fn attributes() -> Vec<Vec<u8>> {
    let datagrams = seeds::netlink();
    let parts = datagrams.iter().flat_map(|d| messages(d).filter_map(Result::ok).collect::<Vec<_>>());
    let mut out: Vec<Vec<u8>> = parts
        .filter_map(
            |m| if let Content::Data { command, attrs, .. } = m.content { Some([&[command], attrs].concat()) } else { None },
        )
        .collect();
    out.sort();
    out.dedup();
    out
}

/// A command number and attributes: the walk ends, nested ones lie within theirs.
pub fn attrs(bytes: &[u8]) {
    let Some((command, rest)) = bytes.split_first() else { return };
    assert!(count(walk(rest), 0) <= bytes.len());
    if let Ok(reply) = decode(*command, rest) {
        again(&reply);
    }
}

fn count(list: Attrs<'_>, depth: usize) -> usize {
    let mut seen = 0;
    for attr in list.flatten() {
        seen += 1;
        let _ = (attr.u8("x"), attr.u16("x"), attr.be16("x"), attr.u32("x"), attr.be32("x"), attr.u64("x"), attr.family("x"));
        assert!(attr.text().len() <= attr.payload.len() * 3);
        if depth < 3 {
            seen += count(attr.nest(), depth + 1);
        }
    }
    seen
}

pub fn connection_tables() -> Vec<Vec<u8>> {
    let table = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n\
                 UDP 0A090001 0FA0 0A090064 1388 0A09000B 1389 UDP             294\n\
                 UDP 0A090001 0000 0A090064 13C4 0A09000B 13C4 NONE             24 sip abc123@host\n\
                 TCP 0A090001 86CC 0A090064 0050 fd00:0009:0000:0000:0000:0000:0000:0011 0050 SYN_RECV       6057\n\
                 SCTP 0A090001 86CC 0A090064 0050 0A09000B 0050 ESTABLISHED    18446744073709551615\n";
    vec![table.as_bytes().to_vec(), table.lines().take(1).collect::<String>().into_bytes()]
}

/// Each entry is a line, or the line that is none is named.
pub fn connections(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for engines in [false, true] {
        match render::connections(&text, engines, None) {
            Ok(listing) => {
                let entries = text.lines().skip(1).filter(|l| !l.trim().is_empty()).count();
                assert_eq!(listing.lines().count(), entries + 2);
                assert!(listing.len() < 200 + text.len() * 12);
            }
            Err(line) => assert!(text.contains(&line)),
        }
    }
}
