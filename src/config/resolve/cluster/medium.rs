//! Links and ping nodes: whether the host has the interface, and which address a name has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Diagnostic, Resolver};
use crate::config::ha_cf;
use crate::config::settings::{Medium, PingNode};
use crate::ipvs::model::Protocol;

/// The port of heartbeat unless the services database has another for `ha-cluster`.
pub(super) const HA_CLUSTER: u16 = 694;

/// `baud` unless set.
const BAUD: u32 = 19_200;

impl Resolver<'_> {
    /// The links and their UDP port.
    pub(super) fn media(&mut self) -> (Vec<Medium>, u16) {
        let cf = self.files.ha_cf;
        let mut media = Vec::new();
        for written in &cf.media {
            let Some(medium) = self.medium(&written.value, written.span) else { continue };
            if media.contains(&medium) {
                self.warn(written.span, format!("{medium} is given twice"), "once is enough");
            } else {
                media.push(medium);
            }
        }
        if cf.media.is_empty() {
            let d = Diagnostic::error(super::Span::default(), "No heartbeat media defined").whole_file();
            self.push_late(d.hint("add `ucast INTERFACE PEER` or `bcast INTERFACE`"));
        }
        (media, self.udpport())
    }

    fn medium(&mut self, medium: &ha_cf::Medium, span: super::Span) -> Option<Medium> {
        match medium {
            ha_cf::Medium::Bcast { interface } => {
                if !self.lookup.interface(interface) {
                    self.preface(format!("glib: Get broadcast for interface {interface} failed: No such device"));
                    self.preface(format!("glib: IP interface [{interface}] does not exist"));
                    self.error_hint(
                        span,
                        format!("Illegal bcast [UDP/IP broadcast] in config file [{interface}]"),
                        "no such interface",
                    );
                    return None;
                }
                Some(Medium::Bcast { interface: interface.clone() })
            }
            ha_cf::Medium::Mcast { interface, group, port, ttl, looped } => {
                self.mcast_device("mcast", interface, span)?;
                Some(Medium::Mcast { interface: interface.clone(), group: *group, port: *port, ttl: *ttl, looped: *looped })
            }
            ha_cf::Medium::Ucast { interface, host } => {
                let Some(peer) = self.host(&host.value) else {
                    let hint = format!("no IPv4 address for {}", host.value);
                    self.error_hint(host.span, "glib: ucast: cannot resolve hostname", hint);
                    return None;
                };
                if !self.lookup.interface(interface) {
                    let what = format!("glib: ucast: interface [{interface}] does not exist");
                    self.warn(span, what, "the link is used when the interface appears");
                }
                Some(Medium::Ucast { interface: interface.clone(), peer })
            }
            ha_cf::Medium::Mcast6 { interface, group, port, hops, looped } => {
                self.mcast_device("mcast6", interface, span)?;
                Some(Medium::Mcast6 { interface: interface.clone(), group: *group, port: *port, hops: *hops, looped: *looped })
            }
            ha_cf::Medium::Ucast6 { interface, host } => {
                let Some(peer) = self.host6(&host.value) else {
                    let hint = format!("no IPv6 address for {}", host.value);
                    self.error_hint(host.span, format!("glib: ucast6 [{interface}] bad addr [{}]", host.value), hint);
                    return None;
                };
                if !self.lookup.interface(interface) {
                    let what = format!("glib: ucast6: interface [{interface}] does not exist");
                    self.warn(span, what, "the link is used when the interface appears");
                }
                Some(Medium::Ucast6 { interface: interface.clone(), peer })
            }
            ha_cf::Medium::Serial { device } => {
                if !self.lookup.terminal(device) {
                    self.preface(format!("glib: Nonexistent serial port [{device}] in config file"));
                    self.error_hint(span, format!("Illegal serial [serial ring] in config file [{device}]"), "no such device");
                    return None;
                }
                let baud = super::value(&self.files.ha_cf.baud, BAUD);
                Some(Medium::Serial { device: device.clone(), baud })
            }
        }
    }

    fn mcast_device(&mut self, name: &str, interface: &str, span: super::Span) -> Option<()> {
        if self.lookup.interface(interface) {
            return Some(());
        }
        if name == "mcast" {
            self.preface(format!(
                "glib: Unable to retrieve local interface address for interface [{interface}] using ioctl(SIOCGIFADDR): No such \
                 device"
            ));
        }
        let what = format!("glib: {name} device [{interface}] is invalid or not set up properly");
        self.error_hint(span, what, "no such interface");
        None
    }

    /// A scope (`%eth0`) says nothing that the directive does not.
    fn host6(&self, name: &str) -> Option<Ipv6Addr> {
        let name = name.split_once('%').map_or(name, |(address, _)| address);
        if let Ok(address) = name.parse() {
            return Some(address);
        }
        self.lookup.host(name).into_iter().find_map(|a| match a {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        })
    }

    /// The address of a ping node: as written, else IPv4 if the name has one.
    fn pinged(&self, name: &str) -> Option<IpAddr> {
        name.parse().ok().or_else(|| self.host(name).map(IpAddr::V4)).or_else(|| self.host6(name).map(IpAddr::V6))
    }

    fn host(&self, name: &str) -> Option<Ipv4Addr> {
        if let Ok(address) = name.parse() {
            return Some(address);
        }
        self.lookup.host(name).into_iter().find_map(|a| match a {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    }

    /// A link has the port that was set when its line was read: the original's rule, here for all links or none.
    fn udpport(&mut self) -> u16 {
        let cf = self.files.ha_cf;
        let default = self.lookup.service("ha-cluster", Some(Protocol::Udp)).unwrap_or(HA_CLUSTER);
        let Some(set) = &cf.udpport else { return default };
        if let Some(name) = self.lookup.udp_service_name(set.value).filter(|n| n != "ha-cluster") {
            let what = format!("heartbeat: udp port {} reserved for service \"{name}\".", set.value);
            self.warn(set.span, what, "both nodes must use the same port");
        }
        let with_port: Vec<_> = cf.media.iter().filter(|m| uses_udpport(&m.value)).collect();
        let before = with_port.iter().filter(|m| m.span.start < set.span.start).count();
        if before == 0 || set.value == default {
            return set.value;
        }
        let what = "heartbeat: udpport setting must precede media statements";
        if before == with_port.len() {
            self.warn(set.span, what, format!("every link is above this line and uses port {default}, as it always did"));
        } else {
            self.error_hint(set.span, what, "some links are above this line and would use another port");
        }
        default
    }

    pub(super) fn ping(&mut self) -> Vec<PingNode> {
        let cf = self.files.ha_cf;
        let mut out: Vec<PingNode> = Vec::new();
        for ping in &cf.ping {
            let (name, span) = (&ping.name.value, ping.name.span);
            let mut hosts = Vec::new();
            for host in &ping.hosts {
                match self.pinged(&host.value) {
                    Some(address) => hosts.push(address),
                    None if ping.group => {
                        let hint = "the group is asked without it";
                        self.warn(host.span, format!("glib: unknown host: {}", host.value), hint);
                    }
                    None => self.preface(format!("glib: unknown host: {}", host.value)),
                }
            }
            if hosts.is_empty() {
                let kind = if ping.group { "ping_group [ping group membership]" } else { "ping [ping membership]" };
                self.error(span, format!("Illegal {kind} in config file [{name}]"));
            } else if cf.nodes.iter().any(|n| n.value == name.to_lowercase()) {
                self.error_hint(
                    span,
                    format!("ping node {name} is a node as well"),
                    "name something that is no member, such as the router",
                );
            } else if out.iter().any(|p| p.name == *name) {
                self.warn(span, format!("ping node {name} is given twice"), "once is enough");
            } else {
                out.push(PingNode { name: name.clone(), hosts });
            }
        }
        out
    }
}

fn uses_udpport(medium: &ha_cf::Medium) -> bool {
    matches!(medium, ha_cf::Medium::Bcast { .. } | ha_cf::Medium::Ucast { .. } | ha_cf::Medium::Ucast6 { .. })
}
