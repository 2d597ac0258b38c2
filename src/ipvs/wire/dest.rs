//! `IPVS_DEST_ATTR_*`: a real server.

use super::DecodeError;
use super::attrs::{Attr, Attrs, Writer};
use super::constants::dest;
use super::stats;
use crate::ipvs::model::{Dest, DestEntry, DestKey, Family, Forward, Stats, Tunnel};

/// What identifies a real server.
pub(super) fn encode_key(w: &mut Writer<'_>, key: &DestKey) {
    w.family(dest::ADDR_FAMILY, Family::of(key.addr));
    w.addr(dest::ADDR, key.addr);
    w.be16(dest::PORT, key.port);
}

/// A whole real server. Adding and editing both replace everything, so all is sent.
pub(super) fn encode(w: &mut Writer<'_>, real: &Dest) {
    encode_key(w, &real.key);
    w.u32(dest::FWD_METHOD, forward_number(real.forward));
    w.u32(dest::WEIGHT, real.weight);
    w.u8(dest::TUN_TYPE, real.tunnel.kind);
    w.be16(dest::TUN_PORT, real.tunnel.port);
    w.u16(dest::TUN_FLAGS, real.tunnel.flags);
    w.u32(dest::U_THRESH, real.upper);
    w.u32(dest::L_THRESH, real.lower);
}

/// A real server as the kernel reports it. The address family is there since Linux 3.18.
pub(super) fn decode(nest: Attrs<'_>) -> Result<DestEntry, DecodeError> {
    let mut raw = Raw::default();
    for attr in nest {
        raw.take(attr?)?;
    }
    let addr = raw.addr.ok_or(DecodeError::Missing { what: "address of a real server" })?;
    let family = raw.family.ok_or(DecodeError::Missing { what: "address family of a real server" })?;
    let addr = addr.addr("address of a real server", family)?;
    let dest = Dest {
        key: DestKey { addr, port: raw.port },
        forward: forward(raw.forward),
        weight: raw.weight,
        upper: raw.upper,
        lower: raw.lower,
        tunnel: raw.tunnel,
    };
    let stats = raw.stats64.or(raw.stats).map_or(Ok(Stats::default()), |attr| stats::decode(attr.nest()))?;
    Ok(DestEntry { dest, active: raw.active, inactive: raw.inactive, persistent: raw.persistent, stats })
}

/// Of the flags that the kernel reports.
pub(super) fn forward(flags: u32) -> Forward {
    match flags & dest::FWD_MASK {
        0 => Forward::Masq,
        1 => Forward::Local,
        2 => Forward::Ipip,
        3 => Forward::Gate,
        other => Forward::Other(other),
    }
}

fn forward_number(forward: Forward) -> u32 {
    match forward {
        Forward::Masq => 0,
        Forward::Local => 1,
        Forward::Ipip => 2,
        Forward::Gate => 3,
        Forward::Other(number) => number,
    }
}

/// The attributes before they are put together: their order is the sender's choice.
#[derive(Default)]
struct Raw<'a> {
    family: Option<Family>,
    addr: Option<Attr<'a>>,
    port: u16,
    forward: u32,
    weight: u32,
    upper: u32,
    lower: u32,
    active: u32,
    inactive: u32,
    persistent: u32,
    tunnel: Tunnel,
    stats: Option<Attr<'a>>,
    stats64: Option<Attr<'a>>,
}

impl<'a> Raw<'a> {
    fn take(&mut self, attr: Attr<'a>) -> Result<(), DecodeError> {
        match attr.kind {
            dest::ADDR_FAMILY => self.family = Some(attr.family("address family of a real server")?),
            dest::ADDR => self.addr = Some(attr),
            dest::PORT => self.port = attr.be16("port of a real server")?,
            dest::FWD_METHOD => self.forward = attr.u32("forwarding method")?,
            dest::WEIGHT => self.weight = attr.u32("weight")?,
            dest::U_THRESH => self.upper = attr.u32("upper threshold")?,
            dest::L_THRESH => self.lower = attr.u32("lower threshold")?,
            dest::ACTIVE_CONNS => self.active = attr.u32("active connections")?,
            dest::INACT_CONNS => self.inactive = attr.u32("inactive connections")?,
            dest::PERSIST_CONNS => self.persistent = attr.u32("persistent connections")?,
            dest::TUN_TYPE => self.tunnel.kind = attr.u8("tunnel type")?,
            dest::TUN_PORT => self.tunnel.port = attr.be16("tunnel port")?,
            dest::TUN_FLAGS => self.tunnel.flags = attr.u16("tunnel flags")?,
            dest::STATS => self.stats = Some(attr),
            dest::STATS64 => self.stats64 = Some(attr),
            _ => {}
        }
        Ok(())
    }
}
