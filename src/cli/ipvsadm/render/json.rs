//! `--json`: every listing as one JSON object on one line for programs. Not an option of the original.
//!
//! The whole of what is known is there in each view; addresses and ports are always numbers; a value that does not apply is
//! `null`. The types here are the documented shape, and names carry the units.

use std::net::IpAddr;

use serde::Serialize;

use super::connections::{Entry, entries as connection_entries};
use super::{flag_list, method, order};
use crate::ipvs::model::{
    DestEntry, Family, Forward, Granularity, Info, ServiceEntry, ServiceFlags, ServiceKey, Stats, SyncDaemon, SyncRole, Timeouts,
};

/// `-L` and `-L SERVICE`.
#[derive(Debug, Serialize)]
struct Table<'a> {
    /// `1.2.1`; `null` for one service.
    version: Option<String>,
    /// Buckets of the connection table; `null` for one service.
    connection_table_size: Option<u32>,
    services: Vec<Service<'a>>,
}

/// A virtual service.
#[derive(Debug, Serialize)]
pub struct Service<'a> {
    /// `tcp`, `udp`, `sctp`; `null` for a firewall mark.
    pub protocol: Option<&'static str>,
    /// Its address; `null` for a firewall mark.
    pub address: Option<IpAddr>,
    /// 0: all ports. `null` for a firewall mark.
    pub port: Option<u16>,
    /// The mark, unsigned; `null` for a service with an address.
    pub fwmark: Option<u32>,
    /// `inet` or `inet6`.
    pub family: Family,
    pub scheduler: &'a str,
    pub scheduler_flags: Vec<&'static str>,
    /// Each datagram is scheduled (`--ops`).
    pub one_packet: bool,
    pub persistence: Option<Persistence>,
    pub persistence_engine: Option<&'a str>,
    /// Since the service was made, or `-Z`.
    pub totals: Totals,
    /// Decaying averages of the kernel, renewed every 2 seconds.
    pub rates: Rates,
    pub real_servers: Vec<RealServer>,
}

/// How long and which clients stay with a real server.
#[derive(Debug, Serialize)]
pub struct Persistence {
    pub timeout_seconds: u32,
    /// IPv4: clients that are equal under this mask count as one.
    pub mask: Option<IpAddr>,
    /// IPv6: bits of the client's address that count.
    pub prefix_length: Option<u8>,
}

/// Counters.
#[derive(Debug, Serialize)]
pub struct Totals {
    pub connections: u64,
    pub incoming_packets: u64,
    pub outgoing_packets: u64,
    pub incoming_bytes: u64,
    pub outgoing_bytes: u64,
}

/// What happens per second.
#[derive(Debug, Serialize)]
pub struct Rates {
    pub connections_per_second: u64,
    pub incoming_packets_per_second: u64,
    pub outgoing_packets_per_second: u64,
    pub incoming_bytes_per_second: u64,
    pub outgoing_bytes_per_second: u64,
}

/// A real server.
#[derive(Debug, Serialize)]
pub struct RealServer {
    pub address: IpAddr,
    pub port: u16,
    /// `route`, `masq`, `tunnel` or `local`.
    pub forwarding: String,
    /// 0: no new connections.
    pub weight: u32,
    /// Connections; 0: no threshold.
    pub upper_threshold: u32,
    /// Connections; 0: no threshold.
    pub lower_threshold: u32,
    /// `null` if forwarding is not `tunnel`.
    pub tunnel: Option<Tunnel>,
    pub active_connections: u32,
    pub inactive_connections: u32,
    /// Persistence templates.
    pub persistent_connections: u32,
    pub totals: Totals,
    pub rates: Rates,
}

/// How packets to a real server are wrapped.
#[derive(Debug, Serialize)]
pub struct Tunnel {
    /// `ipip`, `gue`, `gre`; else the kernel's number.
    #[serde(rename = "type")]
    pub kind: String,
    /// UDP port of gue; 0 for the others.
    pub port: u16,
    /// `none`, `csum`, `remcsum`.
    pub checksum: &'static str,
}

/// `-L -c`.
#[derive(Debug, Serialize)]
struct Connections {
    connections: Vec<Connection>,
}

#[derive(Debug, Serialize)]
struct Connection {
    /// `tcp`, `udp`, `sctp`, `ip` for a mark's template.
    protocol: String,
    /// `ESTABLISHED` and the like; `NONE` for a persistence template.
    state: String,
    expires_seconds: u64,
    /// Port 0: a persistence template, its address under the service's mask.
    client: Endpoint,
    #[serde(rename = "virtual")]
    virtual_server: Endpoint,
    real_server: Endpoint,
    persistence_engine: Option<String>,
    persistence_data: Option<String>,
}

#[derive(Debug, Serialize)]
struct Endpoint {
    address: IpAddr,
    port: u16,
}

/// `-L --timeout`.
#[derive(Debug, Serialize)]
struct TimeoutsSeconds {
    timeouts_seconds: Timeouts,
}

/// `-L --daemon`.
#[derive(Debug, Serialize)]
struct Daemons<'a> {
    daemons: Vec<Daemon<'a>>,
}

#[derive(Debug, Serialize)]
struct Daemon<'a> {
    /// `master` or `backup`.
    role: SyncRole,
    interface: &'a str,
    sync_id: u32,
    max_message_bytes: u16,
    group: Option<IpAddr>,
    port: u16,
    ttl: u8,
}

/// The table, or with `info` `None` one service.
#[must_use]
pub fn table(entries: &[ServiceEntry], info: Option<Info>, sorted: bool) -> String {
    let version = info.map(|info| {
        let (major, minor, patch) = info.version_parts();
        format!("{major}.{minor}.{patch}")
    });
    let services = if sorted { order::services(entries) } else { entries.iter().collect() };
    let services = services.into_iter().map(|entry| service(entry, sorted)).collect();
    text(&Table { version, connection_table_size: info.map(|info| info.table_size), services })
}

/// `-L -c`, in the file's order. `Err`: the line of the kernel's table that is not of its form.
pub fn connections(table: &str) -> Result<String, String> {
    let connections = connection_entries(table).map(|e| e.map(connection)).collect::<Result<_, _>>()?;
    Ok(text(&Connections { connections }))
}

/// `-L --timeout`.
#[must_use]
pub fn timeouts(timeouts: Timeouts) -> String {
    text(&TimeoutsSeconds { timeouts_seconds: timeouts })
}

/// `-L --daemon`.
#[must_use]
pub fn daemons(daemons: &[SyncDaemon]) -> String {
    let daemons = daemons.iter().map(|d| Daemon {
        role: d.role,
        interface: &d.interface,
        sync_id: d.sync_id,
        max_message_bytes: d.max_length,
        group: d.group,
        port: d.port,
        ttl: d.ttl,
    });
    text(&Daemons { daemons: daemons.collect() })
}

/// A service and its real servers.
#[must_use]
pub fn service(entry: &ServiceEntry, sorted: bool) -> Service<'_> {
    let of = &entry.service;
    let (protocol, address, port, fwmark) = match of.key {
        ServiceKey::Addr { protocol, addr, port } => (Some(protocol.name()), Some(addr), Some(port), None),
        ServiceKey::Fwmark { mark, .. } => (None, None, None, Some(mark)),
    };
    let dests = if sorted { order::dests(&entry.dests) } else { entry.dests.iter().collect() };
    Service {
        protocol,
        address,
        port,
        fwmark,
        family: of.key.family(),
        scheduler: &of.scheduler,
        scheduler_flags: flag_list(of),
        one_packet: of.flags.has(ServiceFlags::ONE_PACKET),
        persistence: of.persistence.map(|p| {
            let (mask, prefix_length) = match p.granularity {
                Granularity::Mask(mask) => (Some(IpAddr::V4(std::net::Ipv4Addr::from_bits(mask))), None),
                Granularity::Prefix(length) => (None, Some(length)),
            };
            Persistence { timeout_seconds: p.timeout, mask, prefix_length }
        }),
        persistence_engine: of.engine.as_deref(),
        totals: totals(&entry.stats),
        rates: rates(&entry.stats),
        real_servers: dests.into_iter().map(real_server).collect(),
    }
}

fn real_server(entry: &DestEntry) -> RealServer {
    let dest = &entry.dest;
    let tunnel = (dest.forward == Forward::Ipip).then(|| Tunnel {
        kind: match dest.tunnel.kind {
            0 => "ipip".to_owned(),
            1 => "gue".to_owned(),
            2 => "gre".to_owned(),
            other => other.to_string(),
        },
        port: dest.tunnel.port,
        checksum: match dest.tunnel.flags {
            0 => "none",
            1 => "csum",
            _ => "remcsum",
        },
    });
    RealServer {
        address: dest.key.addr,
        port: dest.key.port,
        forwarding: method(dest.forward).to_ascii_lowercase(),
        weight: dest.weight,
        upper_threshold: dest.upper,
        lower_threshold: dest.lower,
        tunnel,
        active_connections: entry.active,
        inactive_connections: entry.inactive,
        persistent_connections: entry.persistent,
        totals: totals(&entry.stats),
        rates: rates(&entry.stats),
    }
}

fn connection(entry: Entry) -> Connection {
    let endpoint = |(address, port)| Endpoint { address, port };
    let (persistence_engine, persistence_data) = entry.engine.unzip();
    Connection {
        protocol: entry.protocol.to_ascii_lowercase(),
        state: entry.state,
        expires_seconds: entry.expires,
        client: endpoint(entry.client),
        virtual_server: endpoint(entry.virtual_server),
        real_server: endpoint(entry.dest),
        persistence_engine,
        persistence_data,
    }
}

fn totals(stats: &Stats) -> Totals {
    Totals {
        connections: stats.conns,
        incoming_packets: stats.in_packets,
        outgoing_packets: stats.out_packets,
        incoming_bytes: stats.in_bytes,
        outgoing_bytes: stats.out_bytes,
    }
}

fn rates(stats: &Stats) -> Rates {
    Rates {
        connections_per_second: stats.cps,
        incoming_packets_per_second: stats.in_pps,
        outgoing_packets_per_second: stats.out_pps,
        incoming_bytes_per_second: stats.in_bps,
        outgoing_bytes_per_second: stats.out_bps,
    }
}

/// One line. These types have no map and no number that JSON lacks, so that writing them cannot fail.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ipvs::model::{self, Dest, DestKey, Protocol};

    fn parsed(text: &str) -> Value {
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_table_with_all_that_a_listing_cuts_or_scales() {
        let key = DestKey { addr: "10.0.1.1".parse().unwrap(), port: 80 };
        let tunnel = model::Tunnel { kind: 1, port: 5555, flags: 2 };
        let dest = Dest { key, forward: Forward::Ipip, weight: 3, upper: 10, lower: 5, tunnel };
        let stats = Stats { conns: 5_000_000_000, in_bps: 7, ..Stats::default() };
        let service = model::Service {
            key: ServiceKey::Addr { protocol: Protocol::Tcp, addr: "10.0.0.1".parse().unwrap(), port: 80 },
            scheduler: "sh".to_owned(),
            flags: ServiceFlags(ServiceFlags::SCHED2),
            persistence: Some(model::Persistence { timeout: 600, granularity: Granularity::Mask(0xffff_ff00) }),
            engine: None,
        };
        let dests = vec![DestEntry { dest, active: 1, inactive: 2, persistent: 3, stats }];
        let marked = model::Service {
            key: ServiceKey::Fwmark { mark: 3_000_000_000, family: Family::Inet6 },
            scheduler: "rr".to_owned(),
            flags: ServiceFlags::default(),
            persistence: None,
            engine: None,
        };
        let entries =
            [ServiceEntry { service, stats, dests }, ServiceEntry { service: marked, stats: Stats::default(), dests: vec![] }];
        let seen = parsed(&table(&entries, Some(Info { version: 0x0001_0201, table_size: 4096 }), false));
        assert_eq!((&seen["version"], &seen["connection_table_size"]), (&json!("1.2.1"), &json!(4096)));
        let first = &seen["services"][0];
        assert_eq!(first["persistence"], json!({"timeout_seconds": 600, "mask": "255.255.255.0", "prefix_length": null}));
        assert_eq!((&first["protocol"], &first["port"], &first["fwmark"]), (&json!("tcp"), &json!(80), &Value::Null));
        assert_eq!(first["scheduler_flags"], json!(["sh-port"]));
        let real = &first["real_servers"][0];
        assert_eq!(real["tunnel"], json!({"type": "gue", "port": 5555, "checksum": "remcsum"}));
        assert_eq!(real["totals"]["connections"], json!(5_000_000_000u64));
        assert_eq!(real["rates"]["incoming_bytes_per_second"], json!(7));
        assert_eq!(seen["services"][1]["fwmark"], json!(3_000_000_000u32));
        assert_eq!(parsed(&table(&entries[..1], None, true))["version"], Value::Null);
    }

    #[test]
    fn connections_timeouts_and_daemons() {
        let table = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n\
                     UDP 0A090001 0000 0A090064 13C4 0A09000B 13C4 NONE             24 sip abc123@host\n";
        let seen = parsed(&connections(table).unwrap());
        let expected = json!({"connections": [{
            "protocol": "udp", "state": "NONE", "expires_seconds": 24,
            "client": {"address": "10.9.0.1", "port": 0},
            "virtual": {"address": "10.9.0.100", "port": 5060},
            "real_server": {"address": "10.9.0.11", "port": 5060},
            "persistence_engine": "sip", "persistence_data": "abc123@host",
        }]});
        assert_eq!(seen, expected);
        assert_eq!(connections("header\nnonsense\n"), Err("nonsense".to_owned()));
        let seen = parsed(&timeouts(Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }));
        assert_eq!(seen, json!({"timeouts_seconds": {"tcp": 900, "tcp_fin": 120, "udp": 300}}));
        let daemon = SyncDaemon {
            role: SyncRole::Backup,
            interface: "eth1".to_owned(),
            sync_id: 7,
            max_length: 1472,
            group: Some("224.0.0.81".parse().unwrap()),
            port: 8848,
            ttl: 1,
        };
        let expected = json!({"daemons": [{"role": "backup", "interface": "eth1", "sync_id": 7, "max_message_bytes": 1472,
            "group": "224.0.0.81", "port": 8848, "ttl": 1}]});
        assert_eq!(parsed(&daemons(&[daemon])), expected);
    }
}
