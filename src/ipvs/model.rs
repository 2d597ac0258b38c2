//! What the kernel's table consists of: virtual services and their real servers, identity apart from observation.
//!
//! Source: `linux/ip_vs.h`. Keys are small and ordered, so that commands come out in the same order each time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Transport protocol of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, 6.
    Tcp,
    /// UDP, 17.
    Udp,
    /// SCTP, 132.
    Sctp,
}

impl Protocol {
    /// The number in an IP header.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The lower-case name, as the services database has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// Address family of a firewall-mark service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(addr: IpAddr) -> Self {
        if addr.is_ipv4() { Self::Inet } else { Self::Inet6 }
    }
}

/// What identifies a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKey {
    /// Protocol, virtual address (VIP) and port; port 0 stands for all ports of a persistent service.
    Addr {
        /// Protocol.
        protocol: Protocol,
        /// VIP.
        addr: IpAddr,
        /// Port.
        port: u16,
    },
    /// A firewall mark (never 0) and the family of the marked packets.
    Fwmark {
        /// The mark.
        mark: u32,
        /// Family.
        family: Family,
    },
}

impl ServiceKey {
    /// The family of the service.
    #[must_use]
    pub fn family(&self) -> Family {
        match *self {
            Self::Addr { addr, .. } => Family::of(addr),
            Self::Fwmark { family, .. } => family,
        }
    }

    /// The service's port; 0 for a mark.
    #[must_use]
    pub fn port(&self) -> u16 {
        match *self {
            Self::Addr { port, .. } => port,
            Self::Fwmark { .. } => 0,
        }
    }
}

impl fmt::Display for ServiceKey {
    /// `tcp 10.0.0.1:80`, `tcp [fd00::1]:80`, `fwm 5`, `fwm 5 IPv6`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Addr { protocol, addr, port } => write!(f, "{} {}", protocol.name(), SocketAddr::new(addr, port)),
            Self::Fwmark { mark, family: Family::Inet } => write!(f, "fwm {mark}"),
            Self::Fwmark { mark, family: Family::Inet6 } => write!(f, "fwm {mark} IPv6"),
        }
    }
}

/// Flags of a service (`IP_VS_SVC_F_*`), without the kernel's own `HASHED`. `PERSISTENT` is derived from
/// [`Service::persistence`] and never stored here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ServiceFlags(pub u32);

impl ServiceFlags {
    /// `IP_VS_SVC_F_ONEPACKET`.
    pub const ONE_PACKET: u32 = 0x04;
    /// `IP_VS_SVC_F_SCHED1`: sh-fallback, mh-fallback.
    pub const SCHED1: u32 = 0x08;
    /// `IP_VS_SVC_F_SCHED2`: sh-port, mh-port.
    pub const SCHED2: u32 = 0x10;
    /// `IP_VS_SVC_F_SCHED3`.
    pub const SCHED3: u32 = 0x20;

    /// Whether all bits of `bits` are set.
    #[must_use]
    pub fn has(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

/// Persistence of a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persistence {
    /// Seconds a client stays with its real server.
    pub timeout: u32,
    /// Prefix length that groups clients: 32 or 128 means each its own. IPv4 masks need not be a prefix, so those are kept
    /// as the mask's bits in host order.
    pub granularity: Granularity,
}

/// Which clients count as one for persistence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// IPv4 mask, host order (255.255.255.0 is 0xffff_ff00).
    Mask(u32),
    /// IPv6 prefix length, 1 to 128.
    Prefix(u8),
}

impl Granularity {
    /// Each client on its own.
    #[must_use]
    pub fn host(family: Family) -> Self {
        match family {
            Family::Inet => Self::Mask(u32::MAX),
            Family::Inet6 => Self::Prefix(128),
        }
    }
}

/// A virtual service as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What identifies it.
    pub key: ServiceKey,
    /// Scheduler's name, such as `rr`; at most 15 bytes.
    pub scheduler: String,
    /// Flags.
    pub flags: ServiceFlags,
    /// Persistence, if any.
    pub persistence: Option<Persistence>,
    /// Persistence engine, such as `sip`. The kernel keeps one also for a service without persistence, to no effect.
    pub engine: Option<String>,
}

/// What identifies a real server within its virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DestKey {
    /// Real server's address.
    pub addr: IpAddr,
    /// Port; that of the service for gate and ipip.
    pub port: u16,
}

impl fmt::Display for DestKey {
    /// `10.0.0.1:80`, `[fd00::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.addr, self.port).fmt(f)
    }
}

/// Forwarding method (`IP_VS_CONN_F_FWD_MASK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// Network address translation, 0.
    Masq,
    /// Served by this host, 1. The kernel reports it; nobody asks for it.
    Local,
    /// IP-in-IP and its like, 2.
    Ipip,
    /// Direct routing, 3.
    Gate,
    /// A number this program does not know.
    Other(u32),
}

/// How packets are wrapped for [`Forward::Ipip`] (`IP_VS_CONN_F_TUNNEL_TYPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tunnel {
    /// 0 ipip, 1 gue, 2 gre.
    pub kind: u8,
    /// GUE's UDP port.
    pub port: u16,
    /// 0 no checksum, 1 checksum, 2 remote checksum.
    pub flags: u16,
}

/// A real server of a virtual service as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dest {
    /// What identifies it.
    pub key: DestKey,
    /// Forwarding method.
    pub forward: Forward,
    /// 0 takes no new connections (quiescent).
    pub weight: u32,
    /// Upper connection threshold; 0 none.
    pub upper: u32,
    /// Lower connection threshold; 0 none.
    pub lower: u32,
    /// Tunnel parameters, meaningful for [`Forward::Ipip`].
    pub tunnel: Tunnel,
}

/// Counters and rates (`IPVS_STATS_ATTR_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Connections scheduled.
    pub conns: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients.
    pub out_bytes: u64,
    /// Connections a second.
    pub cps: u64,
    /// Packets from clients a second.
    pub in_pps: u64,
    /// Packets to clients a second.
    pub out_pps: u64,
    /// Bytes from clients a second.
    pub in_bps: u64,
    /// Bytes to clients a second.
    pub out_bps: u64,
}

/// A real server as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestEntry {
    /// Its configuration.
    pub dest: Dest,
    /// Connections in ESTABLISHED.
    pub active: u32,
    /// Connections in other states.
    pub inactive: u32,
    /// Persistence templates.
    pub persistent: u32,
    /// Counters.
    pub stats: Stats,
}

/// A virtual service as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEntry {
    /// Its configuration.
    pub service: Service,
    /// Counters.
    pub stats: Stats,
    /// Its real servers, in the kernel's order (newest first).
    pub dests: Vec<DestEntry>,
}

/// A virtual service and its real servers, as wished for or as found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableService {
    /// The service.
    pub service: Service,
    /// Its real servers.
    pub dests: BTreeMap<DestKey, Dest>,
}

/// A table: what the kernel should have, or what it has, without observations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// By key.
    pub services: BTreeMap<ServiceKey, TableService>,
}

impl FromIterator<ServiceEntry> for Table {
    fn from_iter<I: IntoIterator<Item = ServiceEntry>>(entries: I) -> Self {
        let services = entries
            .into_iter()
            .map(|e| {
                let dests = e.dests.into_iter().map(|d| (d.dest.key, d.dest)).collect();
                (e.service.key, TableService { service: e.service, dests })
            })
            .collect();
        Self { services }
    }
}

/// Why a table does not take a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The service is there already.
    #[error("service already exists")]
    ServiceExists,
    /// The service is not there.
    #[error("no such service")]
    NoService,
    /// The real server is there already.
    #[error("real server already exists")]
    DestExists,
    /// The real server is not there.
    #[error("no such real server")]
    NoDest,
}

impl Table {
    /// Does to this table what the kernel does to its own, so that a known table stays known without reading it again.
    pub fn apply(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::AddService(service) => {
                if self.services.contains_key(&service.key) {
                    return Err(Refusal::ServiceExists);
                }
                let entry = TableService { service: service.clone(), dests: BTreeMap::new() };
                self.services.insert(service.key, entry);
            }
            Command::EditService(service) => self.service_mut(&service.key)?.service = service.clone(),
            Command::DeleteService(key) => {
                self.services.remove(key).ok_or(Refusal::NoService)?;
            }
            Command::AddDest(key, dest) => {
                let dests = &mut self.service_mut(key)?.dests;
                if dests.contains_key(&dest.key) {
                    return Err(Refusal::DestExists);
                }
                dests.insert(dest.key, dest.clone());
            }
            Command::EditDest(key, dest) => {
                let dests = &mut self.service_mut(key)?.dests;
                *dests.get_mut(&dest.key).ok_or(Refusal::NoDest)? = dest.clone();
            }
            Command::DeleteDest(key, dest) => {
                self.service_mut(key)?.dests.remove(dest).ok_or(Refusal::NoDest)?;
            }
        }
        Ok(())
    }

    fn service_mut(&mut self, key: &ServiceKey) -> Result<&mut TableService, Refusal> {
        self.services.get_mut(key).ok_or(Refusal::NoService)
    }
}

/// One change of the kernel's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add a service.
    AddService(Service),
    /// Replace everything but a service's key.
    EditService(Service),
    /// Delete a service with all its real servers.
    DeleteService(ServiceKey),
    /// Add a real server.
    AddDest(ServiceKey, Dest),
    /// Replace everything but a real server's key.
    EditDest(ServiceKey, Dest),
    /// Delete a real server; its connections stay until they end.
    DeleteDest(ServiceKey, DestKey),
}

impl Command {
    /// The service that it is about.
    #[must_use]
    pub fn service(&self) -> ServiceKey {
        match self {
            Self::AddService(service) | Self::EditService(service) => service.key,
            Self::DeleteService(key) | Self::AddDest(key, _) | Self::EditDest(key, _) | Self::DeleteDest(key, _) => *key,
        }
    }
}

impl fmt::Display for Command {
    /// `add service tcp 10.0.0.1:80`, `delete real server 10.0.0.11:80 of tcp 10.0.0.1:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddService(service) => write!(f, "add service {}", service.key),
            Self::EditService(service) => write!(f, "edit service {}", service.key),
            Self::DeleteService(key) => write!(f, "delete service {key}"),
            Self::AddDest(key, dest) => write!(f, "add real server {} to {key}", dest.key),
            Self::EditDest(key, dest) => write!(f, "edit real server {} of {key}", dest.key),
            Self::DeleteDest(key, dest) => write!(f, "delete real server {dest} of {key}"),
        }
    }
}

/// Version and size of the kernel's IPVS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// `major << 16 | minor << 8 | patch`.
    pub version: u32,
    /// Buckets of the connection table.
    pub table_size: u32,
}

impl Info {
    /// Major, minor and patch number.
    #[must_use]
    pub fn version_parts(&self) -> (u32, u32, u32) {
        (self.version >> 16 & 0xff, self.version >> 8 & 0xff, self.version & 0xff)
    }
}

/// Seconds that an idle connection is kept in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// TCP, ESTABLISHED.
    pub tcp: u32,
    /// TCP after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

/// What a synchronisation daemon of the kernel does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncRole {
    /// Announces its connections.
    Master,
    /// Takes over announced connections.
    Backup,
}

/// A connection synchronisation daemon of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    /// What it does.
    pub role: SyncRole,
    /// Interface that it uses.
    pub interface: String,
    /// Cluster number, 0 to 255.
    pub sync_id: u32,
    /// Longest message, bytes; 0 in a request: what the interface's MTU allows.
    pub max_length: u16,
    /// Multicast group; `None` in a request: 224.0.0.81.
    pub group: Option<IpAddr>,
    /// UDP port; 0 in a request: 8848.
    pub port: u16,
    /// TTL or hop limit; 0 in a request: 1.
    pub ttl: u8,
}
