//! The fake kernel's answers as bytes, attributes in the order of Linux 6.1.

use super::answered_with;
use super::table::{self, Daemon, Dest, Service};
use crate::ipvs::model::Stats;
use crate::ipvs::wire::attrs::Writer;
use crate::ipvs::wire::constants::{FAMILY_VERSION, daemon, dest, nlmsg, stats, svc, top};
use crate::ipvs::wire::message::{Head, message, push};

/// IPVS 1.2.1.
const VERSION: u32 = 0x0001_0201;
/// Buckets of the connection table.
const TABLE_SIZE: u32 = 4096;

/// Something that is told.
#[derive(Debug)]
pub(super) enum Entry {
    Service(Box<Service>),
    Dest(Box<Dest>),
    Daemon(Box<Daemon>),
    Timeouts([u32; 3]),
    Info,
}

impl Entry {
    /// Appends it to a datagram.
    pub(super) fn push(&self, out: &mut Vec<u8>, family: u16, flags: u16, sequence: u32) {
        let head = Head { family, flags, sequence, command: answered_with(self), version: FAMILY_VERSION };
        push(out, head, |w| match self {
            Self::Service(service) => w.nest(top::SERVICE, |w| push_service(w, service)),
            Self::Dest(real) => w.nest(top::DEST, |w| push_dest(w, real)),
            Self::Daemon(sync) => w.nest(top::DAEMON, |w| push_daemon(w, sync)),
            Self::Timeouts([tcp, tcp_fin, udp]) => {
                w.u32(top::TIMEOUT_TCP, *tcp);
                w.u32(top::TIMEOUT_TCP_FIN, *tcp_fin);
                w.u32(top::TIMEOUT_UDP, *udp);
            }
            Self::Info => {
                w.u32(top::INFO_VERSION, VERSION);
                w.u32(top::INFO_CONN_TAB_SIZE, TABLE_SIZE);
            }
        });
    }
}

/// Appends the outcome of a request, 0 or an error number (positive).
pub(super) fn outcome(out: &mut Vec<u8>, sequence: u32, errno: i32) {
    message(out, nlmsg::ERROR, nlmsg::F_CAPPED, sequence, |out| {
        out.extend_from_slice(&errno.wrapping_neg().to_ne_bytes());
        // The header of the request: nobody reads it.
        out.extend_from_slice(&[0; 16]);
    });
}

/// Appends the end of a list.
pub(super) fn done(out: &mut Vec<u8>, sequence: u32) {
    message(out, nlmsg::DONE, nlmsg::F_MULTI, sequence, |out| out.extend_from_slice(&[0; 4]));
}

fn push_service(w: &mut Writer<'_>, service: &Service) {
    let key = &service.key;
    w.u16(svc::AF, key.family);
    if key.mark == 0 {
        w.u16(svc::PROTOCOL, key.protocol);
        w.bytes(svc::ADDR, &key.addr);
        w.be16(svc::PORT, key.port);
    } else {
        w.u32(svc::FWMARK, key.mark);
    }
    w.text(svc::SCHED_NAME, &service.scheduler);
    if !service.engine.is_empty() {
        w.text(svc::PE_NAME, &service.engine);
    }
    w.pair(svc::FLAGS, service.flags, u32::MAX);
    w.u32(svc::TIMEOUT, service.timeout);
    w.bytes(svc::NETMASK, &service.netmask);
    push_stats(w, svc::STATS, svc::STATS64, &service.stats);
}

fn push_dest(w: &mut Writer<'_>, real: &Dest) {
    w.bytes(dest::ADDR, &real.key.addr);
    w.be16(dest::PORT, real.key.port);
    w.u32(dest::FWD_METHOD, real.forward);
    w.u32(dest::WEIGHT, real.weight.cast_unsigned());
    w.u8(dest::TUN_TYPE, real.tunnel);
    w.be16(dest::TUN_PORT, real.tunnel_port);
    w.u16(dest::TUN_FLAGS, real.tunnel_flags);
    w.u32(dest::U_THRESH, real.upper);
    w.u32(dest::L_THRESH, real.lower);
    w.u32(dest::ACTIVE_CONNS, real.active);
    w.u32(dest::INACT_CONNS, real.inactive);
    w.u32(dest::PERSIST_CONNS, real.persistent);
    w.u16(dest::ADDR_FAMILY, real.key.family);
    push_stats(w, dest::STATS, dest::STATS64, &real.stats);
}

fn push_daemon(w: &mut Writer<'_>, sync: &Daemon) {
    w.u32(daemon::STATE, sync.state);
    w.text(daemon::MCAST_IFN, &sync.interface);
    w.u32(daemon::SYNC_ID, sync.sync_id);
    w.u16(daemon::SYNC_MAXLEN, sync.max_length);
    w.u16(daemon::MCAST_PORT, sync.port);
    w.u8(daemon::MCAST_TTL, sync.ttl);
    if let Some(group) = sync.group {
        w.bare_addr(if group.is_ipv4() { daemon::MCAST_GROUP } else { daemon::MCAST_GROUP6 }, group);
    }
}

/// The numbers in both widths; in the narrow nest only the bytes have 64 bits, and the rest wraps.
fn push_stats(w: &mut Writer<'_>, narrow: u16, wide: u16, counted: &Stats) {
    let numbers = [
        (stats::CONNS, counted.conns),
        (stats::INPKTS, counted.in_packets),
        (stats::OUTPKTS, counted.out_packets),
        (stats::INBYTES, counted.in_bytes),
        (stats::OUTBYTES, counted.out_bytes),
        (stats::CPS, counted.cps),
        (stats::INPPS, counted.in_pps),
        (stats::OUTPPS, counted.out_pps),
        (stats::INBPS, counted.in_bps),
        (stats::OUTBPS, counted.out_bps),
    ];
    w.nest(narrow, |w| {
        for (kind, value) in numbers {
            match kind {
                stats::INBYTES | stats::OUTBYTES => w.u64(kind, value),
                _ => w.u32(kind, table::low(value)),
            }
        }
    });
    w.nest(wide, |w| numbers.into_iter().for_each(|(kind, value)| w.u64(kind, value)));
}
