//! What is asked of the fake kernel, checked in the order in which Linux 6.1 checks.

use super::answer::Entry;
use super::dests::Dests;
use super::table::{self, Addr, Daemon, Dest, DestKey, Key, List, Service, Table};
use crate::ipvs::errno::{EAFNOSUPPORT, EINVAL, EOPNOTSUPP, ESRCH};
use crate::ipvs::model::{Family, Stats};
use crate::ipvs::wire::attrs::{Attr, Attrs, attrs};
use crate::ipvs::wire::constants::{AF_INET, AF_INET6, cmd, daemon, dest, svc, top};

/// `IP_VS_SCHEDNAME_MAXLEN`, `IP_VS_IFNAME_MAXLEN` and `IP_VS_PENAME_MAXLEN` without the NUL.
const NAME: usize = 15;
/// Longest timeout in seconds, on a kernel that counts 250 ticks a second.
const TIMEOUT_MAX: u32 = 8_589_934;

/// The list that a dump asks for.
pub(super) fn list(command: u8, bytes: &[u8]) -> Result<List, i32> {
    match command {
        cmd::GET_SERVICE => Ok(List::Services),
        // One that makes no sense, or is not there, has none.
        cmd::GET_DEST => Ok(List::Dests(nest(bytes, top::SERVICE).ok().and_then(|s| service_key(&s).ok()))),
        cmd::GET_DAEMON => Ok(List::Daemons),
        _ => Err(EOPNOTSUPP),
    }
}

/// Carries out a request that is no dump; what it is answered with besides success.
pub(super) fn carry_out(table: &mut Table, command: u8, bytes: &[u8]) -> Result<Option<Entry>, i32> {
    match command {
        cmd::NEW_SERVICE | cmd::SET_SERVICE => {
            let new = service(table, &nest(bytes, top::SERVICE)?)?;
            if command == cmd::NEW_SERVICE { table.add_service(new) } else { table.edit_service(new) }?;
        }
        cmd::DEL_SERVICE => table.delete_service(&service_key(&nest(bytes, top::SERVICE)?)?)?,
        cmd::NEW_DEST | cmd::SET_DEST => {
            let key = existing(table, bytes)?;
            let new = real_server(&key, &nest(bytes, top::DEST)?)?;
            table.set_dest(&key, new, command == cmd::SET_DEST)?;
        }
        cmd::DEL_DEST => {
            let key = existing(table, bytes)?;
            let gone = dest_key(&key, &nest(bytes, top::DEST)?)?;
            table.delete_dest(&key, &gone)?;
        }
        cmd::ZERO if attrs(bytes).flatten().all(|a| a.kind != top::SERVICE) => table.zero(None)?,
        cmd::ZERO => table.zero(Some(&service_key(&nest(bytes, top::SERVICE)?)?))?,
        cmd::FLUSH => table.services.clear(),
        cmd::NEW_DAEMON => {
            let new = sync_daemon(&nest(bytes, top::DAEMON)?)?;
            table.start(new)?;
        }
        cmd::DEL_DAEMON => table.stop(number(&nest(bytes, top::DAEMON)?, daemon::STATE)?)?,
        cmd::SET_CONFIG => {
            let sent = Set::of(attrs(bytes))?;
            let kinds = [top::TIMEOUT_TCP, top::TIMEOUT_TCP_FIN, top::TIMEOUT_UDP];
            let new = kinds.map(|kind| sent.get(kind).map_or(Ok(0), |a| a.u32("").map_err(|_| EINVAL)));
            let new = new.into_iter().collect::<Result<Vec<u32>, i32>>()?;
            if new.iter().any(|t| *t > TIMEOUT_MAX) {
                return Err(EINVAL);
            }
            table.timeouts.iter_mut().zip(new).filter(|(_, new)| *new != 0).for_each(|(old, new)| *old = new);
        }
        cmd::GET_SERVICE => {
            let key = service_key(&nest(bytes, top::SERVICE)?)?;
            return table.service(&key).cloned().map(|s| Some(Entry::Service(Box::new(s)))).ok_or(ESRCH);
        }
        cmd::GET_CONFIG => return Ok(Some(Entry::Timeouts(table.timeouts))),
        cmd::GET_INFO => return Ok(Some(Entry::Info)),
        _ => return Err(EOPNOTSUPP),
    }
    Ok(None)
}

/// The attributes of a message or nest; of several of a kind the last counts.
struct Set<'a>(Vec<Attr<'a>>);

impl<'a> Set<'a> {
    fn of(all: Attrs<'a>) -> Result<Self, i32> {
        all.collect::<Result<_, _>>().map(Self).map_err(|_| EINVAL)
    }

    fn get(&self, kind: u16) -> Option<Attr<'a>> {
        self.0.iter().rev().find(|a| a.kind == kind).copied()
    }

    fn need(&self, kind: u16) -> Result<Attr<'a>, i32> {
        self.get(kind).ok_or(EINVAL)
    }
}

fn nest(bytes: &[u8], kind: u16) -> Result<Set<'_>, i32> {
    Set::of(Set::of(attrs(bytes))?.need(kind)?.nest())
}

fn number(set: &Set<'_>, kind: u16) -> Result<u32, i32> {
    set.need(kind)?.u32("").map_err(|_| EINVAL)
}

fn short(set: &Set<'_>, kind: u16) -> Result<u16, i32> {
    set.need(kind)?.u16("").map_err(|_| EINVAL)
}

fn port(set: &Set<'_>, kind: u16) -> Result<u16, i32> {
    set.need(kind)?.be16("").map_err(|_| EINVAL)
}

fn address(set: &Set<'_>, kind: u16) -> Result<Addr, i32> {
    let payload = set.need(kind)?.payload;
    let mut addr = [0; 16];
    if payload.len() > addr.len() {
        return Err(EINVAL);
    }
    addr.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
    Ok(addr)
}

/// A name that ends with a NUL.
fn name(attr: Attr<'_>) -> Result<String, i32> {
    match attr.payload.iter().position(|b| *b == 0) {
        Some(length) if length <= NAME => Ok(attr.text()),
        _ => Err(EINVAL),
    }
}

fn known_family(family: u16) -> Result<u16, i32> {
    if matches!(family, AF_INET | AF_INET6) { Ok(family) } else { Err(EAFNOSUPPORT) }
}

fn service_key(set: &Set<'_>) -> Result<Key, i32> {
    let family = short(set, svc::AF)?;
    if let Some(mark) = set.get(svc::FWMARK) {
        let mark = mark.u32("").map_err(|_| EINVAL)?;
        // Without a mark this is a TCP service of address and port 0: an accident that the kernel allows.
        let protocol = if mark == 0 { 6 } else { 0 };
        return Ok(Key { family: known_family(family)?, mark, protocol, addr: [0; 16], port: 0 });
    }
    let (protocol, addr, port) = (short(set, svc::PROTOCOL)?, address(set, svc::ADDR)?, port(set, svc::PORT)?);
    Ok(Key { family: known_family(family)?, mark: 0, protocol, addr, port })
}

fn existing(table: &Table, bytes: &[u8]) -> Result<Key, i32> {
    let key = service_key(&nest(bytes, top::SERVICE)?)?;
    table.service(&key).map(|s| s.key).ok_or(ESRCH)
}

fn service(table: &Table, set: &Set<'_>) -> Result<Service, i32> {
    let key = service_key(set)?;
    let scheduler = name(set.need(svc::SCHED_NAME)?)?;
    let engine = set.get(svc::PE_NAME).map(name).transpose()?.unwrap_or_default();
    let (timeout, netmask) = (number(set, svc::TIMEOUT)?, number(set, svc::NETMASK)?.to_ne_bytes());
    let sent = set.need(svc::FLAGS)?.payload;
    let mut words = [0; 8];
    words.iter_mut().zip(sent).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, e, f, g, h] = words;
    let old = table.service(&key).map_or(0, |s| s.flags);
    let flags = table::flags(old, u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
    Ok(Service { key, scheduler, engine, flags, timeout, netmask, stats: Stats::default(), dests: Dests::default() })
}

fn dest_key(service: &Key, set: &Set<'_>) -> Result<DestKey, i32> {
    let (addr, port) = (address(set, dest::ADDR)?, port(set, dest::PORT)?);
    let family = set.get(dest::ADDR_FAMILY).map_or(Ok(0), |a| a.u16("").map_err(|_| EINVAL))?;
    let family = known_family(if family == 0 { service.family } else { family })?;
    Ok(DestKey { family, addr, port })
}

fn real_server(service: &Key, set: &Set<'_>) -> Result<Dest, i32> {
    let (forward, weight) = (number(set, dest::FWD_METHOD)?, number(set, dest::WEIGHT)?);
    let (upper, lower) = (number(set, dest::U_THRESH)?, number(set, dest::L_THRESH)?);
    let optional = |kind| set.get(kind);
    Ok(Dest {
        key: dest_key(service, set)?,
        forward: table::forward(forward),
        weight: weight.cast_signed(),
        upper,
        lower,
        tunnel: optional(dest::TUN_TYPE).map_or(Ok(0), |a| a.u8("").map_err(|_| EINVAL))?,
        tunnel_port: optional(dest::TUN_PORT).map_or(Ok(0), |a| a.be16("").map_err(|_| EINVAL))?,
        tunnel_flags: optional(dest::TUN_FLAGS).map_or(Ok(0), |a| a.u16("").map_err(|_| EINVAL))?,
        active: 0,
        inactive: 0,
        persistent: 0,
        stats: Stats::default(),
    })
}

fn sync_daemon(set: &Set<'_>) -> Result<Daemon, i32> {
    let group = |kind, family| {
        let addr = set.get(kind).map(|a: Attr<'_>| a.addr("", family).map_err(|_| EINVAL)).transpose()?;
        if addr.is_some_and(|a| !a.is_multicast()) { Err(EINVAL) } else { Ok(addr) }
    };
    Ok(Daemon {
        state: number(set, daemon::STATE)?,
        interface: name(set.need(daemon::MCAST_IFN)?)?,
        sync_id: number(set, daemon::SYNC_ID)?,
        max_length: set.get(daemon::SYNC_MAXLEN).map_or(Ok(0), |a| a.u16("").map_err(|_| EINVAL))?,
        group: group(daemon::MCAST_GROUP, Family::Inet)?.or(group(daemon::MCAST_GROUP6, Family::Inet6)?),
        port: set.get(daemon::MCAST_PORT).map_or(Ok(0), |a| a.u16("").map_err(|_| EINVAL))?,
        ttl: set.get(daemon::MCAST_TTL).map_or(Ok(0), |a| a.u8("").map_err(|_| EINVAL))?,
    })
}
