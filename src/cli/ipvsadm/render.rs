//! The texts of ipvsadm(8) 1.31 on standard output, byte for byte: the table in its views, timeouts, daemons, help.
//!
//! One difference: counters of real servers are true above 2^32, where the original reads 32 bits of them.

mod connections;
mod help;
pub mod json;
mod order;
mod save;

use std::fmt::{self, Write as _};
use std::net::IpAddr;

pub use self::connections::{addresses as connection_addresses, connections, templates};
pub use self::help::{HELP, VERSION};
pub use self::save::save;
use crate::ipvs::model::{
    Dest, DestEntry, Family, Forward, Granularity, Info, Protocol, Service, ServiceEntry, ServiceFlags, ServiceKey, Stats,
    SyncDaemon, SyncRole, Timeouts, Tunnel,
};

/// Numbers to names.
pub trait Names {
    /// The name of a host.
    fn host(&self, addr: IpAddr) -> Option<String>;
    /// The name of a service.
    fn service(&self, port: u16, protocol: Protocol) -> Option<String>;
}

/// Which columns a listing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Columns {
    /// Forwarding method, weight, active and inactive connections.
    #[default]
    Connections,
    /// The same and how tunnels are made.
    Tunnel,
    /// Counters.
    Stats,
    /// Rates.
    Rate,
    /// Connection thresholds.
    Thresholds,
    /// Persistent connections.
    PersistentConn,
}

/// How a listing looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Which columns.
    pub columns: Columns,
    /// Addresses and ports as numbers.
    pub numeric: bool,
    /// Counters in full, never scaled.
    pub exact: bool,
    /// Sorted, not in the kernel's order.
    pub sorted: bool,
    /// As JSON: see [`json`].
    pub json: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { columns: Columns::default(), numeric: false, exact: false, sorted: true, json: false }
    }
}

/// Widest IPv4 service and real server; longer ones are cut. IPv6 ones push the columns to the right instead.
const SERVICE_WIDTH: usize = 33;
const DEST_WIDTH: usize = 28;

/// The table. With `info` the version line comes first. `names`: `None` for numbers.
#[must_use]
pub fn table(entries: &[ServiceEntry], info: Option<Info>, style: Style, names: Option<&dyn Names>) -> String {
    let mut out = String::new();
    if let Some(info) = info {
        let (major, minor, patch) = info.version_parts();
        out.push_str(&format!("IP Virtual Server version {major}.{minor}.{patch} (size={})\n", info.table_size));
    }
    out.push_str(&title(style.columns));
    // Large tables are shown too: one buffer for all names, and what is written goes straight into the text.
    let mut name = String::new();
    let services = if style.sorted { order::services(entries) } else { entries.iter().collect() };
    for entry in services {
        out.push_str(&service_row(entry, style, names));
        out.push('\n');
        let dests = if style.sorted { order::dests(&entry.dests) } else { entry.dests.iter().collect() };
        let protocol = key_protocol(&entry.service.key);
        for dest in dests {
            name.clear();
            endpoint(&mut name, dest.dest.key.addr, dest.dest.key.port, protocol, names);
            if dest.dest.key.addr.is_ipv4() {
                cut(&mut name, DEST_WIDTH);
            }
            // Writing into a text does not fail.
            let _ = dest_row(&mut out, &name, dest, style);
            out.push('\n');
        }
    }
    out
}

/// Services in the order of a listing.
#[must_use]
pub fn services_in_order(entries: &[ServiceEntry]) -> Vec<&ServiceEntry> {
    order::services(entries)
}

/// `-L --timeout`.
#[must_use]
pub fn timeouts(timeouts: Timeouts) -> String {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    format!("Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}\n")
}

/// `-L --daemon`.
#[must_use]
pub fn daemons(daemons: &[SyncDaemon]) -> String {
    let line = |daemon: &SyncDaemon| {
        let role = if daemon.role == SyncRole::Master { "master" } else { "backup" };
        let group = daemon.group.map_or_else(String::new, |group| group.to_string());
        let SyncDaemon { interface, sync_id, max_length, port, ttl, .. } = daemon;
        format!(
            "{role} sync daemon (mcast={interface}, syncid={sync_id}, maxlen={max_length}, group={group}, port={port}, ttl={ttl})\n"
        )
    };
    daemons.iter().map(line).collect()
}

fn title(columns: Columns) -> String {
    let (address, remote) = ("Prot LocalAddress:Port", "  -> RemoteAddress:Port");
    let numbers = |names: [&str; 5]| {
        let names: String = names.iter().map(|name| format!(" {name:>8}")).collect();
        format!("{address:<SERVICE_WIDTH$}{names}\n{remote}\n")
    };
    match columns {
        Columns::Connections => {
            format!("{address} Scheduler Flags\n{remote:<33} Forward Weight ActiveConn InActConn\n")
        }
        Columns::Tunnel => {
            format!("{address} Scheduler Flags\n{remote:<33} Forward TunnelInfo    Weight ActiveConn InActConn\n")
        }
        Columns::Stats => numbers(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"]),
        Columns::Rate => numbers(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"]),
        Columns::Thresholds => format!(
            "{address:<33} {:<10} {:<10} {:<10} {:<10}\n{remote}\n",
            "Uthreshold", "Lthreshold", "ActiveConn", "InActConn"
        ),
        Columns::PersistentConn => {
            format!("{address:<33} {:<9} {:<11} {:<10} {:<10}\n{remote}\n", "Weight", "PersistConn", "ActiveConn", "InActConn")
        }
    }
}

fn service_row(entry: &ServiceEntry, style: Style, names: Option<&dyn Names>) -> String {
    let service = &entry.service;
    let name = match service.key {
        ServiceKey::Addr { protocol, addr, port } => {
            let protocol_name = protocol.name().to_ascii_uppercase();
            let mut name = format!("{protocol_name:<4} ");
            endpoint(&mut name, addr, port, Some(protocol), names);
            if addr.is_ipv4() {
                cut(&mut name, SERVICE_WIDTH);
            }
            name
        }
        ServiceKey::Fwmark { mark, family: Family::Inet } => format!("FWM  {}", mark_text(mark)),
        ServiceKey::Fwmark { mark, family: Family::Inet6 } => format!("FWM  {} IPv6", mark_text(mark)),
    };
    match style.columns {
        Columns::Stats | Columns::Rate => format!("{name:<SERVICE_WIDTH$}{}", numbers(&entry.stats, style)),
        Columns::Connections | Columns::Tunnel | Columns::Thresholds | Columns::PersistentConn => {
            format!("{name} {}", service_text(service))
        }
    }
}

fn service_text(service: &Service) -> String {
    let mut out = service.scheduler.clone();
    if let Some(flags) = flag_names(service) {
        out.push_str(&format!(" ({flags})"));
    }
    if let Some(persistence) = &service.persistence {
        out.push_str(&format!(" persistent {}", persistence.timeout));
        if let Some(mask) = mask(service.key.family(), persistence.granularity) {
            out.push_str(&format!(" mask {mask}"));
        }
        if let Some(engine) = &service.engine {
            out.push_str(&format!(" pe {engine}"));
        }
    }
    if service.flags.has(ServiceFlags::ONE_PACKET) {
        out.push_str(" ops");
    }
    out
}

fn dest_row(out: &mut String, name: &str, entry: &DestEntry, style: Style) -> fmt::Result {
    let DestEntry { dest, active, inactive, persistent, stats } = entry;
    let Dest { weight, upper, lower, .. } = dest;
    out.push_str("  -> ");
    padded(out, name, DEST_WIDTH);
    match style.columns {
        Columns::Connections => {
            out.push(' ');
            padded(out, method(dest.forward), 7);
            numbers_padded(out, &[(*weight, 6), (*active, 10), (*inactive, 10)]);
        }
        Columns::Tunnel => {
            let tunnel = tunnel_text(dest);
            write!(out, " {:<7} {tunnel:<13}", method(dest.forward))?;
            numbers_padded(out, &[(*weight, 6), (*active, 10), (*inactive, 10)]);
        }
        Columns::Stats | Columns::Rate => out.push_str(&numbers(stats, style)),
        Columns::Thresholds => numbers_padded(out, &[(*upper, 10), (*lower, 10), (*active, 10), (*inactive, 10)]),
        Columns::PersistentConn => numbers_padded(out, &[(*weight, 9), (*persistent, 11), (*active, 10), (*inactive, 10)]),
    }
    Ok(())
}

/// ` {number:<width}` for each: what rows mostly consist of, and several times faster so.
fn numbers_padded(out: &mut String, numbers: &[(u32, usize)]) {
    let mut buffer = itoa::Buffer::new();
    for (number, width) in numbers {
        out.push(' ');
        padded(out, buffer.format(*number), *width);
    }
}

/// `{text:<width}`.
fn padded(out: &mut String, text: &str, width: usize) {
    const BLANKS: &str = "                                        ";
    out.push_str(text);
    let missing = width.saturating_sub(text.chars().count());
    out.push_str(BLANKS.get(..missing).unwrap_or(BLANKS));
}

fn numbers(stats: &Stats, style: Style) -> String {
    let Stats { conns, in_packets, out_packets, in_bytes, out_bytes, .. } = *stats;
    let Stats { cps, in_pps, out_pps, in_bps, out_bps, .. } = *stats;
    let plain = |n: u64| format!(" {n:>8}");
    let scaled = |n: u64| if style.exact { plain(n) } else { scale(n) };
    if style.columns == Columns::Rate {
        return [cps, in_pps, out_pps].map(plain).concat() + &[in_bps, out_bps].map(scaled).concat();
    }
    [conns, in_packets, out_packets, in_bytes, out_bytes].map(scaled).concat()
}

/// Nine columns: above eight digits in thousands, millions and so on, cut off, not rounded.
fn scale(n: u64) -> String {
    match n {
        0..100_000_000 => format!(" {n:>8}"),
        100_000_000..1_000_000_000 => format!("{:>8}K", n / 1_000),
        1_000_000_000..100_000_000_000 => format!("{:>8}M", n / 1_000_000),
        100_000_000_000..100_000_000_000_000 => format!("{:>8}G", n / 1_000_000_000),
        _ => format!("{:>8}T", n / 1_000_000_000_000),
    }
}

fn method(forward: Forward) -> &'static str {
    match forward {
        Forward::Masq => "Masq",
        Forward::Local => "Local",
        Forward::Ipip => "Tunnel",
        Forward::Gate | Forward::Other(_) => "Route",
    }
}

fn tunnel_text(dest: &Dest) -> String {
    if dest.forward != Forward::Ipip {
        return "n/a".to_owned();
    }
    let Tunnel { kind, port, flags } = dest.tunnel;
    let checksum = match flags {
        0 => "-c",
        1 => "+c",
        _ => "r+c",
    };
    match kind {
        0 => "ipip".to_owned(),
        1 => format!("gue:{port}:{checksum}"),
        2 => format!("gre:{checksum}"),
        _ => "n/a".to_owned(),
    }
}

/// Appends `10.0.0.1:80`, `[fd00::1]:80`, or with names `web1:http`, `[web1]:http`.
fn endpoint(out: &mut String, addr: IpAddr, port: u16, protocol: Option<Protocol>, names: Option<&dyn Names>) {
    let host = names.and_then(|n| n.host(addr));
    let service = names.zip(protocol).and_then(|(n, protocol)| n.service(port, protocol));
    // Writing into a text does not fail.
    let _ = match (addr, host) {
        (IpAddr::V4(_), Some(host)) => write!(out, "{host}:"),
        (IpAddr::V4(addr), None) => {
            let mut buffer = itoa::Buffer::new();
            for (octet, after) in addr.octets().into_iter().zip(['.', '.', '.', ':']) {
                out.push_str(buffer.format(octet));
                out.push(after);
            }
            Ok(())
        }
        (IpAddr::V6(_), Some(host)) => write!(out, "[{host}]:"),
        (IpAddr::V6(addr), None) => write!(out, "[{addr}]:"),
    };
    match service {
        Some(service) => out.push_str(&service),
        None => out.push_str(itoa::Buffer::new().format(port)),
    }
}

/// The protocol by which the ports of a service have names; marks have none.
fn key_protocol(key: &ServiceKey) -> Option<Protocol> {
    match *key {
        ServiceKey::Addr { protocol, .. } => Some(protocol),
        ServiceKey::Fwmark { .. } => None,
    }
}

/// As a signed number, like the original's.
fn mark_text(mark: u32) -> String {
    mark.cast_signed().to_string()
}

/// The mask of a persistent service, if it is not one client.
fn mask(family: Family, granularity: Granularity) -> Option<String> {
    match granularity {
        same if same == Granularity::host(family) => None,
        Granularity::Mask(mask) => Some(std::net::Ipv4Addr::from_bits(mask).to_string()),
        Granularity::Prefix(length) => Some(length.to_string()),
    }
}

/// The scheduler's flags by their names there, for the text forms: `Some` if any is set.
fn flag_names(service: &Service) -> Option<String> {
    const ALL: u32 = ServiceFlags::SCHED1 | ServiceFlags::SCHED2 | ServiceFlags::SCHED3;
    (service.flags.0 & ALL != 0).then(|| flag_list(service).join(","))
}

/// The names of the scheduler's flags that are set. The third has no name with sh and mh.
fn flag_list(service: &Service) -> Vec<&'static str> {
    let names = match service.scheduler.as_str() {
        "sh" => ["sh-fallback", "sh-port", ""],
        "mh" => ["mh-fallback", "mh-port", ""],
        _ => ["flag-1", "flag-2", "flag-3"],
    };
    let bits = [ServiceFlags::SCHED1, ServiceFlags::SCHED2, ServiceFlags::SCHED3];
    let set = bits.into_iter().zip(names).filter(|(bit, name)| service.flags.has(*bit) && !name.is_empty());
    set.map(|(_, name)| name).collect()
}

/// The addresses that a listing of these services shows by their names.
#[must_use]
pub fn addresses(entries: &[ServiceEntry]) -> std::collections::BTreeSet<IpAddr> {
    let services = entries.iter().filter_map(|entry| match entry.service.key {
        ServiceKey::Addr { addr, .. } => Some(addr),
        ServiceKey::Fwmark { .. } => None,
    });
    services.chain(entries.iter().flat_map(|entry| entry.dests.iter().map(|d| d.dest.key.addr))).collect()
}

fn cut(text: &mut String, width: usize) {
    if let Some((end, _)) = text.char_indices().nth(width) {
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_cut_to_nine_columns() {
        assert_eq!(scale(99_999_999), " 99999999");
        assert_eq!(scale(150_070_000), "  150070K");
        assert_eq!(scale(999_999_999), "  999999K");
        assert_eq!(scale(1_000_000_000), "    1000M");
        assert_eq!(scale(99_999_999_999), "   99999M");
        assert_eq!(scale(100_000_000_000), "     100G");
        assert_eq!(scale(u64::MAX), "18446744T");
    }
}
