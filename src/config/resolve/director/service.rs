//! The virtual service itself: its key, scheduler, flags and persistence.

use super::{Resolver, default, is};
use crate::config::diag::Spanned;
use crate::config::ldirectord_cf::{self as cf, Address, Virtual as Block};
use crate::ipvs::model::{Family, Granularity, Persistence, Protocol, Service, ServiceFlags, ServiceKey};

/// The schedulers of the kernel (`net/netfilter/ipvs`).
const SCHEDULERS: &[&str] = &["dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"];
/// Flags of schedulers: name, the scheduler that has it (any if empty), bit.
const SCHEDFLAGS: &[(&str, &str, u32)] = &[
    ("flag-1", "", ServiceFlags::SCHED1),
    ("flag-2", "", ServiceFlags::SCHED2),
    ("flag-3", "", ServiceFlags::SCHED3),
    ("sh-fallback", "sh", ServiceFlags::SCHED1),
    ("sh-port", "sh", ServiceFlags::SCHED2),
    ("mh-fallback", "mh", ServiceFlags::SCHED1),
    ("mh-port", "mh", ServiceFlags::SCHED2),
];
/// Longest persistence that the original's tools take, seconds: 31 days.
const PERSISTENT: u32 = 31 * 86400;

impl Resolver<'_> {
    /// What the first line of a block names.
    pub(super) fn key(&mut self, block: &Block) -> Option<ServiceKey> {
        const INVALID: &str = "invalid address for virtual service";
        let (host, port) = match &block.address.as_ref()?.value {
            Address::Mark(mark) => return Some(ServiceKey::Fwmark { mark: *mark, family: block.family }),
            Address::Host { host, port } => (host, port),
        };
        let protocol = protocol(block, port);
        let addr = self.host(&host.value, block.family);
        let number = self.port(&port.value, Some(protocol));
        if addr.is_none() {
            self.error(host.span, INVALID, unresolved(&host.value, block.family));
        }
        match number {
            None => self.error(port.span, INVALID, unknown_port(&port.value, Some(protocol))),
            Some(0) if block.persistent.is_none() => {
                self.error(port.span, INVALID, "port 0, all ports, needs persistent=");
                return None;
            }
            Some(_) => {}
        }
        Some(ServiceKey::Addr { protocol, addr: addr?, port: number? })
    }

    pub(super) fn service(&mut self, block: &Block, key: ServiceKey) -> Service {
        let scheduler = block.scheduler.as_ref().map_or(default::SCHEDULER, |s| s.value.as_str());
        if let Some(written) = block.scheduler.as_ref().filter(|s| !SCHEDULERS.contains(&s.value.as_str())) {
            let hint = format!("the kernel has {}", SCHEDULERS.join(", "));
            self.error(written.span, format!("invalid scheduler: {scheduler}"), hint);
        }
        let udp = matches!(key, ServiceKey::Addr { protocol: Protocol::Udp, .. });
        let once = if udp && is(block.ops.as_ref()) { ServiceFlags::ONE_PACKET } else { 0 };
        Service {
            key,
            scheduler: scheduler.to_owned(),
            flags: ServiceFlags(once | self.schedflags(block, scheduler)),
            persistence: self.persistence(block, key.family()),
            engine: None,
        }
    }

    fn schedflags(&mut self, block: &Block, scheduler: &str) -> u32 {
        let Some(written) = &block.schedflags else { return 0 };
        let mut bits = 0;
        for word in written.value.split(',') {
            match SCHEDFLAGS.iter().find(|(name, of, _)| *name == word && (of.is_empty() || *of == scheduler)) {
                Some((_, _, bit)) => bits |= bit,
                None => {
                    let names: Vec<&str> =
                        SCHEDFLAGS.iter().filter(|(_, of, _)| of.is_empty() || *of == scheduler).map(|(n, ..)| *n).collect();
                    let hint = format!("with scheduler {scheduler}: {}", names.join(", "));
                    self.error(written.span, "invalid sched-flags", hint);
                }
            }
        }
        bits
    }

    fn persistence(&mut self, block: &Block, family: Family) -> Option<Persistence> {
        let timeout = block.persistent.as_ref()?;
        if timeout.value > PERSISTENT {
            self.error(timeout.span, "invalid persistent timeout", format!("at most {PERSISTENT} seconds, 31 days"));
        }
        let granularity = match (family, block.netmask.as_ref().map(|m| m.value)) {
            (_, None) => Granularity::host(family),
            (Family::Inet, Some(mask)) => Granularity::Mask(mask),
            (Family::Inet6, Some(bits)) => u8::try_from(bits).map_or(Granularity::host(family), Granularity::Prefix),
        };
        Some(Persistence { timeout: timeout.value, granularity })
    }
}

/// The protocol of a block with an address: as written, else UDP for DNS, else TCP.
fn protocol(block: &Block, port: &Spanned<String>) -> Protocol {
    match block.protocol.as_ref().map(|p| p.value) {
        Some(cf::Protocol::Udp) => Protocol::Udp,
        Some(_) => Protocol::Tcp,
        None if matches!(port.value.as_str(), "53" | "domain") => Protocol::Udp,
        None => Protocol::Tcp,
    }
}

/// Why a name has no address.
pub(super) fn unresolved(name: &str, family: Family) -> String {
    if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        match family {
            Family::Inet => "an IPv4 address has four parts from 0 to 255".to_owned(),
            Family::Inet6 => "an IPv4 address can't stand with virtual6, real6 and fallback6".to_owned(),
        }
    } else {
        let family = if family == Family::Inet { "IPv4" } else { "IPv6" };
        format!("{name} has no {family} address in /etc/hosts or DNS")
    }
}

/// Why a port has no number.
pub(super) fn unknown_port(port: &str, protocol: Option<Protocol>) -> String {
    if port.bytes().all(|b| b.is_ascii_digit()) {
        "a port is at most 65535".to_owned()
    } else {
        let of = protocol.map(|p| format!(" for {}", p.name())).unwrap_or_default();
        format!("/etc/services has no {port}{of}")
    }
}
