//! The links: every one sends each packet. One receiving UDP socket per interface, port and address family serves all links
//! that need it; a serial line has its own device.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::task::{Context, Poll};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::config::settings::Medium;
use crate::errors;
use crate::media::serial::Line;

/// IPTOS_LOWDELAY (RFC 1349), as the original sets it.
const LOW_DELAY: u32 = 0x10;
/// Time to live of unicast and broadcast datagrams (`IPDEFTTL`).
const TTL: u32 = 64;
/// The largest UDP datagram.
pub const MAX_DATAGRAM: usize = 65_535;

/// Why a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The interface does not exist: an error for bcast and mcast.
    #[error("{medium}: network interface {interface} does not exist")]
    NoInterface {
        /// The link.
        medium: String,
        /// The interface's name.
        interface: String,
    },
    /// A bcast link's interface has no IPv4 broadcast address.
    #[error("{medium}: network interface {interface} has no IPv4 broadcast address")]
    NoBroadcast {
        /// The link.
        medium: String,
        /// The interface's name.
        interface: String,
    },
    /// Another program receives on the port.
    #[error("{medium}: UDP port {port} on {interface} is taken by another program (`ss -ulnp sport = :{port}` names it)")]
    PortTaken {
        /// The link.
        medium: String,
        /// The interface's name.
        interface: String,
        /// The port.
        port: u16,
    },
    /// Ports below 1024 and binding to an interface need root.
    #[error("{medium}: no permission to open UDP port {port} on {interface} (root or CAP_NET_RAW and CAP_NET_BIND_SERVICE)")]
    NoPermission {
        /// The link.
        medium: String,
        /// The interface's name.
        interface: String,
        /// The port.
        port: u16,
    },
    /// A serial device that cannot be opened.
    #[error("{medium}: cannot open the device")]
    Serial {
        /// The link.
        medium: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// Anything else the kernel said.
    #[error("{medium}: cannot open UDP port {port} on {interface}")]
    Io {
        /// The link.
        medium: String,
        /// The interface's name.
        interface: String,
        /// The port.
        port: u16,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// Whether it is a lack of permission.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::NoPermission { .. })
    }
}

/// What changed on a link; to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Index of the link.
    pub link: usize,
    /// What.
    pub what: Change,
}

/// See [`Notice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Its interface is not there (any more); looked for again at each [`Media::tend`].
    Missing,
    /// It is open (again).
    Opened,
    /// It cannot be opened although its interface exists.
    Refused(String),
    /// It cannot send.
    SendFailed(String),
    /// It can send again.
    SendWorks,
}

/// A received datagram's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index of the link it belongs to: the one whose peer sent it, else the first one of its interface.
    pub link: usize,
    /// The sender's address; none on a serial line.
    pub address: Option<IpAddr>,
    /// Length of the datagram, at the start of the buffer.
    pub len: usize,
}

/// All links of a node. Needs a running tokio reactor.
#[derive(Debug)]
pub struct Media {
    port: u16,
    links: Vec<Link>,
    receivers: BTreeMap<Place, Receiver>,
    /// Rotates, so that a busy interface does not starve the others.
    turn: usize,
}

/// Where a receiver listens: interface, port, whether by IPv6.
type Place = (String, u16, bool);

#[derive(Debug)]
struct Link {
    medium: Medium,
    sender: Option<Sender>,
    serial: Option<Line>,
    /// A complaint was made and not yet taken back.
    failing: bool,
}

#[derive(Debug)]
struct Sender {
    socket: Socket,
    to: SockAddr,
}

#[derive(Debug)]
struct Receiver {
    socket: UdpSocket,
    index: u32,
}

impl Media {
    /// Opens every link. A ucast link whose interface is missing is noted and opened later by [`Self::tend`]; anything
    /// else that does not open is an error. `port` is `udpport`.
    pub fn open(media: &[Medium], port: u16) -> Result<(Self, Vec<Notice>), Error> {
        let mut all = Self { port, links: Vec::new(), receivers: BTreeMap::new(), turn: 0 };
        let mut notices = Vec::new();
        for (index, medium) in media.iter().enumerate() {
            all.links.push(Link { medium: medium.clone(), sender: None, serial: None, failing: false });
            match all.open_link(index) {
                Ok(()) => {}
                Err(Error::NoInterface { .. }) if matches!(medium, Medium::Ucast { .. } | Medium::Ucast6 { .. }) => {
                    notices.push(Notice { link: index, what: Change::Missing });
                }
                Err(e) => return Err(e),
            }
        }
        Ok((all, notices))
    }

    /// Sends to every link, without waiting. What a full socket buffer refuses is lost, as on any network.
    pub fn send(&mut self, bytes: &[u8]) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (index, link) in self.links.iter_mut().enumerate() {
            if let Some(line) = &mut link.serial {
                line.send(bytes);
            }
            let Some(sender) = &link.sender else { continue };
            // An ICMP error that an earlier datagram earned is reported once and clears with that: try twice.
            let socket = &sender.socket;
            let sent = socket.send_to(bytes, &sender.to).or_else(|_| socket.send_to(bytes, &sender.to));
            match sent {
                Ok(_) if link.failing => {
                    link.failing = false;
                    notices.push(Notice { link: index, what: Change::SendWorks });
                }
                Ok(_) => {}
                Err(e) if !link.failing => {
                    link.failing = true;
                    notices.push(Notice { link: index, what: Change::SendFailed(e.to_string()) });
                }
                Err(_) => {}
            }
        }
        notices
    }

    /// Opens what could not be opened so far and notices interfaces that went away or came anew. To be called each second.
    pub fn tend(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        let stale: Vec<Place> = self
            .receivers
            .iter()
            .filter(|((interface, ..), receiver)| interface_index(interface) != Some(receiver.index))
            .map(|(key, _)| key.clone())
            .collect();
        for key in stale {
            self.receivers.remove(&key);
            for (index, link) in self.links.iter_mut().enumerate() {
                if link.medium.link() == key.0 && is_v6(&link.medium) == key.2 && link.sender.take().is_some() {
                    notices.push(Notice { link: index, what: Change::Missing });
                }
            }
        }
        for index in 0..self.links.len() {
            if self.links.get(index).is_none_or(|l| l.sender.is_some() || l.serial.as_ref().is_some_and(Line::is_open)) {
                continue;
            }
            let what = match self.open_link(index) {
                Ok(()) => Change::Opened,
                Err(Error::NoInterface { .. }) => continue,
                Err(e) if self.links.get(index).is_some_and(|l| !l.failing) => Change::Refused(errors::chain(&e)),
                Err(_) => continue,
            };
            if let Some(link) = self.links.get_mut(index) {
                link.failing = what != Change::Opened;
            }
            notices.push(Notice { link: index, what });
        }
        notices
    }

    /// Waits for the next packet on any link. Dropping the future loses nothing.
    pub async fn recv(&mut self, buffer: &mut [u8]) -> Origin {
        std::future::poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// See [`Self::recv`]: the datagram's place, once there is one.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Origin> {
        for (link, line) in self.links.iter_mut().enumerate().filter_map(|(n, l)| l.serial.as_mut().map(|s| (n, s))) {
            if let Poll::Ready(packet) = line.poll_packet(cx)
                && let Some(to) = buffer.get_mut(..packet.len())
            {
                to.copy_from_slice(&packet);
                return Poll::Ready(Origin { link, address: None, len: packet.len() });
            }
        }
        let count = self.receivers.len();
        self.turn = self.turn.wrapping_add(1);
        for step in 0..count {
            let place = self.turn.wrapping_add(step) % count;
            let Some((place, receiver)) = self.receivers.iter().nth(place) else { continue };
            // A pending error (an ICMP unreachable, a downed interface) is taken off the socket by the failed read.
            for _ in 0..3 {
                let mut read = ReadBuf::new(buffer);
                match receiver.socket.poll_recv_from(cx, &mut read) {
                    Poll::Ready(Ok(from)) => {
                        let len = read.filled().len();
                        let Some(link) = self.link_of(place, from.ip()) else { continue };
                        return Poll::Ready(Origin { link, address: Some(from.ip()), len });
                    }
                    Poll::Ready(Err(_)) => {}
                    Poll::Pending => break,
                }
            }
        }
        Poll::Pending
    }

    /// The medium of a link, as its directive reads.
    #[must_use]
    pub fn describe(&self, link: usize) -> String {
        self.links.get(link).map_or_else(String::new, |l| l.medium.to_string())
    }

    /// The link that a datagram came over.
    fn link_of(&self, (interface, port, v6): &Place, from: IpAddr) -> Option<usize> {
        let here = |l: &Medium| l.link() == interface && self.port_of(l) == *port && is_v6(l) == *v6;
        let all: Vec<(usize, &Medium)> = self.links.iter().map(|l| &l.medium).enumerate().filter(|(_, l)| here(l)).collect();
        let peer = |l: &Medium| match l {
            Medium::Ucast { peer, .. } => Some(IpAddr::V4(*peer)),
            Medium::Ucast6 { peer, .. } => Some(IpAddr::V6(*peer)),
            _ => None,
        };
        let exact = all.iter().find(|(_, l)| peer(l) == Some(from));
        let open = all.iter().find(|(_, l)| peer(l).is_none());
        exact.or(open).or(all.first()).map(|(index, _)| *index)
    }

    fn port_of(&self, medium: &Medium) -> u16 {
        match medium {
            Medium::Mcast { port, .. } | Medium::Mcast6 { port, .. } => *port,
            _ => self.port,
        }
    }

    fn open_link(&mut self, index: usize) -> Result<(), Error> {
        let Some(medium) = self.links.get(index).map(|l| l.medium.clone()) else { return Ok(()) };
        if let Medium::Serial { device, baud } = &medium {
            let line = Line::open(device, *baud).map_err(|source| Error::Serial { medium: medium.to_string(), source })?;
            if let Some(link) = self.links.get_mut(index) {
                link.serial = Some(line);
            }
            return Ok(());
        }
        let port = self.port_of(&medium);
        let interface = medium.link().to_owned();
        let name = medium.to_string();
        let failed = |source: io::Error| match source.raw_os_error() {
            Some(libc::EADDRINUSE) => Error::PortTaken { medium: name.clone(), interface: interface.clone(), port },
            Some(libc::EACCES | libc::EPERM) => Error::NoPermission { medium: name.clone(), interface: interface.clone(), port },
            Some(libc::ENODEV) => Error::NoInterface { medium: name.clone(), interface: interface.clone() },
            _ => Error::Io { medium: name.clone(), interface: interface.clone(), port, source },
        };
        let Some(device) = interface_index(&interface) else {
            return Err(Error::NoInterface { medium: name, interface });
        };
        let sender = sending(&medium, &interface).map_err(failed)?;
        let v6 = is_v6(&medium);
        let to: SocketAddr = match &medium {
            Medium::Ucast { peer, .. } => SocketAddrV4::new(*peer, port).into(),
            Medium::Mcast { group, .. } => SocketAddrV4::new(*group, port).into(),
            Medium::Ucast6 { peer, .. } => SocketAddrV6::new(*peer, port, 0, scope(*peer, device)).into(),
            Medium::Mcast6 { group, .. } => SocketAddrV6::new(*group, port, 0, device).into(),
            Medium::Bcast { .. } | Medium::Serial { .. } => match broadcast_address(&interface) {
                Some(address) => SocketAddrV4::new(address, port).into(),
                None => return Err(Error::NoBroadcast { medium: name, interface }),
            },
        };
        let key = (interface.clone(), port, v6);
        if !self.receivers.contains_key(&key) {
            let socket = receiving(&interface, port, v6).map_err(failed)?;
            self.receivers.insert(key.clone(), Receiver { socket, index: device });
        }
        if let Some(receiver) = self.receivers.get(&key) {
            let socket = socket2::SockRef::from(&receiver.socket);
            let joined = match &medium {
                Medium::Mcast { group, .. } => socket.join_multicast_v4_n(group, &InterfaceIndexOrAddress::Index(device)),
                Medium::Mcast6 { group, .. } => socket.join_multicast_v6(group, device),
                _ => Ok(()),
            };
            match joined {
                Err(e) if e.raw_os_error() != Some(libc::EADDRINUSE) => return Err(failed(e)),
                _ => {}
            }
        }
        if let Some(link) = self.links.get_mut(index) {
            link.sender = Some(Sender { socket: sender, to: to.into() });
        }
        Ok(())
    }
}

/// A socket to send with: any port, the given interface.
fn sending(medium: &Medium, interface: &str) -> io::Result<Socket> {
    let domain = if is_v6(medium) { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    if domain == Domain::IPV4 {
        socket.set_tos_v4(LOW_DELAY)?;
    }
    match medium {
        Medium::Ucast { .. } | Medium::Serial { .. } => socket.set_ttl_v4(TTL)?,
        Medium::Bcast { .. } => {
            socket.set_broadcast(true)?;
            socket.set_ttl_v4(TTL)?;
        }
        Medium::Mcast { ttl, looped, .. } => {
            socket.set_multicast_ttl_v4(u32::from(*ttl))?;
            socket.set_multicast_loop_v4(*looped)?;
        }
        Medium::Ucast6 { .. } => socket.set_unicast_hops_v6(TTL)?,
        Medium::Mcast6 { hops, looped, .. } => {
            socket.set_multicast_hops_v6(u32::from(*hops))?;
            socket.set_multicast_loop_v6(*looped)?;
        }
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket that receives whatever comes to the port over the interface. No SO_REUSEADDR: two receivers of one port on one
/// interface would steal each other's datagrams, and a second daemon has to be told that the port is taken.
fn receiving(interface: &str, port: u16, v6: bool) -> io::Result<UdpSocket> {
    let (domain, any) =
        if v6 { (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)) } else { (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)) };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddr::new(any, port).into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}

fn is_v6(medium: &Medium) -> bool {
    matches!(medium, Medium::Ucast6 { .. } | Medium::Mcast6 { .. })
}

/// A link-local address means nothing without its interface.
fn scope(address: Ipv6Addr, device: u32) -> u32 {
    if address.is_unicast_link_local() { device } else { 0 }
}

fn interface_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The broadcast address of the interface's first IPv4 address that has one.
fn broadcast_address(interface: &str) -> Option<Ipv4Addr> {
    let addresses = nix::ifaddrs::getifaddrs().ok()?;
    addresses
        .filter(|a| a.interface_name == interface && a.flags.contains(nix::net::if_::InterfaceFlags::IFF_BROADCAST))
        .filter(|a| a.address.as_ref().is_some_and(|s| s.as_sockaddr_in().is_some()))
        .find_map(|a| Some(a.broadcast?.as_sockaddr_in()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ucast(interface: &str) -> Medium {
        Medium::Ucast { interface: interface.to_owned(), peer: Ipv4Addr::LOCALHOST }
    }

    /// A port that was free a moment ago.
    fn free_port() -> u16 {
        std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_datagram_goes_out_and_comes_in_over_loopback() {
        let (mut media, notices) = Media::open(&[ucast("lo")], free_port()).unwrap();
        assert_eq!(notices, []);
        assert_eq!(media.send(b"hello"), []);
        let mut buffer = [0; 100];
        let from = media.recv(&mut buffer).await;
        let localhost = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!((from.link, from.address, buffer.get(..from.len)), (0, localhost, Some(&b"hello"[..])));
    }

    #[tokio::test]
    async fn both_families_share_interface_and_port() {
        let six = Medium::Ucast6 { interface: "lo".to_owned(), peer: Ipv6Addr::LOCALHOST };
        let (mut media, notices) = Media::open(&[ucast("lo"), six], free_port()).unwrap();
        assert_eq!(notices, []);
        assert_eq!(media.send(b"hello"), []);
        let mut buffer = [0; 100];
        let mut links = [media.recv(&mut buffer).await.link, media.recv(&mut buffer).await.link];
        links.sort_unstable();
        assert_eq!(links, [0, 1]);
    }

    #[tokio::test]
    async fn two_links_of_one_interface_share_the_receiver() {
        let port = free_port();
        let (media, _) = Media::open(&[ucast("lo"), ucast("lo")], port).unwrap();
        assert_eq!(media.receivers.len(), 1);
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Media::open(&[ucast("lo")], port).unwrap_err();
        assert!(matches!(&error, Error::PortTaken { port: p, interface, .. } if *p == port && interface == "lo"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_interface_is_an_error_for_bcast_and_a_notice_for_ucast() {
        let bcast = Medium::Bcast { interface: "nosuch0".into() };
        let error = Media::open(&[bcast], free_port()).unwrap_err();
        assert_eq!(error.to_string(), "bcast nosuch0: network interface nosuch0 does not exist");
        let (mut media, notices) = Media::open(&[ucast("nosuch0")], free_port()).unwrap();
        assert_eq!(notices, [Notice { link: 0, what: Change::Missing }]);
        assert_eq!(media.tend(), [], "it is still missing, and was said so");
        assert_eq!(media.send(b"x"), []);
    }
}
