//! What the fake kernel keeps, as raw as the kernel does, and what may be done to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::answer::Entry;
use super::dests::Dests;
use crate::ipvs::errno;
use crate::ipvs::model::{DestEntry, Family, ServiceKey, Stats};
use crate::ipvs::wire::constants::{AF_INET, AF_INET6, dest, svc};

/// Schedulers that can be loaded.
const SCHEDULERS: [&str; 15] =
    ["none", "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];
/// Persistence engines that can be loaded.
const ENGINES: [&str; 1] = ["sip"];
/// `IP_VS_CONN_F_TUNNEL_TYPE_GUE`.
const GUE: u8 = 1;

/// Entries that are looked at for one datagram: more than fit.
const MOST: usize = 1000;

/// An address as the kernel keeps it, IPv4 in the first four bytes.
pub(super) type Addr = [u8; 16];

/// What identifies a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) family: u16,
    /// Not 0: it alone, with the family, identifies.
    pub(super) mark: u32,
    pub(super) protocol: u16,
    pub(super) addr: Addr,
    pub(super) port: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) key: Key,
    pub(super) scheduler: String,
    pub(super) engine: String,
    pub(super) flags: u32,
    pub(super) timeout: u32,
    /// As in the attribute: a mask in network order or, for IPv6, a prefix length in the host's.
    pub(super) netmask: [u8; 4],
    pub(super) stats: Stats,
    pub(super) dests: Dests,
}

impl Service {
    /// The service alone.
    fn bare(&self) -> Self {
        Self { scheduler: self.scheduler.clone(), engine: self.engine.clone(), dests: Dests::default(), ..*self }
    }
}

/// What identifies a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DestKey {
    pub(super) family: u16,
    pub(super) addr: Addr,
    pub(super) port: u16,
}

#[derive(Debug, Clone)]
pub(super) struct Dest {
    pub(super) key: DestKey,
    pub(super) forward: u32,
    pub(super) weight: i32,
    pub(super) upper: u32,
    pub(super) lower: u32,
    pub(super) tunnel: u8,
    pub(super) tunnel_port: u16,
    pub(super) tunnel_flags: u16,
    pub(super) active: u32,
    pub(super) inactive: u32,
    pub(super) persistent: u32,
    pub(super) stats: Stats,
}

/// A synchronisation daemon; 0 and an absent group in a request stand for the defaults.
#[derive(Debug, Clone)]
pub(super) struct Daemon {
    pub(super) state: u32,
    pub(super) interface: String,
    pub(super) sync_id: u32,
    pub(super) max_length: u16,
    pub(super) group: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) ttl: u8,
}

/// A list that can be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum List {
    Services,
    /// Of a service that need not be there.
    Dests(Option<Key>),
    Daemons,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) services: Vec<Service>,
    pub(super) daemons: Vec<Daemon>,
    /// tcp, tcp after a FIN, udp, seconds.
    pub(super) timeouts: [u32; 3],
    pub(super) interfaces: Vec<String>,
    pub(super) broadcasts: Vec<Ipv4Addr>,
}

impl Default for Table {
    fn default() -> Self {
        let (services, daemons, interfaces, broadcasts) = Default::default();
        Self { services, daemons, timeouts: [900, 120, 300], interfaces, broadcasts }
    }
}

type Done = Result<(), i32>;

impl Table {
    pub(super) fn service(&self, key: &Key) -> Option<&Service> {
        self.services.iter().find(|s| s.key == *key)
    }

    fn service_mut(&mut self, key: &Key) -> Result<&mut Service, i32> {
        self.services.iter_mut().find(|s| s.key == *key).ok_or(errno::ESRCH)
    }

    pub(super) fn add_service(&mut self, service: Service) -> Done {
        if self.service(&service.key).is_some() {
            return Err(errno::EEXIST);
        }
        fits(&service)?;
        // Services of addresses come first, then those of marks.
        let first_mark = self.services.iter().position(|s| s.key.mark != 0);
        let at = if service.key.mark == 0 { first_mark } else { None };
        self.services.insert(at.unwrap_or(self.services.len()), service);
        Ok(())
    }

    pub(super) fn edit_service(&mut self, service: Service) -> Done {
        let found = self.service_mut(&service.key)?;
        fits(&service)?;
        *found = Service { dests: std::mem::take(&mut found.dests), stats: found.stats, ..service };
        Ok(())
    }

    pub(super) fn delete_service(&mut self, key: &Key) -> Done {
        self.service_mut(key)?;
        self.services.retain(|s| s.key != *key);
        Ok(())
    }

    /// Adds a real server, or replaces the one that is there.
    pub(super) fn set_dest(&mut self, key: &Key, new: Dest, edit: bool) -> Done {
        self.mixes(key, &new)?;
        if new.weight < 0 || new.lower > new.upper {
            return Err(errno::ERANGE);
        }
        if new.tunnel == GUE && new.tunnel_port == 0 {
            return Err(errno::EINVAL);
        }
        let unicast = self.is_unicast(&new.key);
        let service = self.service_mut(key)?;
        match (service.dests.get_mut(&new.key), edit) {
            (Some(_), false) => Err(errno::EEXIST),
            (None, true) => Err(errno::ENOENT),
            (Some(found), true) => {
                let Dest { active, inactive, persistent, stats, .. } = *found;
                *found = Dest { active, inactive, persistent, stats, ..new };
                Ok(())
            }
            (None, false) if !unicast => Err(errno::EINVAL),
            (None, false) => {
                service.dests.add(new);
                Ok(())
            }
        }
    }

    pub(super) fn delete_dest(&mut self, key: &Key, gone: &DestKey) -> Done {
        self.service_mut(key)?.dests.remove(gone).map(drop).ok_or(errno::ENOENT)
    }

    pub(super) fn zero(&mut self, key: Option<&Key>) -> Done {
        if let Some(key) = key {
            self.service_mut(key)?;
        }
        for service in self.services.iter_mut().filter(|s| key.is_none_or(|k| s.key == *k)) {
            service.stats = Stats::default();
            service.dests.iter_mut().for_each(|d| d.stats = Stats::default());
        }
        Ok(())
    }

    pub(super) fn start(&mut self, daemon: Daemon) -> Done {
        let mixed = |s: &Service| s.dests.iter().any(|d| d.key.family != s.key.family);
        if self.services.iter().any(mixed) {
            return Err(errno::EINVAL);
        }
        if !self.interfaces.contains(&daemon.interface) {
            return Err(errno::ENODEV);
        }
        if !matches!(daemon.state, 1 | 2) {
            return Err(errno::EINVAL);
        }
        if self.daemons.iter().any(|d| d.state == daemon.state) {
            return Err(errno::EEXIST);
        }
        let group = daemon.group.unwrap_or(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81)));
        let or = |value: u16, default| if value == 0 { default } else { value };
        self.daemons.push(Daemon {
            max_length: or(daemon.max_length, if group.is_ipv4() { 1472 } else { 1452 }),
            port: or(daemon.port, 8848),
            ttl: daemon.ttl.max(1),
            group: Some(group),
            ..daemon
        });
        self.daemons.sort_by_key(|d| d.state);
        Ok(())
    }

    pub(super) fn stop(&mut self, state: u32) -> Done {
        if !matches!(state, 1 | 2) {
            return Err(errno::EINVAL);
        }
        let at = self.daemons.iter().position(|d| d.state == state).ok_or(errno::ESRCH)?;
        self.daemons.remove(at);
        Ok(())
    }

    /// The entries of a list from a place on: no more than a datagram can hold.
    pub(super) fn list(&self, what: &List, from: usize) -> Vec<Entry> {
        fn part<'a, T: 'a>(all: impl Iterator<Item = &'a T>, from: usize, entry: impl Fn(&T) -> Entry) -> Vec<Entry> {
            all.skip(from).take(MOST).map(entry).collect()
        }
        match what {
            List::Services => part(self.services.iter(), from, |s| Entry::Service(Box::new(s.bare()))),
            List::Dests(key) => {
                let service = key.as_ref().and_then(|key| self.service(key));
                service.map(|s| part(s.dests.iter(), from, |d| Entry::Dest(Box::new(d.clone())))).unwrap_or_default()
            }
            List::Daemons => part(self.daemons.iter(), from, |d| Entry::Daemon(Box::new(d.clone()))),
        }
    }

    pub(super) fn observe(&mut self, key: &ServiceKey, counted: &DestEntry) -> bool {
        let wanted = counted.dest.key;
        let (family, addr) = raw_addr(wanted.addr);
        let wanted = DestKey { family, addr, port: wanted.port };
        let Ok(service) = self.service_mut(&raw_key(key)) else { return false };
        let Some(dest) = service.dests.get_mut(&wanted) else { return false };
        (dest.active, dest.inactive, dest.persistent) = (counted.active, counted.inactive, counted.persistent);
        dest.stats = counted.stats;
        true
    }

    pub(super) fn observe_service(&mut self, key: &ServiceKey, counted: Stats) -> bool {
        self.service_mut(&raw_key(key)).map(|service| service.stats = counted).is_ok()
    }

    /// A real server of another family than its service goes through tunnels, and never beside a synchronisation daemon.
    fn mixes(&self, key: &Key, new: &Dest) -> Done {
        let mixed = new.key.family != key.family;
        if mixed && (!self.daemons.is_empty() || new.forward != 2) { Err(errno::EINVAL) } else { Ok(()) }
    }

    fn is_unicast(&self, key: &DestKey) -> bool {
        match addr(key.family, &key.addr) {
            Some(IpAddr::V4(a)) => !(a.is_multicast() || a.is_broadcast() || a.is_unspecified() || self.broadcasts.contains(&a)),
            Some(IpAddr::V6(a)) => !(a.is_multicast() || a.is_unspecified() || a.is_unicast_link_local()),
            None => false,
        }
    }
}

/// Whether the kernel has what the service names, and its mask can be.
fn fits(service: &Service) -> Done {
    let engine = service.engine.as_str();
    if !SCHEDULERS.contains(&service.scheduler.as_str()) || !(engine.is_empty() || ENGINES.contains(&engine)) {
        return Err(errno::ENOENT);
    }
    match service.key.family {
        AF_INET6 if !(1..=128).contains(&u32::from_ne_bytes(service.netmask)) => Err(errno::EINVAL),
        _ => Ok(()),
    }
}

/// The address in its first bytes.
pub(super) fn addr(family: u16, bytes: &Addr) -> Option<IpAddr> {
    match family {
        AF_INET => bytes.first_chunk::<4>().map(|v4| IpAddr::V4(Ipv4Addr::from(*v4))),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(*bytes))),
        _ => None,
    }
}

fn raw_addr(addr: IpAddr) -> (u16, Addr) {
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            (AF_INET, [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        IpAddr::V6(v6) => (AF_INET6, v6.octets()),
    }
}

fn raw_key(key: &ServiceKey) -> Key {
    match *key {
        ServiceKey::Addr { protocol, addr, port } => {
            let (family, addr) = raw_addr(addr);
            Key { family, mark: 0, protocol: protocol.number(), addr, port }
        }
        ServiceKey::Fwmark { mark, family } => {
            let family = if family == Family::Inet { AF_INET } else { AF_INET6 };
            Key { family, mark, protocol: 0, addr: [0; 16], port: 0 }
        }
    }
}

/// Flags that a service keeps of those that were sent; `HASHED` is the kernel's own.
pub(super) fn flags(old: u32, sent: u32, mask: u32) -> u32 {
    (old & !mask) | (sent & mask) | svc::F_HASHED
}

/// Forwarding method of those bits that were sent.
pub(super) fn forward(sent: u32) -> u32 {
    sent & dest::FWD_MASK
}

/// The lower 32 bits.
pub(super) fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}
