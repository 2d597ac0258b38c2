//! Which service takes a packet, and which of its real servers may be chosen: the kernel's decision told from its table and
//! settings, without asking it.
//!
//! Source: `ip_vs_service_find` and `ip_vs_ctl.c` for the service, the schedulers' `schedule` functions for the real servers,
//! on Linux 6.1. A packet of a connection that is known goes where the connection goes; this is about new ones.

mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::model::{DestEntry, Family, Granularity, Protocol, ServiceEntry, ServiceKey};

pub use self::words::text;

/// A packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Where it goes; `None`: only its mark is known.
    pub to: Option<(Protocol, IpAddr, u16)>,
    /// Its firewall mark, 0 for none.
    pub mark: u32,
    /// Where it comes from, if that is known.
    pub from: Option<IpAddr>,
}

/// A persistence template of the connection table: a client that is bound to a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// The client's address under the service's mask.
    pub client: IpAddr,
    /// The virtual address and port; for a mark, the mark in place of the address.
    pub virtual_server: (IpAddr, u16),
    /// The real server.
    pub dest: (IpAddr, u16),
    /// Seconds until it ends.
    pub expires: u64,
}

/// How a service was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// By its firewall mark, which is looked at first.
    Mark,
    /// By address and port.
    Exact,
    /// As the data connection of a service on port 21.
    FtpData,
    /// By its address, port 0 standing for every port.
    AllPorts,
}

/// Whether a real server may get a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chance {
    /// It may.
    Yes,
    /// Its weight is 0.
    WeightZero,
    /// It has as many connections as its upper threshold allows.
    Overloaded,
    /// Between its thresholds: not if it came down from the upper one.
    BetweenThresholds,
}

impl Chance {
    /// Whether it may be chosen, as far as can be known.
    #[must_use]
    pub fn is_possible(self) -> bool {
        matches!(self, Self::Yes | Self::BetweenThresholds)
    }
}

/// A real server and its chance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// As the kernel reports it.
    pub entry: &'a DestEntry,
    /// Whether it may be chosen.
    pub chance: Chance,
}

/// What becomes of the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The service and how it was found; `None`: IPVS lets the packet pass.
    pub service: Option<(&'a ServiceEntry, Match)>,
    /// Its real servers, in the table's order.
    pub candidates: Vec<Candidate<'a>>,
    /// Where the client is bound to, if it is.
    pub bound: Option<Template>,
    /// What else holds here, a sentence each.
    pub notes: Vec<String>,
}

/// Explains it. `settings`: names of sysctl(8) to present values; those that are missing count as the kernel's defaults.
#[must_use]
pub fn explain<'a>(
    packet: &Packet,
    entries: &'a [ServiceEntry],
    templates: &[Template],
    settings: &BTreeMap<String, String>,
) -> Answer<'a> {
    let service = find(packet, entries);
    let candidates: Vec<Candidate<'a>> =
        service.map_or_else(Vec::new, |(s, _)| s.dests.iter().map(|entry| Candidate { entry, chance: chance(entry) }).collect());
    let bound = service.and_then(|(s, _)| bound(packet, s, templates));
    let notes = words::notes(packet, service, &candidates, bound.as_ref(), settings);
    Answer { service, candidates, bound, notes }
}

/// The kernel's order: mark, exact address and port, FTP's data ports, port 0.
fn find<'a>(packet: &Packet, entries: &'a [ServiceEntry]) -> Option<(&'a ServiceEntry, Match)> {
    let by = |key: ServiceKey, how| entries.iter().find(|e| e.service.key == key).map(|e| (e, how));
    let family = packet.to.map(|(_, addr, _)| addr).or(packet.from).map_or(Family::Inet, Family::of);
    if packet.mark != 0
        && let Some(found) = by(ServiceKey::Fwmark { mark: packet.mark, family }, Match::Mark)
    {
        return Some(found);
    }
    let (protocol, addr, port) = packet.to?;
    let at = |port| ServiceKey::Addr { protocol, addr, port };
    if let Some(found) = by(at(port), Match::Exact) {
        return Some(found);
    }
    // Active FTP comes from 20, passive FTP goes to a port that the real server chose.
    if protocol == Protocol::Tcp
        && (port == FTP_DATA || port >= UNPRIVILEGED)
        && let Some(found) = by(at(FTP), Match::FtpData)
    {
        return Some(found);
    }
    by(at(0), Match::AllPorts)
}

const FTP: u16 = 21;
const FTP_DATA: u16 = 20;
const UNPRIVILEGED: u16 = 1024;

/// Whether the real server would be passed over. The kernel's flag for an overload cannot be read, only reckoned.
fn chance(entry: &DestEntry) -> Chance {
    let dest = &entry.dest;
    let connections = u64::from(entry.active) + u64::from(entry.inactive);
    let (upper, lower) = (u64::from(dest.upper), u64::from(dest.lower));
    if dest.weight == 0 {
        return Chance::WeightZero;
    }
    if upper == 0 {
        return Chance::Yes;
    }
    if connections >= upper {
        return Chance::Overloaded;
    }
    let free = if lower == 0 { connections * 4 < upper * 3 } else { connections < lower };
    if free { Chance::Yes } else { Chance::BetweenThresholds }
}

fn bound(packet: &Packet, service: &ServiceEntry, templates: &[Template]) -> Option<Template> {
    let persistence = service.service.persistence?;
    let client = masked(packet.from?, persistence.granularity);
    let belongs = |t: &&Template| match service.service.key {
        ServiceKey::Addr { addr, port, .. } => {
            t.virtual_server.0 == addr
                && (t.virtual_server.1 == port || packet.to.is_some_and(|(_, _, p)| p == t.virtual_server.1))
        }
        ServiceKey::Fwmark { mark, .. } => t.virtual_server.0 == IpAddr::from(mark.to_be_bytes()),
    };
    templates.iter().filter(belongs).find(|t| t.client == client).copied()
}

/// The address under the mask that says which clients count as one.
fn masked(addr: IpAddr, granularity: Granularity) -> IpAddr {
    match (addr, granularity) {
        (IpAddr::V4(addr), Granularity::Mask(mask)) => IpAddr::V4((addr.to_bits() & mask).into()),
        (IpAddr::V6(addr), Granularity::Prefix(length)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6((addr.to_bits() & mask).into())
        }
        (addr, _) => addr,
    }
}

#[cfg(test)]
mod tests;
