//! The addresses of this host, through rtnetlink: find the interface, add, remove, list. Adding what is there and removing
//! what is not are no errors.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType};
use tokio::sync::Mutex;

use super::Mac;

/// Longest label (IFNAMSIZ without the final NUL).
const MAX_LABEL: usize = 15;

/// What went wrong; each names its subject.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The netlink socket could not be opened.
    #[error("cannot open the route netlink socket")]
    Socket(#[source] io::Error),
    /// No such interface.
    #[error("network interface {0} does not exist")]
    NoInterface(String),
    /// No interface was named and no route leads directly to the address.
    #[error("no interface is attached to the network of {0}: name one, as in {0}/24/eth0")]
    NoRoute(IpAddr),
    /// An interface was named, but no prefix, and no route tells one.
    #[error("no prefix length is known for {ip} on {interface}: write it, as in {ip}/24/{interface}")]
    NoPrefix {
        /// The address.
        ip: IpAddr,
        /// The interface.
        interface: String,
    },
    /// The kernel refused.
    #[error("cannot {what}")]
    Kernel {
        /// What was tried, such as `add 10.0.0.1/24 to eth0`.
        what: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether root or CAP_NET_ADMIN is missing.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Kernel { source, .. } if source.raw_os_error() == Some(libc::EPERM))
    }
}

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its Ethernet address, if it has one.
    pub mac: Option<Mac>,
    /// Whether it speaks ARP: not the loopback, no tunnel.
    pub arp: bool,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is up and its cable leads somewhere.
    pub carrier: bool,
}

impl Interface {
    /// The Ethernet address, if neighbours are found by ARP here and the interface is up.
    #[must_use]
    pub fn ethernet(&self) -> Option<Mac> {
        self.mac.filter(|_| self.arp && self.up)
    }
}

/// An address as it is wanted: what the configuration leaves out is found in the routing table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The address.
    pub ip: IpAddr,
    /// Its prefix length.
    pub prefix: Option<u8>,
    /// Interface name.
    pub interface: Option<String>,
    /// Broadcast address; `None`: the network's.
    pub broadcast: Option<Ipv4Addr>,
    /// The label.
    pub label: Label,
}

/// The name of an address that `ifconfig` shows it by (IPv4 only).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Label {
    /// The interface's name: `ifconfig` does not show the address.
    Interface,
    /// The interface's first free one: `eth0:0`, `eth0:1` ...
    Free,
    /// This one.
    Named(String),
}

/// Where an address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The interface.
    pub interface: Interface,
    /// The address.
    pub ip: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// Its broadcast address.
    pub broadcast: Option<Ipv4Addr>,
}

/// An address of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The address.
    pub ip: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// The interface's number.
    pub index: u32,
    /// The label, if it has one (IPv4).
    pub label: Option<String>,
    message: AddressMessage,
}

/// The connection to the kernel.
#[derive(Debug, Clone)]
pub struct Addresses {
    handle: rtnetlink::Handle,
    /// Held for each request: a netlink socket has one dump at a time, and a second one fails (`EBUSY`).
    turn: Arc<Mutex<()>>,
    /// Held for each change from the first look to the last: what another change removed meanwhile must not count as lost
    /// and be put back, and two must not choose the same label.
    change: Arc<Mutex<()>>,
}

impl Addresses {
    /// Opens it, on the running runtime and in the network namespace of this thread.
    pub fn connect() -> Result<Self, Error> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(Error::Socket)?;
        tokio::spawn(connection);
        Ok(Self { handle, turn: Arc::default(), change: Arc::default() })
    }

    /// Every address of this host.
    pub async fn list(&self) -> Result<Vec<Assigned>, Error> {
        let _turn = self.turn.lock().await;
        let all: Vec<AddressMessage> =
            self.handle.address().get().execute().try_collect().await.map_err(kernel("list addresses"))?;
        Ok(all.into_iter().filter_map(assigned).collect())
    }

    /// Every interface of this host.
    pub async fn interfaces(&self) -> Result<Vec<Interface>, Error> {
        let _turn = self.turn.lock().await;
        let all: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(kernel("list network interfaces"))?;
        Ok(all.iter().filter_map(interface).collect())
    }

    /// Decides where the address goes: what is not given comes from the most specific directly attached network of the
    /// main routing table that contains it.
    pub async fn place(&self, wanted: &Wanted) -> Result<Place, Error> {
        let interfaces = self.interfaces().await?;
        let named = match &wanted.interface {
            Some(name) => Some(interfaces.iter().find(|i| i.name == *name).ok_or_else(|| Error::NoInterface(name.clone()))?),
            None => None,
        };
        let (interface, prefix) = match (named, wanted.prefix) {
            (Some(interface), Some(prefix)) => (interface, prefix),
            (named, prefix) => {
                let route = attached(&self.routes(wanted.ip).await?, wanted.ip, named.map(|i| i.index));
                match (named, route) {
                    (_, Some((index, found))) => {
                        let interface = interfaces.iter().find(|i| i.index == index).ok_or(Error::NoRoute(wanted.ip))?;
                        (interface, prefix.unwrap_or(found))
                    }
                    (Some(interface), None) => {
                        return Err(Error::NoPrefix { ip: wanted.ip, interface: interface.name.clone() });
                    }
                    (None, None) => return Err(Error::NoRoute(wanted.ip)),
                }
            }
        };
        let broadcast = wanted.broadcast.or_else(|| match wanted.ip {
            IpAddr::V4(ip) => network_broadcast(ip, prefix),
            IpAddr::V6(_) => None,
        });
        Ok(Place { interface: interface.clone(), ip: wanted.ip, prefix, broadcast })
    }

    /// Where the address is now, the loopback not counted (a real server has the VIP there).
    pub async fn find(&self, ip: IpAddr) -> Result<Option<Assigned>, Error> {
        let interfaces = self.interfaces().await?;
        let on_loopback = |index| interfaces.iter().any(|i| i.index == index && i.name == "lo");
        Ok(self.list().await?.into_iter().find(|a| a.ip == ip && !on_loopback(a.index)))
    }

    /// Adds the address. `Ok` too if it is there already.
    pub async fn add(&self, place: &Place, label: &Label) -> Result<(), Error> {
        let _change = self.change.lock().await;
        let mut request = self.handle.address().add(place.interface.index, place.ip, place.prefix);
        let label = match (label, place.ip) {
            (Label::Free, IpAddr::V4(_)) => free_label(&place.interface.name, &self.list().await?),
            (Label::Named(name), IpAddr::V4(_)) if name.len() <= MAX_LABEL => Some(name.clone()),
            _ => None,
        };
        let message = request.message_mut();
        message.attributes.retain(|a| !matches!(a, AddressAttribute::Broadcast(_)));
        if let Some(broadcast) = place.broadcast {
            message.attributes.push(AddressAttribute::Broadcast(broadcast));
        }
        if let Some(label) = label {
            message.attributes.push(AddressAttribute::Label(label));
        }
        if place.ip.is_ipv6() {
            // Usable at once: the time of duplicate detection would be an outage, and who holds it is settled.
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let _turn = self.turn.lock().await;
        match request.execute().await.map_err(source) {
            Err(e) if e.raw_os_error() != Some(libc::EEXIST) => {
                Err(Error::Kernel { what: format!("add {}/{} to {}", place.ip, place.prefix, place.interface.name), source: e })
            }
            _ => {
                tracing::debug!(ip = %place.ip, prefix = place.prefix, interface = place.interface.name, "address added");
                Ok(())
            }
        }
    }

    /// Removes the address from wherever it is but the loopback. Others of its network that the kernel drops along with a
    /// primary address come back. Returns whether there was anything to remove.
    pub async fn remove(&self, ip: IpAddr) -> Result<bool, Error> {
        let _change = self.change.lock().await;
        let Some(found) = self.find(ip).await? else { return Ok(false) };
        let before = self.list().await?;
        let turn = self.turn.lock().await;
        let removed = self.handle.address().del(found.message.clone()).execute().await.map_err(source);
        drop(turn);
        match removed {
            Err(e) if e.raw_os_error() != Some(libc::EADDRNOTAVAIL) => {
                return Err(Error::Kernel { what: format!("remove {ip}/{}", found.prefix), source: e });
            }
            _ => tracing::debug!(%ip, "address removed"),
        }
        let after = self.list().await?;
        for lost in before.into_iter().filter(|a| a.index == found.index && a.ip != ip && a.ip.is_ipv4()) {
            if !after.iter().any(|a| a.index == lost.index && a.ip == lost.ip) {
                self.put_back(lost).await?;
            }
        }
        Ok(true)
    }

    async fn put_back(&self, lost: Assigned) -> Result<(), Error> {
        let mut request = self.handle.address().add(lost.index, lost.ip, lost.prefix);
        let message = request.message_mut();
        message.header.scope = lost.message.header.scope;
        message.attributes = lost.message.attributes;
        message.attributes.retain(|a| {
            matches!(
                a,
                AddressAttribute::Address(_)
                    | AddressAttribute::Local(_)
                    | AddressAttribute::Label(_)
                    | AddressAttribute::Broadcast(_)
            )
        });
        let _turn = self.turn.lock().await;
        match request.execute().await.map_err(source) {
            Err(e) if e.raw_os_error() != Some(libc::EEXIST) => {
                Err(Error::Kernel { what: format!("put {}/{} back", lost.ip, lost.prefix), source: e })
            }
            _ => Ok(()),
        }
    }

    async fn routes(&self, ip: IpAddr) -> Result<Vec<RouteMessage>, Error> {
        let _turn = self.turn.lock().await;
        let mut message = RouteMessage::default();
        message.header.address_family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        self.handle.route().get(message).execute().try_collect().await.map_err(kernel("list routes"))
    }
}

/// The interface and prefix length of the most specific directly attached network that contains `ip`: a unicast route of
/// the main table without a gateway, the default route not counted.
fn attached(routes: &[RouteMessage], ip: IpAddr, on: Option<u32>) -> Option<(u32, u8)> {
    let candidate = |route: &RouteMessage| {
        let prefix = route.header.destination_prefix_length;
        let mut destination = None;
        let mut interface = None;
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => return None,
                RouteAttribute::Destination(RouteAddress::Inet(a)) => destination = Some(IpAddr::V4(*a)),
                RouteAttribute::Destination(RouteAddress::Inet6(a)) => destination = Some(IpAddr::V6(*a)),
                RouteAttribute::Oif(index) => interface = Some(*index),
                _ => {}
            }
        }
        let interface = interface.filter(|i| on.is_none_or(|wanted| wanted == *i))?;
        (route.header.table == RouteHeader::RT_TABLE_MAIN
            && route.header.kind == RouteType::Unicast
            && prefix > 0
            && contains(destination?, prefix, ip))
        .then_some((interface, prefix))
    };
    routes.iter().filter_map(candidate).max_by_key(|(_, prefix)| *prefix)
}

/// Whether the network `network/prefix` contains `ip`.
fn contains(network: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let (network, ip, width) = match (network, ip) {
        (IpAddr::V4(n), IpAddr::V4(i)) => (u128::from(n.to_bits()), u128::from(i.to_bits()), 32_u8),
        (IpAddr::V6(n), IpAddr::V6(i)) => (n.to_bits(), i.to_bits(), 128),
        _ => return false,
    };
    let host_bits = u32::from(width.saturating_sub(prefix));
    (network ^ ip).checked_shr(host_bits).unwrap_or(0) == 0
}

/// The broadcast address of the network; none for networks of one or two addresses.
fn network_broadcast(ip: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    let host_bits = u32::from(32_u8.checked_sub(prefix)?);
    (host_bits >= 2).then(|| Ipv4Addr::from_bits(ip.to_bits() | u32::MAX.checked_shr(32 - host_bits).unwrap_or(0)))
}

/// The first of `eth0:0`, `eth0:1` … that no address has; none if it would be too long for the kernel.
fn free_label(interface: &str, taken: &[Assigned]) -> Option<String> {
    (0..=taken.len())
        .map(|n| format!("{interface}:{n}"))
        .find(|label| !taken.iter().any(|a| a.label.as_ref() == Some(label)))
        .filter(|label| label.len() <= MAX_LABEL)
}

fn assigned(message: AddressMessage) -> Option<Assigned> {
    let mut address = None;
    let mut local = None;
    let mut label = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Address(a) => address = Some(*a),
            AddressAttribute::Local(a) => local = Some(*a),
            AddressAttribute::Label(l) => label = Some(l.clone()),
            _ => {}
        }
    }
    Some(Assigned { ip: local.or(address)?, prefix: message.header.prefix_len, index: message.header.index, label, message })
}

fn interface(message: &LinkMessage) -> Option<Interface> {
    let name = message.attributes.iter().find_map(|a| match a {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|a| match a {
        LinkAttribute::Address(bytes) => Some(Mac(bytes.as_slice().try_into().ok()?)),
        _ => None,
    });
    let flags = message.header.flags;
    let arp = message.header.link_layer_type == LinkLayerType::Ether
        && !flags.contains(LinkFlags::Noarp)
        && !flags.contains(LinkFlags::Loopback);
    let (up, carrier) = (flags.contains(LinkFlags::Up), flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::LowerUp));
    Some(Interface { index: message.header.index, name, mac, arp, up, carrier })
}

/// What the kernel said, as an I/O error.
fn source(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other.to_string()),
    }
}

fn kernel(what: &str) -> impl FnOnce(rtnetlink::Error) -> Error {
    let what = what.to_owned();
    move |e| Error::Kernel { what, source: source(e) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn questions_asked_at_the_same_time_are_all_answered() {
        let addresses = Addresses::connect().unwrap();
        let ask = || {
            let addresses = addresses.clone();
            tokio::spawn(async move { (addresses.list().await, addresses.interfaces().await) })
        };
        for task in std::iter::repeat_with(ask).take(50).collect::<Vec<_>>() {
            let (list, interfaces) = task.await.unwrap();
            list.unwrap();
            assert!(interfaces.unwrap().iter().any(|i| i.name == "lo"));
        }
    }

    fn route(destination: &str, prefix: u8, oif: u32, gateway: bool) -> RouteMessage {
        let mut route = RouteMessage::default();
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.header.kind = RouteType::Unicast;
        route.header.destination_prefix_length = prefix;
        route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(destination.parse().unwrap())));
        route.attributes.push(RouteAttribute::Oif(oif));
        if gateway {
            route.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(Ipv4Addr::LOCALHOST)));
        }
        route
    }

    #[test]
    fn the_most_specific_attached_network_wins_and_gateways_do_not_count() {
        let routes = [
            route("0.0.0.0", 0, 1, false),
            route("10.0.0.0", 8, 2, false),
            route("10.0.0.0", 24, 3, false),
            route("10.0.0.0", 28, 4, true),
        ];
        assert_eq!(attached(&routes, "10.0.0.5".parse().unwrap(), None), Some((3, 24)));
        assert_eq!(attached(&routes, "10.0.0.5".parse().unwrap(), Some(2)), Some((2, 8)));
        assert_eq!(attached(&routes, "192.0.2.5".parse().unwrap(), None), None);
    }

    #[test]
    fn the_broadcast_is_that_of_the_network() {
        let ip = Ipv4Addr::new(10, 0, 0, 60);
        assert_eq!(network_broadcast(ip, 24), Some(Ipv4Addr::new(10, 0, 0, 255)));
        assert_eq!(network_broadcast(ip, 30), Some(Ipv4Addr::new(10, 0, 0, 63)));
        assert_eq!(network_broadcast(ip, 0), Some(Ipv4Addr::BROADCAST));
        assert_eq!((network_broadcast(ip, 31), network_broadcast(ip, 32), network_broadcast(ip, 40)), (None, None, None));
    }

    #[test]
    fn the_first_free_label_is_taken_unless_too_long() {
        let at = |label: &str| Assigned {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            prefix: 8,
            index: 1,
            label: Some(label.to_owned()),
            message: AddressMessage::default(),
        };
        assert_eq!(free_label("eth0", &[]).as_deref(), Some("eth0:0"));
        assert_eq!(free_label("eth0", &[at("eth0"), at("eth0:0"), at("eth0:2")]).as_deref(), Some("eth0:1"));
        assert_eq!(free_label("fifteen-letters", &[]), None);
    }

    #[test]
    fn networks_contain_their_addresses() {
        let ip = |s: &str| s.parse::<IpAddr>().unwrap();
        assert!(contains(ip("10.0.0.0"), 24, ip("10.0.0.255")));
        assert!(!contains(ip("10.0.0.0"), 24, ip("10.0.1.0")));
        assert!(contains(ip("0.0.0.0"), 0, ip("10.0.1.0")));
        assert!(contains(ip("fe80::"), 64, ip("fe80::1")));
        assert!(!contains(ip("fe80::"), 64, ip("10.0.0.1")));
        assert!(contains(ip("::"), 0, ip("fe80::1")));
    }
}
