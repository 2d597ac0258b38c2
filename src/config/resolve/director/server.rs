//! Real servers and fallbacks: addresses, ports as they go into the table, ranges.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::check::Asked;
use super::service::{unknown_port, unresolved};
use super::{Backups, Resolver, default, first, own_or, seconds};
use crate::checks::spec::{Kind, Spec};
use crate::config::ldirectord_cf::{Fallback, Real as Line, Virtual as Block};
use crate::director::plan::Real;
use crate::ipvs::model::{Dest, DestKey, Family, Forward, Protocol, ServiceKey, Tunnel};

/// Most servers that one line may stand for: a typing error must not eat the memory.
const RANGE: u32 = 65536;

/// A resolved fallback, before it is known for which service.
pub(super) struct Backup {
    addr: IpAddr,
    port: Option<u16>,
    forward: Forward,
}

impl Resolver<'_> {
    /// The servers of one line: several of a range. `None` when there was an error in it.
    pub(super) fn reals(
        &mut self,
        line: &Line,
        block: &Block,
        key: Option<ServiceKey>,
        asked: Option<&Asked>,
    ) -> Option<Vec<Real>> {
        let family = line.family;
        let first = self.host(&line.host.value, family);
        if first.is_none() {
            let text = format!("invalid address ({}) for real server (could not resolve host)", line.host.value);
            self.error(line.host.span, text, unresolved(&line.host.value, family));
        }
        let last = match &line.last {
            None => first,
            Some(last) => {
                let addr = self.host(&last.value, family);
                if addr.is_none() {
                    let text = format!("invalid address ({}) for real server (could not resolve end host)", last.value);
                    self.error(last.span, text, unresolved(&last.value, family));
                }
                addr
            }
        };
        let port = match &line.port {
            None => Some(0),
            Some(port) => {
                let number = self.port(&port.value, None);
                if number.is_none() {
                    let text = format!("invalid port ({}) for real server (could not resolve port)", port.value);
                    self.error(port.span, text, unknown_port(&port.value, None));
                }
                number
            }
        };
        let own = line.check.as_ref().and_then(|pair| self.own_check(pair, asked?, block, key?));
        let (key, asked, forward) = (key?, asked?, line.forward?);
        let number = self.line(line.span);
        let mut reals = Vec::new();
        for addr in self.range(line, first?, last?)? {
            let written = DestKey { addr, port: port? };
            let dest = Dest {
                key: DestKey { addr, port: table_port(key, forward, written.port) },
                forward,
                weight: line.weight,
                upper: line.upper,
                lower: line.lower,
                tunnel: Tunnel::default(),
            };
            let check = self.spec(block, line, key, written, own.as_ref().unwrap_or(asked))?;
            let agent = own_or(&block.shared.agent_check, &self.file.globals.shared.agent_check).map(|port| Spec {
                kind: Kind::Agent,
                addr,
                port: port.value,
                timeout: self.check_timeout(block),
            });
            let label = self.label(block, line, key, written);
            reals.push(Real { dest, written: written.to_string(), check, agent, label, line: number });
        }
        Some(reals)
    }

    /// For a check of a mere connection.
    fn check_timeout(&self, block: &Block) -> Duration {
        let (own, shared) = (&block.shared, &self.file.globals.shared);
        let set = [&own.checktimeout, &own.negotiatetimeout, &shared.checktimeout, &shared.negotiatetimeout];
        seconds(first(set, default::CHECK))
    }

    fn range(&mut self, line: &Line, first: IpAddr, last: IpAddr) -> Option<Vec<IpAddr>> {
        let (IpAddr::V4(from), IpAddr::V4(to)) = (first, last) else { return Some(vec![first]) };
        let (from_bits, to_bits) = (u32::from(from), u32::from(to));
        if from_bits > to_bits {
            let text = format!("Invalid Range: {from}-{to}: First value must be greater than or equal to the second value");
            self.error(line.span, text, "the first address must be the smaller one");
            return None;
        }
        if to_bits - from_bits >= RANGE {
            let text = format!("Invalid Range: {from}-{to}");
            self.error(line.span, text, format!("one line stands for at most {RANGE} servers"));
            return None;
        }
        Some((from_bits..=to_bits).map(|bits| Ipv4Addr::from(bits).into()).collect())
    }

    /// A fallback's address and port. `None` protocol: a global one.
    pub(super) fn backup(&mut self, line: &Fallback, protocol: Option<Protocol>) -> Option<Backup> {
        let family = line.family;
        let addr = self.host(&line.host.value, family);
        if addr.is_none() {
            let name = if family == Family::Inet { "IPv4" } else { "IPv6" };
            let text = format!("invalid {name} address or could not resolve for fallback server: {}", line.host.value);
            self.error(line.host.span, text, unresolved(&line.host.value, family));
        }
        let port = match &line.port {
            None => None,
            Some(port) => match self.port(&port.value, protocol) {
                Some(number) => Some(number),
                None => {
                    self.error(port.span, "invalid port for fallback server", unknown_port(&port.value, protocol));
                    return None;
                }
            },
        };
        Some(Backup { addr: addr?, port, forward: line.forward })
    }

    /// What serves a block when no real server does.
    pub(super) fn fallback(&mut self, block: &Block, key: Option<ServiceKey>, backups: &Backups) -> Option<Dest> {
        let protocol = match key {
            Some(ServiceKey::Addr { protocol, .. }) => Some(protocol),
            _ => None,
        };
        let own = block.fallback.as_ref().map(|f| self.backup(f, protocol));
        let key = key?;
        let (backup, port) = match &own {
            Some(own) => {
                let own = own.as_ref()?;
                (own, own.port.unwrap_or(key.port()))
            }
            None => {
                let global = match block.family {
                    Family::Inet => backups.inet.as_ref()?,
                    Family::Inet6 => backups.inet6.as_ref()?,
                };
                // A global fallback is written for the ports of addresses. The packets of a mark keep theirs, where the
                // method lets them.
                let kept = matches!(key, ServiceKey::Fwmark { .. }) && global.forward != Forward::Masq;
                (global, if kept { 0 } else { global.port.unwrap_or(key.port()) })
            }
        };
        Some(Dest {
            key: DestKey { addr: backup.addr, port: table_port(key, backup.forward, port) },
            forward: backup.forward,
            weight: 1,
            upper: 0,
            lower: 0,
            tunnel: Tunnel::default(),
        })
    }
}

/// The port in the kernel's table. Only masquerading can change a packet's port; a mark's packets have many.
fn table_port(key: ServiceKey, forward: Forward, written: u16) -> u16 {
    match key {
        ServiceKey::Addr { port, .. } if forward != Forward::Masq => port,
        _ => written,
    }
}
